//! Token buckets, two for each account, region and family of calls that AWS counts together: one for all calls, and a
//! smaller one that sweeps need as well, so that an event always finds tokens.

use std::collections::BTreeMap;

use super::adaptive_throttle::AdaptiveThrottle;
use super::bucket::{Bucket, Rate};
use holdfast_core::config::{ApiService, Config};

/// One API operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Api {
    /// IAM prefix: `rds`, `ec2`, `ecs`, `secretsmanager`, `tag`, `sts`.
    pub service: &'static str,
    /// For instance `DescribeDBInstances`.
    pub operation: &'static str,
    /// Whose tokens it takes.
    pub family: Family,
}

/// Calls that share a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// `DescribeTaskDefinition` and `ListClusters`.
    /// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/request-throttling.html>
    EcsDefinitions,
    /// `DescribeServices` and `ListServices`.
    EcsServices,
    /// `ListTasks` and `DescribeTasks`.
    EcsTasks,
    /// `RegisterTaskDefinition`.
    EcsRegister,
    /// `UpdateService`.
    EcsUpdate,
    /// Describe calls of EC2 that page.
    /// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/throttling.html>
    Ec2Describe,
    /// Authorize and `RevokeSecurityGroupIngress`.
    Ec2Mutate,
    /// Describe calls of RDS. AWS documents no figure: these are ours.
    RdsDescribe,
    /// Modify calls of RDS.
    RdsMutate,
    /// `ListSecrets` and `BatchGetSecretValue`.
    /// <https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html>
    SecretsList,
    /// `DescribeSecret` and `GetSecretValue`.
    SecretsGet,
    /// `GetResources`.
    /// <https://docs.aws.amazon.com/general/latest/gr/arg.html>
    Tagging,
    /// Calls about resource policies of secrets: 50 a second together.
    /// <https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html>
    SecretsPolicy,
    /// `ListServiceDeployments`. AWS documents no figure: this is ours.
    EcsDeployments,
    /// `SimulatePrincipalPolicy`. AWS documents no figure: this is ours.
    Iam,
    /// `FilterLogEvents`.
    /// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html>
    Logs,
    /// `GetParameters`.
    /// <https://docs.aws.amazon.com/general/latest/gr/ssm.html>
    Ssm,
    /// `DescribeAlarms`.
    /// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_limits.html>
    CloudWatch,
    /// `ListSecretVersionIds`.
    /// <https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html>
    SecretsVersions,
    /// `GetKeyPolicy`, `DescribeKey` and `ListGrants`, at the rate of the slowest of them.
    /// <https://docs.aws.amazon.com/kms/latest/developerguide/requests-per-second.html>
    Kms,
}

/// Whose calls may take which tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallPriority {
    /// Events and corrections: all of them.
    Interactive,
    /// Sweeps, where events must find tokens: 80 % of them.
    Sweep,
    /// Sweeps of a command that has nothing else to do: all of them.
    Exclusive,
}

/// The share of rate, burst and concurrency that sweeps may use.
pub(super) const SWEEPS: f64 = 0.8;

struct Gate {
    all: Bucket,
    sweeps: Bucket,
    throttle: AdaptiveThrottle,
}

/// The buckets of one account and region.
pub struct Limits(BTreeMap<Family, Gate>);

