//! From the configuration's targets to clients: roles assumed, accounts checked, regions settled.
//!
//! Credentials of an assumed role are shared by all clients of a target and renewed by the SDK's identity cache before
//! they end: the cache tells providers apart by the [`SharedCredentialsProvider`] that holds them, and a target has one.
//! <https://docs.aws.amazon.com/sdk-for-rust/latest/dg/credproviders.html>

use std::time::Duration;

use aws_config::identity::IdentityCache;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::provider::SharedCredentialsProvider;

use super::aws::Aws;
use super::error::explain;
use super::limits::{Api, Family};
use super::recorder::Recorder;
use holdfast_core::config::{Config, Target};
use holdfast_core::model::key::Scope;

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
}

/// The name of the target that no configuration names.
const CALLER: &str = "the caller's own account";
/// Credentials that the process itself needs beside those of its targets.
const OWN_IDENTITIES: usize = 16;

impl Connector {
    /// Reads the SDK's own chain: environment, profile, container or instance role.
    pub async fn new(config: &Config, endpoint: Option<&str>, region: Option<&str>, recorder: Recorder) -> Self {
        // By default the cache holds 64 identities, and past it drops one at random: with more targets, every other call
        // would assume a role first.
        let identities = config.targets.len() + OWN_IDENTITIES;
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .identity_cache(IdentityCache::lazy().max_partitions(identities).build())
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
        Self {
            base: loader.load().await,
            recorder,
        }
    }

    /// The configuration of the process's own account, for its queue, its bus and its pause parameter.
    #[must_use]
    pub fn own(&self) -> &SdkConfig {
        &self.base
    }

    /// The recorder, for calls made outside of [`Aws`].
    #[must_use]
    pub fn recorder(&self) -> Recorder {
        self.recorder.clone()
    }

    /// Connects to every account and region of the configuration. A target that can't be entered is returned as an
    /// error of its own, with the name that [`Self::connect_one`] takes, and the others go on.
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
                    let name = target.map_or(CALLER, |t| &t.account).to_owned();
                    found.push(Err((name, e)));
                }
            }
        }
        Ok(found)
    }

    /// Tries again to enter one target, by the name under which [`Self::connect`] returned its error: its regions, or
    /// none if the configuration has no such target. STS may have been down, or the role not there yet; call it with a
    /// back-off that grows to some minutes, since each try is two calls to STS after the SDK's own retries.
    ///
    /// # Errors
    /// As before. [`TargetError::WrongAccount`] does not pass without someone correcting the role.
    pub async fn connect_one(&self, config: &Config, name: &str, regions: &[String]) -> Result<Vec<Aws>, TargetError> {
        match config.targets.iter().find(|t| t.account == name) {
            None if config.targets.is_empty() && name == CALLER => self.enter(config, None, regions).await,
            None => Ok(vec![]),
            target => self.enter(config, target, regions).await,
        }
    }

    /// The accounts and regions of one target that could not be entered, as far as the configuration alone tells them.
    #[must_use]
    pub fn scopes_of(&self, config: &Config, name: &str, regions: &[String]) -> Vec<Scope> {
        let Some(target) = config.targets.iter().find(|t| t.account == name) else {
            return vec![];
        };
        let regions = self.regions(Some(target), regions).unwrap_or_default();
        let scope = |region| Scope {
            account: target.account.clone(),
            region,
        };
        regions.into_iter().map(scope).collect()
    }

    fn regions(&self, target: Option<&Target>, asked: &[String]) -> Result<Vec<String>, TargetError> {
        let default = self.base.region().map(ToString::to_string);
        let named = target.map(|t| t.regions.as_slice()).unwrap_or_default();
        // As everywhere in the AWS tools, a flag wins over a file.
        match (asked, named, default) {
            ([], [], None) => Err(TargetError::NoRegion),
            ([], [], Some(region)) => Ok(vec![region]),
            ([], named, _) => Ok(named.to_vec()),
            (asked, _, _) => Ok(asked.to_vec()),
        }
    }

    async fn enter(
        &self,
        config: &Config,
        target: Option<&Target>,
        regions: &[String],
    ) -> Result<Vec<Aws>, TargetError> {
        let regions = self.regions(target, regions)?;
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
                    .credentials_provider(SharedCredentialsProvider::new(provider))
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
                Aws::new(scope, caller.clone(), &sdk, &self.recorder, config)
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
