//! What `migration-missing` says, and of what it says nothing.

use crate::rules::testing::migrations::migrates;
use crate::rules::testing::workload::{denied, strict};
use crate::rules::testing::{Case, Cases};

#[rustfmt::skip]
pub(in crate::rules) const CASES: Cases = Cases {
    failing: &[
        Case::new("no family", strict).and_fail(&["ecs-builtin-database"]),
    ],
    passing: &[
        Case::new("a family, as required", |s| { migrates(s); strict(s); }).and_fail(&["ecs-builtin-database"]),
        Case::new("no family, and none required", |_| {}),
    ],
    unknown: &[
        Case::new("families, where one is required", |s| { strict(s); s.migrations = Err(denied("GetResources")); }).and_fail(&["ecs-builtin-database"]).and_unknown(&["migration-drift", "migration-failed"]),
    ],
    unread: &[],
};
