//! Secrets, and who may read them.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::model::tags::Tags;

/// A secret: its description and, where allowed, facts about its value.
#[derive(Debug, Clone, Default)]
pub struct Secret {
    /// Full ARN, with the six-character suffix.
    pub arn: String,
    /// Its name.
    pub name: String,
    /// When it will be deleted, if that is scheduled.
    pub deleted_at: Option<Timestamp>,
    /// Version ids with their stages. Empty if AWS did not say.
    pub versions: BTreeMap<String, Vec<String>>,
    /// The customer-managed key that encrypts it; absent: AWS's own key.
    pub kms_key: Option<String>,
    /// When anything about it was changed last.
    pub changed_at: Option<Timestamp>,
    /// Whether it is rotated, and when it was last.
    pub rotation: Rotation,
    /// The region of the secret that this one is a replica of; absent: it is none.
    pub primary_region: Option<String>,
    /// Tags.
    pub tags: Tags,
}

impl Secret {
    /// Whether RDS made it for a master user's password, and rotates it: the name begins with `rds!`, which nobody else may
    /// choose, or RDS's tag says so.
    /// <https://docs.aws.amazon.com/secretsmanager/latest/userguide/service-linked-secrets.html>
    #[must_use]
    pub fn is_managed_by_rds(&self) -> bool {
        let owner = self.tags.0.get("aws:secretsmanager:owningService");
        self.name.starts_with("rds!") || owner.is_some_and(|o| o == "rds")
    }

    /// The instance or cluster that RDS made it for, by ARN, where its tags say.
    #[must_use]
    pub fn managed_for(&self) -> Option<&str> {
        let keys = ["aws:rds:primaryDBInstanceArn", "aws:rds:primaryDBClusterArn"];
        keys.iter().find_map(|key| self.tags.0.get(*key)).map(String::as_str)
    }
}

/// How a secret is rotated.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rotation {
    /// Whether automatic rotation is on.
    pub enabled: bool,
    /// When it was last rotated, by hand or automatically.
    pub last: Option<Timestamp>,
}

/// What is known of the versions of a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VersionDates {
    /// When the version was created that is AWSCURRENT now.
    pub current: Timestamp,
    /// When the one was created that is AWSPREVIOUS now, if there is one.
    pub previous: Option<Timestamp>,
}

/// What a resource policy or an IAM role lets happen to a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// It may be read, and decrypted where its key is the customer's.
    Allowed,
    /// All policies that can be read from here allow it. What the account that owns the resource says is not known.
    AllowedHere {
        /// What is not known, for a message: a noun.
        unread: String,
    },
    /// It may not: the actions missing, each with the resource.
    Denied {
        /// For instance `kms:Decrypt on arn:aws:kms:...`. A reason in brackets follows where another statement in the
        /// role's policies would not help.
        missing: Vec<String>,
    },
    /// IAM knows no such role.
    NoRole,
}

/// Why a permission is missing, where it is not just that no statement of the role's own policies allows it: what follows an
/// entry of [`Access::Denied`].
impl Access {
    /// A statement denies it, of whatever policy.
    pub const EXPLICITLY: &'static str = " (explicitly denied)";
    /// The permissions boundary does not allow it.
    pub const BOUNDARY: &'static str = " (by its permissions boundary)";
    /// The policy of the KMS key neither leaves it to IAM nor names the role, and no grant does.
    pub const KEY_POLICY: &'static str = " (by the key policy)";
    /// AWS's own key of another account serves that account alone.
    pub const MANAGED_KEY: &'static str = " (an AWS managed key of another account)";
    /// The policy of a resource in another account does not name the role, nor its account.
    pub const RESOURCE_POLICY: &'static str = " (by the policy of the resource)";

    /// An entry of [`Access::Denied`] without its reason, and the reason, empty if there is none.
    #[must_use]
    pub fn split_reason(entry: &str) -> (&str, &str) {
        let reasons = [
            Self::EXPLICITLY,
            Self::BOUNDARY,
            Self::KEY_POLICY,
            Self::MANAGED_KEY,
            Self::RESOURCE_POLICY,
        ];
        let found = reasons.into_iter().find_map(|r| Some((entry.strip_suffix(r)?, r)));
        found.unwrap_or((entry, ""))
    }
}

/// What a role is asked about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AccessTarget {
    /// The actions that ECS Exec needs in a task.
    EcsExec,
    /// Reading the secret or parameter with this ARN.
    Resource(String),
    /// Signing in to ECR.
    Registry,
    /// Pulling images from the ECR repository with this ARN.
    Image(String),
    /// Reading the file in S3 with this ARN, and where its bucket is.
    File(String),
    /// Writing to the log stream with this ARN.
    LogStream(String),
    /// Creating the log group with this ARN.
    LogGroup(String),
}

impl From<String> for AccessTarget {
    fn from(arn: String) -> Self {
        Self::Resource(arn)
    }
}

impl From<&str> for AccessTarget {
    fn from(arn: &str) -> Self {
        Self::Resource(arn.to_owned())
    }
}
