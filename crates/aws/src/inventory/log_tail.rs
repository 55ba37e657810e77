//! The end of a task's log. What is returned is the application's own text: whoever prints it redacts it.

use super::{Collector, task_definition};
use crate::client::{Api, Family};
use holdfast_core::model::resources::TaskRun;
use holdfast_core::model::snapshot::Read;

const GET_LOG_EVENTS: Api = Api {
    service: "logs",
    operation: "GetLogEvents",
    family: Family::Logs,
};
/// Lines that are shown.
const LINES: i32 = 20;
/// Most characters kept of one line: an event may have 256 KiB.
const LONGEST: usize = 2_000;

/// The end of one container's log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogTail {
    /// The log group and stream; absent where the container does not log to CloudWatch.
    pub stream: Option<String>,
    /// The last lines, oldest first.
    pub lines: Vec<String>,
}

impl Collector<'_> {
    /// The last lines of the log of `container` in `run`. The stream of the `awslogs` driver is named
    /// `prefix/container/task-id`: <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/using_awslogs.html>
    ///
    /// # Errors
    /// What kept the revision or the log from being read.
    pub async fn log_tail(&self, run: &TaskRun, container: &str) -> Read<LogTail> {
        let definition = task_definition::read(self, &run.task_definition).await?;
        let target = definition
            .containers
            .iter()
            .find(|c| c.name == container)
            .and_then(|c| c.log.as_ref());
        // Without a prefix the stream has the name of Docker's container, which ECS does not tell.
        let Some((target, prefix)) = target.and_then(|t| Some((t, t.stream_prefix.as_deref()?))) else {
            return Ok(LogTail::default());
        };
        let task = run.arn.rsplit('/').next().unwrap_or(&run.arn);
        let stream = format!("{prefix}/{container}/{task}");
        let region = target.region.clone().unwrap_or_else(|| self.aws.scope.region.clone());
        let there =
            aws_sdk_cloudwatchlogs::config::Builder::new().region(aws_sdk_cloudwatchlogs::config::Region::new(region));
        let request = self
            .aws
            .logs
            .get_log_events()
            .log_group_name(&target.group)
            .log_stream_name(&stream)
            .limit(LINES)
            .start_from_head(false)
            .customize()
            .config_override(there);
        let shown = format!("{}, stream {stream}", target.group);
        let answer = self.aws.call(GET_LOG_EVENTS, &shown, request.send()).await?;
        let events = answer.events.unwrap_or_default();
        // An emulator may send more than was asked for.
        let skip = events.len().saturating_sub(usize::try_from(LINES).unwrap_or_default());
        let lines = events.into_iter().skip(skip).filter_map(|e| e.message);
        Ok(LogTail {
            stream: Some(shown),
            lines: lines
                .flat_map(|m| m.lines().map(|l| l.chars().take(LONGEST).collect()).collect::<Vec<_>>())
                .collect(),
        })
    }
}
