//! Security groups with rules from three kinds of resources, and subnets with the routes that reach them.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;
use serde_json::Value;

use super::attributes::{flag, number, somewhere};
use super::resource::{Resource, list, text};
use super::{Class, Reading};
use crate::check::case::{DisplayName, World};
use crate::model::resources::{IngressRule, SecurityGroup, Source, Subnet};

/// A rule without its source: id, protocol and ports.
struct PortRange {
    id: String,
    protocol: String,
    from: Option<i32>,
    to: Option<i32>,
}

impl PortRange {
    fn of(id: &str, value: &Value, protocol: &str) -> Self {
        let protocol = match text(value, protocol).unwrap_or("-1").to_lowercase().as_str() {
            "all" => "-1".to_owned(),
            other => other.to_owned(),
        };
        // For all protocols Terraform writes 0 to 0 where AWS has no ports.
        let port = |key| value.get(key).and_then(number).filter(|_| protocol != "-1");
        Self {
            id: id.to_owned(),
            from: port("from_port"),
            to: port("to_port"),
            protocol,
        }
    }

    fn with(&self, source: Source) -> IngressRule {
        IngressRule {
            id: self.id.clone(),
            protocol: self.protocol.clone(),
            from_port: self.from,
            to_port: self.to,
            source,
        }
    }
}

