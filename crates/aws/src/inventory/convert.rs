//! From the SDK's types to the model's.

use std::collections::BTreeMap;

use holdfast_core::model::tags::Tags;
use jiff::Timestamp;

/// Tags from pairs; a pair without a key is left out. AWS sends each key once. Should one come with two values, it is taken
/// for empty, which every tag reads as its strictest: no workload, no window, no waiver, and the mode `audit`.
pub(super) fn tags<'t>(pairs: impl Iterator<Item = (Option<&'t str>, Option<&'t str>)>) -> Tags {
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    for (key, value) in pairs.filter_map(|(k, v)| Some((k?, v.unwrap_or_default()))) {
        match found.get_mut(key) {
            Some(other) if other != value => other.clear(),
            Some(_) => {}
            None => {
                found.insert(key.to_owned(), value.to_owned());
            }
        }
    }
    Tags(found)
}

/// An SDK instant.
pub(super) fn instant(at: &aws_smithy_types::DateTime) -> Option<Timestamp> {
    Timestamp::new(at.secs(), i32::try_from(at.subsec_nanos()).ok()?).ok()
}

/// The items of a list of the SDK's, as long as the snapshot keeps them. What is collected from a list that is used up
/// takes over that one's memory, of which it may need a tenth.
pub(super) fn collect_exact<T>(items: impl Iterator<Item = T>) -> Vec<T> {
    let mut list: Vec<T> = items.collect();
    list.shrink_to_fit();
    list
}

pub(super) fn by_key<K: Ord, T>(items: Vec<T>, key: impl Fn(&T) -> K) -> BTreeMap<K, T> {
    items.into_iter().map(|item| (key(&item), item)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_with_two_values_means_its_strictest() {
        let key = |name: &str| format!("holdfast:{name}");
        let (workload, mode) = (key("workload"), key("mode"));
        let pairs = [
            (&workload, "shop"),
            (&mode, "enforce"),
            (&workload, "bank"),
            (&mode, "enforce"),
        ];
        let read = tags(pairs.iter().map(|(k, v)| (Some(k.as_str()), Some(*v))));
        assert_eq!(read.workload("holdfast:"), None);
        assert_eq!(
            read.mode("holdfast:"),
            Some(holdfast_core::model::policy::Mode::Enforce)
        );
        let again = [(&mode, "enforce"), (&mode, "audit"), (&mode, "enforce")];
        let read = tags(again.iter().map(|(k, v)| (Some(k.as_str()), Some(*v))));
        assert_eq!(read.mode("holdfast:"), Some(holdfast_core::model::policy::Mode::Audit));
    }
}
