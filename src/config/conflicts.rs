//! What no single key shows: values that this version can't serve, and keys that contradict each other.
//!
//! These look at the tree, not at a [`super::Config`], so that they are reported together with all other faults.

use std::collections::HashMap;

use super::forms::role_account;
use super::tree::{Fault, Node, Place, quote};

/// When a value is one that we know but can't serve.
#[derive(Debug, Clone, Copy)]
pub(super) enum When {
    /// It is this word.
    Is(&'static str),
    /// It is a list that isn't empty.
    NotEmpty,
}

/// What is described and planned but not built: refused, since to ignore it in silence would be worse. A version that
/// builds one of these deletes its line, and nothing else.
pub(super) const UNSUPPORTED: &[(&[&str], When)] = &[
    (&["ledger", "kind"], When::Is("dynamodb")),
    (&["lease", "kind"], When::Is("dynamodb")),
    (&["safety", "change_windows"], When::NotEmpty),
];

/// All faults of the tree in one list.
pub(super) fn find(root: &Node, unsupported: &[(&[&str], When)]) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut refused = Vec::new();
    for (path, when) in unsupported {
        let Some(entry) = root.at(path) else { continue };
        let what = match when {
            When::Is(word) if entry.node.text() == Some(word) => format!(": {word}"),
            When::NotEmpty if !entry.node.items().is_empty() => String::new(),
            _ => continue,
        };
        let message = format!("{}{what} is not supported in this version; remove it", path.join("."));
        faults.push(Fault::new(entry.node.place, message));
        refused.push(path[0]);
    }
    for section in ["ledger", "lease"] {
        // Whoever has to remove the kind need not hear what else it lacks.
        if !refused.contains(&section) {
            store(root, section, &mut faults);
        }
    }
    events(root, &mut faults);
    targets(root, &mut faults);
    faults
}

/// `dynamodb` needs a table, and only it has one; only `sqlite` has a path.
fn store(root: &Node, section: &str, faults: &mut Vec<Fault>) {
    let given = |key: &str| root.at(&[section, key]).filter(|e| !e.node.is_null());
    let kind = given("kind");
    let is_dynamodb = kind.and_then(|e| e.node.text()) == Some("dynamodb");
    match (is_dynamodb, kind, given("table")) {
        (true, Some(kind), None) => {
            let message = format!("{section}.kind: dynamodb needs {section}.table, the table's name");
            faults.push(Fault::new(kind.place, message));
        }
        (false, _, Some(table)) => {
            let message =
                format!("{section}.table belongs to {section}.kind: dynamodb only; remove it or set that kind");
            faults.push(Fault::new(table.place, message));
        }
        _ => {}
    }
    if let (true, Some(path)) = (is_dynamodb, given("path")) {
        let message = format!("{section}.path belongs to {section}.kind: sqlite only; remove it");
        faults.push(Fault::new(path.place, message));
    }
}

fn events(root: &Node, faults: &mut Vec<Fault>) {
    let given = |key: &str| root.at(&["events", key]).filter(|e| !e.node.is_null());
    if let (Some(region), None) = (given("region"), given("queue_url")) {
        faults.push(Fault::new(
            region.place,
            "events.region needs events.queue_url, whose region it is",
        ));
    }
}

fn targets(root: &Node, faults: &mut Vec<Fault>) {
    let Some(targets) = root.entry("targets") else { return };
    // No region stands for the caller's default one, which two targets of one account would share as well.
    let mut seen: HashMap<(&str, Option<&str>), Place> = HashMap::new();
    for (i, target) in targets.node.items().iter().enumerate() {
        let given = |key: &str| target.entry(key).filter(|e| !e.node.is_null());
        if let (Some(external), None) = (given("external_id"), given("role_arn")) {
            let message =
                format!("targets[{i}].external_id needs targets[{i}].role_arn, whose trust policy asks for it");
            faults.push(Fault::new(external.place, message));
        }
        let Some(account) = given("account").and_then(|e| e.node.text()) else {
            continue;
        };
        if let Some(role) = given("role_arn") {
            let of_role = role.node.text().and_then(role_account);
            if of_role.is_some_and(|other| other != account) {
                let message = format!(
                    "targets[{i}].role_arn is a role of account {}, but the target's account is {}",
                    quote(of_role.unwrap_or_default()),
                    quote(account)
                );
                faults.push(Fault::new(role.node.place, message));
            }
        }
        let regions = given("regions").map(|e| e.node.items()).unwrap_or_default();
        let mut named: Vec<(Option<&str>, Place)> = regions.iter().map(|r| (r.text(), r.place)).collect();
        if named.is_empty() {
            named.push((None, target.place));
        }
        // Twice within one target is the list's own fault and told there.
        named.sort_unstable();
        named.dedup_by_key(|(region, _)| *region);
        for (region, place) in named {
            if let Some(first) = seen.get(&(account, region)) {
                let what = region.map_or_else(|| "its default region".to_owned(), quote);
                let message = format!(
                    "targets[{i}]: account {} with {what} is a target already, on line {}",
                    quote(account),
                    first.line
                );
                faults.push(Fault::new(place, message));
            } else {
                seen.insert((account, region), place);
            }
        }
    }
}
