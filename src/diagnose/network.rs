//! The hops of the network: whether the database's security groups let the service in, and whether there is a route.

use std::collections::BTreeSet;

use ipnet::IpNet;

use super::Fix;
use super::database::{arns, instances};
use super::trail::{Found, Trail, unread};
use crate::model::resources::{IngressRule, SecurityGroup, Source, Subnet};
use crate::rules::support::DEFAULT_PORT;
use crate::rules::workload::DatabaseView;

const RULE: &str = "rds-unreachable-from-service";
/// What the model does not hold. `--connect` from inside the VPC tries the whole way.
const NOT_READ: &str = "egress rules of the service's groups and network ACLs are not read; `--connect`, run inside of \
                        the VPC, tries the whole way";

/// What the rules of the database's groups mean for the service.
enum Admission<'a> {
    /// These let it in.
    By(Vec<(&'a SecurityGroup, &'a IngressRule)>),
    /// These may: why it can't be told.
    Perhaps(String),
    /// None does.
    No,
}

/// A security group of the database lets the service in.
pub(super) fn security_group(t: &mut Trail<'_>) -> Found {
    let Some(database) = t.database.clone() else {
        return Found::not_reached("which database it is about is unknown");
    };
    let groups = match &t.w.snapshot.security_groups {
        Ok(groups) => groups,
        Err(e) => return unread(e),
    };
    let service = t.service;
    if service.security_groups.is_empty() {
        return Found::unknown(format!(
            "{} has no awsvpc network: its traffic leaves by the security groups of its container instances",
            t.name()
        ))
        .unchecked(format!(
            "whether one of {} lets those instances in",
            database.security_groups.join(", ")
        ));
    }
    let guards: Vec<&SecurityGroup> = database
        .security_groups
        .iter()
        .filter_map(|id| groups.get(id))
        .collect();
    let port = database.port.unwrap_or(DEFAULT_PORT);
    let admission = admission(t, &guards, port);
    // The rule also judges the route: what it says is told here only if it is not the groups that are in order.
    if !matches!(admission, Admission::By(_))
        && let Some(told) = told(t, &database)
    {
        return told;
    }
    let wanted = service.security_groups.join(", ");
    match admission {
        Admission::By(rules) => {
            let mut found = Found::proved(format!(
                "{} lets {wanted} reach port {port}",
                rules.first().map_or("", |(g, _)| g.id.as_str())
            ));
            for (group, rule) in rules {
                found = found.fact(format!("{}[{}]", group.id, rule.id), rule.describe());
            }
            found.unchecked(NOT_READ)
        }
        Admission::Perhaps(why) => Found::unknown(why),
        Admission::No if guards.len() < database.security_groups.len() => {
            Found::unknown(format!("not every security group of {} could be read", database.id))
        }
        Admission::No => {
            let guard = guards.first().map_or("GROUP", |g| g.id.as_str());
            let source = service.security_groups.first().map_or("GROUP", String::as_str);
            let fix = Fix::by_hand(
                format!("let {source} reach port {port} in {guard}"),
                vec![format!(
                    "aws ec2 authorize-security-group-ingress --group-id {guard} --protocol tcp --port {port} \
                     --source-group {source}"
                )],
            );
            let mut found = Found::broken(
                format!(
                    "no rule of {} lets {} ({wanted}) reach port {port} of {}",
                    database.security_groups.join(", "),
                    t.name(),
                    database.id
                ),
                fix,
            );
            for group in guards {
                let rules: Vec<String> = group.ingress.iter().map(IngressRule::describe).collect();
                let expected = format!("tcp {port} from {wanted}");
                found = found.differs(format!("{}.ingress", group.id), rules, expected);
            }
            found
        }
    }
}

/// What the rule about both hops says.
fn told(t: &Trail<'_>, database: &DatabaseView<'_>) -> Option<Found> {
    let mut about = arns(t.w, database);
    about.push(t.service.arn.clone());
    let groups = database.security_groups.iter().chain(&t.service.security_groups);
    about.extend(groups.map(|id| t.w.snapshot.scope.arn("ec2", &format!("security-group/{id}"))));
    t.told(&[RULE], &about.iter().map(String::as_str).collect::<Vec<_>>())
}

