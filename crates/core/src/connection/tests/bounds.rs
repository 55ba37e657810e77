use super::*;
use crate::model::connection::{MAX_KEY, MAX_KEYS};

#[test]
fn bounds() {
    let many: Vec<_> = (0..1000).map(|i| format!("\"k{i}\":\"v\"")).collect();
    let SecretShape::Json { keys, .. } = inspect(&format!("{{{}}}", many.join(","))) else {
        panic!()
    };
    assert_eq!(keys.len(), MAX_KEYS);
    assert!(json_lines(&format!("{{\"{}\":1}}", "k".repeat(MAX_KEY + 1))).is_empty());
    assert!(!inspect_plain(&"x".repeat(MAX_VALUE + 1)).looks_intended());

    // Nothing that grows with the square of the length: each of these is 64 KiB.
    let full = |prefix: &str, unit: &str| {
        let mut s = prefix.to_owned();
        while s.len() + unit.len() <= MAX_VALUE {
            s.push_str(unit);
        }
        s
    };
    #[allow(clippy::disallowed_methods, reason = "how long it takes is what is tested")]
    let start = std::time::Instant::now();
    let mut all = vec![];
    for unit in [
        "@",
        ":",
        "/",
        "?",
        "#",
        "&",
        "=",
        ",",
        "%",
        "[",
        "]",
        "'",
        "\"",
        "\\",
        " ",
        "a=",
        "a,",
        "h:1,",
        "a=b&",
        "://",
        "postgres://",
        "password=",
        "password='",
        "host=h ",
        "é",
        "{",
        "[",
        "\\u",
        "?a=b@",
        "&a=b@",
        "@h/",
        ";",
        "a=b;",
        "Host=h;",
        "Password=\"",
        "{}",
        "tcp(",
        "@tcp(h)/",
        "jdbc:",
    ] {
        for prefix in [
            "",
            "postgres://",
            "postgres://u:p@h/d?",
            "host=h dbname='",
            "{\"a\":\"",
            "{\"a\":",
            "\"",
            "{",
            "jdbc:postgresql://",
            "jdbc:sqlserver://h;",
            "jdbc:oracle:thin:",
            "r2dbc:",
            "Host=h;Password=",
            "pgsql:host=",
            "sqlite:",
        ] {
            all.push(full(prefix, unit));
        }
    }
    for value in &all {
        let _ = inspect(value);
    }
    assert!(start.elapsed().as_secs() < 60, "{:?}", start.elapsed());
}
