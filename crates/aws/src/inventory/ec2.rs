//! Security groups with their rules, subnets with their routes, and what a group guards.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use aws_sdk_ec2::types::{Filter, Route, RouteState, RouteTable, SecurityGroupRule, Tag, VpcEndpointType};
use futures::stream::{self, StreamExt};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::collector::Collector;
use super::convert::tags;
use super::pages::pages;
use crate::client::{Api, Family};
use holdfast_core::model::resources::{Egress, IngressRule, SecurityGroup, Source, Subnet, VpcEndpoint};
use holdfast_core::model::snapshot::{Guarded, Read};
use holdfast_core::model::tags::Tags;

const fn api(operation: &'static str) -> Api {
    Api {
        service: "ec2",
        operation,
        family: Family::Ec2Describe,
    }
}
const GROUPS: Api = api("DescribeSecurityGroups");
const RULES: Api = api("DescribeSecurityGroupRules");
const SUBNETS: Api = api("DescribeSubnets");
const ROUTES: Api = api("DescribeRouteTables");
const INTERFACES: Api = api("DescribeNetworkInterfaces");
const ENDPOINTS: Api = api("DescribeVpcEndpoints");

/// Most that one page of groups, rules or subnets holds; of route tables it is 100.
const PAGE: i32 = 1000;
const ROUTE_PAGE: i32 = 100;
/// Most values that one filter takes. <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Filtering.html>
const FILTER_VALUES: usize = 200;

fn ec2_tags(list: Option<&Vec<Tag>>) -> Tags {
    tags(list.into_iter().flatten().map(|t| (t.key(), t.value())))
}

fn filter(name: &str, values: &[String]) -> Vec<Filter> {
    vec![Filter::builder().name(name).set_values(Some(values.to_vec())).build()]
}

/// All groups with their ingress rules, or those of `ids` (at most as many as a filter takes).
pub(super) async fn groups(c: &Collector<'_>, ids: Option<&[String]>) -> Read<BTreeMap<String, SecurityGroup>> {
    if ids.is_some_and(<[String]>::is_empty) {
        return Ok(BTreeMap::new());
    }
    let ids = ids.filter(|ids| ids.len() <= FILTER_VALUES);
    let filters = ids.map(|ids| filter("group-id", ids));
    let groups = async {
        pages!(
            c,
            GROUPS,
            token => c.aws.ec2.describe_security_groups().set_filters(filters.clone()).max_results(PAGE).set_next_token(token.clone()),
            security_groups,
            next_token
        )
    };
    let rules = async {
        pages!(
            c,
            RULES,
            token => c.aws.ec2.describe_security_group_rules().set_filters(filters.clone()).max_results(PAGE).set_next_token(token.clone()),
            security_group_rules,
            next_token
        )
    };
    let (groups, rules) = tokio::join!(groups, rules);
    let (groups, rules) = (groups?, rules?);
    let mut found: BTreeMap<String, SecurityGroup> = groups
        .into_iter()
        .filter_map(|g| {
            let id = g.group_id?;
            ids.is_none_or(|ids| ids.contains(&id)).then(|| {
                let group = SecurityGroup {
                    id: id.clone(),
                    name: g.group_name.unwrap_or_default(),
                    vpc: g.vpc_id,
                    ingress: vec![],
                    tags: ec2_tags(g.tags.as_ref()),
                };
                (id, group)
            })
        })
        .collect();
    for rule in rules.into_iter().filter(|r| r.is_egress != Some(true)) {
        let Some(group) = rule.group_id.as_ref().and_then(|id| found.get_mut(id)) else {
            continue;
        };
        group.ingress.extend(ingress(rule));
    }
    for group in found.values_mut() {
        group.ingress.sort();
        group.ingress.dedup();
    }
    Ok(found)
}