impl<'a> Reading<'a, '_> {
    pub(super) fn networks(&mut self) {
        let mut groups: BTreeMap<String, SecurityGroup> = BTreeMap::new();
        let (terraform, (types, _)) = (self.terraform, Class::Group.types());
        for r in terraform.managed(types) {
            let mut group = SecurityGroup {
                id: r.address.clone(),
                name: r.text("name").unwrap_or(&r.address).to_owned(),
                vpc: self.link(r, Class::Vpc, "vpc_id"),
                tags: self.tags(r),
                ..SecurityGroup::default()
            };
            self.inline(r, &mut group);
            groups.insert(group.id.clone(), group);
        }
        for r in terraform.managed(&["aws_security_group_rule", "aws_vpc_security_group_ingress_rule"]) {
            self.rule(r, &mut groups);
        }
        let mut subjects = vec![];
        for group in groups.values_mut() {
            group.ingress.sort();
            group.ingress.dedup();
            let arn = self.snapshot.scope.arn("ec2", &format!("security-group/{}", group.id));
            subjects.push((arn, DisplayName::of(&group.id)));
        }
        for (arn, subject) in subjects {
            self.names(&arn, subject);
        }
        self.snapshot.security_groups = Ok(groups.into());
        self.subnets();
    }

    /// Rules written inside of the group.
    fn inline(&mut self, r: &Resource<'a>, group: &mut SecurityGroup) {
        let unknown = list(r.unknown.get("ingress"));
        for (n, block) in r.blocks("ingress").iter().enumerate() {
            let reach = PortRange::of(&format!("{}.ingress", r.address), block, "protocol");
            let own = group.id.clone();
            plain_sources(block, &reach, &own, &mut group.ingress);
            let named = list(block.get("security_groups")).iter().filter_map(Value::as_str);
            group.ingress.extend(named.map(|id| reach.with(self.group_source(id))));
            let unknown = unknown.get(n).unwrap_or(&Value::Null);
            let groups_unknown = unknown.get("security_groups").is_some_and(somewhere);
            if groups_unknown && let Some(sources) = self.inline_references(r, block) {
                group.ingress.extend(
                    sources
                        .into_iter()
                        .map(|id| reach.with(Source::Group { id, account: None })),
                );
            } else if somewhere(unknown) {
                self.gap(r, "ingress");
                self.unknown_source(&reach, &mut group.ingress);
            }
        }
    }

    /// The groups that the only block of the configuration with these ports names.
    fn inline_references(&self, r: &Resource<'a>, block: &Value) -> Option<Vec<String>> {
        let written = list(r.expressions?.get("ingress"));
        let same = |one: &&Value| {
            ["from_port", "to_port", "protocol"].iter().all(|key| {
                let constant = one.get(key).and_then(|e| e.get("constant_value"));
                constant.is_none() || constant == block.get(key)
            })
        };
        let alike: Vec<&Value> = written.iter().filter(same).collect();
        let [only] = alike.as_slice() else { return None };
        let found = self.terraform.links_in(
            Class::Group,
            &r.address,
            None,
            Some(&Value::Bool(true)),
            only.get("security_groups"),
        );
        (!found.unresolved && !found.found.is_empty()).then_some(found.found)
    }

    /// A rule that is a resource of its own.
    fn rule(&mut self, r: &Resource<'a>, groups: &mut BTreeMap<String, SecurityGroup>) {
        let separate = r.kind == "aws_security_group_rule";
        if separate && r.text("type") != Some("ingress") {
            return;
        }
        let reach = PortRange::of(&r.address, r.values, if separate { "protocol" } else { "ip_protocol" });
        let source_group = if separate {
            "source_security_group_id"
        } else {
            "referenced_security_group_id"
        };
        let guarded = self.links(r, Class::Group, "security_group_id");
        let mut rules = vec![];
        for id in &guarded {
            plain_sources(r.values, &reach, id, &mut rules);
        }
        if let Some(written) = r.text(source_group) {
            rules.push(reach.with(self.group_source(written)));
        } else if r.unknown.get(source_group).is_some_and(somewhere) {
            let sources = self.links(r, Class::Group, source_group);
            // Which of several it is depends on a key that is not in the file.
            match sources.as_slice() {
                [only] => rules.push(reach.with(Source::Group {
                    id: only.clone(),
                    account: None,
                })),
                _ => self.unknown_source(&reach, &mut rules),
            }
        }
        let others = [
            "cidr_blocks",
            "ipv6_cidr_blocks",
            "prefix_list_ids",
            "cidr_ipv4",
            "cidr_ipv6",
            "prefix_list_id",
        ];
        if let Some(unknown) = others.iter().find(|a| r.unknown.get(a).is_some_and(somewhere)) {
            self.gap(r, unknown);
            self.unknown_source(&reach, &mut rules);
        }
        for id in guarded {
            let group = groups.entry(id.clone()).or_insert_with(|| SecurityGroup {
                name: id.clone(),
                id,
                ..SecurityGroup::default()
            });
            group.ingress.extend(rules.iter().cloned());
        }
    }

    /// A group by id, perhaps of another account: `sg-0abc` or `123456789012/sg-0abc`.
    fn group_source(&self, written: &str) -> Source {
        let (account, id) = match written.split_once('/') {
            Some((account, id)) => (Some(account), id),
            None => (None, written),
        };
        Source::Group {
            id: self.terraform.canonical(Class::Group, id),
            account: account
                .filter(|a| *a != self.terraform.scope.account)
                .map(str::to_owned),
        }
    }

    /// A source that is not known yet is anyone in the worst world, and nobody in the best.
    fn unknown_source(&self, reach: &PortRange, rules: &mut Vec<IngressRule>) {
        if self.world() == World::Worst {
            rules.push(reach.with(Source::Other("a source that is not known yet".into())));
        }
    }

    fn subnets(&mut self) {
        let terraform = self.terraform;
        let (types, _) = Class::Subnet.types();
        let tables = self.tables();
        let mut found = BTreeMap::new();
        let mut own: BTreeMap<String, String> = BTreeMap::new();
        let mut main: BTreeMap<String, String> = BTreeMap::new();
        for r in terraform.managed(&["aws_route_table_association"]) {
            let (subnets, table) = (
                self.links(r, Class::Subnet, "subnet_id"),
                self.link(r, Class::RouteTable, "route_table_id"),
            );
            // `for_each` over subnets leaves the key unknown, but all of them get the same table.
            own.extend(
                table
                    .iter()
                    .flat_map(|t| subnets.iter().map(move |s| (s.clone(), t.clone()))),
            );
        }
        for r in terraform.managed(&["aws_main_route_table_association", "aws_default_route_table"]) {
            let table = match r.kind {
                "aws_default_route_table" => Some(r.address.clone()),
                _ => self.link(r, Class::RouteTable, "route_table_id"),
            };
            let vpc = self
                .link(r, Class::Vpc, "vpc_id")
                .or_else(|| self.vpc_of_default_table(r));
            main.extend(vpc.zip(table));
        }
        for r in terraform.managed(types) {
            let vpc = self.link(r, Class::Vpc, "vpc_id").unwrap_or_default();
            let cidrs = ["cidr_block", "ipv6_cidr_block"].into_iter().filter_map(|a| r.text(a));
            let table = own
                .get(&r.address)
                .or_else(|| main.get(&vpc))
                .and_then(|t| tables.get(t));
            let subnet = Subnet {
                id: r.address.clone(),
                vpc,
                cidrs: cidrs.filter_map(|c| c.parse().ok()).collect(),
                internet_gateway: table.and_then(|t| t.gateway.clone()),
                private_routes: table.map(|t| t.private.clone()).unwrap_or_default(),
                // A file does not tell what endpoints there are: `ecs-no-path-to-secrets` is not evaluated.
                ..Subnet::default()
            };
            found.insert(subnet.id.clone(), subnet);
        }
        self.snapshot.subnets = Ok(found.into());
    }

    /// A VPC's own table is named by `default_route_table_id`, an attribute of the VPC.
    fn vpc_of_default_table(&self, r: &Resource<'a>) -> Option<String> {
        if let Some(id) = r.text("default_route_table_id") {
            let (types, _) = Class::Vpc.types();
            let of = |v: &&Resource<'_>| {
                v.text("default_route_table_id") == Some(id) || v.text("main_route_table_id") == Some(id)
            };
            return self.terraform.managed(types).find(of).map(|v| v.address.clone());
        }
        let expression = r.expressions?.get("default_route_table_id");
        let found = self
            .terraform
            .links_in(Class::Vpc, &r.address, None, Some(&Value::Bool(true)), expression);
        found.found.into_iter().next()
    }

    /// Where each route table leads.
    fn tables(&mut self) -> BTreeMap<String, RouteTable> {
        let terraform = self.terraform;
        let (types, _) = Class::RouteTable.types();
        let mut tables: BTreeMap<String, RouteTable> = BTreeMap::new();
        for r in terraform.managed(types) {
            let table = tables.entry(r.address.clone()).or_default();
            let unknown = list(r.unknown.get("route"));
            for (n, route) in r.blocks("route").iter().enumerate() {
                let unknown = unknown.get(n).unwrap_or(&Value::Null);
                let written = r.expressions.and_then(|e| e.get("route"));
                table.add(self.route(route, unknown, written, &r.address));
            }
        }
        for r in terraform.managed(&["aws_route"]) {
            let Some(table) = self.link(r, Class::RouteTable, "route_table_id") else {
                continue;
            };
            let route = self.route(r.values, r.unknown, r.expressions, &r.address);
            tables.entry(table).or_default().add(route);
        }
        tables
    }

    /// One route: inline (with `cidr_block`) or of its own (with `destination_cidr_block`).
    fn route(&self, value: &Value, unknown: &Value, written: Option<&'a Value>, from: &str) -> Route {
        let keys = [
            "cidr_block",
            "ipv6_cidr_block",
            "destination_cidr_block",
            "destination_ipv6_cidr_block",
        ];
        let to: BTreeSet<IpNet> = keys
            .iter()
            .filter_map(|k| text(value, k))
            .filter_map(|t| t.parse().ok())
            .collect();
        let set = |key: &str| text(value, key).is_some_and(|t| !t.is_empty());
        let coming = |key: &str| unknown.get(key).is_some_and(somewhere);
        let gateway = match text(value, "gateway_id").filter(|t| !t.is_empty()) {
            Some(id) => Some(self.terraform.canonical(Class::Gateway, id)).filter(|_| id.starts_with("igw-")),
            // Of inline routes the configuration may not say which: any reference of theirs to such a gateway will do,
            // since only an internet gateway is asked for by this name.
            None if coming("gateway_id") => {
                let references = written.and_then(|w| w.get("gateway_id")).or(written);
                let found = self
                    .terraform
                    .links_in(Class::Gateway, from, None, Some(&Value::Bool(true)), references);
                found.found.into_iter().next()
            }
            None => None,
        };
        let private = ["vpc_peering_connection_id", "transit_gateway_id"];
        let leads_home = private.iter().any(|k| set(k) || coming(k))
            || text(value, "gateway_id").is_some_and(|id| id.starts_with("vgw-"));
        Route {
            world: to.iter().any(|net| net.prefix_len() == 0),
            to,
            gateway,
            private: leads_home,
        }
    }
}

