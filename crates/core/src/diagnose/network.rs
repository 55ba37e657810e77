//! The hops of the network: whether the database's security groups let the service in, and whether there is a route.

use std::collections::BTreeSet;

use ipnet::IpNet;

use super::hop_result::{HopResult, unread};
use super::walk::Walk;
use crate::facts::{DEFAULT_PORT, Database, Reach, reach};
use crate::model::resources::{IngressRule, SecurityGroup, Source, Subnet};

const RULE: &str = "rds-unreachable-from-service";
/// What the model does not hold. `--connect` from inside the VPC tries the whole path.
const NOT_READ: &str = "egress rules of the service's groups and network ACLs are not read; `--connect`, run inside of \
                        the VPC, tries the whole way";

/// A security group of the database lets the service in.
pub(super) fn security_group(t: &mut Walk<'_>) -> HopResult {
    let Some(database) = t.database.clone() else {
        return HopResult::not_reached("which database it is about is unknown");
    };
    let service = t.service;
    let guards = database.security_groups.join(", ");
    if service.security_groups.is_empty() {
        return HopResult::unknown(format!(
            "{} has no awsvpc network: its traffic leaves by the security groups of its container instances",
            t.name()
        ))
        .unchecked(format!("whether one of {guards} lets those instances in"));
    }
    let port = database.port.unwrap_or(DEFAULT_PORT);
    let wanted = service.security_groups.join(", ");
    let reached = match reach(t.w, service, &database, port) {
        Ok(reached) => reached,
        Err(e) => return unread(&e),
    };
    let admitting = admitting(t, &database, port);
    let proved = |found: HopResult| {
        let facts = admitting.iter().fold(found, |found, (group, rule)| {
            found.fact(format!("{}[{}]", group.id, rule.id), rule.describe())
        });
        facts.unchecked(NOT_READ)
    };
    match reached {
        Reach::Open => proved(HopResult::proved(format!("{guards} lets {wanted} reach port {port}"))),
        // The route is the next hop's.
        Reach::NoRoute(_) if !admitting.is_empty() => {
            proved(HopResult::proved(format!("{guards} lets {wanted} reach port {port}")))
        }
        Reach::NoRoute(_) => HopResult::not_reached("there is no route, so what the groups would let in is moot"),
        Reach::Unclear(e) => finding_about(t, &database).unwrap_or_else(|| unread(&e)),
        // The rule speaks of it, unless someone waived that, or another database is enough for it.
        Reach::NoRule(why) => finding_about(t, &database).unwrap_or_else(|| HopResult::unknown(why)),
    }
}

/// What the rule about both hops says.
fn finding_about(t: &Walk<'_>, database: &Database<'_>) -> Option<HopResult> {
    t.finding_about(&[RULE], &[database.arn])
}

/// The rules of the database's groups that let the service in: the facts behind what `reach` says.
fn admitting<'a>(t: &Walk<'a>, database: &Database<'a>, port: u16) -> Vec<(&'a SecurityGroup, &'a IngressRule)> {
    let groups = t.w.snapshot.security_groups.as_ref().ok();
    let guards = database.security_groups.iter().filter_map(|id| groups?.get(id));
    guards
        .flat_map(|g| g.ingress.iter().map(move |r| (g, r)))
        .filter(|(_, r)| r.reaches(port))
        .filter(|(_, r)| match &r.source {
            Source::Group { id, .. } => t.service.security_groups.contains(id),
            Source::Cidr(net) => within(t, net),
            Source::PrefixList(_) | Source::Other(_) => false,
        })
        .collect()
}

/// Whether the service's subnets are known, and all inside of `net`.
fn within(t: &Walk<'_>, net: &IpNet) -> bool {
    subnets(t).is_some_and(|all| !all.is_empty() && all.iter().all(|s| s.cidrs.iter().any(|cidr| net.contains(cidr))))
}

/// The subnets of the service; `None` if one of them is not known.
fn subnets<'a>(t: &Walk<'a>) -> Option<Vec<&'a Subnet>> {
    let all = t.w.snapshot.subnets.as_ref().ok()?;
    t.service.subnets.iter().map(|id| all.get(id)).collect()
}

/// Packets find the path from the service's subnets to the database's, and back.
pub(super) fn route(t: &mut Walk<'_>) -> HopResult {
    let Some(database) = t.database.clone() else {
        return HopResult::not_reached("which database it is about is unknown");
    };
    let all = match &t.w.snapshot.subnets {
        Ok(all) => all,
        Err(e) => return unread(e),
    };
    let ours = match subnets(t) {
        Some(ours) if !ours.is_empty() => ours,
        _ => {
            return HopResult::unknown(format!("the subnets of {} are not known", t.name()))
                .unchecked("which subnets its container instances are in");
        }
    };
    let ids: BTreeSet<&String> = database.members.iter().flat_map(|i| &i.subnets).collect();
    let theirs: Vec<&Subnet> = ids.into_iter().filter_map(|id| all.get(id)).collect();
    let from: BTreeSet<&str> = ours.iter().map(|s| s.vpc.as_str()).collect();
    let from: Vec<&str> = from.into_iter().collect();
    let Some(to) = database.vpc else {
        return HopResult::unknown(format!("the VPC of {} is not known", database.id));
    };
    let names = |list: &[&Subnet]| list.iter().map(|s| s.id.as_str()).collect::<Vec<_>>().join(", ");
    let facts = |found: HopResult| {
        found
            .fact("service.subnets", names(&ours))
            .fact("database.subnets", names(&theirs))
            .fact("service.vpc", from.join(", "))
            .fact("database.vpc", to)
    };
    if from.iter().all(|vpc| *vpc == to) {
        let summary = format!("both are in {to}, inside of which every subnet has a route to every other");
        return facts(HopResult::proved(summary));
    }
    match reach(t.w, t.service, &database, database.port.unwrap_or(DEFAULT_PORT)) {
        Err(e) => unread(&e),
        Ok(Reach::Unclear(e)) => facts(unread(&e)),
        Ok(Reach::NoRoute(why)) => finding_about(t, &database).unwrap_or_else(|| facts(HopResult::unknown(why))),
        Ok(Reach::Open | Reach::NoRule(_)) if database.members.iter().any(|i| i.publicly_accessible) => {
            facts(HopResult::unknown(format!(
                "{} is in another VPC, and has a public address: whether packets go by a private route or by the \
                 internet can't be seen",
                database.id
            )))
        }
        Ok(Reach::Open | Reach::NoRule(_)) => facts(HopResult::proved(format!(
            "the route tables lead from {} to {to} and back",
            from.join(", ")
        )))
        .unchecked("the other end of the peering connection or transit gateway"),
    }
}