fn ingress(rule: SecurityGroupRule) -> Option<IngressRule> {
    let cidr = rule.cidr_ipv4.or(rule.cidr_ipv6);
    let source = match (cidr, rule.prefix_list_id, rule.referenced_group_info) {
        (Some(text), _, _) => text.parse::<IpNet>().map_or_else(|_| Source::Other(text), Source::Cidr),
        (None, Some(list), _) => Source::PrefixList(list),
        (None, None, Some(group)) => Source::Group {
            id: group.group_id?,
            account: group.user_id,
        },
        (None, None, None) => Source::Other("a source that Holdfast does not know".into()),
    };
    Some(IngressRule {
        id: rule.security_group_rule_id?,
        protocol: rule.ip_protocol.unwrap_or_else(|| "-1".into()),
        from_port: rule.from_port,
        to_port: rule.to_port,
        source,
    })
}

/// All subnets, each with the internet gateway that it routes to.
pub(super) async fn subnets(c: &Collector<'_>) -> Read<BTreeMap<String, Subnet>> {
    let subnets = async {
        pages!(
            c,
            SUBNETS,
            token => c.aws.ec2.describe_subnets().max_results(PAGE).set_next_token(token.clone()),
            subnets,
            next_token
        )
    };
    let tables = async {
        pages!(
            c,
            ROUTES,
            token => c.aws.ec2.describe_route_tables().max_results(ROUTE_PAGE).set_next_token(token.clone()),
            route_tables,
            next_token
        )
    };
    let (subnets, tables) = tokio::join!(subnets, tables);
    let (subnets, tables) = (subnets?, tables?);
    let mut own: BTreeMap<&str, &RouteTable> = BTreeMap::new();
    let mut main: BTreeMap<&str, &RouteTable> = BTreeMap::new();
    for table in &tables {
        for association in table.associations() {
            match (association.subnet_id(), association.main(), table.vpc_id()) {
                (Some(subnet), _, _) => {
                    own.insert(subnet, table);
                }
                (None, Some(true), Some(vpc)) => {
                    main.insert(vpc, table);
                }
                _ => {}
            }
        }
    }
    Ok(subnets
        .iter()
        .filter_map(|s| {
            let (id, vpc) = (s.subnet_id()?, s.vpc_id()?);
            // A subnet without a table of its own follows the main one of its VPC.
            let table = own.get(id).or_else(|| main.get(vpc));
            let v6 = s
                .ipv6_cidr_block_association_set()
                .iter()
                .filter_map(|a| a.ipv6_cidr_block());
            let cidrs = s
                .cidr_block()
                .into_iter()
                .chain(v6)
                .filter_map(|c| c.parse().ok())
                .collect();
            let internet_gateway = table.and_then(|t| internet_gateway(t));
            Some((
                id.to_owned(),
                Subnet {
                    id: id.to_owned(),
                    vpc: vpc.to_owned(),
                    cidrs,
                    internet_gateway,
                    private_routes: table.map(|t| private_routes(t)).unwrap_or_default(),
                    route_table: table.and_then(|t| t.route_table_id.clone()),
                    egress: table.map(|t| egress(t)).unwrap_or_default(),
                    shared: s.owner_id().is_some_and(|o| o != c.aws.scope.account),
                },
            ))
        })
        .collect())
}

/// The routes whose target is still there: of a gateway or connection that was deleted, a black hole is left.
fn live(table: &RouteTable) -> impl Iterator<Item = &Route> {
    table
        .routes()
        .iter()
        .filter(|r| r.state() != Some(&RouteState::Blackhole))
}

/// The internet gateway that a table sends the whole internet to. NAT and egress-only gateways let nobody in, and a
/// virtual private or gateway load balancer target is not the internet.
fn internet_gateway(table: &RouteTable) -> Option<String> {
    live(table)
        .filter(|r| r.destination_cidr_block() == Some("0.0.0.0/0") || r.destination_ipv6_cidr_block() == Some("::/0"))
        .filter_map(|r| r.gateway_id())
        .find(|g| g.starts_with("igw-"))
        .map(str::to_owned)
}

