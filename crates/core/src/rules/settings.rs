//! Whether the configuration enables a rule, and whether it allows its corrections.

use super::find;
use super::rule::Meta;
use crate::config::Config;

/// Whether a rule is evaluated: as `rules.<id>.enabled` says, else as the rule itself.
#[must_use]
pub fn is_enabled(meta: &Meta, config: &Config) -> bool {
    config
        .rules
        .get(meta.id)
        .and_then(|r| r.enabled)
        .unwrap_or(meta.enabled)
}

/// Whether the rule with this id is evaluated; false if there is none.
#[must_use]
pub fn is_enabled_id(id: &str, config: &Config) -> bool {
    find(id).is_some_and(|rule| is_enabled(rule.meta(), config))
}

/// Whether the corrections of a rule may be carried out, its mode apart: as `rules.<id>.correct` says, else as the rule
/// itself.
#[must_use]
pub fn may_correct(meta: &Meta, config: &Config) -> bool {
    config
        .rules
        .get(meta.id)
        .and_then(|r| r.correct)
        .unwrap_or(meta.corrects)
}
