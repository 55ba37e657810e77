//! CloudFormation templates, JSON and YAML, written by people or synthesized by the CDK.
//!
//! A template is lowered to the form of a Terraform plan, so that both become the same model in the same way: its
//! resources with the provider's attributes ([`lower`]), its functions evaluated with the defaults of parameters
//! ([`functions`]). What only AWS knows is marked as not known yet, as in a plan, and has the same two worlds. A resource
//! is its logical id; what refers to it (`Ref`, `GetAtt`) becomes that id, or a placeholder that the resource has, too.

mod conditions;
mod functions;
mod lower;
mod made;
mod network;
mod rds;
mod references;
mod secrets;
mod services;
mod unknown;
mod words;

use std::collections::BTreeSet;

use serde_json::Value;

use super::scrubbed::Scrubbed;
use crate::model::key::Scope;
use functions::Functions;
pub(super) use words::property;

/// Whether a file is a template: it has resources, and each says its type.
pub(super) fn recognise(file: &Value) -> bool {
    let resources = file.get("Resources").and_then(Value::as_object);
    resources.is_some_and(|all| {
        let typed = |r: &Value| r.get("Type").and_then(Value::as_str).is_some_and(|t| t.contains("::"));
        !all.is_empty() && all.values().any(typed)
    })
}

/// A template in the form of a Terraform plan.
pub(super) struct Lowered {
    pub plan: Scrubbed,
    /// Resources that rules look at, and that could not be read, with the reason.
    pub unread: BTreeSet<String>,
    /// Parameters whose default was taken.
    pub defaults: BTreeSet<String>,
}

/// Lowers a template.
pub(super) fn lower(file: &Value, scope: &Scope) -> Lowered {
    let functions = Functions::new(file, scope);
    let mut unread = BTreeSet::new();
    let mut changes = vec![];
    let all = file.get("Resources").and_then(Value::as_object);
    for (id, resource) in all.into_iter().flatten() {
        if id.starts_with("Fn::") {
            unread.insert(format!(
                "{id} is not expanded: give the processed template (aws cloudformation get-template)"
            ));
            continue;
        }
        if functions.is_there(id) == Some(false) {
            continue;
        }
        changes.extend(lower::resource(&functions, id, resource));
    }
    let plan = serde_json::json!({"format_version": "1.2", "resource_changes": changes});
    Lowered {
        plan: Scrubbed::new(plan),
        unread,
        defaults: functions.into_defaults(),
    }
}
