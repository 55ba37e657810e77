//! What `ecs-builtin-database` says, and of what it says nothing.

use crate::rules::testing::services::{line, log};
use crate::rules::testing::workload::{SERVICE, denied, now, service, strict, web};
use crate::rules::testing::{Case, Cases, Unread};

#[rustfmt::skip]
pub(in crate::rules) const CASES: Cases = Cases {
    failing: &[
        Case::new("a built-in database", |s| log(s).builtin = Some(line("Using built-in PostgreSQL"))),
        Case::new("a connection after it", |s| { log(s).builtin = Some(line("sqlite://")); log(s).connected = Some(line("connected")); }),
        Case::new("no connection", strict).and_fail(&["migration-missing"]),
        Case::new("no log group", |s| { strict(s); log(s).groups.clear(); }).and_fail(&["migration-missing"]),
    ],
    passing: &[
        Case::new("logs elsewhere", |s| { web(s).log = None; s.logs.clear(); }),
        Case::new("a connection", |s| { strict(s); log(s).connected = Some(line("connected")); }).and_fail(&["migration-missing"]),
        Case::new("a connection that may yet come", |s| { strict(s); log(s).since = Some(now() - jiff::SignedDuration::from_mins(10)); }).and_fail(&["migration-missing"]),
        Case::new("nothing runs to connect", |s| { strict(s); service(s).running_count = 0; }).and_fail(&["migration-missing"]),
    ],
    unknown: &[
        Case::new("the log", |s| { s.logs.insert(SERVICE.into(), Err(denied("FilterLogEvents"))); }),
        Case::new("a log that was not read", |s| s.logs.clear()),
        Case::new("no log to tell of a connection", |s| { strict(s); web(s).log = None; }).and_fail(&["migration-missing"]),
    ],
    unread: &[Unread::Services, Unread::OneService, Unread::AnotherService, Unread::Revision],
};
