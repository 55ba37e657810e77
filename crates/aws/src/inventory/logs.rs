//! What the logs of services say of their database. A line is looked at where the SDK holds it and never kept: it may
//! hold a secret.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_cloudwatchlogs::config::Region;
use aws_sdk_cloudwatchlogs::types::FilteredLogEvent;
use futures::stream::{self, StreamExt};
use jiff::Timestamp;

use super::{Collector, Reuse};
use crate::client::{Api, Family};
use holdfast_core::model::read_error::is_absent;
use holdfast_core::model::resources::{LogEvidence, LogMatch, LogTarget, Service, TaskDefinition};
use holdfast_core::model::snapshot::{Read, ReadError, Snapshot};

const FILTER: Api = Api {
    service: "logs",
    operation: "FilterLogEvents",
    family: Family::Logs,
};

/// Most pages of a log that are asked for. A page may be empty and yet not the last: AWS searches so much at a time.
/// <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html>
const PAGES: usize = 10;
/// Most pages of the first hour, which is all that is searched where the whole log is too long.
const FIRST_PAGES: usize = 20;
/// In which a task says what database it uses.
const FIRST: Duration = Duration::from_hours(1);

/// One stream of one container, from the start of the deployment on.
struct Log<'a> {
    target: &'a LogTarget,
    /// What the names of its streams begin with.
    streams: Option<String>,
    since: Timestamp,
}

/// What a search came to.
enum Searched {
    Found(LogMatch),
    Nothing,
    TooLong,
}

/// What the logs of the services in `wanted` say since their primary deployments began.
pub(super) async fn evidence(
    c: &Collector<'_>,
    snapshot: &Snapshot,
    wanted: &BTreeSet<String>,
    now: Timestamp,
    reuse: Reuse,
) -> BTreeMap<String, Read<LogEvidence>> {
    let services: Vec<Service> = snapshot
        .services
        .iter()
        .flat_map(|m| m.values())
        .filter(|s| wanted.contains(&s.arn))
        .cloned()
        .collect();
    let read = stream::iter(services)
        .map(|service| async move {
            let Some(Ok(definition)) = snapshot.task_definitions.get(&service.task_definition) else {
                return None;
            };
            let seen = of_service(c, &service, definition, now, reuse).await?;
            Some((service.arn, seen))
        })
        .buffer_unordered(c.limit())
        .collect::<Vec<_>>()
        .await;
    read.into_iter().flatten().collect()
}

/// `None` where it is not known when the deployment began: what is older than it says nothing of it.
async fn of_service(
    c: &Collector<'_>,
    service: &Service,
    definition: &Arc<TaskDefinition>,
    now: Timestamp,
    reuse: Reuse,
) -> Option<Read<LogEvidence>> {
    let deployment = service.deployments.first()?;
    let since = deployment.created_at?;
    if let (Reuse::Allowed, Some(known)) = (reuse, c.memory.logs.get(&deployment.id, now)) {
        return Some(Ok(known));
    }
    let workload = service.tags.workload(&c.config.tag_prefix)?;
    let params = c.config.params(workload);
    let connected = params.database_log_pattern.as_deref();
    let read = read(c, definition, since, &params.builtin_database_patterns, connected).await;
    if let Ok(evidence) = &read
        && is_conclusive(evidence, connected.is_some(), since, now)
    {
        c.memory.logs.put(deployment.id.clone(), evidence.clone(), now);
    }
    Some(read)
}

/// Whether a later look would tell the same: what is found stays found, and what a task does not say in its first hour
/// it will hardly say.
fn is_conclusive(evidence: &LogEvidence, connected: bool, since: Timestamp, now: Timestamp) -> bool {
    evidence.builtin.is_some() || evidence.connected.is_some() || (!connected && since + FIRST <= now)
}

async fn read(
    c: &Collector<'_>,
    definition: &TaskDefinition,
    since: Timestamp,
    builtin: &[String],
    connected: Option<&str>,
) -> Read<LogEvidence> {
    let mut evidence = LogEvidence {
        since: Some(since),
        ..LogEvidence::default()
    };
    for container in &definition.containers {
        let Some(target) = &container.log else { continue };
        let streams = target
            .stream_prefix
            .as_ref()
            .map(|p| format!("{p}/{}/", container.name));
        let log = Log { target, streams, since };
        match search_container(c, &log, builtin, connected, &mut evidence).await {
            Ok(()) if !evidence.groups.contains(&target.group) => evidence.groups.push(target.group.clone()),
            // A group that is not there holds no line.
            Err(e) if !is_absent(&e) => return Err(e),
            Ok(()) | Err(_) => {}
        }
        if evidence.builtin.is_some() {
            break;
        }
    }
    Ok(evidence)
}

async fn search_container(
    c: &Collector<'_>,
    log: &Log<'_>,
    builtin: &[String],
    connected: Option<&str>,
    evidence: &mut LogEvidence,
) -> Read<()> {
    for pattern in builtin {
        evidence.builtin = match search(c, log, pattern, None).await? {
            Searched::Found(found) => Some(found),
            Searched::Nothing => None,
            Searched::TooLong => match search(c, log, pattern, Some(log.since + FIRST)).await? {
                Searched::Found(found) => Some(found),
                Searched::Nothing => None,
                Searched::TooLong => return Err(too_long(c, log, pattern)),
            },
        };
        // A connection made later would not excuse it.
        if evidence.builtin.is_some() {
            return Ok(());
        }
    }
    if let (Some(pattern), None) = (connected, &evidence.connected) {
        evidence.connected = match search(c, log, pattern, None).await? {
            Searched::Found(found) => Some(found),
            Searched::Nothing => None,
            Searched::TooLong => return Err(too_long(c, log, pattern)),
        };
    }
    Ok(())
}

