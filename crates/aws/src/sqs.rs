//! Messages from an SQS queue by long polling.

use std::time::Duration;

use async_trait::async_trait;
use aws_config::Region;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry, MessageSystemAttributeName,
};
use holdfast_core::config::Events;
use holdfast_operator::ports::{EventSource, Message, SourceError};
use jiff::Timestamp;

use crate::client::Connector;

/// The longest long poll: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html>.
/// A client's read timeout must be longer.
const WAIT_SECONDS: i32 = 20;

/// A received message doesn't come back for so long; it is renewed while in flight. Long enough for a reconcile, short
/// enough that a crash costs a minute.
const VISIBILITY: Duration = Duration::from_mins(1);

/// An SQS queue.
#[derive(Debug, Clone)]
pub struct SqsSource {
    client: Client,
    queue_url: String,
}

impl SqsSource {
    /// The queue at `queue_url`. Needs `sqs:ReceiveMessage`, `sqs:DeleteMessage` and `sqs:ChangeMessageVisibility`.
    #[must_use]
    pub fn new(connector: &Connector, events: &Events, queue_url: impl Into<String>) -> Self {
        let mut conf = aws_sdk_sqs::config::Builder::from(connector.own())
            .interceptor(connector.recorder())
            .timeout_config(
                // A long poll is silent for 20 s.
                TimeoutConfig::builder()
                    .connect_timeout(Duration::from_secs(5))
                    .operation_attempt_timeout(Duration::from_secs(30))
                    .build(),
            );
        if let Some(region) = &events.region {
            conf = conf.region(Region::new(region.clone()));
        }
        Self {
            client: Client::from_conf(conf.build()),
            queue_url: queue_url.into(),
        }
    }
}

#[async_trait]
impl EventSource for SqsSource {
    async fn receive(&self) -> Result<Vec<Message>, SourceError> {
        let reply = self
            .client
            .receive_message()
            .queue_url(&self.queue_url)
            .max_number_of_messages(10)
            .wait_time_seconds(WAIT_SECONDS)
            .visibility_timeout(seconds(VISIBILITY))
            .message_system_attribute_names(MessageSystemAttributeName::SentTimestamp)
            .send()
            .await
            .map_err(|e| failed("sqs:ReceiveMessage", &e))?;
        let messages = reply.messages.unwrap_or_default();
        Ok(messages.into_iter().filter_map(message).collect())
    }

    async fn delete(&self, handles: Vec<String>) -> Result<Vec<String>, SourceError> {
        const ACTION: &str = "sqs:DeleteMessage";
        let entries = handles.iter().enumerate().map(|(n, handle)| {
            DeleteMessageBatchRequestEntry::builder()
                .id(n.to_string())
                .receipt_handle(handle)
                .build()
        });
        let entries = entries
            .collect::<Result<Vec<_>, _>>()
            .map_err(|e| unbuilt(ACTION, &e))?;
        let call = self
            .client
            .delete_message_batch()
            .queue_url(&self.queue_url)
            .set_entries(Some(entries));
        let reply = call.send().await.map_err(|e| failed(ACTION, &e))?;
        // A failure that is the sender's (the handle expired, the message is gone) stays one.
        let failed = reply.failed.iter().filter(|f| !f.sender_fault);
        Ok(failed
            .filter_map(|f| handles.get(f.id.parse::<usize>().ok()?).cloned())
            .collect())
    }

    async fn set_visibility(&self, handles: Vec<String>, visibility: Duration) -> Result<(), SourceError> {
        const ACTION: &str = "sqs:ChangeMessageVisibility";
        let entries = handles.iter().enumerate().map(|(n, handle)| {
            ChangeMessageVisibilityBatchRequestEntry::builder()
                .id(n.to_string())
                .receipt_handle(handle)
                .visibility_timeout(seconds(visibility))
                .build()
        });
        let entries = entries
            .collect::<Result<Vec<_>, _>>()
            .map_err(|e| unbuilt(ACTION, &e))?;
        let call = self
            .client
            .change_message_visibility_batch()
            .queue_url(&self.queue_url)
            .set_entries(Some(entries));
        call.send().await.map_err(|e| failed(ACTION, &e))?;
        Ok(())
    }

    fn visibility(&self) -> Duration {
        VISIBILITY
    }
}

/// A message without a handle could never be deleted, and one without a body is an empty one.
fn message(raw: aws_sdk_sqs::types::Message) -> Option<Message> {
    let sent_at = raw
        .attributes
        .as_ref()
        .and_then(|a| a.get(&MessageSystemAttributeName::SentTimestamp));
    let sent_at = sent_at.and_then(|ms| Timestamp::from_millisecond(ms.parse().ok()?).ok());
    Some(Message {
        id: raw.message_id.unwrap_or_default(),
        receipt_handle: raw.receipt_handle?,
        body: raw.body.unwrap_or_default(),
        sent_at,
    })
}

fn seconds(duration: Duration) -> i32 {
    i32::try_from(duration.as_secs()).unwrap_or(i32::MAX)
}

