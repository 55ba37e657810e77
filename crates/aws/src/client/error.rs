//! From an SDK error to one sentence with its cure.

use std::error::Error;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use holdfast_core::model::read_error::{DENIED, THROTTLED};

use super::limits::Api;
use holdfast_core::model::key::Scope;
use holdfast_core::model::snapshot::ReadError;

/// Error codes that mean the credentials themselves are refused.
const CREDENTIALS: &[&str] = &[
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidClientTokenId",
    "UnrecognizedClientException",
    "InvalidSignatureException",
    "SignatureDoesNotMatch",
    "AuthFailure",
    "IncompleteSignature",
];

/// Turns an SDK error into one sentence that names what was tried, and its cure.
pub fn explain<E>(scope: &Scope, api: Api, resource: &str, error: &SdkError<E, HttpResponse>) -> ReadError
where
    E: ProvideErrorMetadata,
{
    let action = format!("{}:{}", api.service, api.operation);
    let (code, message) = match error {
        SdkError::ServiceError(service) => {
            let code = service.err().code().unwrap_or("Unknown").to_owned();
            let said = service
                .err()
                .message()
                .map(|m| format!(" (AWS says: {m})"))
                .unwrap_or_default();
            let message = advice(scope, &action, &code, &said);
            (code, message)
        }
        SdkError::TimeoutError(_) => (
            "Timeout".into(),
            format!(
                "{action} got no answer from {} in time; is the endpoint reachable?",
                scope.region
            ),
        ),
        SdkError::DispatchFailure(failure) => {
            let cause = failure
                .as_connector_error()
                .map_or_else(|| "no connection".into(), chain);
            let hint = if cause.contains("redential") {
                "set AWS_PROFILE, AWS_ACCESS_KEY_ID or a role (see `aws configure`)"
            } else {
                "check the network, the region and --endpoint-url"
            };
            (
                "Connection".into(),
                format!("{action} could not be sent in {}: {cause}; {hint}", scope.region),
            )
        }
        SdkError::ConstructionFailure(_) => (
            "Construction".into(),
            format!("{action} could not be built: a parameter is missing or malformed"),
        ),
        _ => (
            "Response".into(),
            format!("{action} got an answer that can't be read; it is tried again at the next sweep"),
        ),
    };
    ReadError {
        service: api.service.into(),
        operation: api.operation.into(),
        resource: resource.to_owned(),
        code,
        message,
    }
}

fn advice(scope: &Scope, action: &str, code: &str, said: &str) -> String {
    let place = format!("account {}, region {}", scope.account, scope.region);
    if DENIED.contains(&code) {
        format!("{code}: grant the IAM action {action} ({place}) to Holdfast's role{said}")
    } else if THROTTLED.contains(&code) {
        format!("{code}: {action} is throttled in {place}; lower limits.api, or wait for the next sweep")
    } else if CREDENTIALS.contains(&code) {
        format!("{code}: the credentials are not accepted for {action} ({place}); renew them{said}")
    } else {
        format!("{code}: {action} failed in {place}{said}")
    }
}

fn chain(error: &(impl Error + ?Sized)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        let cause = inner.to_string();
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
        source = inner.source();
    }
    text
}
