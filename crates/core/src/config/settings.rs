//! Every key of the configuration with its type, default and bounds. The first paragraph of each comment is what an
//! editor shows (through the JSON Schema), so it speaks to the person who writes the file.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::family::Family;
use super::forms::{self, Percent, duration};
use super::operation::{Lease, Ledger, Limits, ReportTo};
use super::parameters::{Parameters, WorkloadOverrides};
use crate::model::policy::{Mode, Risk, Severity};

/// Configuration of Holdfast. Every key may be left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// How far Holdfast may go: `audit` reports only, `enforce` corrects too.
    pub mode: Mode,
    /// What the keys of Holdfast's tags begin with.
    #[schemars(with = "forms::TagPrefix")]
    pub tag_prefix: String,
    /// Accounts and regions to look after. Empty: the caller's own account and its default region.
    pub targets: Vec<Target>,
    /// Where events come from.
    pub events: Events,
    /// Looking at everything, regularly.
    pub sweep: Sweep,
    /// Bounds of a migration.
    pub migration: Migration,
    /// Tasks that run schema migrations.
    pub migrations: MigrationTasks,
    /// What may be read of secrets.
    pub secrets: Secrets,
    /// Parameters of rules for every workload.
    pub defaults: Parameters,
    /// More of the images and frameworks of which Holdfast knows where they keep data (`holdfast rules --families` lists all).
    pub families: Vec<Family>,
    /// Settings of single rules, by rule id.
    pub rules: BTreeMap<String, RuleSettings>,
    /// Parameters of single workloads, by workload name; what isn't given is taken from `defaults`.
    #[schemars(extend("propertyNames" = forms::workload_names()))]
    pub workloads: BTreeMap<String, WorkloadOverrides>,
    /// What keeps corrections from doing harm.
    pub safety: Safety,
    /// How hard Holdfast may work.
    pub limits: Limits,
    /// Where Holdfast remembers what it saw and did.
    pub ledger: Ledger,
    /// How several Holdfasts agree on who acts.
    pub lease: Lease,
    /// Who else is told.
    pub report_to: ReportTo,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            mode: Mode::Audit,
            tag_prefix: "holdfast:".to_owned(),
            targets: Vec::new(),
            events: Events::default(),
            sweep: Sweep::default(),
            migration: Migration::default(),
            migrations: MigrationTasks::default(),
            secrets: Secrets::default(),
            defaults: Parameters::default(),
            families: Vec::new(),
            rules: BTreeMap::new(),
            workloads: BTreeMap::new(),
            safety: Safety::default(),
            limits: Limits::default(),
            ledger: Ledger::default(),
            lease: Lease::default(),
            report_to: ReportTo::default(),
        }
    }
}

/// One account, and the regions to look after in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// The account's id: 12 digits, in quotes.
    #[schemars(with = "forms::Account")]
    pub account: String,
    /// The role to assume there. Absent: the caller's own credentials.
    #[serde(default)]
    #[schemars(with = "Option<forms::RoleArn>")]
    pub role_arn: Option<String>,
    /// The external id that the role's trust policy asks for.
    #[serde(default)]
    #[schemars(with = "Option<forms::NonEmpty>")]
    pub external_id: Option<String>,
    /// Regions. Empty: the caller's default region.
    #[serde(default)]
    #[schemars(with = "Vec<forms::Region>", extend("uniqueItems" = true))]
    pub regions: Vec<String>,
}

/// Where events come from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Events {
    /// URL of the SQS queue that EventBridge fills. Absent: sweeps only.
    #[schemars(with = "Option<forms::QueueUrl>")]
    pub queue_url: Option<String>,
    /// The queue's region, where it isn't the caller's default region.
    #[schemars(with = "Option<forms::Region>")]
    pub region: Option<String>,
}

/// Looking at everything, regularly.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Sweep {
    /// Time from the start of one sweep to the start of the next; at least 1s.
    #[serde(with = "duration")]
    #[schemars(with = "forms::Span", extend("x-shortest" = "1s"))]
    pub interval: Duration,
    /// Share of the interval by which each start is moved at random, so that several Holdfasts don't sweep at once.
    #[schemars(with = "forms::Share")]
    pub jitter: Percent,
}

impl Default for Sweep {
    fn default() -> Self {
        Self {
            interval: Duration::from_mins(5),
            jitter: Percent::new(10),
        }
    }
}

