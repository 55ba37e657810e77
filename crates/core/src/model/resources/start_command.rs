//! What a container is started with.

/// What a container is started with, so that it can be compared with another one's. Commands may hold secrets: only their
/// hashes are kept, and those are not shown.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct StartCommand {
    /// Hash of its own entry point and command; absent if it has neither and the image's are run.
    pub command: Option<u64>,
    /// Hash of the plain variables by whose names an image may be told what to run (`ROLE`, `MODE`, `RUN_MIGRATIONS`, ...);
    /// absent if there are none.
    pub mode: Option<u64>,
}

impl StartCommand {
    /// What is kept of an entry point, a command and the plain environment.
    #[must_use]
    pub fn new<T: AsRef<str>>(entry_point: &[T], command: &[T], environment: &[(String, T)]) -> Self {
        let told = environment.iter().filter(|(name, _)| may_tell_what_runs(name));
        let mut mode: Vec<(&str, &str)> = told.map(|(name, value)| (name.as_str(), value.as_ref())).collect();
        mode.sort_unstable();
        let words = |list: &[T]| -> Vec<u64> { list.iter().map(|w| hash(&w.as_ref())).collect() };
        Self {
            command: (!entry_point.is_empty() || !command.is_empty())
                .then(|| hash(&(words(entry_point), words(command)))),
            mode: (!mode.is_empty()).then(|| hash(&mode)),
        }
    }
}

impl std::fmt::Debug for StartCommand {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let has = |hash: Option<u64>| hash.is_some();
        write!(
            f,
            "StartCommand {{ command: {}, mode: {} }}",
            has(self.command),
            has(self.mode)
        )
    }
}

fn hash(value: &impl std::hash::Hash) -> u64 {
    use std::hash::Hasher as _;
    let mut hasher = std::hash::DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// Whether an image may decide by a variable of this name what it runs.
fn may_tell_what_runs(variable: &str) -> bool {
    const WORDS: &[&str] = &[
        "ROLE",
        "MODE",
        "COMMAND",
        "CMD",
        "PROCESS",
        "TASK",
        "JOB",
        "MIGRAT",
        "RUN",
        "ACTION",
        "ENTRYPOINT",
        "TYPE",
        "WORKER",
        "SCRIPT",
        "ARGS",
    ];
    let upper = variable.to_ascii_uppercase();
    WORDS.iter().any(|word| upper.contains(word))
}