fn failed<E, R>(action: &'static str, error: &SdkError<E, R>) -> SourceError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: std::fmt::Debug,
{
    let code = error.as_service_error().and_then(ProvideErrorMetadata::code);
    let message = match (code, error.as_service_error().and_then(ProvideErrorMetadata::message)) {
        (Some(code), Some(text)) => format!("{code}: {text}"),
        (Some(code), None) => code.to_owned(),
        _ => DisplayErrorContext(error).to_string(),
    };
    let hint = match code.unwrap_or_default() {
        c if c.contains("AccessDenied") => format!("; grant {action} on the queue"),
        c if c.contains("NonExistentQueue") || c.contains("QueueDoesNotExist") => {
            "; check events.queue_url and the region".to_owned()
        }
        _ => String::new(),
    };
    SourceError { action, message, hint }
}

/// The builders refuse only entries without an id or a handle, and these have both.
fn unbuilt(action: &'static str, error: &aws_sdk_sqs::error::BuildError) -> SourceError {
    SourceError {
        action,
        message: error.to_string(),
        hint: String::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use aws_sdk_sqs::config::{BehaviorVersion, Credentials, Region};
    use aws_smithy_runtime_api::client::http::{
        HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
    };
    use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
    use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
    use aws_smithy_types::body::SdkBody;

    use super::*;

    /// Answers each call with the next reply and keeps the request's body.
    #[derive(Debug, Clone, Default)]
    struct Wire {
        replies: Arc<Mutex<Vec<(u16, &'static str)>>>,
        requests: Arc<Mutex<Vec<serde_json::Value>>>,
    }

    impl HttpConnector for Wire {
        fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
            let body = serde_json::from_slice(request.body().bytes().unwrap_or_default()).unwrap_or_default();
            self.requests.lock().unwrap().push(body);
            let (status, reply) = self.replies.lock().unwrap().remove(0);
            HttpConnectorFuture::ready(Ok(HttpResponse::new(status.try_into().unwrap(), SdkBody::from(reply))))
        }
    }

    impl HttpClient for Wire {
        fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
            SharedHttpConnector::new(self.clone())
        }
    }

    fn source(replies: &[(u16, &'static str)]) -> (SqsSource, Wire) {
        let wire = Wire {
            replies: Arc::new(Mutex::new(replies.to_vec())),
            ..Wire::default()
        };
        let config = aws_sdk_sqs::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(Credentials::new("id", "key", None, None, "test"))
            .retry_config(aws_sdk_sqs::config::retry::RetryConfig::disabled())
            .http_client(wire.clone())
            .build();
        let url = "https://sqs.us-east-1.amazonaws.com/123456789012/holdfast";
        let source = SqsSource {
            client: Client::from_conf(config),
            queue_url: url.to_owned(),
        };
        (source, wire)
    }

    #[tokio::test]
    async fn receives_by_long_polling() {
        // The digest is that of the body: the SDK checks it.
        let reply = r#"{"Messages":[{"MessageId":"m-1","ReceiptHandle":"h-1","Body":"{}",
            "MD5OfBody":"99914b932bd37a50b983c5e7c90ae93b","Attributes":{"SentTimestamp":"1795248000000"}}]}"#;
        let (source, wire) = source(&[(200, reply), (200, "{}")]);
        let messages = source.receive().await.unwrap();
        let sent_at = Some("2026-11-21T08:00:00Z".parse().unwrap());
        assert_eq!(
            messages,
            [Message {
                id: "m-1".into(),
                receipt_handle: "h-1".into(),
                body: "{}".into(),
                sent_at
            }]
        );
        assert_eq!(source.receive().await.unwrap(), []);
        let request = &wire.requests.lock().unwrap()[0];
        assert_eq!(
            (&request["WaitTimeSeconds"], &request["MaxNumberOfMessages"]),
            (&20.into(), &10.into())
        );
        assert_eq!(request["VisibilityTimeout"], 60);
    }

    #[tokio::test]
    async fn partial_failures_of_a_deletion_are_told_apart() {
        let reply = r#"{"Successful":[{"Id":"0"}],"Failed":[
            {"Id":"1","SenderFault":false,"Code":"InternalError"},
            {"Id":"2","SenderFault":true,"Code":"ReceiptHandleIsInvalid"}]}"#;
        let (source, _) = source(&[(200, reply)]);
        let left = source.delete(vec!["a".into(), "b".into(), "c".into()]).await.unwrap();
        assert_eq!(left, ["b"]);
    }

    #[tokio::test]
    async fn an_error_names_the_permission() {
        let denied = r#"{"__type":"com.amazonaws.sqs#AccessDeniedException","message":"not authorized"}"#;
        let (source, _) = source(&[(403, denied), (403, denied)]);
        let error = source.receive().await.unwrap_err().to_string();
        assert!(
            error.contains("sqs:ReceiveMessage failed: AccessDenied") && error.contains("grant"),
            "{error}"
        );
        let error = source
            .set_visibility(vec!["a".into()], Duration::ZERO)
            .await
            .unwrap_err();
        assert_eq!(error.action, "sqs:ChangeMessageVisibility");
    }
}
