//! Removes passwords from an application's log lines before they are printed.
//!
//! An application may print a password in any form. This module looks for two: in a URL, and after a key that names
//! one. In doubt it removes more than is needed.

/// The text that replaces a password.
const MASK: &str = "***";

/// Words in a key whose value is not for others.
const SECRET_WORDS: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "secret",
    "token",
    "credential",
    "authorization",
    "apikey",
    "accesskey",
    "privatekey",
    "signature",
];

/// Ends of a key that mean a password only there: `compass` is none.
const SECRET_ENDS: &[&str] = &["_pass", "-pass", ".pass", "pgpass", "dbpass"];

/// A line of a log, fit to be printed: without control characters, and with what looks like a password masked.
#[must_use]
pub fn redact(line: &str) -> String {
    keyed(&urls(&printable(line)))
}

/// Without what would move a terminal's cursor or change its colours.
fn printable(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        if c == '\u{1b}' {
            // A control sequence: ESC [ parameters, and a final byte from @ to ~.
            if chars.next_if_eq(&'[').is_some() {
                while chars.next_if(|c| !('@'..='~').contains(c)).is_some() {}
                chars.next();
            }
        } else if c == '\t' || !c.is_control() {
            out.push(c);
        }
    }
    out
}

/// `scheme://user:password@` without the password.
fn urls(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((before, after)) = rest.split_once("://") {
        out.push_str(before);
        out.push_str("://");
        let (kept, left) = credentials(after, is_web(before));
        out.push_str(&kept);
        rest = left;
    }
    out.push_str(rest);
    out
}

/// Whether the text ends with the scheme of a web page. Those are all over a log, and seldom have credentials.
fn is_web(before: &str) -> bool {
    let scheme = before
        .rsplit(|c: char| !c.is_ascii_alphanumeric())
        .next()
        .unwrap_or_default();
    ["http", "https", "ws", "wss"]
        .iter()
        .any(|web| scheme.eq_ignore_ascii_case(web))
}

/// What follows `://`, up to where the password would end, and the rest of the line. A password may hold anything: it
/// is taken to end at the last @ before the next URL, of a web page's at the last one in the same word.
fn credentials(after: &str, web: bool) -> (String, &str) {
    let end = if web {
        after.find(|c: char| c.is_whitespace() || c == '"')
    } else {
        after.find("://")
    };
    let token = &after[..end.unwrap_or(after.len())];
    let before_host = |colon: &usize| web || !token[..*colon].contains('@');
    let colon = token.find(':').filter(|_| !token.starts_with('['));
    let Some(colon) = colon.filter(before_host) else {
        // A password may itself begin with two slashes, and then the colon before it was taken for a scheme's.
        return match token.rfind('@').filter(|_| !web) {
            Some(at) => (MASK.to_owned(), &after[at..]),
            None => (String::new(), after),
        };
    };
    let (user, beyond) = (&after[..colon], &after[colon + 1..]);
    if let Some(at) = token.rfind('@').filter(|at| *at > colon) {
        return (format!("{user}:{MASK}"), &after[at..]);
    }
    let digits = beyond.chars().take_while(char::is_ascii_digit).count();
    let is_port = (1..=5).contains(&digits)
        && !beyond[digits..].starts_with(|c: char| c.is_alphanumeric() || "!$%^&*-_+=~".contains(c));
    if is_port {
        return (String::new(), after);
    }
    // Or a space or a quotation mark.
    match beyond.rfind('@') {
        Some(at) => (format!("{user}:{MASK}"), &beyond[at..]),
        None => (format!("{user}:{MASK}"), ""),
    }
}

/// `PASSWORD=...`, `"password": "..."`, `password: ...` without the value.
fn keyed(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(start) = rest.find(is_key) {
        let length = rest[start..].find(|c| !is_key(c)).unwrap_or(rest.len() - start);
        let (before, key) = (&rest[..start], &rest[start..start + length]);
        let after = &rest[start + length..];
        out.push_str(before);
        out.push_str(key);
        rest = after;
        if let Some((between, value)) = sounds_secret(key).then(|| separator(after)).flatten() {
            let (open, close) = quotation(value);
            let inner = &value[open.len()..];
            let whole = key.to_lowercase().contains("authorization");
            let end = end_of(inner, close, whole);
            if end > 0 {
                out.push_str(between);
                out.push_str(open);
                out.push_str(MASK);
                rest = &inner[end..];
            }
        }
    }
    out.push_str(rest);
    out
}

fn is_key(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '.')
}

fn sounds_secret(key: &str) -> bool {
    let key = key.to_lowercase();
    let joined: String = key.chars().filter(|c| c.is_alphanumeric()).collect();
    SECRET_WORDS.iter().any(|w| joined.contains(w)) || SECRET_ENDS.iter().any(|e| key.ends_with(e)) || key == "pass"
}

/// The text between a key and its value, and the rest.
fn separator(after: &str) -> Option<(&str, &str)> {
    let quote = after.trim_start_matches(['\\', '"', '\'', '`', ']']);
    let sign = quote
        .trim_start()
        .strip_prefix("=>")
        .or_else(|| quote.trim_start().strip_prefix(['=', ':']))?;
    let value = sign.trim_start();
    Some((&after[..after.len() - value.len()], value))
}

