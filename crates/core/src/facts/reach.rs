//! Whether the network lets a service reach a database.

use std::sync::Arc;

use ipnet::IpNet;

use super::database::Database;
use super::workload::Workload;
use crate::model::resources::{IngressRule, SecurityGroup, Service, Source, Subnet};
use crate::model::snapshot::{Read, ReadError};

/// Whether a service reaches a database.
#[derive(Debug, Clone)]
pub enum Reach {
    /// There is a path.
    Open,
    /// They are in the same network, and no rule lets the service in: why, for a message.
    NoRule(String),
    /// They are in different VPCs with no route between them: why, for a message.
    NoRoute(String),
    /// It is unknown.
    Unclear(Arc<ReadError>),
}

/// The service and the database whose networks are compared.
struct NetworkPath<'w, 'a> {
    w: &'w Workload<'a>,
    service: &'a Service,
    database: &'w Database<'a>,
    port: u16,
}

/// Whether `service`, which has an awsvpc network, reaches `database` on `port`. Only the database's side is checked:
/// groups of services let everything out unless somebody forbids it.
///
/// # Errors
/// What kept the security groups from being read.
pub fn reach<'a>(w: &Workload<'a>, service: &'a Service, database: &Database<'a>, port: u16) -> Read<Reach> {
    w.groups()?;
    let path = NetworkPath {
        w,
        service,
        database,
        port,
    };
    Ok(path.reach())
}

