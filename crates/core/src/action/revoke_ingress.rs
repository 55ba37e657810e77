//! `RevokeSecurityGroupIngress` of one rule.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::call::Call;
use super::correction::{Correction, Execution, Merge};
use super::refresh::RefreshBeforeCall;
use super::takes_away::{Clients, TakesAway};
use crate::model::policy::Risk;
use crate::model::resources::IngressRule;

/// Revokes one rule of a security group.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RevokeIngress {
    /// `sg-...`
    pub group: String,
    /// The rule.
    pub rule: IngressRule,
}

impl Correction for RevokeIngress {
    fn calls(&self) -> Vec<Call> {
        let parameters = json!({"GroupId": self.group, "SecurityGroupRuleIds": [self.rule.id]});
        vec![Call::new("ec2", "RevokeSecurityGroupIngress", parameters)]
    }

    fn risk(&self) -> Risk {
        Risk::None
    }

    fn takes_away(&self) -> TakesAway<'_> {
        TakesAway::Access(Clients::Of(&self.rule))
    }

    fn preconditions(&self) -> Vec<String> {
        vec![
            format!(
                "{} still has the rule {} ({})",
                self.group,
                self.rule.id,
                self.rule.describe()
            ),
            "the group guards nothing but this workload's database".into(),
            "every service of the workload keeps a path to the database".into(),
        ]
    }

    fn refresh(&self) -> RefreshBeforeCall {
        RefreshBeforeCall {
            all_databases: true,
            discover_services: true,
        }
    }

    fn execution(&self) -> Execution<'_> {
        Execution::OneCall
    }

    fn merge(&self) -> Merge<'_> {
        Merge::Identical
    }

    fn target(&self) -> String {
        format!("group:{}:{}", self.group, self.rule.id)
    }

    fn purpose(&self) -> String {
        format!("group:{} without {}", self.group, self.rule.describe())
    }

    fn describe(&self) -> String {
        format!(
            "{}: ingress {} ({}) → revoked",
            self.group,
            self.rule.describe(),
            self.rule.id
        )
    }
}