/// The quotation mark that a value opens with, and the one that closes it. Inside of a quoted text they are escaped.
fn quotation(value: &str) -> (&str, Option<&str>) {
    ["\\\"", "\\'", "\"", "'", "`"]
        .iter()
        .find(|q| value.starts_with(**q))
        .map_or(("", None), |q| (&value[..q.len()], Some(q)))
}

/// Where a value ends.
fn end_of(inner: &str, close: Option<&str>, whole: bool) -> usize {
    let Some(close) = close else {
        if whole {
            return inner.find('"').unwrap_or(inner.len());
        }
        return inner.find(char::is_whitespace).unwrap_or(inner.len());
    };
    let mut escaped = false;
    let mut doubled = false;
    for (at, c) in inner.char_indices() {
        let left = &inner[at..];
        // Where the mark itself is written with a backslash, that is what to look for. SQL and shells double it.
        if !escaped && !doubled && left.starts_with(close) {
            if !(close == "'" && left.starts_with("''")) {
                let beyond = &left[close.len()..];
                let ends = |c: char| c.is_whitespace() || ",;:)}]&|\\".contains(c);
                // A mark in the middle of a word is a part of the value, and so are two marks that it begins with.
                let is_empty = at == 0 && !beyond.starts_with(char::is_whitespace);
                return if beyond.is_empty() || (beyond.starts_with(ends) && !is_empty) {
                    at
                } else {
                    inner.find(char::is_whitespace).unwrap_or(inner.len())
                };
            }
            doubled = true;
        } else {
            doubled = false;
        }
        escaped = c == '\\' && !escaped;
    }
    inner.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_masked_and_what_is_not() {
        for (line, expected) in [
            (
                "postgres://app:s3cret@db:5432/app refused",
                "postgres://app:***@db:5432/app refused",
            ),
            ("postgres://app:a@b/c@db/app", "postgres://app:***@db/app"),
            ("postgres://app:two words@db/app", "postgres://app:***@db/app"),
            (
                r#"{"url":"postgres://app:pa"ss@db/app"}"#,
                r#"{"url":"postgres://app:***@db/app"}"#,
            ),
            (
                "redis://:pw@cache, postgres://a:b@c",
                "redis://:***@cache, postgres://a:***@c",
            ),
            ("postgres://app:cut off here", "postgres://app:***"),
            ("GET https://example.com:8443/x", "GET https://example.com:8443/x"),
            ("listening on http://[::1]:80/", "listening on http://[::1]:80/"),
            (
                "http://localhost:8080, then http://b:90.",
                "http://localhost:8080, then http://b:90.",
            ),
            ("PGPASSWORD=hunter2 psql", "PGPASSWORD=*** psql"),
            (
                r#"{"password": "a \"b\" c", "user": "x"}"#,
                r#"{"password": "***", "user": "x"}"#,
            ),
            (
                r#"{\"dbPassword\":\"abc\",\"n\":1}"#,
                r#"{\"dbPassword\":\"***\",\"n\":1}"#,
            ),
            ("host=db password='it''s' user=x", "host=db password='***' user=x"),
            ("db.password: secret,stuff more", "db.password: *** more"),
            ("Authorization: Bearer abc.def", "Authorization: ***"),
            ("AWS_SECRET_ACCESS_KEY => abc", "AWS_SECRET_ACCESS_KEY => ***"),
            (
                "password authentication failed for user \"app\"",
                "password authentication failed for user \"app\"",
            ),
            ("compass: north, DB_PASS=x", "compass: north, DB_PASS=***"),
            ("\u{1b}[31mred\u{1b}[0m pass\u{7}word=x", "red password=***"),
            ("applied 12 migrations", "applied 12 migrations"),
            ("password=", "password="),
            ("PGPASSWORD: ``:a]aa]", "PGPASSWORD: `***"),
            ("password: '' user", "password: '' user"),
            ("", ""),
        ] {
            assert_eq!(redact(line), expected, "{line}");
        }
    }

    proptest! {
        #[test]
        fn a_password_in_a_url_never_comes_through(
            user in "[a-z]{1,8}",
            password in "[A-Za-z0-9!-~]{0,10}[!-~]{0,4}[A-Z]{6}[!-~]{0,6}",
            before in "[ -~]{0,20}",
            after in "[ -~&&[^@]]{0,20}",
        ) {
            let core: String = password.chars().filter(char::is_ascii_uppercase).collect();
            prop_assume!(!before.contains("://"));
            let line = format!("{before} postgres://{user}:{password}@host/db{after}");
            let told = redact(&line);
            let six = password.as_bytes().windows(6).find(|w| w.iter().all(u8::is_ascii_uppercase));
            let six = six.map_or(core, |w| String::from_utf8_lossy(w).into_owned());
            prop_assert!(!told.contains(&six) || before.contains(&six) || after.contains(&six), "{told}");
        }

        #[test]
        fn a_keyed_password_never_comes_through(
            key in prop::sample::select(vec!["PGPASSWORD", "db_password", "Password", "api-key", "clientSecret"]),
            form in 0..4,
            password in r"[A-Za-z0-9!#-&(-\[\]-~]{8,20}",
        ) {
            let line = match form {
                0 => format!("x {key}={password} y"),
                1 => format!("{{\"{key}\":\"{password}\"}}"),
                2 => format!("{key}: {password}"),
                _ => format!("{key} = '{password}'"),
            };
            let told = redact(&line);
            prop_assert!(!told.contains(&password), "{told}");
        }

        #[test]
        fn it_never_panics(line in any::<String>()) {
            let _ = redact(&line);
        }
    }
}
