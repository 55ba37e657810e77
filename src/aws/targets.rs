//! From the configuration's targets to clients: roles assumed, accounts checked, regions settled.

use std::sync::Arc;
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};

use super::{Api, Aws, Family, Limits, Recorder, explain};
use crate::config::{Config, Target};
use crate::model::key::Scope;

/// Why there is nothing to work on.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// No region anywhere.
    #[error("no region is set: pass --region, set AWS_REGION, or name `targets[].regions` in the configuration")]
    NoRegion,
    /// The caller is nobody.
    #[error("the caller's identity can't be read: {0}")]
    NoIdentity(String),
    /// The role leads to another account than the configuration says.
    #[error(
        "target {expected}: the credentials lead to account {found}; correct `targets[].account` or its `role_arn`"
    )]
    WrongAccount {
        /// What the configuration says.
        expected: String,
        /// What STS says.
        found: String,
    },
}

/// The account, and the caller's ARN.
type Identity = (String, Option<String>);

/// What all clients share.
pub struct Connector {
    base: SdkConfig,
    recorder: Recorder,
    permits: Arc<tokio::sync::Semaphore>,
}

impl Connector {
    /// Reads the SDK's own chain: environment, profile, container or instance role.
    pub async fn new(config: &Config, endpoint: Option<&str>, region: Option<&str>, recorder: Recorder) -> Self {
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .retry_config(
                RetryConfig::standard()
                    .with_max_attempts(4)
                    .with_initial_backoff(Duration::from_millis(300)),
            )
            .timeout_config(
                TimeoutConfig::builder()
                    .connect_timeout(Duration::from_secs(5))
                    .operation_attempt_timeout(Duration::from_secs(20))
                    .operation_timeout(Duration::from_mins(1))
                    .build(),
            );
        if let Some(url) = endpoint {
            loader = loader.endpoint_url(url);
        }
        if let Some(region) = region {
            loader = loader.region(Region::new(region.to_owned()));
        }
        let permits = Arc::new(tokio::sync::Semaphore::new(config.limits.concurrency.max(1)));
        Self {
            base: loader.load().await,
            recorder,
            permits,
        }
    }

    /// The configuration of the process's own account, for its queue, its bus and its pause parameter.
    #[must_use]
    pub fn own(&self) -> &SdkConfig {
        &self.base
    }

    /// Tells the recorder of calls made outside of [`Aws`].
    #[must_use]
    pub fn recorder(&self) -> Recorder {
        self.recorder.clone()
    }

    /// Connects to every account and region of the configuration. A target that can't be entered is returned as an
    /// error of its own, and the others go on.
    ///
    /// # Errors
    /// [`TargetError::NoRegion`] if there is no target at all.
    pub async fn connect(
        &self,
        config: &Config,
        regions: &[String],
    ) -> Result<Vec<Result<Aws, (String, TargetError)>>, TargetError> {
        let targets: Vec<Option<&Target>> = if config.targets.is_empty() {
            vec![None]
        } else {
            config.targets.iter().map(Some).collect()
        };
        let entered = futures::future::join_all(targets.iter().map(|t| self.enter(config, *t, regions))).await;
        let mut found = vec![];
        for (target, result) in targets.iter().zip(entered) {
            match result {
                Ok(clients) => found.extend(clients.into_iter().map(Ok)),
                Err(TargetError::NoRegion) => return Err(TargetError::NoRegion),
                Err(e) => {
                    let name = target.map_or_else(|| "the caller's own account".into(), |t| t.account.clone());
                    found.push(Err((name, e)));
                }
            }
        }
        Ok(found)
    }

    async fn enter(
        &self,
        config: &Config,
        target: Option<&Target>,
        regions: &[String],
    ) -> Result<Vec<Aws>, TargetError> {
        let default = self.base.region().map(ToString::to_string);
        let named = target.map(|t| t.regions.as_slice()).unwrap_or_default();
        // As everywhere in the AWS tools, a flag wins over a file.
        let regions: Vec<String> = match (regions, named, default) {
            ([], [], None) => return Err(TargetError::NoRegion),
            ([], [], Some(region)) => vec![region],
            ([], named, _) => named.to_vec(),
            (asked, _, _) => asked.to_vec(),
        };
        let Some(first) = regions.first() else {
            return Ok(vec![]);
        };
        let base = self
            .base
            .clone()
            .into_builder()
            .region(Region::new(first.clone()))
            .build();
        let base = match target.and_then(|t| t.role_arn.as_ref()) {
            None => base,
            Some(role) => {
                let mut provider = aws_config::sts::AssumeRoleProvider::builder(role)
                    .session_name("holdfast")
                    .region(Region::new(first.clone()))
                    .configure(&base);
                if let Some(id) = target.and_then(|t| t.external_id.as_ref()) {
                    provider = provider.external_id(id);
                }
                let provider = provider.build().await;
                base.into_builder()
                    .credentials_provider(aws_credential_types::provider::SharedCredentialsProvider::new(provider))
                    .build()
            }
        };
        let (account, caller) = self.identity(&base, first, target.map(|t| t.account.as_str())).await?;
        if let Some(expected) = target.map(|t| &t.account).filter(|a| **a != account) {
            return Err(TargetError::WrongAccount {
                expected: expected.clone(),
                found: account,
            });
        }
        Ok(regions
            .into_iter()
            .map(|region| {
                let sdk = base.clone().into_builder().region(Region::new(region.clone())).build();
                let scope = Scope {
                    account: account.clone(),
                    region,
                };
                Aws::new(
                    scope,
                    caller.clone(),
                    &sdk,
                    &self.recorder,
                    Arc::new(Limits::new(config)),
                    Arc::clone(&self.permits),
                )
            })
            .collect())
    }

    async fn identity(&self, sdk: &SdkConfig, region: &str, expected: Option<&str>) -> Result<Identity, TargetError> {
        let conf = aws_sdk_sts::config::Builder::from(sdk)
            .interceptor(self.recorder.clone())
            .build();
        let client = aws_sdk_sts::Client::from_conf(conf);
        let api = Api {
            service: "sts",
            operation: "GetCallerIdentity",
            family: Family::Tagging,
        };
        let scope = Scope {
            account: expected.unwrap_or("(the caller's)").to_owned(),
            region: region.to_owned(),
        };
        let answer = client
            .get_caller_identity()
            .send()
            .await
            .map_err(|e| TargetError::NoIdentity(explain(&scope, api, &scope.account, &e).message))?;
        let account = answer
            .account
            .ok_or_else(|| TargetError::NoIdentity("STS named no account".into()))?;
        Ok((account, answer.arn))
    }
}
