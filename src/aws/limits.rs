//! Token buckets, one for each account, region and family of calls that AWS counts together.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use governor::clock::QuantaClock;
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};

use crate::config::{ApiService, Config};

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
}

/// Burst and sustained calls a second.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Rate {
    burst: u32,
    per_second: f64,
}

type Bucket = RateLimiter<NotKeyed, InMemoryState, QuantaClock, NoOpMiddleware<quanta_instant::Instant>>;

mod quanta_instant {
    /// The instant that governor's quanta clock counts in.
    pub type Instant = <governor::clock::QuantaClock as governor::clock::Clock>::Instant;
}

/// The buckets of one account and region.
pub struct Limits(BTreeMap<Family, Bucket>);

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
];

/// Calls that left in step may arrive bunched: a little is held back of what AWS allows.
const MARGIN: f64 = 0.97;

impl Limits {
    /// The documented rates, or what the configuration says in their place.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        let bucket = |&(family, service, read, documented): &(Family, ApiService, bool, Rate)| {
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
            (family, RateLimiter::direct(quota(rate)))
        };
        Self(FAMILIES.iter().map(bucket).collect())
    }

    /// Waits until `family` may make one more call.
    pub async fn wait(&self, family: Family) {
        if let Some(bucket) = self.0.get(&family) {
            bucket.until_ready().await;
        }
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // both ends are checked
fn ceil(per_second: f64) -> u32 {
    per_second.ceil().clamp(1.0, f64::from(u32::MAX)) as u32
}

fn quota(rate: Rate) -> Quota {
    let burst = NonZeroU32::new(rate.burst).unwrap_or(NonZeroU32::MIN);
    let period = std::time::Duration::from_secs_f64(1.0 / rate.per_second.clamp(0.001, 1e9));
    // A period of nothing is no limit at all.
    Quota::with_period(period)
        .unwrap_or_else(|| Quota::per_second(NonZeroU32::MAX))
        .allow_burst(burst)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn default_rates_stay_under_the_documented_ones() {
        let limits = Limits::new(&Config::default());
        for (family, _, _, documented) in FAMILIES {
            let allowed = (0..=documented.burst)
                .take_while(|_| limits.0[family].check().is_ok())
                .count();
            assert!(
                allowed >= 1 && allowed <= documented.burst as usize,
                "{family:?} let {allowed} through at once"
            );
        }
    }
}
