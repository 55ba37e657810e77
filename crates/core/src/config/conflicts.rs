//! Finds keys that contradict each other, which the schema can't see.
//!
//! This reads the tree, not a [`super::Config`], so that contradictions are reported together with all other faults.

use std::collections::HashMap;

use super::change_windows::{self, WindowError};
use super::forms::role_account;
use super::settings::ChangeWindow;
use crate::yaml::{ConfigFault, Node, Place, quote};

/// All faults of the tree in one list.
pub(super) fn find(root: &Node) -> Vec<ConfigFault> {
    let mut faults = Vec::new();
    for section in ["ledger", "lease"] {
        store(root, section, &mut faults);
    }
    shared(root, &mut faults);
    events(root, &mut faults);
    targets(root, &mut faults);
    change_windows(root, &mut faults);
    families(root, &mut faults);
    faults
}

/// `dynamodb` needs a table, and only it has one; only `sqlite` has a path.
fn store(root: &Node, section: &str, faults: &mut Vec<ConfigFault>) {
    let given = |key: &str| root.at(&[section, key]).filter(|e| !e.node.is_null());
    let kind = given("kind");
    let is_dynamodb = kind.and_then(|e| e.node.text()) == Some("dynamodb");
    match (is_dynamodb, kind, given("table")) {
        (true, Some(kind), None) => {
            let message = format!("{section}.kind: dynamodb needs {section}.table, the table's name");
            faults.push(ConfigFault::new(kind.place, message));
        }
        (false, _, Some(table)) => {
            let message =
                format!("{section}.table belongs to {section}.kind: dynamodb only; remove it or set that kind");
            faults.push(ConfigFault::new(table.place, message));
        }
        _ => {}
    }
    if let (true, Some(path)) = (is_dynamodb, given("path")) {
        let message = format!("{section}.path belongs to {section}.kind: sqlite only; remove it");
        faults.push(ConfigFault::new(path.place, message));
    }
}

/// Processes that share leases must share what they remember too: else the one that takes over knows nothing of what the
/// other had begun.
fn shared(root: &Node, faults: &mut Vec<ConfigFault>) {
    let kind = |section: &str| root.at(&[section, "kind"]).filter(|e| !e.node.is_null());
    let Some(lease) = kind("lease").filter(|e| e.node.text() == Some("dynamodb")) else {
        return;
    };
    let ledger = kind("ledger");
    if ledger.is_none_or(|e| e.node.text() == Some("sqlite")) {
        let message = "lease.kind: dynamodb needs ledger.kind: dynamodb, since whoever takes a scope over must know what was \
                       begun there; set ledger.kind and ledger.table (it may be the same table), or lease.kind: none";
        faults.push(ConfigFault::new(ledger.unwrap_or(lease).node.place, message));
    }
}

fn events(root: &Node, faults: &mut Vec<ConfigFault>) {
    let given = |key: &str| root.at(&["events", key]).filter(|e| !e.node.is_null());
    if let (Some(region), None) = (given("region"), given("queue_url")) {
        faults.push(ConfigFault::new(
            region.place,
            "events.region needs events.queue_url, whose region it is",
        ));
    }
}

fn targets(root: &Node, faults: &mut Vec<ConfigFault>) {
    let Some(targets) = root.entry("targets") else { return };
    // A target without regions takes the caller's default region, which two targets of one account would share.
    let mut seen: HashMap<(&str, Option<&str>), Place> = HashMap::new();
    for (i, target) in targets.node.items().iter().enumerate() {
        let given = |key: &str| target.entry(key).filter(|e| !e.node.is_null());
        if let (Some(external), None) = (given("external_id"), given("role_arn")) {
            let message =
                format!("targets[{i}].external_id needs targets[{i}].role_arn, whose trust policy asks for it");
            faults.push(ConfigFault::new(external.place, message));
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
                faults.push(ConfigFault::new(role.node.place, message));
            }
        }
        let regions = given("regions").map(|e| e.node.items()).unwrap_or_default();
        let mut named: Vec<(Option<&str>, Place)> = regions.iter().map(|r| (r.text(), r.place)).collect();
        if named.is_empty() {
            named.push((None, target.place));
        }
        // A region named twice within one target is a fault of its list, which the schema reports.
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
                faults.push(ConfigFault::new(place, message));
            } else {
                seen.insert((account, region), place);
            }
        }
    }
}

