//! What may import what. The compiler holds this between crates, if their manifests agree with the first table; within
//! a crate nothing else does.

use super::circles::top_level;
use super::resolve::Imports;
use super::tree::{FileId, Tree};

/// A name and what it may import besides itself.
pub type Row = (&'static str, &'static [&'static str]);

/// Which crates a crate may use.
pub const CRATES: &[Row] = &[
    // Decides. Pure: no runtime, no SDK, no I/O, no clock.
    ("holdfast-core", &[]),
    // Queues, controllers, leases and execution, over ports. A runtime, but no SDK.
    ("holdfast-operator", &["holdfast-core"]),
    // The ports, on AWS.
    ("holdfast-aws", &["holdfast-core", "holdfast-operator"]),
    // The binary: commands, reports, the HTTP server, the ledger in a file.
    ("holdfast", &["holdfast-core", "holdfast-operator", "holdfast-aws"]),
    // Reads the others as text.
    ("xtask", &[]),
];

/// Which modules of `holdfast-core` a module of it may use. From the bottom up: a row names only rows above it.
#[rustfmt::skip]
pub const CORE: &[Row] = &[
    // ---- Data ----
    // What was read of an account and region, and the words for it: keys, resources, tags, read errors, hold reasons.
    ("model", &[]),

    // ---- From text to facts ----
    // YAML becomes a tree that knows the place of each node.
    ("yaml", &[]),
    // A resource policy becomes the principals that it lets in.
    ("iam_document", &["model"]),
    // The body of a queue message becomes the keys of what changed.
    ("event", &["model"]),
    // The configuration file becomes settings. It knows no rule: `rules` hands over the parameters that rules declare.
    ("config", &["model", "yaml"]),
    // Values of secrets and variables become facts about connections, without the password. Its list of known images is
    // extended by the configuration, and parsed as that is.
    ("connection", &["model", "config"]),

    // ---- What Holdfast says, and can do ----
    // One file for each correction: its calls, risk, preconditions, and what must be read again before it.
    ("action", &["model"]),
    // A failed or unknown result, as reports write it.
    ("finding", &["model", "action"]),
    // What a rule returns for one resource, with the corrections that it proposes.
    ("rule_result", &["model", "action", "finding"]),

    // ---- Rules ----
    // What several rules ask of a workload, and the corrections that several of them propose.
    ("facts", &["model", "connection", "iam_document", "config", "action", "finding", "rule_result"]),
    // One folder for each rule. A rule uses no other rule.
    ("rules", &["model", "connection", "iam_document", "config", "action", "finding", "rule_result", "facts"]),

    // ---- The line: snapshot, findings, plan ----
    // Runs the rules: a snapshot and the configuration become findings.
    ("evaluate", &["model", "config", "action", "finding", "rule_result", "facts", "rules"]),
    // Findings become exact calls, or reasons to hold them.
    ("plan", &["model", "config", "action", "finding", "facts", "rules", "evaluate"]),
    // What must be read again after an event or before a call, and how the snapshot takes it over.
    ("refresh", &["model", "config", "action", "facts"]),

    // ---- Questions that a command asks of the same rules ----
    // Why a service does not reach its database.
    ("diagnose", &["model", "connection", "config", "action", "finding", "facts", "rules", "evaluate"]),
    // Whether a migration is finished.
    ("checklist", &["model", "config", "action", "finding", "facts", "rules", "evaluate", "diagnose"]),
    // What the rules say about a Terraform plan or a task definition, before the resources exist.
    ("check", &["model", "connection", "iam_document", "yaml", "config", "finding", "rule_result", "facts", "rules", "evaluate"]),
    // Whether a deployment may go ahead.
    ("gate", &["model", "connection", "config", "finding", "facts", "rules", "evaluate"]),
    // The IAM policy that a configuration needs.
    ("iam_policy", &["model", "config", "action", "rules"]),
];

/// The package whose modules [`CORE`] lists.
pub const CORE_PACKAGE: &str = "holdfast-core";

/// One complaint for each import between crates, or between modules of the core, that is in neither table.
pub fn check(tree: &Tree, imports: &Imports) -> Vec<String> {
    let mut complaints = vec![];
    for ((from, to), witness) in imports {
        let place = tree.place(tree.files[*from].module, witness.line);
        let ((package, module), (used_package, used)) = (top_level(tree, *from), top_level(tree, *to));
        let broken = if package != used_package {
            breach(CRATES, "crate", package, used_package)
        } else if package == CORE_PACKAGE && module != used {
            breach(CORE, "module", module, used)
        } else {
            between_rules(tree, *from, *to)
        };
        complaints.extend(broken.map(|why| format!("{place}: {why} ({})", witness.path)));
    }
    complaints
}

/// Every module of the core must say what it may import, before it does.
pub fn unlisted(tree: &Tree) -> Vec<String> {
    let root = tree.libraries.get(&CORE_PACKAGE.replace('-', "_"));
    root.into_iter()
        .flat_map(|root| tree.modules[*root].children.keys())
        .filter(|name| CORE.iter().all(|(row, _)| row != name))
        .map(|name| format!("{CORE_PACKAGE}: module {name} is missing in the table of xtask/src/tidy/layers.rs"))
        .collect()
}

fn breach(table: &[Row], what: &str, from: &str, to: &str) -> Option<String> {
    let allowed = table
        .iter()
        .find(|(name, _)| *name == from)
        .map_or(&[][..], |(_, allowed)| *allowed);
    (!allowed.contains(&to)).then(|| match allowed {
        [] => format!("{what} {from} may import no other {what}, but imports {to}"),
        _ => format!("{what} {from} may import {}, but not {to}", allowed.join(", ")),
    })
}

/// A rule uses no other rule: what two need is a fact.
fn between_rules(tree: &Tree, from: FileId, to: FileId) -> Option<String> {
    let (one, other) = (rule_of(tree, from)?, rule_of(tree, to)?);
    (one != other).then(|| format!("rule {one} may not import rule {other}: what both need belongs in facts/"))
}

/// The folder of a rule that the file is in.
fn rule_of(tree: &Tree, file: FileId) -> Option<&str> {
    let path = tree.files[file].path.strip_prefix(super::rules::FOLDER).ok()?;
    let folder = path.parent()?.iter().next()?.to_str()?;
    tree.rules.contains(folder).then_some(folder)
}
