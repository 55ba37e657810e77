//! What a workload's database connections come from.

use std::collections::BTreeSet;

use crate::model::connection::SecretShape;
use crate::model::resources::{Secret, SecretVariable, Service};
use crate::model::snapshot::Read;
use crate::model::store::{Dialect, Role};
use crate::model::subject::ResultSubject;
use crate::model::tags::Tags;
use crate::model::value_from::ValueFrom;

/// One database variable of a running container that is filled from a secret.
#[derive(Debug, Clone)]
pub struct Reference<'a> {
    /// The service.
    pub service: &'a Service,
    /// The container's name.
    pub container: &'a str,
    /// The variable.
    pub variable: &'a SecretVariable,
    /// What it holds.
    pub role: Role,
    /// What reads it, where that is known.
    pub dialect: Option<Dialect>,
    /// The reference, taken apart.
    pub target: ValueFrom<'a>,
}

/// A secret, or the parameters of one service. Findings have no kind for a parameter, so they name the service instead.
pub struct CredentialSource<'a> {
    /// The secret, or the service.
    pub subject: ResultSubject<'a>,
    /// Its tags.
    pub tags: &'a Tags,
    /// The secret; absent for parameters.
    pub secret: Option<&'a Secret>,
    /// Whether a database variable of a running container refers to it.
    pub referenced: bool,
    /// What is used of it.
    pub values: Vec<CredentialValue<'a>>,
}

/// One value of a secret or parameter, and how it is used.
pub struct CredentialValue<'a> {
    /// Name of the secret or parameter.
    pub name: &'a str,
    /// The key that is used of a JSON value.
    pub key: Option<String>,
    /// What it is used for; absent where nothing refers to it.
    pub role: Option<Role>,
    /// What reads it, where that is known.
    pub dialect: Option<Dialect>,
    /// Facts about it; absent if it does not exist, which `ecs-secret-reference-mismatch` reports.
    pub shape: Read<Option<&'a SecretShape>>,
}

impl CredentialSource<'_> {
    /// For messages: the secret's name, or the names of the parameters.
    #[must_use]
    pub fn name(&self) -> String {
        let names: BTreeSet<&str> = self.values.iter().map(|v| v.name).collect();
        match self.secret {
            Some(secret) => secret.name.clone(),
            None => names.into_iter().collect::<Vec<_>>().join(", "),
        }
    }

    /// What a finding says of one value; of a parameter with its name in front.
    #[must_use]
    pub fn describe(&self, value: &CredentialValue<'_>, what: &str) -> String {
        match self.secret {
            Some(_) => what.to_owned(),
            None => format!("{}: {what}", value.name),
        }
    }

    /// AWS's name for the field that holds a value.
    #[must_use]
    pub fn field(&self) -> &'static str {
        match self.secret {
            Some(_) => "SecretString",
            None => "Parameter.Value",
        }
    }

    /// How a person updates the value.
    #[must_use]
    pub fn rewrite(&self, how: &str) -> String {
        match self.secret {
            Some(secret) => format!(
                "write the value of {} anew {how}, then restart the services that use it",
                secret.name
            ),
            None => format!(
                "write {} anew {how} (aws ssm put-parameter --overwrite), then restart {}",
                self.name(),
                self.subject.id()
            ),
        }
    }
}
