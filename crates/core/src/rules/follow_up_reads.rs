//! Collects the follow-up reads that the rules ask for.

use jiff::Timestamp;

use super::REGISTRY;
use super::rule::{FollowUp, Rule};
use super::settings::{is_enabled, is_enabled_id};
use crate::config::Config;
use crate::facts::Workloads;
use crate::model::follow_up_reads::FollowUpReads;
use crate::model::snapshot::Snapshot;

/// What must be read after the first reads that made `snapshot`.
#[must_use]
pub fn follow_up_reads(snapshot: &Snapshot, config: &Config, now: Timestamp) -> FollowUpReads {
    let is_asked = |rule: &&&dyn Rule| match rule.meta().follow_up {
        FollowUp::Enabled => is_enabled(rule.meta(), config),
        FollowUp::With(other) => is_enabled_id(other, config),
        FollowUp::Always => true,
    };
    let asked: Vec<&&dyn Rule> = REGISTRY.iter().filter(is_asked).collect();
    let mut reads = FollowUpReads::default();
    for workload in Workloads::new(snapshot, config, now, None).all() {
        for rule in &asked {
            rule.follow_up_reads(&workload, &mut reads);
        }
    }
    reads
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::model::connection::SecretShape;
    use crate::model::resources::AccessTarget;
    use crate::rules::testing::Change;
    use crate::rules::testing::secrets::{OTHER, PARAMETER_ARN, good, other, parameter, plain_url};
    use crate::rules::testing::workload::{LOG_STREAM, ROLE, SECRET, clean, lose_secret, now, refer};

    fn set<T: Ord + From<&'static str>>(resources: &[&'static str]) -> BTreeSet<T> {
        resources.iter().map(|r| T::from(r)).collect()
    }

    /// What a look at the first reads asks for: the policies of all secrets that count, and for each role what it reads, or
    /// would after a rollout.
    #[test]
    fn what_else_is_read() {
        let wanted = |change: Change| {
            let mut s = clean();
            change(&mut s);
            follow_up_reads(&s, &Config::default(), now())
        };
        let pair = |resources: &[&'static str]| {
            let log = AccessTarget::LogStream(LOG_STREAM.into());
            let mut all: BTreeSet<AccessTarget> = set(resources);
            all.insert(log);
            BTreeMap::from([(ROLE.to_owned(), all)])
        };
        let all = wanted(|s| {
            other(s);
        });
        assert_eq!(all.policies, set(&[SECRET, OTHER]));
        assert_eq!(all.access, pair(&[SECRET]));
        assert_eq!(
            wanted(|s| parameter(s, Some(SecretShape::Plain(good())))).access,
            pair(&[PARAMETER_ARN])
        );
        for change in [
            lose_secret as Change,
            |s| plain_url(s, good()),
            |s| refer(s, "shop-url", None),
            |s| refer(s, SECRET.strip_suffix("-AbC123").expect("a suffix"), None),
        ] {
            assert_eq!(wanted(change).access, pair(&[SECRET]));
        }
        let mut config = Config::default();
        for rule in ["secret-broad-access", "ecs-secret-unreadable"] {
            config.rules.entry(rule.to_owned()).or_default().enabled = Some(false);
        }
        let none = follow_up_reads(&clean(), &config, now());
        assert!(none.policies.is_empty() && none.access.is_empty());
    }
}
