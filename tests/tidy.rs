//! What the layout promises (ARCHITECTURE.md), as far as text can tell.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

const LONGEST: usize = 500;

fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn sources(at: &Path) -> Vec<(PathBuf, String)> {
    if at.is_file() {
        return vec![(at.to_owned(), std::fs::read_to_string(at).expect("readable"))];
    }
    let mut found = vec![];
    for entry in std::fs::read_dir(at).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() || path.extension().is_some_and(|e| e == "rs") {
            found.extend(sources(&path));
        }
    }
    found
}

/// The middle of the line is pure: no SDK, no runtime, no I/O, no wall clock.
#[test]
fn the_middle_is_pure() {
    let banned = [
        "aws_sdk",
        "aws_smithy",
        "aws_config",
        "tokio::",
        "async fn",
        "SystemTime",
        "Instant::now",
        "Timestamp::now",
        "std::fs",
        "std::env",
        "std::net",
    ];
    let mut wrong = vec![];
    for part in [
        "model",
        "rules",
        "judge",
        "plan",
        "gate",
        "check",
        "diagnose",
        "checklist",
    ] {
        // What tests `check` reads files.
        let tested = |path: &Path| path.starts_with(src().join("check/tests"));
        for (path, text) in sources(&src().join(part)).into_iter().filter(|(p, _)| !tested(p)) {
            // `tokio_postgres` parses strings; it is allowed nowhere here all the same.
            for (number, line) in text
                .lines()
                .enumerate()
                .filter(|(_, l)| !l.trim_start().starts_with("//"))
            {
                for word in banned.iter().filter(|w| line.contains(*w)) {
                    wrong.push(format!("{}:{}: {word}", path.display(), number + 1));
                }
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

/// Each file in src/rules that declares a rule's `META` is in the registry, and its name is the rule's id.
#[test]
fn every_rule_is_registered() {
    let registry = std::fs::read_to_string(src().join("rules/mod.rs")).expect("readable");
    let mut rules = 0;
    for (path, text) in sources(&src().join("rules")) {
        if !text.contains("static META: Meta") {
            continue;
        }
        rules += 1;
        let module = path.file_stem().expect("a name").to_string_lossy().into_owned();
        assert!(registry.contains(&format!("mod {module};")), "{module} is not declared");
        assert!(
            registry.contains(&format!("&{module}::")),
            "{module} is not in the registry"
        );
        let id = module.replace('_', "-");
        assert!(
            text.contains(&format!("id: \"{id}\"")),
            "{module} should have the id {id}"
        );
    }
    assert_eq!(
        rules,
        registry
            .lines()
            .filter(|l| l.trim_start().starts_with('&') && l.contains("::"))
            .count()
    );
}

/// A file that has outgrown a reader's patience is two files.
#[test]
fn no_file_is_too_long() {
    let long: Vec<String> = sources(&src())
        .into_iter()
        .map(|(path, text)| (path, text.lines().count()))
        .filter(|(_, lines)| *lines > LONGEST)
        .map(|(path, lines)| format!("{}: {lines} lines", path.display()))
        .collect();
    assert_eq!(long, Vec::<String>::new());
}

/// Only the clock reads the time.
#[test]
fn only_the_clock_reads_the_time() {
    let wrong: Vec<String> = sources(&src())
        .into_iter()
        .filter(|(path, _)| !path.ends_with("clock.rs"))
        .filter(|(_, text)| text.contains("Timestamp::now()") || text.contains("SystemTime::now()"))
        .map(|(path, _)| path.display().to_string())
        .collect();
    assert_eq!(wrong, Vec::<String>::new());
}
