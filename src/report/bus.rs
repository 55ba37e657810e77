//! Findings and actions for other programs, on an EventBridge bus.
//!
//! Events have the source `holdfast` and the detail types `Holdfast Finding` (`detail.state` is `opened` or
//! `resolved`, `detail.finding` as in the JSON report) and `Holdfast Action` (`detail.outcome` and `detail.action`).

use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use serde_json::{Value, json};

use crate::model::finding::Finding;
use crate::plan::PlannedAction;

/// Most entries of one `PutEvents`.
/// <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html>
const BATCH: usize = 10;
/// How often entries that the bus refused are offered again.
const TRIES: u32 = 3;

/// A bus.
pub struct Bus {
    /// The client.
    pub client: Client,
    /// Name or ARN of the bus.
    pub name: String,
}

impl Bus {
    /// Announces what a judgement changed.
    pub async fn findings(&self, opened: &[Finding], resolved: &[Finding]) {
        let event = |state: &str, f: &Finding| {
            self.entry(
                "Holdfast Finding",
                &f.resource.arn,
                &json!({"state": state, "finding": f}),
            )
        };
        let entries = opened
            .iter()
            .map(|f| event("opened", f))
            .chain(resolved.iter().map(|f| event("resolved", f)))
            .collect();
        self.put(entries).await;
    }

    /// Announces what became of a correction.
    pub async fn action(&self, action: &PlannedAction, outcome: &str, detail: &str) {
        let body = json!({"outcome": outcome, "detail": detail, "action": action});
        self.put(vec![self.entry("Holdfast Action", &action.resource.arn, &body)])
            .await;
    }

    fn entry(&self, detail_type: &str, resource: &str, detail: &Value) -> PutEventsRequestEntry {
        PutEventsRequestEntry::builder()
            .source("holdfast")
            .detail_type(detail_type)
            .resources(resource)
            .detail(detail.to_string())
            .event_bus_name(&self.name)
            .build()
    }

    /// Sends entries in batches. Telling is best effort: what can't be told is logged, and nothing waits for it long.
    async fn put(&self, entries: Vec<PutEventsRequestEntry>) {
        for batch in entries.chunks(BATCH) {
            let mut left = batch.to_vec();
            let mut why = String::new();
            for _ in 0..TRIES {
                match self.client.put_events().set_entries(Some(left.clone())).send().await {
                    Ok(answer) => {
                        let results = answer.entries.unwrap_or_default();
                        let refused = left.into_iter().zip(results).filter(|(_, r)| r.error_code.is_some());
                        (left, why) = refused.fold((vec![], String::new()), |(mut entries, _), (entry, result)| {
                            entries.push(entry);
                            (entries, result.error_code.unwrap_or_default())
                        });
                    }
                    Err(e) => {
                        let code = aws_smithy_types::error::metadata::ProvideErrorMetadata::code(&e);
                        code.unwrap_or("no answer").clone_into(&mut why);
                    }
                }
                if left.is_empty() {
                    break;
                }
            }
            if !left.is_empty() {
                tracing::warn!(
                    bus = self.name,
                    lost = left.len(),
                    code = why,
                    "events could not be put on the bus; grant events:PutEvents, or mend report_to.event_bus"
                );
            }
        }
    }
}
