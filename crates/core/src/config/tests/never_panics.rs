//! Whatever the text, the answer is a configuration or a list of errors; and the schema's check and serde agree.

use proptest::prelude::*;

use super::{EXAMPLE, INTERFACE, RULES};
use crate::config::{load_text, show};

fn loads_or_fails(text: &str) -> Result<(), TestCaseError> {
    match load_text("h.yaml", text, RULES) {
        Ok(loaded) => {
            let shown = show(&loaded);
            let again = load_text("shown", &shown, RULES).map_err(|e| TestCaseError::fail(format!("{e}\n{shown}")))?;
            prop_assert_eq!(again.config, loaded.config);
        }
        Err(errors) => {
            prop_assert!(!errors.0.is_empty());
            let lines = text.lines().count() + 1;
            for error in &errors.0 {
                prop_assert!(error.line.is_some_and(|l| (1..=lines + 1).contains(&l)), "{}", error);
                // serde must never be the one to find a fault: its words would mean that the schema let it through.
                let serde = [
                    "unknown field",
                    "unknown variant",
                    "invalid type",
                    "missing field",
                    "invalid value",
                ];
                prop_assert!(!serde.iter().any(|w| error.message.starts_with(w)), "{}", error);
            }
        }
    }
    Ok(())
}

/// Pieces that mean something somewhere, right or wrong.
fn piece() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "null",
        "~",
        "true",
        "off",
        "0",
        "-1",
        "1e400",
        "99999999999999999999999999999999999999999",
        ".inf",
        "5m",
        "1.5",
        "10%",
        "[]",
        "{}",
        "[a, b]",
        "{a: b}",
        "\"\"",
        "'x'",
        "&a",
        "*a",
        "!!str",
        "<<",
        "? ",
        "- ",
        ": ",
        "\n",
        "  ",
        "#",
        "|",
        ">",
        "\t",
        "\r\n",
        "\u{0}",
        "\u{85}",
        "\u{2028}",
        "\u{feff}",
        "é",
        "---\n",
        "...\n",
        "%YAML 1.2\n",
        "dynamodb",
        "enforce",
        "audit",
        "outage",
        "manual",
        "us-east-1",
        "123456789012",
        "\"123456789012\"",
        "10.0.0.0/8",
        "::/0",
        "sg-1",
        "\"",
        "'",
        ",",
    ])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_text(text in any::<String>()) {
        loads_or_fails(&text)?;
    }

    #[test]
    fn text_of_yaml_signs(text in "[-a-z0-9:,{}\\[\\]#&*!|>'\"%@` \n\t?~.]{0,200}") {
        loads_or_fails(&text)?;
    }

    #[test]
    fn a_mutated_configuration(
        which in any::<bool>(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..12, piece()), 1..4),
    ) {
        let mut chars: Vec<char> = if which { EXAMPLE } else { INTERFACE }.chars().collect();
        for (at, removed, piece) in edits {
            let at = at.index(chars.len() + 1);
            let end = (at + removed).min(chars.len());
            chars.splice(at..end, piece.chars());
        }
        loads_or_fails(&chars.into_iter().collect::<String>())?;
    }

    #[test]
    fn a_value_replaced(at in any::<prop::sample::Index>(), piece in piece(), text in any::<String>(), own in any::<bool>()) {
        let lines: Vec<&str> = INTERFACE.lines().collect();
        let at = at.index(lines.len());
        let value = if own { serde_json::Value::from(text).to_string() } else { piece.to_owned() };
        let with: Vec<String> = lines.iter().enumerate().map(|(i, line)| match line.rsplit_once(": ") {
            Some((key, _)) if i == at => format!("{key}: {value}"),
            _ => (*line).to_owned(),
        }).collect();
        loads_or_fails(&with.join("\n"))?;
    }

    #[test]
    fn any_names_and_texts_survive_showing(name in "\\PC{1,20}", external in any::<String>()) {
        let text = format!(
            "workloads: {{{}: {{migrations: required}}}}\nreport_to: {{event_bus: {}}}",
            serde_json::Value::from(name), serde_json::Value::from(external),
        );
        loads_or_fails(&text)?;
    }
}

#[test]
fn aliases_do_not_multiply_without_end() {
    use std::fmt::Write;
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for i in 1..12 {
        let item = format!("*a{}, ", i - 1);
        let _ = writeln!(text, "a{i}: &a{i} [{}]", item.repeat(10));
    }
    let errors = load_text("h.yaml", &text, RULES).unwrap_err().to_string();
    assert!(
        errors.ends_with("more than 100000 values, aliases counted in full"),
        "{errors}"
    );
}

#[test]
fn depth_is_bounded() {
    for text in [
        "[".repeat(100_000),
        "- ".repeat(100_000),
        "{a: ".repeat(200),
        format!("{}x", "? ".repeat(5000)),
    ] {
        assert!(load_text("h.yaml", &text, RULES).is_err());
    }
}
