//! One HTML page that loads nothing: no script, font, image or network. People mail it, keep it as a CI artifact, read
//! it on a phone at night and print it for an auditor. Whatever a colour says, a word says too.

use std::collections::BTreeSet;

use holdfast_core::finding::{Finding, Verdict};
use holdfast_core::model::policy::Severity;
use maud::{DOCTYPE, Markup, PreEscaped, html as markup};

use super::groups::{Group, Node, by_workload, cause_of, code_spans};
use super::model::Report;
use super::phrases::{advice, count, summary};

const STYLE: &str = include_str!("html.css");
/// The page loads nothing and runs nothing, whatever a name in it contains.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/// The report as a page.
#[must_use]
pub fn html(report: &Report) -> String {
    let groups = by_workload(report);
    let page = markup! {
        (DOCTYPE)
        html lang="en-GB" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="color-scheme" content="light dark";
                title { "Holdfast audit, " (day(report)) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                (top(report))
                main {
                    (tiles(report))
                    (contents(report, &groups))
                    @for (n, group) in groups.iter().enumerate() { (workload(n, group, report)) }
                    (waived(report))
                    (unread(report))
                }
                (foot(report))
            }
        }
    };
    // HTML allows no control characters, not even escaped, and a name may contain one.
    let text = page.into_string();
    text.replace(|c: char| c.is_control() && c != '\n', " ") + "\n"
}

fn day(report: &Report) -> String {
    report.started_at.strftime("%Y-%m-%d").to_string()
}

fn instant(at: jiff::Timestamp) -> Markup {
    markup! { time datetime=(at.strftime("%Y-%m-%dT%H:%M:%SZ")) { (at.strftime("%Y-%m-%d %H:%M UTC")) } }
}

fn top(report: &Report) -> Markup {
    let list = |set: &BTreeSet<String>| set.iter().cloned().collect::<Vec<_>>().join(", ");
    markup! {
        header {
            h1 { "Holdfast audit" }
            p { (prose(&summary(report))) "." }
            p.quiet {
                "Accounts: " (list(&report.scope.accounts)) ". Regions: " (list(&report.scope.regions)) ". Read "
                (instant(report.started_at)) "."
            }
        }
    }
}

fn tiles(report: &Report) -> Markup {
    let s = &report.summary;
    let of = |severity: Severity| s.by_severity.get(&severity).copied().unwrap_or_default();
    let tiles = [
        ("critical", "Critical", of(Severity::Critical)),
        ("high", "High", of(Severity::High)),
        ("medium", "Medium", of(Severity::Medium)),
        ("low", "Low", of(Severity::Low)),
        ("unknown", "Unknown", s.unknown),
        ("waived", "Waived", s.waived),
        ("passed", "Passed", s.pass),
    ];
    markup! {
        ul.tiles aria-label="Verdicts" {
            @for (class, word, n) in tiles {
                li class=(if n == 0 { format!("{class} none") } else { class.to_owned() }) { b { (n) } (word) }
            }
        }
    }
}

