//! Reads JSON piece by piece. A string that may be a password stays where it is, or is decoded and zeroed after.

use serde::de::IgnoredAny;
use zeroize::Zeroizing;

/// Takes the JSON value at the start of `s` (after white space) and returns it as written, with what follows.
///
/// `serde_json` skips it without decoding it: decoded strings would lie in its buffer, which is not zeroed.
pub(super) fn json_value(s: &str) -> Option<(&str, &str)> {
    let s = s.trim_start();
    let mut stream = serde_json::Deserializer::from_str(s).into_iter::<IgnoredAny>();
    stream.next()?.ok()?;
    let end = stream.byte_offset();
    Some((s.get(..end)?, s.get(end..)?.trim_start()))
}

/// A string that may be a password: borrowed in place, or decoded and zeroed after use.
pub(super) enum Text<'a> {
    Here(&'a str),
    Decoded(Zeroizing<String>),
}

impl std::ops::Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Self::Here(s) => s,
            Self::Decoded(s) => s,
        }
    }
}

/// The text of a JSON string, given as written. `None` if it is none, or holds half of a surrogate pair.
pub(super) fn json_text(raw: &str) -> Option<Text<'_>> {
    let inner = raw.strip_prefix('"')?.strip_suffix('"')?;
    if !inner.contains('\\') {
        return Some(Text::Here(inner));
    }
    // No escape is shorter than what it stands for, so this never grows and leaves nothing behind.
    let mut out = Zeroizing::new(String::with_capacity(inner.len()));
    let mut rest = inner;
    while let Some((before, escape)) = rest.split_once('\\') {
        out.push_str(before);
        let kind = *escape.as_bytes().first()?;
        rest = escape.get(1..)?;
        out.push(match kind {
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'u' => {
                let first = utf16_unit(&mut rest)?;
                let second = if (0xd800..0xdc00).contains(&first) {
                    rest = rest.strip_prefix("\\u")?;
                    Some(utf16_unit(&mut rest)?)
                } else {
                    None
                };
                char::decode_utf16(std::iter::once(first).chain(second)).next()?.ok()?
            }
            itself => char::from(itself),
        });
    }
    out.push_str(rest);
    Some(Text::Decoded(out))
}

fn utf16_unit(rest: &mut &str) -> Option<u16> {
    let (hex, after) = rest.split_at_checked(4)?;
    *rest = after;
    u16::from_str_radix(hex, 16).ok()
}
