//! GitHub-flavoured Markdown, for a comment on a pull request or the summary of a job.
//!
//! All text from a tag, a name or AWS is escaped: it can't make a link, mention a person, end a table or put HTML into
//! the page. A comment holds at most 65,536 characters: what does not fit is left out, details first, and counted.

use std::fmt::Write as _;

use holdfast_core::finding::{Finding, Verdict};

use super::groups::{Node, by_workload, cause_of, code_spans};
use super::model::Report;
use super::phrases::{advice, summary};

/// Below GitHub's 65,536: the last lines need room.
const LONGEST: usize = 60_000;
/// A workflow finds the comment of its last run by this, and replaces it.
const MARK: &str = "<!-- holdfast audit -->";

/// A part of the comment with a size limit of its own: a hundred failures can't push the waivers out.
struct Part {
    text: String,
    room: usize,
    left_out: usize,
}

impl Part {
    fn new(room: usize) -> Self {
        Self {
            text: String::new(),
            room,
            left_out: 0,
        }
    }

    /// Appends `entry` if it fits, and returns whether it did.
    fn add(&mut self, entry: &str) -> bool {
        let fits = self.text.len() + entry.len() <= self.room;
        if fits {
            self.text.push_str(entry);
        } else {
            self.left_out += 1;
        }
        fits
    }
}

/// The report as Markdown.
#[must_use]
pub fn markdown(report: &Report) -> String {
    let (mut waivers, mut errors) = (Part::new(LONGEST / 4), Part::new(LONGEST / 4));
    waived(&mut waivers, report);
    unread(&mut errors, report);
    let mut table = Part::new(LONGEST / 2);
    findings(&mut table, report);
    let rest = waivers.text.len() + errors.text.len() + table.text.len();
    let mut blocks = Part::new(LONGEST.saturating_sub(rest));
    details(&mut blocks, report);

    let mut out = format!("{MARK}\n## {}\n\n{}\n", heading(report), prose(&summary(report)));
    let mut left_out = 0;
    for part in [table, waivers, errors, blocks] {
        out.push_str(&part.text);
        left_out += part.left_out;
    }
    if left_out > 0 {
        let entries = if left_out == 1 { "entry" } else { "entries" };
        let _ = writeln!(
            out,
            "\n**{left_out} {entries} left out: a comment can't be longer.** `--format html` and `--format json` have all."
        );
    }
    let _ = writeln!(
        out,
        "\n<sub>Holdfast {}, {} to {}</sub>",
        report.tool.version,
        report.started_at.strftime("%Y-%m-%d %H:%M:%S"),
        report.finished_at.strftime("%H:%M:%S UTC"),
    );
    out
}

fn heading(report: &Report) -> String {
    let s = &report.summary;
    let mut parts = vec![];
    for (n, word) in [(s.fail, "failed"), (s.unknown, "unknown"), (s.waived, "waived")] {
        if n > 0 {
            parts.push(format!("{n} {word}"));
        }
    }
    if parts.is_empty() {
        parts.push("nothing failed".into());
    }
    if report.has_gaps() && s.unknown == 0 {
        parts.push("something could not be read".into());
    }
    format!("Holdfast audit: {}", parts.join(", "))
}

fn label(finding: &Finding) -> String {
    match finding.verdict {
        Verdict::Fail => format!("**{}**", finding.severity.as_str().to_uppercase()),
        Verdict::Waived => format!("waived ({})", finding.severity),
        Verdict::Unknown => format!("unknown ({})", finding.severity),
    }
}

/// One row for each finding, with its consequences below it.
fn findings(out: &mut Part, report: &Report) {
    if report.findings.is_empty() {
        return;
    }
    out.add("\n| Verdict | Workload | Rule | What is wrong | What to do |\n| --- | --- | --- | --- | --- |\n");
    for group in by_workload(report) {
        for root in &group.roots {
            row(out, root, 0);
        }
    }
}

fn row(out: &mut Part, node: &Node<'_>, depth: usize) {
    let f = node.finding;
    let under = "↳ ".repeat(depth);
    let line = format!(
        "| {under}{} | {} | {} | {} | {} |\n",
        label(f),
        prose(&f.workload),
        code(&f.rule),
        prose(&f.message),
        prose(&advice(f)),
    );
    out.add(&line);
    for next in &node.consequences {
        row(out, next, depth + 1);
    }
}

fn waived(out: &mut Part, report: &Report) {
    let mut waived: Vec<_> = report
        .findings
        .iter()
        .filter_map(|f| Some((f, f.waiver.as_ref()?)))
        .collect();
    if waived.is_empty() {
        return;
    }
    waived.sort_by_key(|(_, waiver)| waiver.until);
    out.add("\n### Waived\n\n| Until | Workload | Rule | Resource | Why |\n| --- | --- | --- | --- | --- |\n");
    for (f, waiver) in waived {
        let line = format!(
            "| {} | {} | {} | {} | {} |\n",
            waiver.until,
            prose(&f.workload),
            code(&f.rule),
            code(&f.resource.id),
            prose(&waiver.reason),
        );
        out.add(&line);
    }
}

fn unread(out: &mut Part, report: &Report) {
    if report.errors.is_empty() {
        return;
    }
    out.add("\n### Could not be read\n\n");
    for e in &report.errors {
        let call = code(&format!("{}:{}", e.service, e.operation));
        let line = format!("- {call} on {}: {}\n", code(&e.resource), prose(&e.message));
        out.add(&line);
    }
}

fn details(out: &mut Part, report: &Report) {
    let groups = by_workload(report);
    if !groups.is_empty() {
        out.add("\n### Details\n");
    }
    for group in groups {
        let title = format!(
            "\n#### {} ({} {})\n",
            prose(group.workload),
            prose(group.account),
            prose(group.region)
        );
        if out.add(&title) {
            for root in &group.roots {
                detail(out, root, report);
            }
        } else {
            out.left_out += tally(&group.roots);
        }
    }
}