/// Where a table sends IPv4 traffic to the internet. A NAT gateway counts whatever it leads to itself; what is neither that
/// nor an internet gateway (a firewall, an instance, another network) may lead there, as may a route to a part of it.
fn egress(table: &RouteTable) -> Egress {
    let target = |r: &Route| {
        let gateway = r.gateway_id().filter(|g| *g != "local");
        let others = [
            r.nat_gateway_id(),
            gateway,
            r.transit_gateway_id(),
            r.vpc_peering_connection_id(),
            r.network_interface_id(),
            r.instance_id(),
            r.core_network_arn(),
            r.carrier_gateway_id(),
            r.local_gateway_id(),
        ];
        others.into_iter().flatten().next().map(str::to_owned)
    };
    let whole = |r: &&Route| r.destination_cidr_block() == Some("0.0.0.0/0");
    if let Some(route) = live(table).find(whole) {
        return match target(route) {
            Some(t) if t.starts_with("nat-") => Egress::Nat,
            Some(t) if t.starts_with("igw-") => Egress::Internet,
            Some(t) => Egress::Perhaps(t),
            None => Egress::Perhaps("a target that Holdfast does not know".into()),
        };
    }
    // Gateway endpoints are routes to a prefix list; they are looked up by themselves.
    let part =
        |r: &&Route| target(r).is_some_and(|t| !t.starts_with("vpce-")) && r.destination_ipv6_cidr_block().is_none();
    let found = live(table).filter(part).find_map(target);
    found.map_or(Egress::None, Egress::Perhaps)
}

/// The endpoints of each of `vpcs`.
pub(super) async fn endpoints(c: &Collector<'_>, vpcs: &BTreeSet<String>) -> BTreeMap<String, Read<Vec<VpcEndpoint>>> {
    let ids: Vec<String> = vpcs.iter().cloned().collect();
    let mut found: BTreeMap<String, Read<Vec<VpcEndpoint>>> =
        vpcs.iter().map(|vpc| (vpc.clone(), Ok(vec![]))).collect();
    for chunk in ids.chunks(FILTER_VALUES) {
        let filters = Some(filter("vpc-id", chunk));
        let read = pages!(
            c,
            ENDPOINTS,
            token => c.aws.ec2.describe_vpc_endpoints().set_filters(filters.clone()).max_results(PAGE).set_next_token(token.clone()),
            vpc_endpoints,
            next_token
        );
        match read {
            Err(e) => found.extend(chunk.iter().map(|vpc| (vpc.clone(), Err(Arc::clone(&e))))),
            Ok(endpoints) => {
                for endpoint in endpoints {
                    let vpc = endpoint.vpc_id.clone().unwrap_or_default();
                    if let Some(Ok(known)) = found.get_mut(&vpc) {
                        known.push(vpc_endpoint(endpoint));
                    }
                }
            }
        }
    }
    found
}

fn vpc_endpoint(e: aws_sdk_ec2::types::VpcEndpoint) -> VpcEndpoint {
    VpcEndpoint {
        id: e.vpc_endpoint_id.unwrap_or_default(),
        service: e.service_name.unwrap_or_default(),
        gateway: e.vpc_endpoint_type == Some(VpcEndpointType::Gateway),
        state: e.state.map(|s| s.as_str().to_owned()).unwrap_or_default(),
        private_dns: e.private_dns_enabled.unwrap_or_default(),
        groups: e
            .groups
            .unwrap_or_default()
            .into_iter()
            .filter_map(|g| g.group_id)
            .collect(),
        route_tables: e.route_table_ids.unwrap_or_default(),
    }
}

/// Ranges that a table sends to another network of the customer's own: by peering, a transit gateway, a core network, or a
/// virtual private gateway. The ranges of a prefix list are not read, so that it may be any.
fn private_routes(table: &RouteTable) -> Vec<IpNet> {
    let everything = || [IpNet::from(Ipv4Net::default()), IpNet::from(Ipv6Net::default())];
    let mut found = vec![];
    for route in live(table).filter(|r| {
        r.vpc_peering_connection_id().is_some()
            || r.transit_gateway_id().is_some()
            || r.core_network_arn().is_some()
            || r.gateway_id().is_some_and(|g| g.starts_with("vgw-"))
    }) {
        let range = route.destination_cidr_block().or(route.destination_ipv6_cidr_block());
        match range.and_then(|c| c.parse().ok()) {
            Some(range) => found.push(range),
            None => found.extend(everything()),
        }
    }
    found
}

