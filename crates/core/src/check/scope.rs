//! Finds the account and region of a file from the ARNs in it.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::model::key::Scope;

/// The placeholder for an account or region that a file does not name.
pub(super) const UNTOLD: &str = "unknown";

type Counts = BTreeMap<(String, String), usize>;

/// Counts account and region of every ARN in `value`.
pub(super) fn count(value: Option<&Value>, found: &mut Counts) {
    match value {
        Some(Value::String(text)) => {
            if let Some(place) = place(text) {
                *found.entry(place).or_default() += 1;
            }
        }
        Some(Value::Array(items)) => items.iter().for_each(|v| count(Some(v), found)),
        Some(Value::Object(fields)) => fields.values().for_each(|v| count(Some(v), found)),
        _ => {}
    }
}

/// `arn:partition:service:region:account:...`; the region is empty for services without one.
fn place(text: &str) -> Option<(String, String)> {
    let mut parts = text.strip_prefix("arn:")?.split(':');
    let (Some(_), Some(_), Some(region), Some(account), Some(_)) =
        (parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return None;
    };
    let whole = account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit());
    let letters = region.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') && region.len() <= 32;
    (whole && letters).then(|| (account.to_owned(), region.to_owned()))
}

/// The account and the region that most ARNs name; `region` is what the file says outright.
pub(super) fn most(found: &Counts, region: Option<&str>) -> Scope {
    let most = |part: &dyn Fn(&(String, String)) -> String| {
        let mut sums: BTreeMap<String, usize> = BTreeMap::new();
        for (place, n) in found {
            *sums.entry(part(place)).or_default() += n;
        }
        sums.remove("");
        sums.into_iter().max_by_key(|(_, n)| *n).map(|(name, _)| name)
    };
    let untold = || UNTOLD.to_owned();
    Scope {
        account: most(&|(account, _)| account.clone()).unwrap_or_else(untold),
        region: region
            .map(str::to_owned)
            .or_else(|| most(&|(_, region)| region.clone()))
            .unwrap_or_else(untold),
    }
}
