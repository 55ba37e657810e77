//! Clients whose calls a function answers.

use std::sync::Arc;

use aws_config::retry::RetryConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use holdfast_core::config::Config;
use holdfast_core::model::key::Scope;

use super::{Aws, Recorder};

/// A status and a body.
pub(crate) type Reply = (u16, String);

/// Answers every request by a function.
#[derive(Clone)]
struct Wire(Arc<dyn Fn(&HttpRequest) -> Reply + Send + Sync>);

impl std::fmt::Debug for Wire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Wire")
    }
}

impl HttpConnector for Wire {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (status, body) = (self.0)(&request);
        let status = status.try_into().unwrap();
        HttpConnectorFuture::ready(Ok(HttpResponse::new(status, SdkBody::from(body))))
    }
}

impl HttpClient for Wire {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

/// Clients of `account` in us-east-1 whose calls `answer` answers at once.
pub(crate) fn aws(
    account: &str,
    config: &Config,
    answer: impl Fn(&HttpRequest) -> Reply + Send + Sync + 'static,
) -> Aws {
    let key = Credentials::new("id", "key", None, None, "test");
    let sdk = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(SharedCredentialsProvider::new(key))
        .retry_config(RetryConfig::standard().with_max_attempts(4))
        .http_client(Wire(Arc::new(answer)))
        .build();
    let scope = Scope {
        account: account.into(),
        region: "us-east-1".into(),
    };
    Aws::new(scope, None, &sdk, &Recorder(Arc::default()), config)
}