/// One block for each finding, with its consequences inside.
fn detail(out: &mut Part, node: &Node<'_>, report: &Report) {
    let f = node.finding;
    let verdict = match f.verdict {
        Verdict::Fail => f.severity.as_str().to_uppercase(),
        Verdict::Waived | Verdict::Unknown => format!("{} ({})", f.verdict.name(), f.severity),
    };
    let mut block = format!(
        "\n<details><summary>{verdict} <code>{}</code> on <code>{}</code></summary>\n\n",
        entities(&f.rule),
        entities(&f.resource.id)
    );
    let _ = writeln!(block, "{}\n\n{}\n", prose(&f.message), prose(&advice(f)));
    let _ = writeln!(block, "- finding {}, phase {}", code(&f.id), prose(&f.phase));
    let _ = writeln!(block, "- {} {}", f.resource.kind.name(), code(&f.resource.arn));
    if !f.controls.is_empty() {
        let _ = writeln!(block, "- controls: {}", prose(&f.controls.join(", ")));
    }
    if let Some(id) = &f.caused_by {
        let name = cause_of(report, f).map_or_else(
            || "which is not in this report".to_owned(),
            |c| format!("{} on {}", code(&c.rule), code(&c.resource.id)),
        );
        let _ = writeln!(block, "- a consequence of {}, {name}", code(id));
    }
    if !f.evidence.is_empty() {
        block.push_str("\n| Evidence | Observed | Expected |\n| --- | --- | --- |\n");
        for e in &f.evidence {
            let (observed, expected) = (code(&e.observed.to_string()), code(&e.expected.to_string()));
            let _ = writeln!(block, "| {} | {observed} | {expected} |", code(&e.field));
        }
    }
    for call in f.remediation.iter().flat_map(|r| &r.calls) {
        // No line of the JSON begins with a backtick: its strings have no line breaks.
        let _ = writeln!(
            block,
            "\n{}\n\n```json\n{:#}\n```",
            code(&format!("{}:{}", call.service, call.operation)),
            call.parameters
        );
    }
    if !out.add(&block) {
        // The consequences would be inside this block, so they are left out with it.
        out.left_out += tally(&node.consequences);
        return;
    }
    for next in &node.consequences {
        detail(out, next, report);
    }
    // Always written, whatever the limit: the block is open.
    out.text.push_str("\n</details>\n");
}

fn tally(nodes: &[Node<'_>]) -> usize {
    nodes.iter().map(|n| 1 + tally(&n.consequences)).sum()
}

/// A line of text whose only markup is code between backticks.
fn prose(text: &str) -> String {
    let spans = code_spans(text)
        .into_iter()
        .map(|(is_code, span)| if is_code { code(span) } else { escape(span) });
    spans.collect()
}

fn escape(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            // GitHub looks for mentions, issues and addresses in the rendered page, where escapes are gone. A
            // zero-width space breaks them there.
            '@' | '#' => out.extend([c, '\u{200b}']),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '$' => out.extend(['\\', c]),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out.replace("://", ":\u{200b}//").replace("www.", "www\u{200b}.")
}

/// Code within a line or a cell of a table.
fn code(text: &str) -> String {
    let mut flat: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    flat = flat.replace('|', "\\|");
    let longest = flat.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    if flat.is_empty() {
        flat.push(' ');
    }
    let pad = if flat.starts_with('`') || flat.ends_with('`') {
        " "
    } else {
        ""
    };
    format!("{fence}{pad}{flat}{pad}{fence}")
}

/// Text within an HTML element.
fn entities(text: &str) -> String {
    let flat: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    flat.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('@', "@\u{200b}")
}

#[cfg(test)]
mod tests {
    use holdfast_core::model::policy::Mode;

    use super::*;
    use crate::report::sample;

    #[test]
    fn the_whole_report() {
        insta::assert_snapshot!(markdown(&sample::report()));
    }

    #[test]
    fn nothing_from_outside_has_a_meaning() {
        let text = prose(sample::NASTY);
        for bad in ["<script", "[x]", " | ", "@team", "#1", "://"] {
            assert!(!text.contains(bad), "{bad} in {text}");
        }
        assert_eq!(code("a|b"), "`a\\|b`");
        assert_eq!(code("`"), "`` ` ``");
        assert_eq!(prose("run `a_b` on a_b"), "run `a_b` on a\\_b");
    }

    #[test]
    fn a_clean_report_says_so() {
        let report = Report::new(Mode::Audit, "2026-11-21T08:00:00Z".parse().expect("an instant"));
        let text = markdown(&report);
        assert!(text.contains("## Holdfast audit: nothing failed\n"), "{text}");
        assert!(!text.contains("###"), "{text}");
    }

    #[test]
    fn a_long_report_stays_below_the_limit_and_says_what_is_missing() {
        let mut report = sample::report();
        let model = report.findings[0].clone();
        let waived = report
            .findings
            .iter()
            .find(|f| f.waiver.is_some())
            .expect("one")
            .clone();
        report.findings = (0..500)
            .map(|n| Finding {
                id: format!("{n:016}"),
                ..model.clone()
            })
            .chain([waived])
            .collect();
        let text = markdown(&report);
        assert!(text.chars().count() < 65_536);
        assert_eq!(text.matches("<details>").count(), text.matches("</details>").count());
        assert!(text.contains("left out: a comment can't be longer."), "{text}");
        // Every finding has its row before any has its details.
        assert!(text.matches("\n| unknown (critical) |").count() > 100);
        assert!(text.contains("### Waived"), "{text}");
    }
}
