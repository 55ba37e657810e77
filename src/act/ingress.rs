//! `RevokeSecurityGroupIngress`.

use crate::aws::{Api, Family};
use crate::collect::Collector;
use crate::model::resources::IngressRule;
use crate::model::snapshot::Seen;

const REVOKE: Api = Api {
    service: "ec2",
    operation: "RevokeSecurityGroupIngress",
    family: Family::Ec2Mutate,
};

/// Revokes exactly one rule, by its id: a rule of the same shape that someone else made stays.
pub(super) async fn revoke(c: &Collector<'_>, group: &str, rule: &IngressRule) -> Seen<()> {
    let request = c
        .aws
        .ec2
        .revoke_security_group_ingress()
        .group_id(group)
        .security_group_rule_ids(&rule.id);
    c.aws.call(REVOKE, group, request.send()).await.map(drop)
}