const FAMILIES: &[(Family, ApiService, bool, Rate)] = &[
    (
        Family::EcsDefinitions,
        ApiService::Ecs,
        true,
        Rate {
            burst: 50,
            per_second: 20.0,
        },
    ),
    (
        Family::EcsServices,
        ApiService::Ecs,
        true,
        Rate {
            burst: 100,
            per_second: 20.0,
        },
    ),
    (
        Family::EcsTasks,
        ApiService::Ecs,
        true,
        Rate {
            burst: 100,
            per_second: 20.0,
        },
    ),
    (
        Family::EcsRegister,
        ApiService::Ecs,
        false,
        Rate {
            burst: 20,
            per_second: 1.0,
        },
    ),
    (
        Family::EcsUpdate,
        ApiService::Ecs,
        false,
        Rate {
            burst: 50,
            per_second: 5.0,
        },
    ),
    (
        Family::Ec2Describe,
        ApiService::Ec2,
        true,
        Rate {
            burst: 100,
            per_second: 20.0,
        },
    ),
    (
        Family::Ec2Mutate,
        ApiService::Ec2,
        false,
        Rate {
            burst: 50,
            per_second: 5.0,
        },
    ),
    (
        Family::RdsDescribe,
        ApiService::Rds,
        true,
        Rate {
            burst: 50,
            per_second: 20.0,
        },
    ),
    (
        Family::RdsMutate,
        ApiService::Rds,
        false,
        Rate {
            burst: 20,
            per_second: 5.0,
        },
    ),
    (
        Family::SecretsList,
        ApiService::SecretsManager,
        true,
        Rate {
            burst: 50,
            per_second: 50.0,
        },
    ),
    (
        Family::SecretsGet,
        ApiService::SecretsManager,
        true,
        Rate {
            burst: 1000,
            per_second: 1000.0,
        },
    ),
    (
        Family::Tagging,
        ApiService::Tagging,
        true,
        Rate {
            burst: 15,
            per_second: 15.0,
        },
    ),
    (
        Family::SecretsPolicy,
        ApiService::SecretsManager,
        true,
        Rate {
            burst: 50,
            per_second: 50.0,
        },
    ),
    (
        Family::EcsDeployments,
        ApiService::Ecs,
        true,
        Rate {
            burst: 20,
            per_second: 10.0,
        },
    ),
    (
        Family::Iam,
        ApiService::Iam,
        true,
        Rate {
            burst: 10,
            per_second: 5.0,
        },
    ),
    (
        Family::Logs,
        ApiService::Logs,
        true,
        Rate {
            burst: 10,
            per_second: 5.0,
        },
    ),
    (
        Family::Ssm,
        ApiService::Ssm,
        true,
        Rate {
            burst: 40,
            per_second: 40.0,
        },
    ),
    (
        Family::CloudWatch,
        ApiService::CloudWatch,
        true,
        Rate {
            burst: 9,
            per_second: 9.0,
        },
    ),
    (
        Family::SecretsVersions,
        ApiService::SecretsManager,
        true,
        Rate {
            burst: 50,
            per_second: 50.0,
        },
    ),
    (
        Family::Kms,
        ApiService::Kms,
        true,
        Rate {
            burst: 100,
            per_second: 100.0,
        },
    ),
];

/// Calls that left in step may arrive bunched: a little is held back of what AWS allows.
const MARGIN: f64 = 0.97;

impl Limits {
    /// The documented rates, or what the configuration says in their place.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        let gate = |&(family, service, read, documented): &(Family, ApiService, bool, Rate)| {
            let set = config.api_limits(service);
            let (per_second, burst) = if read {
                (set.describe_per_second, set.describe_burst)
            } else {
                (set.mutate_per_second, set.mutate_burst)
            };
            let rate = match (per_second, burst) {
                (None, None) => Rate {
                    burst: documented.burst - documented.burst.div_ceil(25),
                    per_second: documented.per_second * MARGIN,
                },
                (Some(per_second), None) => Rate {
                    burst: ceil(per_second).max(1),
                    per_second,
                },
                (per_second, Some(burst)) => Rate {
                    burst,
                    per_second: per_second.unwrap_or(documented.per_second),
                },
            };
            let gate = Gate {
                all: Bucket::new(rate),
                sweeps: Bucket::new(Rate {
                    burst: share(rate.burst),
                    per_second: rate.per_second * SWEEPS,
                }),
                throttle: AdaptiveThrottle::default(),
            };
            (family, gate)
        };
        Self(FAMILIES.iter().map(gate).collect())
    }

    /// Waits until `family` may make one more call, and returns the tokens that it takes: one, or more while AWS
    /// throttles.
    pub async fn wait(&self, family: Family, priority: CallPriority) -> u32 {
        let Some(gate) = self.0.get(&family) else { return 1 };
        let tokens = gate.throttle.tokens();
        if priority == CallPriority::Sweep {
            gate.sweeps.take(tokens).await;
        }
        gate.all.take(tokens).await;
        tokens
    }

    /// AWS throttled an attempt of a call that took this many tokens.
    pub fn throttled(&self, family: Family, took: u32) {
        if let Some(gate) = self.0.get(&family) {
            gate.throttle.throttled(took);
        }
    }

    /// AWS took an attempt, whatever it answered.
    pub fn taken(&self, family: Family) {
        if let Some(gate) = self.0.get(&family) {
            gate.throttle.taken();
        }
    }
}

