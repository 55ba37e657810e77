//! Why a file can't be checked.

/// Most bytes of a file. Plans of large configurations have some tens of MiB.
pub const LARGEST: usize = 128 << 20;

/// What a file must be.
const EXPECTED: &str = "expected a task definition (as `aws ecs register-task-definition --cli-input-json` takes it, \
                        or `describe-task-definition` prints it), a container definition or a list of them, the output of \
                        `terraform show -json` for a plan or a state, a CloudFormation template (JSON or YAML, CDK's \
                        `cdk.out/*.template.json` included), or the output of `aws cloudformation describe-change-set`";

/// Why a file is none that can be checked. No sentence holds anything of the file's text but a format's version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckError {
    /// It has more bytes than [`LARGEST`].
    #[error("it has more than {} MiB", LARGEST >> 20)]
    TooLarge,
    /// What `terraform plan -out` writes.
    #[error("it is a saved plan, not its JSON: give what `terraform show -json PLANFILE` prints")]
    SavedPlan,
    /// Its byte order mark says UTF-16, and it is not.
    #[error("it is not valid UTF-16")]
    NotUtf16,
    /// The byte at this offset is not UTF-8.
    #[error("it is not text: byte {0} is not UTF-8")]
    NotText(usize),
    /// What `terraform plan -json` prints: one message a line.
    #[error("it is the log of `terraform plan -json`: give what `terraform show -json PLANFILE` prints")]
    PlanLog,
    /// JSON with comments, at this line.
    #[error("JSON with comments is not supported: strip them first (there is one on line {0})")]
    Comments(usize),
    /// It is neither JSON nor YAML.
    #[error("{0}; {EXPECTED}")]
    NotJson(#[from] NotJson),
    /// A plan or state of a format that is not known.
    #[error("its format_version is {0}, and Holdfast reads 0.1, 0.2 and 1.x: write it with Terraform 1.x or OpenTofu")]
    FormatVersion(String),
    /// JSON of another kind.
    #[error("it is not recognised: {}{EXPECTED}", .0.map_or("", Lookalike::sentence))]
    NotRecognised(Option<Lookalike>),
    /// It has no resource that a rule looks at.
    #[error("there is nothing in it to judge")]
    Empty,
}

/// Where a text is no JSON.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{what}", at(*.line, *.column))]
pub struct NotJson {
    /// From 1; 0 where the parser names no place.
    pub line: usize,
    /// From 1.
    pub column: usize,
    /// In the parser's words, which hold nothing of the text.
    pub what: String,
}

fn at(line: usize, column: usize) -> String {
    match line {
        0 => String::new(),
        line => format!("line {line} column {column}: "),
    }
}

/// JSON that is often given in place of the right one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lookalike {
    /// `terraform.tfstate`.
    RawState,
    /// One message of `terraform plan -json`.
    PlanLog,
    /// Of `terraform show`, without what it shows.
    NoValues,
    /// A Compose file.
    Compose,
    /// A manifest of Kubernetes.
    Kubernetes,
}

impl Lookalike {
    fn sentence(self) -> &'static str {
        match self {
            Self::RawState => "it is a raw Terraform state: give what `terraform show -json` prints; ",
            Self::PlanLog => {
                "it is the log of `terraform plan -json`: give what `terraform show -json PLANFILE` prints; "
            }
            Self::Compose => {
                "it is a Compose file, which says nothing of ECS: give the task definition that is made of it; "
            }
            Self::Kubernetes => "it is a Kubernetes manifest; ",
            Self::NoValues => "it has neither `planned_values` nor `values`; ",
        }
    }
}
