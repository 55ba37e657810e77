//! Counts every attempt that leaves the process, retries included.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::{
    AfterDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextRef, FinalizerInterceptorContextRef,
};
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::{ConfigBag, Storable, StoreReplace};
use tokio::time::Instant;

use super::context::CallContext;
use super::xml_complete::is_complete;
use holdfast_core::model::read_error::THROTTLED;

/// Is notified of every attempt.
pub trait CallObserver: Send + Sync {
    /// One attempt: IAM prefix, operation, `ok` or the error code, how long it took, whether it was throttled.
    fn attempt(&self, service: &str, operation: &str, code: &str, took: Duration, throttled: bool);
}

/// Calls made, by `service:operation`, and how many of them were throttled.
#[derive(Debug, Default)]
pub struct CallCounts(Mutex<(BTreeMap<String, u64>, u64)>);

impl CallCounts {
    /// The counts so far.
    #[must_use]
    pub fn get(&self) -> (BTreeMap<String, u64>, u64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl CallObserver for CallCounts {
    fn attempt(&self, service: &str, operation: &str, _: &str, _: Duration, throttled: bool) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.0.entry(format!("{service}:{operation}")).or_default() += 1;
        counts.1 += u64::from(throttled);
    }
}

/// The interceptor that notifies all observers.
#[derive(Clone)]
pub struct Recorder(pub Arc<Vec<Arc<dyn CallObserver>>>);

impl std::fmt::Debug for Recorder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Recorder")
    }
}

#[derive(Debug)]
struct Started(Instant);
impl Storable for Started {
    type Storer = StoreReplace<Self>;
}

impl Intercept for Recorder {
    fn name(&self) -> &'static str {
        "HoldfastRecorder"
    }

    fn read_before_transmit(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        cfg.interceptor_state().store_put(Started(Instant::now()));
        Ok(())
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let response = context.response();
        let is_xml = response
            .headers()
            .get("content-type")
            .is_some_and(|t| t.contains("xml"));
        match response.body().bytes() {
            Some(body) if is_xml && !is_complete(body) => Err("the answer was cut off".into()),
            _ => Ok(()),
        }
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        // An attempt that was never sent (no credentials) does not count.
        let Some(Started(at)) = cfg.load::<Started>() else {
            return Ok(());
        };
        let took = at.elapsed();
        let (service, operation) = cfg
            .load::<Metadata>()
            .map_or(("unknown", "unknown"), |m| (iam_prefix(m.service()), m.name()));
        let code = match context.response() {
            None => "no_response".to_owned(),
            Some(response) if response.status().as_u16() < 400 => "ok".to_owned(),
            Some(response) => error_code(
                response.headers().get("x-amzn-errortype"),
                response.body().bytes().unwrap_or_default(),
            )
            .unwrap_or_else(|| response.status().as_u16().to_string()),
        };
        let throttled = THROTTLED.contains(&code.as_str());
        CallContext::attempted(throttled, context.response().is_some());
        for observer in self.0.iter() {
            observer.attempt(service, operation, &code, took, throttled);
        }
        Ok(())
    }
}

/// The IAM prefix of a service, from the SDK's name for it.
fn iam_prefix(service: &str) -> &'static str {
    match service {
        "RDS" => "rds",
        "EC2" => "ec2",
        "ECS" => "ecs",
        "Secrets Manager" => "secretsmanager",
        "Resource Groups Tagging API" => "tag",
        "SQS" => "sqs",
        "STS" => "sts",
        "SSM" => "ssm",
        "CloudWatch Logs" => "logs",
        "DynamoDB" => "dynamodb",
        "EventBridge" => "events",
        "CloudWatch" => "cloudwatch",
        "IAM" => "iam",
        "KMS" => "kms",
        _ => "other",
    }
}

/// The error code in an answer: of the header, of `"__type"` in JSON, or of `<Code>` in XML. The rest of the body
/// is not looked at.
fn error_code(header: Option<&str>, body: &[u8]) -> Option<String> {
    let clean = |raw: &str| -> Option<String> {
        let code = raw.split([':', ';']).next()?.rsplit('#').next()?.trim();
        (!code.is_empty() && code.len() <= 64 && code.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.'))
            .then(|| code.to_owned())
    };
    if let Some(code) = header.and_then(clean) {
        return Some(code);
    }
    let text = std::str::from_utf8(body).ok()?;
    if let Some((_, rest)) = text.split_once("<Code>") {
        return clean(rest.split('<').next()?);
    }
    let (_, rest) = text.split_once("\"__type\"")?;
    clean(rest.split('"').nth(1)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_codes_of_each_protocol() {
        let json = br#"{"__type": "com.amazonaws.ecs#ThrottlingException", "message": "Rate exceeded"}"#;
        assert_eq!(error_code(None, json).as_deref(), Some("ThrottlingException"));
        let xml = b"<Response><Errors><Error><Code>RequestLimitExceeded</Code></Error></Errors></Response>";
        assert_eq!(error_code(None, xml).as_deref(), Some("RequestLimitExceeded"));
        assert_eq!(
            error_code(Some("AccessDeniedException:http://x/"), b"").as_deref(),
            Some("AccessDeniedException")
        );
        assert_eq!(error_code(None, b"<html>"), None);
        assert_eq!(error_code(None, b"{\"__type\""), None);
    }
}
