//! CloudWatch alarms that name a database. Read by `checklist` alone.

use std::collections::BTreeSet;

use aws_sdk_cloudwatch::types::{AlarmType, Dimension, MetricAlarm};

use super::{Collector, instant, pages};
use crate::client::{Api, Family};
use holdfast_core::model::resources::Alarm;
use holdfast_core::model::snapshot::Read;

const ALARMS: Api = Api {
    service: "cloudwatch",
    operation: "DescribeAlarms",
    family: Family::CloudWatch,
};
/// Most that one page holds.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarms.html>
const PAGE: i32 = 100;
/// The dimensions under which RDS publishes its metrics.
/// <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/dimensions.html>
const DIMENSIONS: [&str; 2] = ["DBInstanceIdentifier", "DBClusterIdentifier"];

/// The alarms of the scope that name a database. CloudWatch can't filter by dimension, and `DescribeAlarmsForMetric`
/// would leave out alarms on computed metrics, so all are listed.
///
/// # Errors
/// What kept them from being read.
pub async fn alarms(c: &Collector<'_>) -> Read<Vec<Alarm>> {
    let found = pages!(
        c,
        ALARMS,
        token => c
            .aws
            .cloudwatch
            .describe_alarms()
            .alarm_types(AlarmType::MetricAlarm)
            .max_records(PAGE)
            .set_next_token(token.clone()),
        metric_alarms,
        next_token
    )?;
    let mut alarms: Vec<Alarm> = found.into_iter().filter_map(alarm).collect();
    alarms.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(alarms)
}

fn alarm(a: MetricAlarm) -> Option<Alarm> {
    let computed = a
        .metrics()
        .iter()
        .filter_map(|m| m.metric_stat()?.metric())
        .flat_map(aws_sdk_cloudwatch::types::Metric::dimensions);
    let databases: BTreeSet<String> = a.dimensions().iter().chain(computed).filter_map(database).collect();
    if databases.is_empty() {
        return None;
    }
    Some(Alarm {
        databases,
        state: a.state_value().map(|s| s.as_str().to_owned()).unwrap_or_default(),
        state_since: a.state_updated_timestamp().and_then(instant),
        tells: a.actions_enabled().unwrap_or(true) && !a.alarm_actions().is_empty(),
        metric: a.metric_name,
        name: a.alarm_name?,
    })
}

fn database(d: &Dimension) -> Option<String> {
    let named = DIMENSIONS.contains(&d.name()?);
    named.then(|| d.value().map(str::to_owned)).flatten()
}