impl<'a> NetworkPath<'_, 'a> {
    fn group(&self, id: &str) -> Option<&'a SecurityGroup> {
        self.w.group(id).ok().flatten()
    }

    fn reach(&self) -> Reach {
        let guards = || self.database.security_groups.iter();
        let rules: Vec<&IngressRule> = guards()
            .filter_map(|id| self.group(id))
            .flat_map(|g| &g.ingress)
            .filter(|r| r.reaches(self.port))
            .collect();
        if let (Some(here), Some(there)) = (self.vpc_of(&self.service.security_groups), self.database_vpc())
            && here != there
        {
            match self.routed() {
                Ok(true) => {}
                // A public database has a path around the VPCs, by addresses that can't be known here.
                Ok(false) if self.may_come_by_the_internet(&rules) => return Reach::Open,
                Ok(false) => {
                    return Reach::NoRoute(format!(
                        "it runs in {here}, the database in {there}, and no route leads from the one to the other"
                    ));
                }
                Err(e) => return Reach::Unclear(e),
            }
        }
        if rules.iter().any(|r| self.is_own_group(r)) {
            return Reach::Open;
        }
        let by_address = self.by_address(&rules);
        if let Ok(None) = by_address {
            return Reach::Open;
        }
        let hidden = guards().find(|id| self.group(id).is_none());
        let unread = rules.iter().find_map(|r| match &r.source {
            Source::PrefixList(list) => Some(list),
            Source::Other(source) => Some(source),
            _ => None,
        });
        match (by_address, hidden.or(unread)) {
            (Err(e), _) => Reach::Unclear(e),
            (Ok(_), Some(what)) => Reach::Unclear(not_read(what)),
            (Ok(left), None) => Reach::NoRule(self.no_rule(left)),
        }
    }

    fn no_rule(&self, left: Option<Vec<&str>>) -> String {
        let guards = self.database.security_groups.join(", ");
        let own = self.service.security_groups.join(", ");
        match left.unwrap_or_default().as_slice() {
            some if !some.is_empty() && some.len() < self.service.subnets.len() => format!(
                "no rule of {guards} lets its tasks in {} in on port {}",
                some.join(", "),
                self.port
            ),
            _ => format!("no rule of {guards} lets {own} in on port {}", self.port),
        }
    }

    fn is_own_group(&self, rule: &IngressRule) -> bool {
        match &rule.source {
            Source::Group { id, account } => {
                self.service.security_groups.contains(id)
                    && account.as_deref().is_none_or(|a| a == self.w.snapshot.scope.account)
            }
            _ => false,
        }
    }

    /// The service's subnets whose addresses no rule lets in; `None` if there is no such one.
    fn by_address(&self, rules: &[&IngressRule]) -> Result<Option<Vec<&str>>, Arc<ReadError>> {
        let ranges: Vec<&IpNet> = rules
            .iter()
            .filter_map(|r| match &r.source {
                Source::Cidr(net) => Some(net),
                _ => None,
            })
            .collect();
        let names = self.service.subnets.iter().map(String::as_str);
        if ranges.is_empty() || self.service.subnets.is_empty() {
            return Ok(Some(names.collect()));
        }
        // The whole of IPv4 needs no list of subnets to hold the service's: a database always has an IPv4 address.
        if ranges.iter().any(|r| r.prefix_len() == 0 && matches!(r, IpNet::V4(_))) {
            return Ok(None);
        }
        let mut left = vec![];
        for id in names {
            if !self.lets_in(&ranges, self.subnet(id)?) {
                left.push(id);
            }
        }
        Ok((!left.is_empty()).then_some(left))
    }

    /// Whether tasks in `subnet` come in by the family of addresses that both sides have.
    fn lets_in(&self, ranges: &[&IpNet], subnet: &Subnet) -> bool {
        let inside = |cidr: &IpNet| ranges.iter().any(|r| r.contains(cidr));
        let by = |v6: bool| {
            let mut own = subnet
                .cidrs
                .iter()
                .filter(|c| matches!(c, IpNet::V6(_)) == v6)
                .peekable();
            own.peek().is_some() && own.all(inside)
        };
        by(false) || (self.database.dual_stack() && by(true))
    }

    fn subnet(&self, id: &str) -> Result<&Subnet, Arc<ReadError>> {
        let subnets = self.w.snapshot.subnets.as_ref().map_err(Arc::clone)?;
        subnets.get(id).ok_or_else(|| not_read(id))
    }

    fn vpc_of(&self, groups: &[String]) -> Option<&'a str> {
        groups.iter().find_map(|id| self.group(id)?.vpc.as_deref())
    }

    fn database_vpc(&self) -> Option<&'a str> {
        self.vpc_of(self.database.security_groups).or(self.database.vpc)
    }

    /// Whether each subnet of the service routes to each of the database's, and back.
    fn routed(&self) -> Result<bool, Arc<ReadError>> {
        let read = |ids: Vec<&String>| ids.into_iter().map(|id| self.subnet(id)).collect::<Result<Vec<_>, _>>();
        let here = read(self.service.subnets.iter().collect())?;
        let there = read(self.database.members.iter().flat_map(|i| &i.subnets).collect())?;
        // A more specific route may lead to the very address: what overlaps is not known to be unreachable.
        let leads = |from: &Subnet, to: &Subnet| {
            let meets = |a: &IpNet, b: &IpNet| a.contains(b) || b.contains(a);
            to.cidrs.iter().any(|c| from.private_routes.iter().any(|r| meets(r, c)))
        };
        let both = |a: &Subnet, b: &Subnet| leads(a, b) && leads(b, a);
        Ok(here.iter().all(|a| there.iter().all(|b| both(a, b))))
    }

    fn may_come_by_the_internet(&self, rules: &[&IngressRule]) -> bool {
        let public = |r: &&IngressRule| match &r.source {
            Source::Cidr(net) => net.prefix_len() == 0 || !is_private(net),
            Source::PrefixList(_) | Source::Other(_) => true,
            Source::Group { .. } => false,
        };
        self.database.members.iter().any(|i| i.publicly_accessible) && rules.iter().any(public)
    }
}

/// Whether a range holds addresses of private networks only: RFC 1918, RFC 6598, RFC 4193.
fn is_private(net: &IpNet) -> bool {
    const PRIVATE: &[&str] = &[
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "100.64.0.0/10",
        "fc00::/7",
    ];
    PRIVATE
        .iter()
        .filter_map(|p| p.parse::<IpNet>().ok())
        .any(|private| private.contains(net))
}

fn not_read(what: &str) -> Arc<ReadError> {
    let operation = match what {
        _ if what.starts_with("subnet-") => "DescribeSubnets",
        _ if what.starts_with("sg-") => "DescribeSecurityGroups",
        _ => "GetManagedPrefixListEntries",
    };
    Arc::new(ReadError {
        service: "ec2".into(),
        operation: operation.into(),
        resource: what.to_owned(),
        code: "NotRead".into(),
        message: format!("what {what} holds is not known, so whether it lets the service in is unknown"),
    })
}
