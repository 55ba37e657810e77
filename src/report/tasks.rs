//! The checklist of a migration as a task list for a pull request.
//! <https://docs.github.com/en/get-started/writing-on-github/working-with-advanced-formatting/about-task-lists>

use std::fmt::Write as _;

use holdfast_core::checklist::{Checklist, ItemVerdict};

use super::phrases::checklist_summary;

/// The checklists of one workload, one for each account and region that it is in.
#[must_use]
pub fn checklist_markdown(lists: &[Checklist]) -> String {
    let mut out = String::new();
    for list in lists {
        let _ = writeln!(
            out,
            "## Migration checklist of {} ({} {})\n\n{} as of {}, by `holdfast checklist`.",
            text(&list.workload),
            list.account,
            list.region,
            checklist_summary(list),
            list.observed_at.strftime("%Y-%m-%d %H:%M UTC")
        );
        let mut section = "";
        for item in &list.items {
            if item.section != section {
                section = item.section;
                let mut letters = section.chars();
                let first = letters.next().map(|c| c.to_ascii_uppercase()).into_iter();
                let _ = writeln!(out, "\n### {}\n", first.chain(letters).collect::<String>());
            }
            // A task has two states on GitHub. An unknown item is not done, and a word says that it is unknown.
            let (mark, word) = match item.verdict {
                ItemVerdict::Proved => ("x", ""),
                ItemVerdict::Disproved => (" ", "**disproved:** "),
                ItemVerdict::Unknown => (" ", "**unknown:** "),
            };
            let _ = write!(
                out,
                "- [{mark}] {}: {word}{} ({})",
                text(&item.title),
                text(&item.summary),
                item.at.strftime("%Y-%m-%d %H:%M UTC")
            );
            let facts = item.facts();
            if !facts.is_empty() {
                let _ = write!(out, "<br><sub>{}</sub>", text(&facts));
            }
            if let Some(todo) = &item.todo {
                let _ = write!(out, "<br>To do: {}", text(todo));
            }
            out.push('\n');
        }
        out.push('\n');
    }
    out
}

/// Text in one line, without Markdown or HTML except for code between backticks. A line break would end the list.
fn text(plain: &str) -> String {
    let mut out = String::with_capacity(plain.len());
    // With an odd number of backticks, one has no partner.
    let code = plain.matches('`').count().is_multiple_of(2);
    let mut inside = false;
    for c in plain.chars() {
        match c {
            '`' if code => {
                inside = !inside;
                out.push('`');
            }
            '\n' | '\r' => out.push(' '),
            _ if inside => out.push(c),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '~' | '#' | '|' | '@' => {
                // `@name` would mention someone, even after a backslash.
                if c == '@' {
                    out.push_str("@\u{200b}");
                } else {
                    out.push('\\');
                    out.push(c);
                }
            }
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::text;

    #[test]
    fn nothing_is_markup() {
        assert_eq!(
            text("shop_db *is* [x](y) <b> & `a_b`"),
            "shop\\_db \\*is\\* \\[x\\](y) &lt;b&gt; &amp; `a_b`"
        );
        assert_eq!(text("one`two\nthree"), "one\\`two three");
        assert_eq!(text("@team"), "@\u{200b}team");
    }
}
