//! Extracts the password of a well-formed URL, so that the caller can connect.

use zeroize::Zeroizing;

use super::super::text::decode;
use super::credentials::End;
use super::query::pairs;

/// Returns the decoded password of `s`: from the query if it is there, as libpq does, else from the credentials.
pub(in super::super) fn password(s: &str) -> Option<Zeroizing<String>> {
    let (_, rest) = s.split_once("://")?;
    let End { at, .. } = End::find(rest);
    let (userinfo, tail) = at.map_or((None, rest), |at| (Some(&rest[..at]), &rest[at + 1..]));
    let query = tail.split_once('?').map_or("", |(_, query)| query);
    let in_query = pairs(query)
        .filter_map(|p| p.split_once('='))
        .filter(|(key, _)| key.eq_ignore_ascii_case("password"))
        .last()
        .map(|(_, value)| value);
    let in_userinfo = userinfo.and_then(|u| u.split_once(':')).map(|(_, password)| password);
    in_query.or(in_userinfo).and_then(decode).filter(|p| !p.is_empty())
}
