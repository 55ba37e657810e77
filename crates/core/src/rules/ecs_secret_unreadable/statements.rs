//! What a person changes so that a role may do what it lacks.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use crate::model::resources::Access;

/// The policy statements that are missing, ready to be pasted, and where they go.
pub(super) fn remedy(role: &str, missing: &BTreeSet<String>) -> String {
    let mut plain: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut bounded: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut steps = vec![];
    for entry in missing {
        let (what, reason) = Access::split_reason(entry);
        let Some((action, resource)) = what.split_once(" on ") else {
            continue;
        };
        match reason {
            "" => plain.entry(action).or_default().push(resource),
            Access::BOUNDARY => bounded.entry(action).or_default().push(resource),
            Access::KEY_POLICY => {
                let statement =
                    json!({"Effect": "Allow", "Principal": {"AWS": role}, "Action": action, "Resource": "*"});
                steps.push(format!("add to the key policy of {resource}: {statement}"));
            }
            Access::RESOURCE_POLICY => {
                let statement =
                    json!({"Effect": "Allow", "Principal": {"AWS": role}, "Action": action, "Resource": "*"});
                steps.push(format!("add to the policy of {resource}: {statement}"));
            }
            Access::MANAGED_KEY => steps.push(format!(
                "encrypt {resource} with a customer managed key that lets {role} {action}: the AWS managed key serves its own account alone"
            )),
            _ => steps.push(format!("remove the statement that denies {role} {action} on {resource}")),
        }
    }
    let mut all = vec![];
    if !plain.is_empty() {
        all.push(format!("allow {role}: {}", statements(plain)));
    }
    if !bounded.is_empty() {
        all.push(format!(
            "allow in the permissions boundary of {role}: {}",
            statements(bounded)
        ));
    }
    all.extend(steps);
    all.join("; ")
}

/// One statement for each action.
fn statements(by_action: BTreeMap<&str, Vec<&str>>) -> String {
    let each = by_action
        .into_iter()
        .map(|(action, resources)| json!({"Effect": "Allow", "Action": action, "Resource": resources}).to_string());
    each.collect::<Vec<_>>().join(", ")
}
