//! The clients of one account in one region.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use aws_config::SdkConfig;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use holdfast_core::config::Config;
use holdfast_core::model::key::Scope;
use holdfast_core::model::snapshot::{Read, ReadError};

use super::context::{CONTEXT, CallContext, Shared};
use super::error::explain;
use super::limits::{Api, CallPriority};
use super::recorder::Recorder;

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
    /// KMS.
    pub kms: aws_sdk_kms::Client,
    /// CloudWatch Logs.
    pub logs: aws_sdk_cloudwatchlogs::Client,
    /// CloudWatch.
    pub cloudwatch: aws_sdk_cloudwatch::Client,
    priority: CallPriority,
    pub(super) shared: Arc<Shared>,
}

impl Aws {
    pub(super) fn new(
        scope: Scope,
        caller: Option<String>,
        sdk: &SdkConfig,
        recorder: &Recorder,
        config: &Config,
    ) -> Self {
        // Each SDK has its own type of client, made in the same way.
        macro_rules! client {
            ($sdk:ident) => {
                $sdk::Client::from_conf(
                    $sdk::config::Builder::from(sdk)
                        .interceptor(recorder.clone())
                        // By default all clients of a service and region share one retry budget, whatever their
                        // account: one account's throttling would leave the others without retries.
                        .retry_partition($sdk::config::retry::RetryPartition::custom(scope.to_string()).build())
                        .build(),
                )
            };
        }
        Self {
            rds: client!(aws_sdk_rds),
            ec2: client!(aws_sdk_ec2),
            ecs: client!(aws_sdk_ecs),
            secrets: client!(aws_sdk_secretsmanager),
            tagging: client!(aws_sdk_resourcegroupstagging),
            ssm: client!(aws_sdk_ssm),
            iam: client!(aws_sdk_iam),
            kms: client!(aws_sdk_kms),
            logs: client!(aws_sdk_cloudwatchlogs),
            cloudwatch: client!(aws_sdk_cloudwatch),
            scope,
            caller,
            priority: CallPriority::Interactive,
            shared: Arc::new(Shared::new(config)),
        }
    }

    /// The same clients, for the calls of a sweep: they leave a fifth of each rate, and of the places, to events and
    /// corrections. Calls are interactive unless they say otherwise.
    #[must_use]
    pub fn for_sweeps(&self) -> Self {
        let priority = match self.priority {
            CallPriority::Interactive | CallPriority::Sweep => CallPriority::Sweep,
            CallPriority::Exclusive => CallPriority::Exclusive,
        };
        Self {
            priority,
            ..self.clone()
        }
    }

    /// The same clients, for a command that sweeps and ends: nothing is kept back for events, as none come.
    #[must_use]
    pub fn alone(&self) -> Self {
        Self {
            priority: CallPriority::Exclusive,
            ..self.clone()
        }
    }

    /// Calls made in this account and region since it was entered, by all clones, repeated attempts included.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.shared.calls.load(Ordering::Relaxed)
    }

    /// Those of [`Self::calls`] that sweeps made: the difference over one sweep is what it cost.
    #[must_use]
    pub fn sweep_calls(&self) -> u64 {
        self.shared.sweep_calls.load(Ordering::Relaxed)
    }

    /// Makes one call: waits for the API's rate and for one of the scope's places, then sends.
    ///
    /// What fails and may be tried again is tried again by the SDK alone (standard mode: four attempts with back-off
    /// and jitter, under a budget of retries for each client). No caller repeats a call that failed.
    /// <https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html>
    ///
    /// # Errors
    /// The call's failure, with the IAM action to grant where that is the cure.
    pub async fn call<T, E>(
        &self,
        api: Api,
        resource: &str,
        send: impl Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    ) -> Read<T>
    where
        E: ProvideErrorMetadata,
    {
        let shared = &self.shared;
        let took = shared.limits.wait(api.family, self.priority).await;
        // Never closed: to go on without a place is all that could be done.
        let _sweeping = match self.priority {
            CallPriority::Sweep => shared.sweeping.acquire().await.ok(),
            CallPriority::Interactive | CallPriority::Exclusive => None,
        };
        let _permit = shared.permits.acquire().await.ok();
        let context = CallContext {
            shared: Arc::clone(shared),
            family: api.family,
            is_sweep: self.priority != CallPriority::Interactive,
            took,
        };
        // An SDK future is several KiB; many of them inside of one another would fill a worker's stack.
        let result = CONTEXT.scope(context, Box::pin(send)).await;
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