/// Windows that would never open, since their expression or time zone means nothing.
fn change_windows(root: &Node, faults: &mut Vec<ConfigFault>) {
    let Some(windows) = root.at(&["safety", "change_windows"]) else {
        return;
    };
    for (i, item) in windows.node.items().iter().enumerate() {
        let given = |key: &str| item.entry(key).filter(|e| e.node.text().is_some());
        let Some(cron) = given("cron") else { continue };
        let window = ChangeWindow {
            cron: cron.node.text().unwrap_or_default().to_owned(),
            duration: std::time::Duration::from_hours(1),
            time_zone: given("time_zone")
                .and_then(|e| e.node.text())
                .unwrap_or("UTC")
                .to_owned(),
        };
        let Err(error) = change_windows::validate(&window) else {
            continue;
        };
        let (place, what) = match error {
            WindowError::TimeZone(zone) => (
                given("time_zone").map_or(item.place, |e| e.node.place),
                format!(
                    "time_zone: {} is no IANA time zone; write it like Europe/Berlin or UTC",
                    quote(&zone)
                ),
            ),
            WindowError::Cron(cron_text) => (
                cron.node.place,
                format!(
                    "cron: {} is no cron expression of five fields (minute hour day-of-month month day-of-week)",
                    quote(&cron_text)
                ),
            ),
        };
        faults.push(ConfigFault::new(place, format!("safety.change_windows[{i}].{what}")));
    }
}

/// Entries that say nothing, or two things at once.
fn families(root: &Node, faults: &mut Vec<ConfigFault>) {
    let Some(families) = root.entry("families") else { return };
    let mut ids: HashMap<&str, Place> = HashMap::new();
    for (i, family) in families.node.items().iter().enumerate() {
        let mut fault = |place, what: String| faults.push(ConfigFault::new(place, format!("families[{i}]{what}")));
        match family.entry("id").and_then(|e| Some((e, e.node.text()?))) {
            None => fault(family.place, ": the key id is missing".to_owned()),
            Some((entry, id)) => {
                if let Some(first) = ids.get(id) {
                    fault(
                        entry.node.place,
                        format!(".id: {} is there already, on line {}", quote(id), first.line),
                    );
                }
                ids.entry(id).or_insert(entry.place);
            }
        }
        if let Some(absent) = family.entry("absent") {
            let builtin = absent.node.entry("means").and_then(|e| e.node.text()) == Some("builtin");
            match (builtin, absent.node.entry("store")) {
                (true, None) => fault(
                    absent.place,
                    ".absent: means: builtin needs store, its name: SQLite, H2".to_owned(),
                ),
                (false, Some(store)) => fault(
                    store.place,
                    ".absent.store belongs to means: builtin only; remove it or say that".to_owned(),
                ),
                _ => {}
            }
        }
        let mut roles: HashMap<&str, &str> = HashMap::new();
        let connections = family.entry("connections").map(|e| e.node.items()).unwrap_or_default();
        for settings in connections
            .iter()
            .flat_map(|c| ["variables", "args"].map(|key| c.entry(key)))
            .flatten()
        {
            for role in settings.node.entries() {
                for name in role.node.items() {
                    let Some(text) = name.text() else { continue };
                    let first = roles.entry(text).or_insert(&role.key);
                    if *first != role.key {
                        let what = format!(": {} cannot be both {first} and {}", quote(text), role.key);
                        fault(name.place, what);
                    }
                }
            }
        }
    }
}