fn contents(report: &Report, groups: &[Group<'_>]) -> Markup {
    let waived = report.summary.waived;
    markup! {
        @if groups.is_empty() {
            p { "Nothing failed, and nothing is waived." }
        } @else {
            nav aria-label="Contents" {
                ul {
                    @for (n, group) in groups.iter().enumerate() {
                        li { a href={ "#w" (n) } { (group.workload) } " " span.quiet { (group.region) } }
                    }
                    @if waived > 0 { li { a href="#waived" { "Waived" } " " span.quiet { (waived) } } }
                    @if !report.errors.is_empty() {
                        li { a href="#unread" { "Could not be read" } " " span.quiet { (report.errors.len()) } }
                    }
                }
            }
        }
    }
}

fn workload(n: usize, group: &Group<'_>, report: &Report) -> Markup {
    markup! {
        section aria-labelledby={ "w" (n) } {
            h2 id={ "w" (n) } { (group.workload) small { (group.account) " " (group.region) } }
            @for root in &group.roots { (finding(root, report, true)) }
        }
    }
}

fn words(finding: &Finding) -> (&'static str, String) {
    let severity = match finding.severity {
        Severity::Critical => "critical",
        Severity::High => "high",
        Severity::Medium => "medium",
        Severity::Low => "low",
    };
    match finding.verdict {
        Verdict::Fail => (severity, severity.to_uppercase()),
        Verdict::Waived => ("waived", format!("WAIVED ({severity})")),
        Verdict::Unknown => ("unknown", format!("UNKNOWN ({severity})")),
    }
}

fn finding(node: &Node<'_>, report: &Report, root: bool) -> Markup {
    let f = node.finding;
    let (class, word) = words(f);
    let title = markup! { span.badge { (word) } (f.rule) };
    markup! {
        article class=(class) {
            @if root { h3 { (title) } } @else { h4 { (title) } }
            p { (prose(&f.message)) "." }
            @if let Some(waiver) = &f.waiver {
                p { strong { "Waived until " (instant(waiver.until)) ":" } " " (waiver.reason) }
            } @else {
                p { "→ " (prose(&advice(f))) "." }
            }
            (details(f, report))
            @if !node.consequences.is_empty() {
                div.consequences {
                    p { (count(node.consequences.len(), "consequence")) ", which should go with it:" }
                    @for next in &node.consequences { (finding(next, report, false)) }
                }
            }
        }
    }
}

fn details(f: &Finding, report: &Report) -> Markup {
    let cause = cause_of(report, f);
    let facts: Vec<(&str, Markup)> = vec![
        (
            "Resource",
            markup! { (f.resource.kind.name()) " " code { (f.resource.id) } },
        ),
        ("ARN", markup! { code { (f.resource.arn) } }),
        ("Finding", markup! { code { (f.id) } }),
        ("First seen", instant(f.first_seen)),
        ("Phase", markup! { (f.phase) }),
    ];
    markup! {
        details {
            summary {
                "Evidence, calls, controls"
                // A screen reader reads links one after the other: each needs a name of its own.
                span.heard { " of " (f.rule) " on " (f.resource.id) }
            }
            dl {
                @for (name, value) in facts { dt { (name) } dd { (value) } }
                @if let Some(r) = &f.remediation {
                    dt { "Correction" } dd { (prose(&r.summary)) }
                    dt { "Its risk" } dd { (r.risk) }
                    @if let Some(why) = &r.blocked_by { dt { "Blocked" } dd { (prose(&why.to_string())) } }
                }
                @if !f.controls.is_empty() { dt { "Controls" } dd { (f.controls.join(", ")) } }
                @if let Some(id) = &f.caused_by {
                    dt { "Consequence of" }
                    dd { @if let Some(c) = cause { (c.rule) " on " (c.resource.id) " " } code { (id) } }
                }
            }
            @if !f.evidence.is_empty() {
                table.stack {
                    caption { "Evidence" }
                    thead { tr { @for head in ["Field", "Observed", "Expected"] { th scope="col" { (head) } } } }
                    tbody {
                        @for e in &f.evidence {
                            tr {
                                td data-label="Field" { code { (e.field) } }
                                td data-label="Observed" { code { (e.observed) } }
                                td data-label="Expected" { code { (e.expected) } }
                            }
                        }
                    }
                }
            }
            @for call in f.remediation.iter().flat_map(|r| &r.calls) {
                p { code { (call.service) ":" (call.operation) } }
                pre { (format!("{:#}", call.parameters)) }
            }
        }
    }
}

fn waived(report: &Report) -> Markup {
    let mut waived: Vec<_> = report
        .findings
        .iter()
        .filter_map(|f| Some((f, f.waiver.as_ref()?)))
        .collect();
    waived.sort_by_key(|(_, waiver)| waiver.until);
    markup! {
        @if !waived.is_empty() {
            section aria-labelledby="waived" {
                h2 id="waived" { "Waived" small { "Broken, and accepted until the day given. The soonest to end comes first." } }
                table.stack {
                    thead {
                        tr {
                            @for head in ["Until", "Workload", "Rule", "Resource", "Why"] { th scope="col" { (head) } }
                        }
                    }
                    tbody {
                        @for (f, waiver) in waived {
                            tr {
                                td data-label="Until" { (instant(waiver.until)) }
                                td data-label="Workload" { (f.workload) }
                                td data-label="Rule" { (f.rule) }
                                td data-label="Resource" { (f.resource.id) }
                                td data-label="Why" { (waiver.reason) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn unread(report: &Report) -> Markup {
    markup! {
        @if !report.errors.is_empty() {
            section aria-labelledby="unread" {
                h2 id="unread" { "Could not be read" small { "What rests on it is unknown: neither passed nor failed." } }
                @for e in &report.errors {
                    article.unknown {
                        h3 { (e.service) ":" (e.operation) }
                        p { (prose(&e.message)) }
                        p.quiet { "On " (e.resource) ", code " (e.code) "." }
                    }
                }
            }
        }
    }
}

fn foot(report: &Report) -> Markup {
    let calls: u64 = report.stats.api_calls.values().sum();
    markup! {
        footer.quiet {
            p {
                "Holdfast " (report.tool.version) ", mode " (report.mode) ". Began " (instant(report.started_at))
                ", ended " (instant(report.finished_at)) "; " (calls) " AWS calls, " (report.stats.throttled) " throttled. "
                "Severity is how bad a failure is; unknown means that evidence is missing."
            }
        }
    }
}

/// Text, with code where it has backticks.
fn prose(text: &str) -> Markup {
    markup! {
        @for (is_code, span) in code_spans(text) {
            @if is_code { code { (span) } } @else { (span) }
        }
    }
}

#[cfg(test)]
mod tests {
    use holdfast_core::model::policy::Mode;

    use super::*;
    use crate::report::sample;

    fn body() -> String {
        let page = html(&sample::report());
        page.split_once("</head>").expect("a head").1.to_owned()
    }

    #[test]
    fn the_whole_body() {
        // One line for each element, so that a diff is readable.
        insta::assert_snapshot!(body().replace("><", ">\n<"));
    }

    #[test]
    fn nothing_is_loaded_and_nothing_from_outside_is_markup() {
        let page = html(&sample::report());
        for bad in ["<script", "src=", "url(", "@import", "<link", "<img", "\u{7}"] {
            assert!(!page.contains(bad), "{bad}");
        }
        assert!(page.contains("&lt;script&gt;alert(1)"));
    }

    #[test]
    fn a_waiver_says_until_when_and_why() {
        assert!(
            body().contains("<td data-label=\"Until\"><time datetime=\"2026-12-31T00:00:00Z\">2026-12-31 00:00 UTC")
        );
        assert!(body().contains("WAIVED (critical)"));
    }

    #[test]
    fn a_clean_report_says_so() {
        let report = Report::new(Mode::Audit, "2026-11-21T08:00:00Z".parse().expect("an instant"));
        let page = html(&report);
        assert!(page.contains("Nothing failed, and nothing is waived."));
        assert!(!page.contains("<article"));
    }
}