fn too_long(c: &Collector<'_>, log: &Log<'_>, pattern: &str) -> Arc<ReadError> {
    let group = &log.target.group;
    let message = format!(
        "the log {group} is too long to be searched for {pattern:?} since {}; deploy again, or set \
         `builtin_database_patterns: []` and no `database_log_pattern` for the workload",
        log.since
    );
    c.aws.error(FILTER, group, "LogTooLong", message)
}

/// The first line that holds `pattern`, up to `until`.
async fn search(c: &Collector<'_>, log: &Log<'_>, pattern: &str, until: Option<Timestamp>) -> Read<Searched> {
    let mut token: Option<String> = None;
    let pages = if until.is_some() { FIRST_PAGES } else { PAGES };
    for _ in 0..pages {
        // `awslogs-region` may name another region than the one that the task runs in.
        let region = log.target.region.as_ref().unwrap_or(&c.aws.scope.region);
        let place = aws_sdk_cloudwatchlogs::config::Builder::new().region(Some(Region::new(region.clone())));
        let request = c
            .aws
            .logs
            .filter_log_events()
            .log_group_name(&log.target.group)
            .set_log_stream_name_prefix(log.streams.clone())
            .start_time(log.since.as_millisecond())
            .set_end_time(until.map(Timestamp::as_millisecond))
            .filter_pattern(quoted(pattern))
            .set_next_token(token.clone())
            .customize()
            .config_override(place);
        c.progress.more(1);
        let answer = c.aws.call(FILTER, &log.target.group, request.send()).await;
        c.progress.done(1);
        let answer = answer?;
        if let Some(found) = answer.events().iter().find_map(|e| matching(log, pattern, e)) {
            return Ok(Searched::Found(found));
        }
        let next = answer.next_token.filter(|t| !t.is_empty());
        if next.is_none() || next == token {
            return Ok(Searched::Nothing);
        }
        token = next;
    }
    Ok(Searched::TooLong)
}

/// Looks again at what AWS found: an emulator may ignore the pattern, its case, or the prefix of the streams.
fn matching(log: &Log<'_>, pattern: &str, event: &FilteredLogEvent) -> Option<LogMatch> {
    let stream = event.log_stream_name().unwrap_or_default();
    let at = Timestamp::from_millisecond(event.timestamp()?).ok()?;
    let ours = log.streams.as_deref().is_none_or(|prefix| stream.starts_with(prefix));
    // ECS tells the start to the microsecond, logs to the millisecond.
    let since = at.as_millisecond() >= log.since.as_millisecond();
    (ours && since && event.message()?.contains(pattern)).then(|| LogMatch {
        pattern: pattern.to_owned(),
        at,
        stream: format!("{} {stream}", log.target.group),
    })
}

/// A filter pattern that matches exactly this text.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html>
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(stream: &str, millisecond: i64, message: &str) -> FilteredLogEvent {
        FilteredLogEvent::builder()
            .log_stream_name(stream)
            .timestamp(millisecond)
            .message(message)
            .build()
    }

    #[test]
    fn what_aws_found_is_looked_at_again() {
        let target = LogTarget {
            group: "/ecs/shop".into(),
            region: None,
            stream_prefix: Some("ecs".into()),
        };
        let log = Log {
            target: &target,
            streams: Some("ecs/web/".into()),
            since: Timestamp::from_millisecond(1_000).expect("an instant"),
        };
        let line = "Using built-in PostgreSQL (/home/x)";
        let found = |stream, at, message| matching(&log, "Using built-in PostgreSQL", &event(stream, at, message));
        let told = found("ecs/web/1", 1_000, line).expect("found");
        assert_eq!(told.stream, "/ecs/shop ecs/web/1");
        assert!(!format!("{told:?}").contains("/home/x"), "the line itself is not kept");
        assert!(found("ecs/web/1", 999, line).is_none(), "before the deployment");
        assert!(found("ecs/other/1", 1_000, line).is_none(), "another container's");
        assert!(
            found("ecs/web/1", 1_000, "using built-in postgresql").is_none(),
            "another case"
        );
    }

    #[test]
    fn patterns_are_exact_phrases() {
        assert_eq!(quoted("sqlite://"), "\"sqlite://\"");
        assert_eq!(quoted("a \"b\" \\c"), "\"a \\\"b\\\" \\\\c\"");
    }

    #[test]
    fn what_is_kept() {
        let since = Timestamp::UNIX_EPOCH;
        let (soon, late) = (since + Duration::from_mins(59), since + FIRST);
        let found = || LogMatch {
            pattern: "p".into(),
            at: since,
            stream: "s".into(),
        };
        let evidence = |builtin: bool, connected: bool| LogEvidence {
            builtin: builtin.then(found),
            connected: connected.then(found),
            ..LogEvidence::default()
        };
        assert!(is_conclusive(&evidence(true, false), true, since, soon));
        assert!(is_conclusive(&evidence(false, true), true, since, soon));
        assert!(!is_conclusive(&evidence(false, false), false, since, soon));
        assert!(is_conclusive(&evidence(false, false), false, since, late));
        // A connection that is waited for may yet come.
        assert!(!is_conclusive(&evidence(false, false), true, since, late));
    }
}