/// The sweeps' share of a whole number, at least 1.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // not above the number itself
pub(super) fn share(of: u32) -> u32 {
    ((f64::from(of) * SWEEPS).floor() as u32).max(1)
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // both ends are checked
fn ceil(per_second: f64) -> u32 {
    per_second.ceil().clamp(1.0, f64::from(u32::MAX)) as u32
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::*;

    /// How many tokens a full bucket gives before one must wait.
    async fn at_once(bucket: &Bucket) -> u32 {
        let (mut taken, start) = (0, Instant::now());
        loop {
            bucket.take(1).await;
            if start.elapsed() > Duration::ZERO {
                return taken;
            }
            taken += 1;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn default_rates_stay_under_the_documented_ones() {
        let limits = Limits::new(&Config::default());
        for (family, _, _, documented) in FAMILIES {
            let allowed = at_once(&limits.0[family].all).await;
            assert!(
                allowed >= 1 && allowed <= documented.burst,
                "{family:?} let {allowed} through at once"
            );
            assert_eq!(at_once(&limits.0[family].sweeps).await, share(allowed), "{family:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_sweep_leaves_tokens_to_an_event() {
        let limits = Limits::new(&Config::default());
        let (family, start) = (Family::EcsServices, Instant::now());
        for _ in 0..76 {
            limits.wait(family, CallPriority::Sweep).await;
        }
        assert_eq!(start.elapsed(), Duration::ZERO, "80 % of 96");
        limits.wait(family, CallPriority::Sweep).await;
        let waited = start.elapsed();
        assert!(
            waited > Duration::from_millis(60) && waited < Duration::from_millis(70),
            "{waited:?}: 15.5/s"
        );
        let start = Instant::now();
        for _ in 0..20 {
            limits.wait(family, CallPriority::Interactive).await;
        }
        assert_eq!(start.elapsed(), Duration::ZERO, "the rest");
        limits.wait(family, CallPriority::Interactive).await;
        assert!(start.elapsed() > Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_kept_back_from_a_sweep_that_is_alone() {
        let limits = Limits::new(&Config::default());
        let start = Instant::now();
        for _ in 0..96 {
            limits.wait(Family::EcsServices, CallPriority::Exclusive).await;
        }
        assert_eq!(start.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn throttled_answers_slow_the_family_down_and_others_not() {
        let limits = Limits::new(&Config::default());
        let family = Family::Ec2Describe;
        assert_eq!(limits.wait(family, CallPriority::Interactive).await, 1);
        limits.throttled(family, 1);
        limits.throttled(family, 1);
        assert_eq!(
            limits.wait(family, CallPriority::Interactive).await,
            2,
            "one wave slows it down once"
        );
        assert_eq!(limits.wait(Family::EcsServices, CallPriority::Interactive).await, 1);
        limits.throttled(family, 2);
        assert_eq!(limits.wait(family, CallPriority::Interactive).await, 4);
    }

    #[tokio::test(start_paused = true)]
    async fn it_never_asks_for_more_than_a_bucket_holds() {
        let mut config = Config::default();
        let slow = holdfast_core::config::ApiLimits {
            describe_per_second: Some(1.0),
            ..holdfast_core::config::ApiLimits::default()
        };
        config.limits.api.insert(ApiService::Rds, slow);
        let limits = Limits::new(&config);
        for took in [1, 2, 4, 8, 16] {
            limits.throttled(Family::RdsDescribe, took);
        }
        let start = Instant::now();
        limits.wait(Family::RdsDescribe, CallPriority::Sweep).await;
        limits.wait(Family::RdsDescribe, CallPriority::Interactive).await;
        assert!(start.elapsed() <= Duration::from_secs(2));
    }
}