fn admission<'a>(t: &Trail<'_>, guards: &[&'a SecurityGroup], port: u16) -> Admission<'a> {
    let mut by = vec![];
    let mut perhaps = None;
    for guard in guards {
        for rule in guard.ingress.iter().filter(|r| r.reaches(port)) {
            match &rule.source {
                Source::Group { id, .. } if t.service.security_groups.contains(id) => by.push((*guard, rule)),
                Source::Group { .. } => {}
                Source::Cidr(net) => match within(t, net) {
                    Some(true) => by.push((*guard, rule)),
                    Some(false) => {}
                    None => perhaps = Some(format!("whether {net} holds the service's subnets is unknown")),
                },
                Source::PrefixList(id) | Source::Other(id) => {
                    perhaps = Some(format!("{} lets {id} in, and what that holds was not read", guard.id));
                }
            }
        }
    }
    match (by.is_empty(), perhaps) {
        (false, _) => Admission::By(by),
        (true, Some(why)) => Admission::Perhaps(why),
        (true, None) => Admission::No,
    }
}

/// Whether all subnets of the service are inside of `net`; `None` where they are not known.
fn within(t: &Trail<'_>, net: &IpNet) -> Option<bool> {
    let subnets = subnets(t)?;
    Some(!subnets.is_empty() && subnets.iter().all(|s| s.cidrs.iter().any(|cidr| net.contains(cidr))))
}

/// The subnets of the service; `None` if one of them is not known.
fn subnets<'a>(t: &Trail<'a>) -> Option<Vec<&'a Subnet>> {
    let all = t.w.snapshot.subnets.as_ref().ok()?;
    t.service.subnets.iter().map(|id| all.get(id)).collect()
}

/// Packets find the way from the service's subnets to the database's, and back.
pub(super) fn route(t: &mut Trail<'_>) -> Found {
    let Some(database) = t.database.clone() else {
        return Found::not_reached("which database it is about is unknown");
    };
    let all = match &t.w.snapshot.subnets {
        Ok(all) => all,
        Err(e) => return unread(e),
    };
    let ours = match subnets(t) {
        Some(ours) if !ours.is_empty() => ours,
        _ => {
            return Found::unknown(format!("the subnets of {} are not known", t.name()))
                .unchecked("which subnets its container instances are in");
        }
    };
    if let Some(told) = told(t, &database) {
        return told;
    }
    let ids: BTreeSet<&String> = instances(t.w, &database).into_iter().flat_map(|i| &i.subnets).collect();
    let theirs: Vec<&Subnet> = ids.into_iter().filter_map(|id| all.get(id)).collect();
    let from: BTreeSet<&str> = ours.iter().map(|s| s.vpc.as_str()).collect();
    let Some(to) = database.vpc else {
        return Found::unknown(format!("the VPC of {} is not known", database.id));
    };
    let names = |list: &[&Subnet]| list.iter().map(|s| s.id.as_str()).collect::<Vec<_>>().join(", ");
    let facts = |found: Found| {
        found
            .fact("service.subnets", names(&ours))
            .fact("database.subnets", names(&theirs))
            .fact("service.vpc", from.iter().copied().collect::<Vec<_>>().join(", "))
            .fact("database.vpc", to)
    };
    if from.iter().all(|vpc| *vpc == to) {
        let summary = format!("both are in {to}, inside of which every subnet has a route to every other");
        return facts(Found::proved(summary));
    }
    let there = ours.iter().all(|s| theirs.iter().any(|d| leads_to(s, d)));
    let back = theirs.iter().all(|d| ours.iter().any(|s| leads_to(d, s)));
    if there && back && !theirs.is_empty() {
        return facts(Found::proved(format!(
            "the route tables lead from {} to {to} and back",
            from.iter().copied().collect::<Vec<_>>().join(", ")
        )))
        .unchecked("the other end of the peering connection or transit gateway");
    }
    let public = instances(t.w, &database).iter().any(|i| i.publicly_accessible);
    if public {
        return facts(Found::unknown(format!(
            "{} is in another VPC without a private route: all that is left is the internet, by its public address",
            database.id
        )));
    }
    let (from, way) = (
        from.iter().copied().collect::<Vec<_>>().join(", "),
        if there { "back" } else { "there" },
    );
    let fix = Fix::by_hand(
        format!("run the service in {to}, or join the two VPCs by peering or a transit gateway with routes both ways"),
        vec![format!(
            "aws ec2 create-vpc-peering-connection --vpc-id {from} --peer-vpc-id {to}"
        )],
    );
    facts(Found::broken(
        format!(
            "{} is in {to}, the service in {from}, and no route leads {way}",
            database.id
        ),
        fix,
    ))
}

/// Whether the table of `from` sends what is for `to` on.
fn leads_to(from: &Subnet, to: &Subnet) -> bool {
    from.vpc == to.vpc
        || to
            .cidrs
            .iter()
            .any(|cidr| from.private_routes.iter().any(|route| route.contains(cidr)))
}
