//! Finds where the user and password of a URL end, and what may be kept of them.

use zeroize::Zeroizing;

use super::super::faults::push;
use super::super::parameters::is_known;
use super::super::text::{decode, is_plain, percents_are_good};
use super::query::{gives_password, pairs};
use crate::model::connection::{Fault, UrlPart};

/// Where the credentials end.
pub(super) struct End {
    /// The position of the `@`, if there is one.
    pub(super) at: Option<usize>,
    /// There is a `password=` that is not a parameter: nothing is safe.
    pub(super) lost: bool,
}

impl End {
    /// `rest` is what comes after `://`.
    pub(super) fn find(rest: &str) -> Self {
        let authority = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
        let (before, query) = rest.split_once('?').unwrap_or((rest, ""));
        if gives_password(query) {
            // The password may hold `@` itself, which RFC 3986 allows in a query.
            return Self {
                at: before.rfind('@'),
                lost: false,
            };
        }
        let lost = rest.as_bytes().windows(9).any(|w| w.eq_ignore_ascii_case(b"password="));
        let end = rest.rfind('@');
        let strict = authority.rfind('@');
        // `@` in the value of a known parameter (`?application_name=me@there`) is no end of credentials, if there
        // were some before and what follows it is no address.
        if let (Some(last), Some(strict)) = (end, strict)
            && last > before.len()
            && !rest[..before.len()][strict + 1..].contains('@')
            && !rest[last..].split('&').next().unwrap_or_default().contains(['/', ':'])
            && !authority[..strict].contains('@')
            && pairs(query).all(|p| p.split_once('=').is_some_and(|(k, _)| is_known(k)))
        {
            return Self { at: Some(strict), lost };
        }
        Self { at: end, lost }
    }
}

/// The part before the `@`.
pub(super) struct Credentials<'a> {
    /// The user name as written.
    pub(super) user_raw: &'a str,
    /// The user name, where it is one for certain.
    pub(super) user: Option<Zeroizing<String>>,
    pub(super) has_password: bool,
    /// The password, decoded.
    pub(super) password: Option<Zeroizing<String>>,
}

impl<'a> Credentials<'a> {
    pub(super) fn parse(userinfo: &'a str, faults: &mut Vec<Fault>) -> Self {
        let (user_raw, password) = userinfo.split_once(':').map_or((userinfo, None), |(u, p)| (u, Some(p)));
        let mut user = None;
        if encoding(user_raw, UrlPart::User, faults) {
            user = decode(user_raw);
            if user.is_none() {
                push(faults, Fault::Unparsable);
            }
            // `user%3Apassword@`: someone encoded too much.
            if password.is_none() && user.as_ref().is_some_and(|u| u.contains(':')) {
                user = None;
            }
        }
        if let Some(password) = password {
            encoding(password, UrlPart::Password, faults);
        }
        Self {
            user_raw,
            user,
            has_password: password.is_some_and(|p| !p.is_empty()),
            password: password.and_then(decode),
        }
    }
}

/// Checks the encoding of a user name or password; true if there is nothing wrong.
fn encoding(s: &str, part: UrlPart, faults: &mut Vec<Fault>) -> bool {
    let plain = s
        .bytes()
        .all(|c| is_plain(c) || c == b'%' || (c == b':' && part == UrlPart::Password));
    let percents = percents_are_good(s);
    if !plain {
        push(faults, Fault::UnencodedReserved { part });
    }
    if !percents {
        push(faults, Fault::BadPercentEncoding { part });
    }
    plain && percents
}
