//! The result of parsing: keys, the reason why there are none, or an error.

use jiff::Timestamp;

use super::fields::name;
use crate::model::key::Key;
use crate::model::resources::TaskRun;

/// The largest body that is parsed: `EventBridge` passes on no larger event.
/// <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html>
pub const MAX_BODY: usize = 256 * 1024;

/// Keys of one message. A tag event names one resource, a `CreateTags` call up to 1,000.
pub(super) const MAX_KEYS: usize = 2_000;

/// Whether an event concerns us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relevance {
    /// It names at least one key.
    Relevant,
    /// It is well formed and none of our business.
    Ignored(Ignored),
}

/// Why an event is none of our business.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ignored {
    /// A source or detail type that no rule depends on.
    UnknownType,
    /// A call that AWS refused: `errorCode` is set, nothing changed.
    FailedCall,
    /// A call that only reads.
    ReadOnly,
    /// A call that changes nothing a rule looks at.
    UnknownCall,
    /// About a resource of a kind that we don't watch, for instance an EC2 instance.
    OtherResource,
    /// Nothing inside: an empty batch, an SNS subscription notice.
    Empty,
}

/// The keys of an event, and what logs and metrics say about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parsed {
    /// For instance `aws.rds`; of a batch, that of its first relevant event.
    pub source: String,
    /// For instance `RDS DB Instance Event`.
    pub detail_type: String,
    /// The event's own time; of a batch, the earliest.
    pub time: Option<Timestamp>,
    /// Where to look, without duplicates. Empty exactly when ignored.
    pub keys: Vec<Key>,
    /// Who did it: the ARN of the principal, from `CloudTrail` alone.
    pub actor: Option<String>,
    /// Tasks of no service whose state it tells, with the key of their family. It is evidence: ECS forgets a task about an
    /// hour after its end, and then nothing else is left of it.
    pub runs: Vec<(Key, TaskRun)>,
    /// Whether it concerns us.
    pub outcome: Relevance,
}

/// Why a body could not be understood. Never holds anything of the body but names of fields that we looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// Larger than [`MAX_BODY`].
    #[error("the body has {0} bytes, more than {MAX_BODY}")]
    TooLarge(usize),
    /// Not JSON, or nested too deeply for it.
    #[error("not JSON (line {line}, column {column})")]
    NotJson {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
    },
    /// More envelopes within envelopes than anything sends.
    #[error("too many envelopes within each other")]
    TooDeep,
    /// More resources than one event can name.
    #[error("more than {MAX_KEYS} resources")]
    TooMany,
    /// A field is absent, empty or not of its kind.
    #[error("no usable `{0}`")]
    Missing(&'static str),
}

pub(super) fn ignored(source: &str, detail_type: &str, why: Ignored) -> Parsed {
    Parsed {
        source: name(source).unwrap_or_default(),
        detail_type: name(detail_type).unwrap_or_default(),
        time: None,
        keys: Vec::new(),
        actor: None,
        runs: Vec::new(),
        outcome: Relevance::Ignored(why),
    }
}
