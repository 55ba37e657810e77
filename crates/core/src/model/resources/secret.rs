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

/// What a resource policy or an IAM role lets happen to a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// It may be read, and decrypted where its key is the customer's.
    Allowed,
    /// It may not: the actions missing, each with the resource.
    Denied {
        /// For instance `kms:Decrypt on arn:aws:kms:...`.
        missing: Vec<String>,
    },
    /// IAM knows no such role.
    NoRole,
}

/// What a role is asked about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AccessTarget {
    /// The actions that ECS Exec needs in a task.
    EcsExec,
    /// Reading the secret or parameter with this ARN.
    Resource(String),
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
