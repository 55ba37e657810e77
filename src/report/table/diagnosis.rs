//! The path from a service to its database, hop by hop.

use std::fmt::Write as _;

use holdfast_core::diagnose::{DebugAccess, Diagnosis, Fix, Hop, Path, Status};

use crate::report::phrases::count;
use crate::report::style::{Colour, Style};

/// Width of the longest name of a hop.
const NAME: usize = 14;
/// The column of its sentence: after the indent, the status and the name.
const INDENT: usize = 4 + 8 + 1 + NAME + 1;

fn paint(style: Style, status: Status) -> String {
    let (word, colour) = match status {
        Status::Proved => ("proved", Some(Colour::White)),
        Status::Broken => ("BROKEN", Some(Colour::Red)),
        Status::Unknown => ("unknown", Some(Colour::Magenta)),
        Status::NotReached => ("-", None),
    };
    style.paint(&format!("{word:<8}"), colour)
}

/// The diagnoses of one workload, one for each account and region that it is in.
#[must_use]
pub fn diagnosis_table(diagnoses: &[Diagnosis], style: Style) -> String {
    let mut out = String::new();
    for d in diagnoses {
        let _ = writeln!(out, "{}  {} {}", style.bold(&d.workload), d.account, d.region);
        for path in &d.paths {
            write_path(&mut out, d, path, style);
        }
        let mut service = "";
        for access in &d.debug_access {
            if access.service != service {
                service = &access.service;
                out.push_str(&style.indented(&format!("to look further into {service}"), "  ", "    "));
            }
            write_debug_access(&mut out, access, style);
        }
        out.push('\n');
    }
    let paths = || diagnoses.iter().flat_map(|d| &d.paths);
    let with = |status| paths().filter(|w| w.status == status).count();
    let summary = format!(
        "{}: {} proved, {} broken, {} not known to the end",
        count(paths().count(), "way"),
        with(Status::Proved),
        with(Status::Broken),
        with(Status::Unknown)
    );
    out.push_str(&style.bold(style.indented(&summary, "", "").trim_end()));
    out.push('\n');
    out
}

fn write_path(out: &mut String, d: &Diagnosis, path: &Path, style: Style) {
    let parts = [&path.revision, &path.variable, &path.secret, &path.database];
    let mut line = path.service.clone();
    for part in parts.into_iter().flatten() {
        let _ = write!(line, " → {part}");
    }
    out.push_str(&style.indented(&line, "  ", "    "));
    let broken = path.broken().is_some();
    for hop in path.hops.iter().filter(|h| !broken || h.status != Status::NotReached) {
        write_hop(out, d, hop, style);
    }
    if broken {
        let left = path.hops.iter().filter(|h| h.status == Status::NotReached);
        let names: Vec<&str> = left.map(|h| h.name).collect();
        if !names.is_empty() {
            let start = format!("    {} ", paint(style, Status::NotReached));
            out.push_str(&style.indented(&format!("not reached: {}", names.join(", ")), &start, &" ".repeat(13)));
        }
    }
}

fn write_hop(out: &mut String, d: &Diagnosis, hop: &Hop, style: Style) {
    let start = format!("    {} {:<NAME$} ", paint(style, hop.status), hop.name);
    let rest = " ".repeat(INDENT);
    if hop.status == Status::NotReached {
        out.push_str(&style.indented(&format!("not reached: {}", hop.summary), &start, &rest));
        return;
    }
    out.push_str(&style.indented(&hop.summary, &start, &rest));
    let facts: Vec<String> = hop
        .evidence
        .iter()
        .map(|fact| match &fact.expected {
            Some(expected) => format!(
                "{}: {}, expected {}",
                fact.field,
                plain(&fact.observed),
                plain(expected)
            ),
            None => format!("{}: {}", fact.field, plain(&fact.observed)),
        })
        .collect();
    if hop.status == Status::Proved && !facts.is_empty() {
        out.push_str(&style.indented(&facts.join("; "), &format!("{rest}  "), &format!("{rest}  ")));
    } else {
        for fact in &facts {
            out.push_str(&style.indented(fact, &format!("{rest}  "), &format!("{rest}    ")));
        }
    }
    if let Some(fix) = &hop.fix {
        let (first, more) = (format!("{rest}→ "), format!("{rest}  "));
        out.push_str(&style.indented(&advice(fix, &d.workload), &first, &more));
        for command in &fix.commands {
            out.push_str(&style.indented(command, &format!("{rest}  $ "), &format!("{rest}    ")));
        }
    }
    for what in &hop.not_checked {
        let text = match hop.status {
            Status::Unknown => format!("to know: {what}"),
            _ => format!("not checked: {what}"),
        };
        out.push_str(&style.indented(&text, &format!("{rest}· "), &format!("{rest}  ")));
    }
}

/// A JSON value; a string without its quotation marks.
fn plain(value: &serde_json::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn advice(fix: &Fix, workload: &str) -> String {
    let rule = fix.rule.as_ref().map(|r| format!(" [{r}]")).unwrap_or_default();
    let how = match (&fix.blocked_by, fix.risk) {
        (Some(why), _) => format!("{}; `holdfast apply` will not: {why}", fix.summary),
        (None, Some(risk)) if !fix.calls.is_empty() => {
            format!(
                "`holdfast apply --workload {workload}` would {} (risk: {risk})",
                fix.summary
            )
        }
        _ => format!("by hand: {}", fix.summary),
    };
    format!("{how}{rule}")
}

fn write_debug_access(out: &mut String, access: &DebugAccess, style: Style) {
    let word = match access.available {
        Some(true) => "yes",
        Some(false) => "no",
        None => "unknown",
    };
    let rest = " ".repeat(INDENT);
    let start = format!("    {word:<8} {:<NAME$} ", access.name);
    out.push_str(&style.indented(&access.summary, &start, &rest));
    if let Some(command) = &access.command {
        out.push_str(&style.indented(command, &format!("{rest}  $ "), &format!("{rest}    ")));
    }
}