/// Bounds of a migration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Migration {
    /// How far ahead `holdfast:migration-until` may lie; further counts as not migrating.
    #[serde(with = "duration")]
    #[schemars(with = "forms::Span")]
    pub max_window: Duration,
}

impl Default for Migration {
    fn default() -> Self {
        Self {
            max_window: Duration::from_hours(72),
        }
    }
}

/// Tasks that run schema migrations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MigrationTasks {
    /// A migration task that runs longer than this has failed.
    #[serde(with = "duration")]
    #[schemars(with = "forms::Span")]
    pub timeout: Duration,
}

impl Default for MigrationTasks {
    fn default() -> Self {
        Self {
            timeout: Duration::from_mins(10),
        }
    }
}

/// What may be read of secrets.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Secrets {
    /// How deep to look. What isn't looked at makes the rules about it `unknown`.
    pub inspect: Inspect,
}

/// How deep to look into secrets. Ordered: more is later.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Inspect {
    /// Not at all.
    Off,
    /// That they exist, their tags, versions and policies.
    Metadata,
    /// The value too, in memory, of which only facts are kept.
    #[default]
    Value,
}

/// Settings of one rule. What isn't given is the rule's own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RuleSettings {
    /// Whether the rule is judged at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// How bad its findings are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub severity: Option<Severity>,
    /// How far Holdfast may go for this rule; can only lower the global `mode`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// Whether its corrections may be carried out at all. Some rules only report unless this is true: `holdfast rules
    /// ID` says which.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub correct: Option<bool>,
}

/// What keeps corrections from doing harm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Safety {
    /// Most corrections in one sweep; the rest wait for the next.
    pub max_actions_per_sweep: u32,
    /// If more percent of the fleet than this fail one rule, none is corrected for it: it is us or a bad rule.
    #[schemars(range(max = 100))]
    pub max_failing_percent: u32,
    /// Time between two corrections of the same resource for the same rule.
    #[serde(with = "duration")]
    #[schemars(with = "forms::Span")]
    pub cooldown: Duration,
    /// Undone this often within `fight_window`, a correction is given up and alerted; at least 1.
    #[schemars(range(min = 1))]
    pub fight_threshold: u32,
    /// See `fight_threshold`; at least 1s.
    #[serde(with = "duration")]
    #[schemars(with = "forms::Span", extend("x-shortest" = "1s"))]
    pub fight_window: Duration,
    /// Risks that a correction may carry; `outage` happens only where it is named.
    #[schemars(with = "BTreeSet<AllowedRisk>")]
    pub allow_risk: BTreeSet<Risk>,
    /// When corrections may happen. Empty: at any time.
    pub change_windows: Vec<ChangeWindow>,
    /// The kill switch.
    pub pause: Pause,
}

impl Default for Safety {
    fn default() -> Self {
        Self {
            max_actions_per_sweep: 10,
            max_failing_percent: 30,
            cooldown: Duration::from_mins(10),
            fight_threshold: 3,
            fight_window: Duration::from_hours(24),
            allow_risk: BTreeSet::from([Risk::None, Risk::Brief]),
            change_windows: Vec::new(),
            pause: Pause::default(),
        }
    }
}

/// The risks that can be allowed: for schemas, since no call carries the risk `manual`.
struct AllowedRisk;

impl JsonSchema for AllowedRisk {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "AllowedRisk".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let words: Vec<&str> = Risk::ALL
            .iter()
            .filter(|r| **r != Risk::Manual)
            .map(|r| r.as_str())
            .collect();
        schemars::json_schema!({"type": "string", "enum": words})
    }
}

/// A time in which corrections may happen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeWindow {
    /// When it opens, as a cron expression of five fields.
    #[schemars(with = "forms::NonEmpty")]
    pub cron: String,
    /// How long it stays open; at least 1s.
    #[serde(with = "duration")]
    #[schemars(with = "forms::Span", extend("x-shortest" = "1s"))]
    pub duration: Duration,
    /// The IANA time zone of `cron`.
    #[serde(default = "utc")]
    #[schemars(with = "forms::NonEmpty")]
    pub time_zone: String,
}

fn utc() -> String {
    "UTC".to_owned()
}

/// The kill switch.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Pause {
    /// Name of the SSM parameter that pauses all corrections. Absent: no such switch.
    #[schemars(with = "Option<forms::NonEmpty>")]
    pub ssm_parameter: Option<String>,
}