/// What each of `groups` guards besides databases.
pub(super) async fn guarded(c: &Collector<'_>, groups: &BTreeSet<String>) -> BTreeMap<String, Read<Guarded>> {
    let ids: Vec<String> = groups.iter().cloned().collect();
    let chunks: Vec<Vec<String>> = ids.chunks(FILTER_VALUES).map(<[String]>::to_vec).collect();
    let read = stream::iter(chunks)
        .map(|chunk| guarded_chunk(c, chunk))
        .buffer_unordered(c.limit());
    read.collect::<Vec<_>>().await.into_iter().flatten().collect()
}

/// The security groups of those of `ids` that still exist, by interface.
pub(super) async fn groups_of_interfaces(
    c: &Collector<'_>,
    ids: &BTreeSet<String>,
) -> Read<BTreeMap<String, Vec<String>>> {
    let ids: Vec<String> = ids.iter().cloned().collect();
    let mut found = BTreeMap::new();
    for chunk in ids.chunks(FILTER_VALUES) {
        // By a filter: asked for by its id, one that is gone would make the whole call fail.
        let filters = Some(filter("network-interface-id", chunk));
        let interfaces = pages!(
            c,
            INTERFACES,
            token => c.aws.ec2.describe_network_interfaces().set_filters(filters.clone()).max_results(PAGE).set_next_token(token.clone()),
            network_interfaces,
            next_token
        )?;
        for interface in interfaces {
            let groups = interface
                .groups()
                .iter()
                .filter_map(|g| g.group_id())
                .map(str::to_owned)
                .collect();
            found.extend(interface.network_interface_id.map(|id| (id, groups)));
        }
    }
    Ok(found)
}

