//! What EventBridge takes at once. An entry that is too large would be lost silently, so long text is shortened.

use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use serde_json::{Map, Value};

/// Most entries of one `PutEvents`.
/// <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html>
const BATCH: usize = 10;
/// Bytes of an entry, and of all entries of one call. AWS's limit was 256 KB for long, and is 1 MB since January 2026
/// where every region and target has it; the guide still says 256 KB. What is kept back is the event's own envelope.
/// <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevent-size.html>
pub(super) const LARGEST: usize = 250_000;

/// How much is left of lists and of texts, one after the other until an event fits. A text of the last step still holds
/// an ARN, an id or an instant in full.
const BRIEFER: [(usize, usize); 4] = [(100, 4_000), (25, 1_000), (5, 500), (0, 300)];
/// Keys of the objects that lists and calls hold, where they are cut at all; those of an event itself are fewer.
const KEYS: usize = 30;

/// Bytes of an entry, as AWS counts them.
pub(super) fn of(entry: &PutEventsRequestEntry) -> usize {
    let texts = [entry.source(), entry.detail_type(), entry.detail()];
    let texts: usize = texts.into_iter().flatten().map(str::len).sum();
    texts + entry.resources().iter().map(String::len).sum::<usize>()
}

/// The detail as JSON of at most `room` bytes. One that had to be cut says so: `"truncated": true`.
pub(super) fn fit(detail: &Value, room: usize) -> String {
    let whole = detail.to_string();
    if whole.len() <= room {
        return whole;
    }
    let mut brief = String::new();
    for (items, letters) in BRIEFER {
        let mut cut = cut(detail, items, letters);
        if let Some(event) = cut.as_object_mut() {
            event.insert("truncated".into(), Value::Bool(true));
        }
        brief = cut.to_string();
        if brief.len() <= room {
            break;
        }
    }
    brief
}

/// The same with no list, object or text longer than that.
fn cut(value: &Value, items: usize, letters: usize) -> Value {
    match value {
        Value::String(text) => match text.char_indices().nth(letters) {
            Some((end, _)) => Value::String(format!("{}…", &text[..end])),
            None => value.clone(),
        },
        Value::Array(list) => list.iter().take(items).map(|v| cut(v, items, letters)).collect(),
        Value::Object(map) => {
            let few = map.iter().take(KEYS);
            Value::Object(
                few.map(|(k, v)| (k.clone(), cut(v, items, letters)))
                    .collect::<Map<_, _>>(),
            )
        }
        other => other.clone(),
    }
}

/// Entries in order, in batches that one call takes.
pub(super) fn batches<T>(entries: Vec<T>, size: impl Fn(&T) -> usize) -> Vec<Vec<T>> {
    let mut batches: Vec<Vec<T>> = vec![];
    let mut room = 0;
    for entry in entries {
        let needed = size(&entry);
        if let Some(batch) = batches.last_mut().filter(|b| b.len() < BATCH && needed <= room) {
            batch.push(entry);
            room -= needed;
        } else {
            batches.push(vec![entry]);
            room = LARGEST.saturating_sub(needed);
        }
    }
    batches
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn batches_keep_to_both_limits_and_to_the_order() {
        let sizes = |sizes: &[usize]| batches(sizes.to_vec(), |s| *s);
        assert_eq!(sizes(&[]), Vec::<Vec<usize>>::new());
        assert_eq!(sizes(&[1; 21]), [vec![1; 10], vec![1; 10], vec![1]]);
        let half = LARGEST / 2;
        assert_eq!(sizes(&[half, half, 1]), [vec![half, half], vec![1]]);
        assert_eq!(
            sizes(&[half + 1, half, 1, LARGEST, 2]),
            [vec![half + 1], vec![half, 1], vec![LARGEST], vec![2]]
        );
        // Too large for any call: alone, so that it takes no other with it.
        assert_eq!(sizes(&[1, LARGEST + 1, 1]), [vec![1], vec![LARGEST + 1], vec![1]]);
    }

    #[test]
    fn what_fits_stays_as_it_is() {
        let detail = json!({"finding": {"evidence": vec![1; 200], "message": "m".repeat(5_000)}});
        assert_eq!(fit(&detail, LARGEST), detail.to_string());
    }

    #[test]
    fn what_does_not_fit_is_cut_and_says_so() {
        let arn = format!("arn:aws:rds:us-east-1:123456789012:db:{}", "d".repeat(63));
        let fact = json!({"field": "IpPermissions", "observed": "ü".repeat(2_000), "expected": null});
        let detail = json!({"state": "opened", "finding": {
            "id": "0123456789abcdef", "resource": {"arn": arn}, "evidence": vec![fact; 500], "message": "m",
        }});
        let brief: Value = serde_json::from_str(&fit(&detail, LARGEST)).expect("JSON");
        assert_eq!(brief["truncated"], true);
        assert_eq!(brief["state"], "opened");
        assert_eq!(brief["finding"]["resource"]["arn"], arn);
        let evidence = brief["finding"]["evidence"].as_array().expect("a list");
        assert_eq!(evidence.len(), 25, "of 2 MB, as much as fits of what is tried");
        assert_eq!(evidence[0]["field"], "IpPermissions");
    }

    #[test]
    fn whatever_is_long_it_fits_in_the_end() {
        let deep = |mut v: Value| {
            for _ in 0..20 {
                v = json!({"inner": v});
            }
            v
        };
        let wide: Map<String, Value> = (0..9_000)
            .map(|n| (format!("key-{n}"), json!("a value of some length")))
            .collect();
        for value in [
            json!("x".repeat(300_000)),
            json!(vec!["x".repeat(9_999); 99]),
            json!(vec![vec![1; 400]; 400]),
            Value::Object(wide),
            deep(json!("€".repeat(100_000))),
        ] {
            let detail = json!({"outcome": "failed", "detail": value, "action": {"calls": [{"parameters": value}]}});
            let brief = fit(&detail, LARGEST);
            assert!(brief.len() <= LARGEST, "{}", brief.len());
            assert!(brief.contains("\"outcome\":\"failed\"") && brief.contains("\"truncated\":true"));
        }
    }
}
