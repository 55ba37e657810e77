//! White space, names and percent-encoding in a value.

use zeroize::Zeroizing;

/// Longest host, database or user name that is kept, in bytes. PostgreSQL itself stops at 63 and DNS at 253.
pub(super) const MAX_NAME: usize = 255;

/// Without white space around it, or the byte order mark that Windows editors leave.
pub(super) fn trim(s: &str) -> &str {
    s.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}')
}

/// A name to be kept: not endless, and not a URL of its own (`dbname` may be one for libpq, password and all).
pub(super) fn name(s: &str) -> Option<String> {
    let fits = s.len() <= MAX_NAME && !s.contains("://") && !s.chars().any(char::is_control);
    fits.then(|| s.to_owned())
}

/// Whether each `%` is followed by two hexadecimal digits that do not make a NUL, which libpq refuses.
pub(super) fn percents_are_good(s: &str) -> bool {
    let b = s.as_bytes();
    b.iter()
        .enumerate()
        .filter(|(_, c)| **c == b'%')
        .all(|(i, _)| match (b.get(i + 1), b.get(i + 2)) {
            (Some(h), Some(l)) => h.is_ascii_hexdigit() && l.is_ascii_hexdigit() && !(*h == b'0' && *l == b'0'),
            _ => false,
        })
}

/// Decoded; `None` if that can't be done or does not make UTF-8. Never grows its buffer, so nothing is left behind.
pub(super) fn decode(s: &str) -> Option<Zeroizing<String>> {
    if !percents_are_good(s) {
        return None;
    }
    let digit = |c: u8| char::from(c).to_digit(16).and_then(|d| u8::try_from(d).ok());
    let mut out = Zeroizing::new(Vec::with_capacity(s.len()));
    let mut bytes = s.bytes();
    while let Some(c) = bytes.next() {
        out.push(if c == b'%' {
            digit(bytes.next()?)? * 16 + digit(bytes.next()?)?
        } else {
            c
        });
    }
    std::str::from_utf8(&out)
        .ok()
        .map(|text| Zeroizing::new(text.to_owned()))
}

/// The characters that RFC 3986 allows unencoded in user and password, except `:` and `%`. libpq, Go and Node accept
/// all of them.
pub(super) const fn is_plain(c: u8) -> bool {
    c.is_ascii_alphanumeric()
        || matches!(
            c,
            b'-' | b'.' | b'_' | b'~' | b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+'
        )
        || matches!(c, b',' | b';' | b'=')
}

/// Whether `key` is one of `names`, in upper or lower case.
pub(super) fn is_one_of(key: &str, names: &[&str]) -> bool {
    names.iter().any(|n| key.eq_ignore_ascii_case(n))
}
