//! Every reason, with its sentence.

use std::sync::Arc;

use jiff::Timestamp;

use super::code::HoldCode;
use crate::model::key::Scope;
use crate::model::policy::Risk;
use crate::model::read_error::ReadError;
use crate::model::tags::Waiver;

/// Why a correction is not made now: one sentence for a person ([`Display`](std::fmt::Display)), and a
/// [code](HoldReason::code) for programs.
///
/// Every reason is here, whether a rule, the plan or the execution gives it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HoldReason {
    // ---- of the finding ----
    /// The finding is unknown; its message.
    #[error("what is unknown never leads to an action: {0}")]
    UnknownFinding(String),
    /// Somebody accepted the finding for a time.
    #[error("waived{}", waived(.0.as_ref()))]
    Waived(Option<Waiver>),
    /// The rule has no remedy.
    #[error("it needs a person")]
    NoRemedy,
    /// The remedy has no calls.
    #[error("it needs a person: no call can do it")]
    NoCalls,

    // ---- of the configuration ----
    /// The rule (its id) corrects only where that is asked for, and it is not.
    #[error("it is corrected only where rules.{0}.correct is true")]
    NotOptedIn(String),
    /// A tag of the resource; the prefix of Holdfast's tags.
    #[error("the tag {0}mode asks for audit")]
    AuditByTag(String),
    /// The configuration of the rule (its id).
    #[error("rules.{0}.mode is audit")]
    AuditByRule(String),
    /// The correction costs more than the configuration allows.
    #[error("its risk is {0}, which safety.allow_risk does not name")]
    RiskNotAllowed(Risk),
    /// So much of the fleet fails that the rule or the read is suspect.
    #[error(
        "{failing} of {all} workloads fail {rule}, more than safety.max_failing_percent ({limit} %): that is a bad rule \
         or a bad read until a person has looked"
    )]
    TooManyFailing {
        /// The rule's id.
        rule: String,
        /// Workloads that fail it.
        failing: usize,
        /// Workloads that it evaluated.
        all: usize,
        /// The percentage allowed.
        limit: usize,
    },
    /// No change window is open; when the next one opens.
    #[error("waits for the next of safety.change_windows, which opens at {0}")]
    OutsideOfWindows(Timestamp),
    /// No change window opens at any time.
    #[error("none of safety.change_windows ever opens")]
    NoWindow,

    // ---- of the resource ----
    /// The resource is nobody's, or another workload's.
    #[error("{resource} does not carry {prefix}workload={workload}; tag it to let Holdfast correct it")]
    Untagged {
        /// Its name.
        resource: String,
        /// The prefix of Holdfast's tags.
        prefix: String,
        /// The workload.
        workload: String,
    },
    /// AWS would refuse to change a database of this status.
    #[error("waits: {database} is {status}, and AWS changes only an available one")]
    DatabaseNotAvailable {
        /// Its identifier.
        database: String,
        /// Its status.
        status: String,
    },
    /// The call would carry out other changes too.
    #[error(
        "waits: {database} has changes pending ({}) that ApplyImmediately would carry out too",
        .fields.join(", ")
    )]
    ChangesPending {
        /// Its identifier.
        database: String,
        /// The fields that would change.
        fields: Vec<String>,
    },
    /// The cluster of an instance could not be read.
    #[error("its cluster is unknown: {0}")]
    ClusterUnknown(Arc<ReadError>),

    // ---- of those who use it ----
    /// What a group guards could not be read.
    #[error("what else {group} guards is unknown: {error}")]
    GuardedUnknown {
        /// The group's id.
        group: String,
        /// Why.
        error: Arc<ReadError>,
    },
    /// A group guards more than the workload's database.
    #[error("{group} also guards {}", .others.join(", "))]
    GuardsOthers {
        /// The group's id.
        group: String,
        /// The others.
        others: Vec<String>,
    },
    /// Whether services would lose their path could not be read.
    #[error("whether the services keep a path to {database} is unknown: {error}")]
    PathsUnknown {
        /// The database's identifier.
        database: String,
        /// Why.
        error: Arc<ReadError>,
    },
    /// Services, or others, would lose their path.
    #[error("it would cut off {}; give each a rule of its own first", .0.join(", "))]
    CutsOff(Vec<String>),
    /// Letting the group in would let in another service.
    #[error("{group} is the group of {other} too, which would be let in with it")]
    SourceShared {
        /// The service's group.
        group: String,
        /// The other service, as `cluster/name`.
        other: String,
    },
    /// Which databases a parameter group is used by could not be read.
    #[error("which other databases use {group} is unknown: {error}")]
    ParameterGroupUsersUnknown {
        /// The parameter group's name.
        group: String,
        /// Why.
        error: Arc<ReadError>,
    },
    /// A parameter group decides for databases of others too.
    #[error("{group} is also the parameter group of {}; give {workload} one of its own", .others.join(", "))]
    ParameterGroupShared {
        /// The parameter group's name.
        group: String,
        /// The identifiers of the others.
        others: Vec<String>,
        /// The workload.
        workload: String,
    },
    /// A service (`cluster/name`) connects without TLS.
    #[error("{0} connects with sslmode=disable and would be shut out; change that first")]
    ConnectsWithoutTls(String),
    /// A revision is run by a service, or by a deployment of it.
    #[error("waits: {service} runs {revision}, or a deployment of it does")]
    RevisionInUse {
        /// The service, as `cluster/name`.
        service: String,
        /// `family:revision`.
        revision: String,
    },

    // ---- of the service ----
    /// Another deployment controller would overwrite the change.
    #[error("{service} is deployed by {controller}, not by ECS")]
    DeployedByOthers {
        /// The service, as `cluster/name`.
        service: String,
        /// `CODE_DEPLOY` or `EXTERNAL`.
        controller: String,
    },
    /// ECS manages the parts of a service (`cluster/name`), and overwrites what other calls change.
    #[error("{0} is an Express service, which only UpdateExpressGatewayService changes")]
    ExpressService(String),
    /// How a deployment would go is not known.
    #[error("{service} is deployed by the strategy {strategy}, which this version of Holdfast does not know")]
    StrategyUnknown {
        /// The service, as `cluster/name`.
        service: String,
        /// The strategy's name.
        strategy: String,
    },
    /// AWS's answer has fields that this version does not know: they would be lost, or change what a call does.
    #[error(
        "{resource} has fields that this version of Holdfast does not know and could not keep ({}); upgrade Holdfast, or \
         make the change by hand",
        .fields.join(", ")
    )]
    UnknownFields {
        /// The service, as `cluster/name`, or the revision, as `family:revision`.
        resource: String,
        /// Where they are in the answer.
        fields: Vec<String>,
    },
    /// The running revision was deregistered, so that a service can't be given it again.
    #[error(
        "{service} runs {revision}, which is not ACTIVE, and AWS would refuse to go back to it; register it again and \
         deploy that first"
    )]
    BaseInactive {
        /// The service, as `cluster/name`.
        service: String,
        /// `family:revision`.
        revision: String,
    },
    /// A deployment of a service (`cluster/name`) is not finished.
    #[error("waits: a deployment of {0} is under way")]
    DeploymentUnderWay(String),
    /// A service (`cluster/name`) has no circuit breaker to switch on.
    #[error("{0} is behind a Classic Load Balancer, where ECS offers no circuit breaker")]
    ClassicLoadBalancer(String),
    /// A revision (`family:revision`) could not fetch a secret.
    #[error("{0} has no execution role to fetch a secret with")]
    NoExecutionRole(String),
    /// The tasks could not read what the new revision refers to.
    #[error("{role} may not {}: see ecs-secret-unreadable", .missing.join(", nor "))]
    ExecutionRoleDenied {
        /// The role's ARN.
        role: String,
        /// The IAM actions that are denied.
        missing: Vec<String>,
    },
    /// A revision (`family:revision`) has no role for ECS Exec.
    #[error("{0} has no task role")]
    NoTaskRole(String),
    /// The task role may not do what ECS Exec needs.
    #[error("its task role {role} lacks {}", .missing.join(", "))]
    TaskRoleDenied {
        /// The role's ARN.
        role: String,
        /// The IAM actions that are denied.
        missing: Vec<String>,
    },
    /// The task role (its ARN) is gone.
    #[error("its task role {0} does not exist")]
    TaskRoleMissing(String),

    // ---- of the secret, and of the reference to it ----
    /// The secret is another region's or account's.
    #[error(
        "it is in region {region} of account {account}: run aws secretsmanager restore-secret --secret-id {arn} there"
    )]
    SecretElsewhere {
        /// Its region.
        region: String,
        /// Its account.
        account: String,
        /// Its ARN.
        arn: String,
    },
    /// The secret is a replica; the region of its primary.
    #[error("it is a replica: its deletion is undone at the secret in {0}, from which it is made")]
    SecretReplica(String),
    /// The workload's databases could not be read.
    #[error("the databases are unknown: {0}")]
    DatabasesUnknown(Arc<ReadError>),
    /// The workload's secrets could not be read.
    #[error("the secrets are unknown: {0}")]
    SecretsUnknown(Arc<ReadError>),
    /// No secret of the workload will do.
    #[error(
        "no secret tagged {prefix}workload={workload} is well formed and leads to the workload's database; make one, or \
         mend the one there is"
    )]
    NoRightSecret {
        /// The prefix of Holdfast's tags.
        prefix: String,
        /// The workload.
        workload: String,
    },
    /// A secret of the workload could not be read.
    #[error("which secret is the right one is unknown: {0}")]
    RightSecretUnknown(Arc<ReadError>),
    /// So many references would do.
    #[error("{0} references would be right, and Holdfast does not choose")]
    SeveralReferences(usize),
    /// Several keys of this secret would do.
    #[error("several keys of {0} would be right, and Holdfast does not choose")]
    SeveralKeys(String),
    /// This secret is about to go.
    #[error("{0} is scheduled for deletion")]
    SecretBeingDeleted(String),
    /// A secret's value could not be read.
    #[error("the value of {secret} is unknown: {error}")]
    SecretValueUnknown {
        /// Its name.
        secret: String,
        /// Why.
        error: Arc<ReadError>,
    },
    /// This secret has no value.
    #[error("{0} has no current version")]
    NoSecretValue(String),
    /// This secret's URL is malformed.
    #[error("{0} is malformed itself: see secret-malformed-url")]
    SecretMalformed(String),
    /// This secret leads elsewhere.
    #[error("{0} does not lead to the workload's database: see secret-wrong-database")]
    SecretOfOtherDatabase(String),
    /// Where this secret leads is not known.
    #[error("whether {0} leads to the workload's database can't be told")]
    SecretDatabaseUnknown(String),
    /// This secret holds no URL that will do.
    #[error("{0} holds no well-formed URL to the workload's database under any key")]
    NoUsableKey(String),
    /// The plain text of this variable is malformed, so that nothing can be compared with it.
    #[error("the plain {0} is malformed itself")]
    PlainMalformed(String),
    /// The application would notice that the plain text was replaced by the secret.
    #[error("the plain {variable} and the workload's secret differ in their {what}")]
    PlainDiffers {
        /// The variable.
        variable: String,
        /// What differs.
        what: &'static str,
    },
    /// Nothing shows that a container of a revision (`family:revision`) reads the database's connection string.
    #[error(
        "nothing shows which container of {revision} reads the database's connection string, and from which variable: name \
         it in `workloads.{workload}.services.{service}.database_env`"
    )]
    NoReaderKnown {
        /// The revision.
        revision: String,
        /// The workload.
        workload: String,
        /// The service.
        service: String,
    },
    /// Nothing shows where the right value of a variable with this role is.
    #[error("nothing shows which secret holds the right {0}")]
    NoRightValue(crate::model::store::Role),
    /// The secret's connection string is in a form that the container does not read.
    #[error("{container} reads {variable} in another form than that of the workload's secret")]
    OtherDialect {
        /// The variable.
        variable: String,
        /// The container.
        container: String,
    },
    /// Several containers of a revision (`family:revision`) may be the application.
    #[error("which container of {0} holds the application is unclear")]
    ContainerUnclear(String),

    // ---- of the moment ----
    /// The kill switch is on: the SSM parameter's name.
    #[error("paused by the SSM parameter {0}; set it to `false` to go on")]
    Paused(String),
    /// The kill switch can't be read, which counts as on.
    #[error(
        "paused: the SSM parameter {parameter} can't be read ({code}); grant ssm:GetParameter on it, or mend \
         safety.pause.ssm_parameter"
    )]
    PauseUnreadable {
        /// The parameter's name.
        parameter: String,
        /// AWS's error code.
        code: String,
    },
    /// Another process holds the lease of the scope.
    #[error("waits: another process looks after {0}")]
    LeaseOfAnother(Scope),
    /// The lease could not be confirmed: why.
    #[error("waits: {0}")]
    LeaseUnconfirmed(String),
    /// Another correction of the target is not finished: what it changes.
    #[error("waits: another correction of it is under way ({0})")]
    UnderWay(String),
    /// The same, in the words of `apply`, which looks at what other processes began.
    #[error("not done: another correction of it is under way ({change}), by {replica}, last heard of at {at}")]
    UnderWayElsewhere {
        /// What it changes.
        change: String,
        /// Who makes it.
        replica: String,
        /// When that process wrote last.
        at: Timestamp,
    },
    /// The same correction was made a short time ago; seconds left.
    #[error("waits: corrected less than safety.cooldown ago; {0} s left")]
    Cooldown(u64),
    /// Something undoes the correction each time.
    #[error(
        "given up: carried out {times} times within safety.fight_window, and undone each time; find out by what \
         (Terraform?). Holdfast tries again in {minutes} min; `holdfast apply` does it now"
    )]
    Fight {
        /// How often.
        times: usize,
        /// Until the next try.
        minutes: u64,
    },
    /// The budget of this sweep is spent: how many it allows.
    #[error("waits for the next sweep: safety.max_actions_per_sweep is {0}")]
    BudgetSpent(u32),
    /// The end of an earlier correction is not in the ledger yet.
    #[error("waits: how an earlier correction of it ended can't be written to the ledger (see the log)")]
    EndUnsaved,
    /// The ledger could not be read.
    #[error("waits: what was done before is not known, since the ledger can't be read (see the log)")]
    PastUnknown,
    /// The ledger did not take it: why. What is not written down is not begun.
    #[error("not begun: {0}")]
    LedgerUnusable(String),
    /// Something came in between while it was written down.
    #[error("not begun: {0}")]
    NotBegun(Box<HoldReason>),
    /// The process that was about to begin stopped.
    #[error("not begun: the process that was about to do it stopped before")]
    Stopped,
    /// A fresh plan holds it, with this code and sentence.
    #[error("not done: {reason}")]
    HeldNow {
        /// The plan's code.
        code: HoldCode,
        /// The plan's sentence.
        reason: String,
    },
    /// A fresh evaluation has none of its findings.
    #[error("not done: it is no longer needed")]
    NotNeeded,
    /// A fresh plan has another correction.
    #[error("not done: what it was planned on has changed since; plan again")]
    Changed,
    /// The plan is of a scope that was not read.
    #[error("not done: {0} is not among what was looked at")]
    ScopeNotRead(Scope),
}

fn waived(waiver: Option<&Waiver>) -> String {
    waiver.map_or_else(String::new, |w| format!(" until {}: {}", w.until, w.reason))
}