async fn guarded_chunk(c: &Collector<'_>, ids: Vec<String>) -> Vec<(String, Read<Guarded>)> {
    let filters = Some(filter("group-id", &ids));
    let interfaces = pages!(
        c,
        INTERFACES,
        token => c.aws.ec2.describe_network_interfaces().set_filters(filters.clone()).max_results(PAGE).set_next_token(token.clone()),
        network_interfaces,
        next_token
    );
    let interfaces = match interfaces {
        Ok(interfaces) => interfaces,
        Err(e) => return ids.into_iter().map(|id| (id, Err(Arc::clone(&e)))).collect(),
    };
    let mut found: BTreeMap<String, Guarded> = ids.into_iter().map(|id| (id, Guarded::default())).collect();
    // RDS names its interfaces so; whose database each is, the lists of instances and clusters tell.
    for interface in interfaces
        .iter()
        .filter(|i| i.description() != Some("RDSNetworkInterface"))
    {
        for group in interface.groups().iter().filter_map(|g| g.group_id()) {
            if let Some(guarded) = found.get_mut(group) {
                let id = interface.network_interface_id().unwrap_or("?");
                let about = interface
                    .description()
                    .filter(|d| !d.is_empty())
                    .unwrap_or("no description");
                guarded.others.push(format!("network interface {id} ({about})"));
            }
        }
    }
    found.into_iter().map(|(id, guarded)| (id, Ok(guarded))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(routes: impl IntoIterator<Item = aws_sdk_ec2::types::builders::RouteBuilder>) -> RouteTable {
        let routes = routes
            .into_iter()
            .map(aws_sdk_ec2::types::builders::RouteBuilder::build)
            .collect();
        RouteTable::builder().set_routes(Some(routes)).build()
    }

    fn to(range: &str) -> aws_sdk_ec2::types::builders::RouteBuilder {
        let route = Route::builder().state(RouteState::Active);
        if range.contains(':') {
            route.destination_ipv6_cidr_block(range)
        } else {
            route.destination_cidr_block(range)
        }
    }

    #[test]
    fn only_an_internet_gateway_is_the_internet() {
        let gateway = |route| internet_gateway(&table([route]));
        assert_eq!(gateway(to("0.0.0.0/0").gateway_id("igw-1")).as_deref(), Some("igw-1"));
        assert_eq!(gateway(to("::/0").gateway_id("igw-1")).as_deref(), Some("igw-1"));
        for silent in [
            to("10.0.0.0/8").gateway_id("igw-1"),
            to("0.0.0.0/0").nat_gateway_id("nat-1"),
            to("::/0").egress_only_internet_gateway_id("eigw-1"),
            to("0.0.0.0/0").gateway_id("vgw-1"),
            to("0.0.0.0/0").gateway_id("vpce-1"),
            to("0.0.0.0/0").transit_gateway_id("tgw-1"),
            to("0.0.0.0/0").gateway_id("igw-1").state(RouteState::Blackhole),
        ] {
            assert_eq!(gateway(silent.clone()), None, "{silent:?}");
        }
    }

    #[test]
    fn where_the_internet_is_sent_to() {
        let of = |routes: Vec<aws_sdk_ec2::types::builders::RouteBuilder>| egress(&table(routes));
        let local = || to("10.0.0.0/16").gateway_id("local");
        assert_eq!(of(vec![local()]), Egress::None);
        assert_eq!(of(vec![local(), to("0.0.0.0/0").nat_gateway_id("nat-1")]), Egress::Nat);
        assert_eq!(of(vec![local(), to("0.0.0.0/0").gateway_id("igw-1")]), Egress::Internet);
        for (perhaps, id) in [
            (to("0.0.0.0/0").transit_gateway_id("tgw-1"), "tgw-1"),
            (to("0.0.0.0/0").network_interface_id("eni-1"), "eni-1"),
            (to("0.0.0.0/0").gateway_id("vpce-1"), "vpce-1"),
            (to("52.0.0.0/8").nat_gateway_id("nat-1"), "nat-1"),
            (to("10.1.0.0/16").vpc_peering_connection_id("pcx-1"), "pcx-1"),
        ] {
            assert_eq!(of(vec![local(), perhaps]), Egress::Perhaps(id.into()));
        }
        // A NAT gateway that was deleted, one for IPv6 alone, and S3's gateway endpoint.
        let s3 = Route::builder().destination_prefix_list_id("pl-1").gateway_id("vpce-1");
        for nothing in [
            to("0.0.0.0/0").nat_gateway_id("nat-1").state(RouteState::Blackhole),
            to("::/0").egress_only_internet_gateway_id("eigw-1"),
            s3,
        ] {
            assert_eq!(of(vec![local(), nothing]), Egress::None);
        }
    }

    #[test]
    fn private_routes_lead_to_networks_of_ones_own() {
        let routes = |route| private_routes(&table([route]));
        let far: IpNet = "10.1.0.0/16".parse().expect("a net");
        for route in [
            to("10.1.0.0/16").vpc_peering_connection_id("pcx-1"),
            to("10.1.0.0/16").transit_gateway_id("tgw-1"),
            to("10.1.0.0/16").gateway_id("vgw-1"),
            to("10.1.0.0/16").core_network_arn("arn:aws:networkmanager::123456789012:core-network/1"),
        ] {
            assert_eq!(routes(route), [far]);
        }
        for silent in [
            to("10.1.0.0/16").gateway_id("local"),
            to("10.1.0.0/16").nat_gateway_id("nat-1"),
            to("10.1.0.0/16")
                .vpc_peering_connection_id("pcx-1")
                .state(RouteState::Blackhole),
        ] {
            assert_eq!(routes(silent), []);
        }
        // What a prefix list holds is not read: it may be anything.
        let list = Route::builder()
            .destination_prefix_list_id("pl-1")
            .transit_gateway_id("tgw-1");
        assert!(routes(list).iter().any(|r| r.contains(&far)));
    }
}
