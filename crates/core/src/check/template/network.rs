//! Security groups, subnets and routes.

use serde_json::{Map, Value, json};

use super::functions::Functions;
use super::made::Made;
use super::references;
use super::unknown::{is_unknown, unknown};

pub(super) fn group(functions: &Functions<'_>, id: &str) -> Made {
    let written = match functions.property(id, "SecurityGroupIngress") {
        None => vec![],
        Some(Value::Array(rules)) => rules,
        Some(one) => vec![one],
    };
    Made::new(id, "aws_security_group")
        .copy(functions, id, &[("VpcId", "vpc_id"), ("GroupName", "name")])
        .set("ingress", written.iter().map(block).collect::<Vec<_>>())
        .tagged(functions, id)
}

/// A rule inside of a group.
fn block(rule: &Value) -> Value {
    // Nothing is known of it: it may let in anyone, to any port.
    if !rule.is_object() {
        return json!({"protocol": "-1", "cidr_blocks": unknown()});
    }
    let of = |key: &str| rule.get(key).filter(|v| !v.is_null()).cloned();
    let mut out = Map::new();
    out.insert("protocol".into(), protocol(of("IpProtocol")));
    // Which port a rule is about decides what it means: without it, so is where it leads from.
    if ports_unknown(rule) {
        out.insert("cidr_blocks".into(), unknown());
        return Value::Object(out);
    }
    for (key, attribute) in [("FromPort", "from_port"), ("ToPort", "to_port")] {
        out.extend(of(key).map(|v| (attribute.to_owned(), v)));
    }
    for (key, attribute) in [
        ("CidrIp", "cidr_blocks"),
        ("CidrIpv6", "ipv6_cidr_blocks"),
        ("SourcePrefixListId", "prefix_list_ids"),
    ] {
        out.extend(of(key).map(|v| (attribute.to_owned(), json!([v]))));
    }
    let source = of("SourceSecurityGroupId").or_else(|| of("SourceSecurityGroupName"));
    out.extend(source.map(|v| {
        (
            "security_groups".to_owned(),
            json!([with_owner(v, of("SourceSecurityGroupOwnerId").as_ref())]),
        )
    }));
    Value::Object(out)
}

/// A rule that is a resource of its own.
pub(super) fn ingress(functions: &Functions<'_>, id: &str) -> Made {
    let of = |name| functions.property(id, name);
    let guarded = of("GroupId").or_else(|| of("GroupName")).unwrap_or_else(unknown);
    let made = Made::new(id, "aws_vpc_security_group_ingress_rule")
        .set("security_group_id", guarded)
        .set("ip_protocol", protocol(of("IpProtocol")));
    let ports = json!({"FromPort": of("FromPort"), "ToPort": of("ToPort"), "IpProtocol": of("IpProtocol")});
    if ports_unknown(&ports) {
        return made.set("cidr_ipv4", unknown());
    }
    let source = of("SourceSecurityGroupId").or_else(|| of("SourceSecurityGroupName"));
    made.copy(
        functions,
        id,
        &[
            ("FromPort", "from_port"),
            ("ToPort", "to_port"),
            ("CidrIp", "cidr_ipv4"),
            ("CidrIpv6", "cidr_ipv6"),
            ("SourcePrefixListId", "prefix_list_id"),
        ],
    )
    .maybe(
        "referenced_security_group_id",
        source.map(|v| with_owner(v, of("SourceSecurityGroupOwnerId").as_ref())),
    )
}

/// A group of another account is told by both.
fn with_owner(group: Value, owner: Option<&Value>) -> Value {
    match (group.as_str(), owner.and_then(Value::as_str)) {
        (Some(group), Some(owner)) => format!("{owner}/{group}").into(),
        _ => group,
    }
}

fn protocol(written: Option<Value>) -> Value {
    match written {
        Some(Value::Number(number)) => number.to_string().into(),
        Some(Value::String(text)) => text.into(),
        _ => "-1".into(),
    }
}

fn ports_unknown(rule: &Value) -> bool {
    ["FromPort", "ToPort", "IpProtocol"]
        .iter()
        .any(|key| rule.get(key).is_some_and(is_unknown))
}

pub(super) fn subnet(functions: &Functions<'_>, id: &str) -> Made {
    Made::new(id, "aws_subnet").copy(
        functions,
        id,
        &[
            ("VpcId", "vpc_id"),
            ("CidrBlock", "cidr_block"),
            ("Ipv6CidrBlock", "ipv6_cidr_block"),
        ],
    )
}

pub(super) fn gateway(id: &str) -> Made {
    Made::new(id, "aws_internet_gateway").set("id", references::gateway(id))
}

pub(super) fn route(functions: &Functions<'_>, id: &str) -> Made {
    Made::new(id, "aws_route").copy(
        functions,
        id,
        &[
            ("RouteTableId", "route_table_id"),
            ("DestinationCidrBlock", "destination_cidr_block"),
            ("DestinationIpv6CidrBlock", "destination_ipv6_cidr_block"),
            ("GatewayId", "gateway_id"),
            ("TransitGatewayId", "transit_gateway_id"),
            ("VpcPeeringConnectionId", "vpc_peering_connection_id"),
        ],
    )
}
