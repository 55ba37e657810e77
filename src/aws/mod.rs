//! Clients for each account and region, and the one way to call them: under the rate of the API, with bounded
//! concurrency, counted, and with every failure turned into a [`ReadError`] that names its cure.

mod error;
mod limits;
mod recorder;
mod targets;

use std::future::Future;
use std::sync::Arc;

use aws_config::SdkConfig;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use crate::model::key::Scope;
use crate::model::snapshot::{ReadError, Seen};
pub use error::{explain, is_absent, is_denied, is_uncertain};
pub use limits::{Api, Family, Limits};
pub use recorder::{CallCounts, CallObserver, Recorder};
pub use targets::{Connector, TargetError};

/// Clients of one account in one region.
#[derive(Clone)]
pub struct Aws {
    /// Which account and region.
    pub scope: Scope,
    /// ARN of the identity that calls are made with, as `CloudTrail` names it.
    pub caller: Option<String>,
    /// RDS.
    pub rds: aws_sdk_rds::Client,
    /// EC2.
    pub ec2: aws_sdk_ec2::Client,
    /// ECS.
    pub ecs: aws_sdk_ecs::Client,
    /// Secrets Manager.
    pub secrets: aws_sdk_secretsmanager::Client,
    /// The Resource Groups Tagging API.
    pub tagging: aws_sdk_resourcegroupstagging::Client,
    /// Parameter Store.
    pub ssm: aws_sdk_ssm::Client,
    /// IAM.
    pub iam: aws_sdk_iam::Client,
    /// CloudWatch Logs.
    pub logs: aws_sdk_cloudwatchlogs::Client,
    /// CloudWatch.
    pub cloudwatch: aws_sdk_cloudwatch::Client,
    limits: Arc<Limits>,
    permits: Arc<tokio::sync::Semaphore>,
}

impl Aws {
    fn new(
        scope: Scope,
        caller: Option<String>,
        config: &SdkConfig,
        recorder: &Recorder,
        limits: Arc<Limits>,
        permits: Arc<tokio::sync::Semaphore>,
    ) -> Self {
        // Each SDK has its own type of client, made in the same way.
        macro_rules! client {
            ($sdk:ident) => {
                $sdk::Client::from_conf(
                    $sdk::config::Builder::from(config)
                        .interceptor(recorder.clone())
                        .build(),
                )
            };
        }
        Self {
            scope,
            caller,
            rds: client!(aws_sdk_rds),
            ec2: client!(aws_sdk_ec2),
            ecs: client!(aws_sdk_ecs),
            secrets: client!(aws_sdk_secretsmanager),
            tagging: client!(aws_sdk_resourcegroupstagging),
            ssm: client!(aws_sdk_ssm),
            iam: client!(aws_sdk_iam),
            logs: client!(aws_sdk_cloudwatchlogs),
            cloudwatch: client!(aws_sdk_cloudwatch),
            limits,
            permits,
        }
    }

    /// Makes one call: waits for the API's rate and for one of the process's places, then sends.
    ///
    /// # Errors
    /// The call's failure, with the IAM action to grant where that is the cure.
    pub async fn call<T, E>(
        &self,
        api: Api,
        resource: &str,
        send: impl Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    ) -> Seen<T>
    where
        E: ProvideErrorMetadata,
    {
        self.limits.wait(api.family).await;
        let permit = self.permits.acquire().await;
        // An SDK future is several KiB; many of them inside of one another would fill a worker's stack.
        let result = Box::pin(send).await;
        drop(permit);
        result.map_err(|e| Arc::new(explain(&self.scope, api, resource, &e)))
    }

    /// An error of our own about something that was to be read.
    #[must_use]
    pub fn error(&self, api: Api, resource: &str, code: &str, message: String) -> Arc<ReadError> {
        Arc::new(ReadError {
            service: api.service.into(),
            operation: api.operation.into(),
            resource: resource.into(),
            code: code.into(),
            message,
        })
    }
}