/// Ranges, prefix lists, and the group itself.
fn plain_sources(value: &Value, reach: &PortRange, own: &str, rules: &mut Vec<IngressRule>) {
    let several = |key: &str| {
        list(value.get(key))
            .iter()
            .filter_map(Value::as_str)
            .collect::<Vec<_>>()
    };
    let one = |key: &str| text(value, key).filter(|t| !t.is_empty());
    let ranges = ["cidr_blocks", "ipv6_cidr_blocks"].into_iter().flat_map(several);
    let ranges = ranges.chain(["cidr_ipv4", "cidr_ipv6"].into_iter().filter_map(one));
    rules.extend(ranges.map(|range| {
        let source = range.parse::<IpNet>();
        reach.with(source.map_or_else(|_| Source::Other(range.to_owned()), Source::Cidr))
    }));
    let lists = several("prefix_list_ids").into_iter().chain(one("prefix_list_id"));
    rules.extend(lists.map(|id| reach.with(Source::PrefixList(id.to_owned()))));
    if value.get("self").and_then(flag) == Some(true) {
        rules.push(reach.with(Source::Group {
            id: own.to_owned(),
            account: None,
        }));
    }
}

struct Route {
    to: BTreeSet<IpNet>,
    world: bool,
    gateway: Option<String>,
    private: bool,
}

#[derive(Default)]
struct RouteTable {
    gateway: Option<String>,
    private: Vec<IpNet>,
}

impl RouteTable {
    fn add(&mut self, route: Route) {
        if route.world && route.gateway.is_some() {
            self.gateway = route.gateway;
        }
        if route.private {
            self.private.extend(route.to);
        }
    }
}
