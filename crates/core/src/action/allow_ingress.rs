//! `AuthorizeSecurityGroupIngress` of one port from one group.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::call::Call;
use super::correction::{Correction, Execution, Merge};
use super::refresh::RefreshBeforeCall;
use super::takes_away::TakesAway;
use crate::model::policy::Risk;

/// Opens one port of a security group to one other group.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AllowIngress {
    /// The database's `sg-...`
    pub group: String,
    /// The service's `sg-...`
    pub source: String,
    /// The port.
    pub port: u16,
}

impl Correction for AllowIngress {
    fn calls(&self) -> Vec<Call> {
        let permission = json!({
            "IpProtocol": "tcp", "FromPort": self.port, "ToPort": self.port, "UserIdGroupPairs": [{"GroupId": self.source}],
        });
        let parameters = json!({"GroupId": self.group, "IpPermissions": [permission]});
        vec![Call::new("ec2", "AuthorizeSecurityGroupIngress", parameters)]
    }

    fn risk(&self) -> Risk {
        Risk::None
    }

    fn takes_away(&self) -> TakesAway<'_> {
        TakesAway::Nothing
    }

    fn preconditions(&self) -> Vec<String> {
        let Self { group, source, .. } = self;
        vec![
            format!("{group} guards a database of this workload, and no rule of it lets {source} in"),
            format!("{source} is a group of one of the workload's services"),
        ]
    }

    fn refresh(&self) -> RefreshBeforeCall {
        RefreshBeforeCall {
            all_databases: true,
            discover_services: false,
        }
    }

    fn execution(&self) -> Execution<'_> {
        Execution::OneCall
    }

    fn merge(&self) -> Merge<'_> {
        Merge::Identical
    }

    fn target(&self) -> String {
        format!("group:{}:{}:{}", self.group, self.source, self.port)
    }

    fn purpose(&self) -> String {
        self.target()
    }

    fn describe(&self) -> String {
        format!(
            "{}: ingress tcp {} from {} → allowed",
            self.group, self.port, self.source
        )
    }
}
