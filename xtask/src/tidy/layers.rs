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

/// Which modules of `holdfast-core` a module of it may use, from the bottom up.
pub const CORE: &[Row] = &[
    // What was read and what was found: plain data.
    ("model", &[]),
    // Text in, facts out.
    ("connection", &["model"]),
    ("iam_document", &["model"]),
    ("event", &["model"]),
    // Settings know no rule: a rule declares its parameters, and `rules` hands them over.
    ("config", &["model"]),
    // One file for each correction.
    ("action", &["model"]),
    // What a rule says, with the corrections that it proposes.
    ("judgement", &["model", "action"]),
    // What several rules ask of a workload, and the corrections that several propose.
    (
        "facts",
        &["model", "connection", "iam_document", "config", "action", "judgement"],
    ),
    (
        "rules",
        &[
            "model",
            "connection",
            "iam_document",
            "config",
            "action",
            "judgement",
            "facts",
        ],
    ),
    // What must be read again before a call.
    ("refresh", &["model", "config", "action", "facts"]),
    // From rules to findings, from findings to calls.
    ("judge", &["model", "config", "action", "judgement", "facts", "rules"]),
    ("plan", &["model", "config", "action", "facts", "rules", "judge"]),
    // Questions that a command asks of the same findings.
    (
        "diagnose",
        &["model", "connection", "config", "action", "facts", "rules", "judge"],
    ),
    (
        "checklist",
        &["model", "config", "action", "facts", "rules", "judge", "diagnose"],
    ),
    (
        "check",
        &[
            "model",
            "connection",
            "iam_document",
            "config",
            "facts",
            "rules",
            "judge",
        ],
    ),
    ("gate", &["model", "connection", "config", "facts", "rules", "judge"]),
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
