//! Findings and actions for other programs, on an EventBridge bus.
//!
//! Events have the source `holdfast` and the detail types `Holdfast Finding` (`detail.state` is `opened` or
//! `resolved`, `detail.finding` as in the JSON report) and `Holdfast Action` (`detail.outcome` and `detail.action`).
//! `docs/events.md` and `docs/events.schema.json` describe them.

mod size;

use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use serde_json::{Value, json};

use holdfast_core::finding::Finding;
use holdfast_core::plan::PlannedAction;
use holdfast_operator::attempt::Outcome;

use holdfast_operator::ports::Notifier;

use crate::client::Connector;

/// The version of what events hold; as of reports, a field more does not raise it.
const SCHEMA: u32 = 1;
/// How often entries are offered at most that the bus did not take in a call that succeeded.
const TRIES: u32 = 3;
/// The pause before they are offered again; it doubles.
const PAUSE: Duration = Duration::from_millis(100);
/// What EventBridge may take a moment later; whatever else it says of an entry, it will say again.
/// <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEventsResultEntry.html>
const PASSING: [&str; 2] = ["ThrottlingException", "InternalFailure"];

/// A bus.
pub struct Bus {
    client: Client,
    /// Name or ARN of the bus.
    name: String,
}

impl Bus {
    /// The bus `name`, or with this ARN, put to from the account and region that the process itself runs in.
    #[must_use]
    pub fn new(connector: &Connector, name: String) -> Self {
        let conf = aws_sdk_eventbridge::config::Builder::from(connector.own()).interceptor(connector.recorder());
        Self {
            client: Client::from_conf(conf.build()),
            name,
        }
    }
}

#[async_trait]
impl Notifier for Bus {
    async fn findings(&self, opened: &[Finding], resolved: &[Finding]) {
        let event = |state: &str, f: &Finding| {
            self.entry(
                "Holdfast Finding",
                &f.resource.arn,
                &json!({"schema_version": SCHEMA, "state": state, "finding": f}),
            )
        };
        let entries = opened
            .iter()
            .map(|f| event("opened", f))
            .chain(resolved.iter().map(|f| event("resolved", f)))
            .collect();
        self.put(entries).await;
    }

    async fn action(&self, action: &PlannedAction, outcome: Outcome, detail: &str) {
        let body = json!({"schema_version": SCHEMA, "outcome": outcome.as_str(), "detail": detail, "action": action});
        self.put(vec![self.entry("Holdfast Action", &action.resource.arn, &body)])
            .await;
    }
}

impl Bus {
    fn entry(&self, detail_type: &str, resource: &str, detail: &Value) -> PutEventsRequestEntry {
        let bare = PutEventsRequestEntry::builder()
            .source("holdfast")
            .detail_type(detail_type)
            .resources(resource)
            .event_bus_name(&self.name);
        let around = size::of(&bare.clone().build());
        bare.detail(size::fit(detail, size::LARGEST.saturating_sub(around)))
            .build()
    }

    /// Sends entries in batches. Telling is best effort: what can't be told is logged, and nothing waits for it long.
    async fn put(&self, entries: Vec<PutEventsRequestEntry>) {
        for batch in size::batches(entries, size::of) {
            let (lost, why) = offer(batch, |left| self.send(left)).await;
            if lost > 0 {
                tracing::warn!(
                    bus = self.name,
                    lost,
                    code = why,
                    "events could not be put on the bus; grant events:PutEvents, or mend report_to.event_bus"
                );
            }
        }
    }

    /// One call, which the SDK repeats if need be: for each entry the code with which it was refused, or why the call
    /// failed.
    async fn send(&self, entries: Vec<PutEventsRequestEntry>) -> Result<Vec<Option<String>>, String> {
        let answer = self.client.put_events().set_entries(Some(entries)).send().await;
        let answer = answer.map_err(|e| {
            let code = aws_smithy_types::error::metadata::ProvideErrorMetadata::code(&e);
            code.unwrap_or("no answer").to_owned()
        })?;
        let results = answer.entries.unwrap_or_default();
        Ok(results.into_iter().map(|r| r.error_code).collect())
    }
}

/// Offers entries until they are taken, and says how many are lost, and why. A call that fails is not made again: the
/// SDK has done that. Of one that succeeds, single entries may have been refused, which the SDK does not look at.
async fn offer<T, F>(mut left: Vec<T>, send: impl Fn(Vec<T>) -> F) -> (usize, String)
where
    T: Clone,
    F: Future<Output = Result<Vec<Option<String>>, String>>,
{
    let (mut lost, mut why) = (0, String::new());
    for attempt in 0..TRIES {
        if attempt > 0 {
            tokio::time::sleep(PAUSE * (1 << (attempt - 1))).await;
        }
        let codes = match send(left.clone()).await {
            Ok(codes) => codes,
            Err(code) => return (lost + left.len(), code),
        };
        let mut again = vec![];
        for (entry, code) in left.into_iter().zip(codes) {
            let Some(code) = code else { continue };
            if PASSING.contains(&code.as_str()) {
                again.push(entry);
            } else {
                lost += 1;
            }
            why = code;
        }
        left = again;
        if left.is_empty() {
            break;
        }
    }
    (lost + left.len(), why)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use tokio::time::Instant;

    use super::*;

    type Reply = Result<Vec<Option<&'static str>>, &'static str>;

    /// Offers three entries; what was sent, when, and what is lost.
    async fn run(replies: Vec<Reply>) -> (Vec<(u128, Vec<u8>)>, (usize, String)) {
        let (start, sent) = (Instant::now(), Mutex::new(vec![]));
        let replies = Mutex::new(replies.into_iter());
        let lost = offer(vec![1, 2, 3], |entries| {
            sent.lock().unwrap().push((start.elapsed().as_millis(), entries));
            let reply = replies.lock().unwrap().next().expect("no more calls");
            async move {
                let codes = reply.map_err(str::to_owned)?;
                Ok(codes.into_iter().map(|c| c.map(str::to_owned)).collect())
            }
        })
        .await;
        (sent.into_inner().unwrap(), lost)
    }

    #[tokio::test(start_paused = true)]
    async fn only_what_was_refused_for_now_is_offered_again() {
        let busy = Some("ThrottlingException");
        let (sent, lost) = run(vec![
            Ok(vec![busy, Some("MalformedDetail"), busy]),
            Ok(vec![None, busy]),
            Ok(vec![None]),
        ])
        .await;
        assert_eq!(sent, [(0, vec![1, 2, 3]), (100, vec![1, 3]), (300, vec![3])]);
        assert_eq!(lost.0, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_failed_is_not_made_again() {
        let (sent, lost) = run(vec![Err("AccessDeniedException")]).await;
        assert_eq!((sent.len(), lost), (1, (3, "AccessDeniedException".into())));
    }

    #[tokio::test(start_paused = true)]
    async fn it_ends() {
        let busy = Some("InternalFailure");
        let (sent, lost) = run(vec![Ok(vec![None, busy, None]), Ok(vec![busy]), Ok(vec![busy])]).await;
        assert_eq!((sent.len(), lost), (3, (1, "InternalFailure".into())));
    }
}
