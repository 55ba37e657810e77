//! `RevokeSecurityGroupIngress` and `AuthorizeSecurityGroupIngress`.

use aws_sdk_ec2::types::{IpPermission, UserIdGroupPair};

use crate::client::{Api, Family};
use crate::inventory::Collector;
use holdfast_core::model::resources::IngressRule;
use holdfast_core::model::snapshot::Read;

const REVOKE: Api = Api {
    service: "ec2",
    operation: "RevokeSecurityGroupIngress",
    family: Family::Ec2Mutate,
};

const AUTHORIZE: Api = Api {
    service: "ec2",
    operation: "AuthorizeSecurityGroupIngress",
    family: Family::Ec2Mutate,
};

/// Revokes exactly one rule, by its id: a rule of the same shape that someone else made stays.
pub(super) async fn revoke(c: &Collector<'_>, group: &str, rule: &IngressRule) -> Read<()> {
    let request = c
        .aws
        .ec2
        .revoke_security_group_ingress()
        .group_id(group)
        .security_group_rule_ids(&rule.id);
    let answer = c.aws.call(REVOKE, group, request.send()).await.map(drop);
    unless_so_already(
        answer,
        &["InvalidSecurityGroupRuleId.NotFound", "InvalidPermission.NotFound"],
    )
}

/// Lets one group reach one port.
pub(super) async fn allow(c: &Collector<'_>, group: &str, source: &str, port: u16) -> Read<()> {
    let pair = UserIdGroupPair::builder()
        .group_id(source)
        .description("Holdfast: the workload's service")
        .build();
    let permission = IpPermission::builder()
        .ip_protocol("tcp")
        .from_port(i32::from(port))
        .to_port(i32::from(port))
        .user_id_group_pairs(pair)
        .build();
    let request = c
        .aws
        .ec2
        .authorize_security_group_ingress()
        .group_id(group)
        .ip_permissions(permission);
    let answer = c.aws.call(AUTHORIZE, group, request.send()).await.map(drop);
    unless_so_already(answer, &["InvalidPermission.Duplicate"])
}

/// The SDK repeats a call whose answer was lost, and is then told that there is nothing left to do: whether that is so,
/// the next look evaluates. <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html>
fn unless_so_already(answer: Read<()>, codes: &[&str]) -> Read<()> {
    match answer {
        Err(e) if codes.contains(&e.code.as_str()) => Ok(()),
        other => other,
    }
}
