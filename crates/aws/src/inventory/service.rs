//! A service as AWS describes it, reduced to what rules need.

use std::collections::BTreeMap;

use aws_sdk_ecs::types::{
    AssignPublicIp, Deployment as SdkDeployment, DeploymentConfiguration, DeploymentControllerType,
    DeploymentLifecycleHook, DeploymentLifecycleHookTargetType, DeploymentStrategy, LaunchType, ResourceManagementType,
    Service as SdkService, ServiceEvent,
};
use holdfast_core::model::resources::{Deployment, DeploymentSettings, LifecycleHook, Service, Strategy};
use holdfast_core::model::tags::Tags;
use jiff::Timestamp;

use super::convert::{collect_exact, instant, tags};

/// What ECS writes into a service's events once all its tasks run.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-event-messages-list.html>
const STEADY: &str = "has reached a steady state.";
/// A step of `LINEAR`, and the wait between two; the wait of `CANARY`; how long a hook may take, where nothing is set.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_LinearConfiguration.html>
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CanaryConfiguration.html>
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeploymentLifecycleHookTimeoutConfiguration.html>
const STEP_PERCENT: f64 = 10.0;
const STEP_MINUTES: i32 = 6;
const CANARY_MINUTES: i32 = 10;
const HOOK_MINUTES: i32 = 24 * 60;

/// A service whose controller is not ECS, as its primary task set runs it: that one serves production traffic and says
/// which revision runs, and where. The service itself may say neither.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_TaskSet.html>
fn as_its_task_set_runs(mut s: SdkService) -> SdkService {
    let sets = s.task_sets.take().unwrap_or_default();
    if let Some(set) = sets.into_iter().find(|t| t.status.as_deref() == Some("PRIMARY")) {
        s.task_definition = set.task_definition.or(s.task_definition);
        s.network_configuration = set.network_configuration.or(s.network_configuration);
        s.load_balancers = set.load_balancers.filter(|l| !l.is_empty()).or(s.load_balancers);
        if set.launch_type.is_some() || set.capacity_provider_strategy.is_some() {
            s.launch_type = set.launch_type;
            s.capacity_provider_strategy = set.capacity_provider_strategy;
        }
    }
    s
}

/// `None` for a service that runs nothing yet: with an external controller it has no revision before its first task set.
pub(super) fn reduce(s: SdkService) -> Option<Service> {
    let s = as_its_task_set_runs(s);
    let mut deployments: Vec<Deployment> = collect_exact(s.deployments.unwrap_or_default().into_iter().map(deployment));
    deployments.sort_by_key(|d| d.status != "PRIMARY");
    // The service names the revision of its primary deployment.
    let running = s.task_definition.or_else(|| {
        deployments
            .first()
            .filter(|d| !d.task_definition.is_empty())
            .map(|d| d.task_definition.clone())
    })?;
    let strategy = s.capacity_provider_strategy.unwrap_or_default();
    let fargate = s.launch_type == Some(LaunchType::Fargate)
        || strategy.iter().any(|p| p.capacity_provider.starts_with("FARGATE"));
    let network = s.network_configuration.and_then(|n| n.awsvpc_configuration);
    let rollout = s.deployment_configuration;
    let breaker = rollout.as_ref().and_then(|d| d.deployment_circuit_breaker.as_ref());
    let load_balancers = s.load_balancers.unwrap_or_default();
    Some(Service {
        deployment_settings: settings(rollout.as_ref(), s.resource_management_type.as_ref()),
        service_deployment: s.current_service_deployment.filter(|arn| !arn.is_empty()),
        steady_at: s.events.as_deref().and_then(steady_at),
        cluster: s
            .cluster_arn
            .as_deref()
            .and_then(|a| a.rsplit('/').next())
            .unwrap_or("default")
            .to_owned(),
        arn: s.service_arn?,
        name: s.service_name?,
        status: s.status.unwrap_or_default(),
        task_definition: running,
        fargate,
        deployments,
        other_tasks: BTreeMap::new(),
        unread_tasks: None,
        progress: None,
        unread_progress: None,
        unknown_fields: vec![],
        desired_count: s.desired_count,
        running_count: s.running_count,
        load_balanced: !load_balancers.is_empty(),
        classic_balancer: load_balancers.iter().any(|l| l.load_balancer_name.is_some()),
        assign_public_ip: network
            .as_ref()
            .is_some_and(|n| n.assign_public_ip == Some(AssignPublicIp::Enabled)),
        circuit_breaker: breaker.is_some_and(|b| b.enable),
        circuit_breaker_rollback: breaker.is_some_and(|b| b.rollback),
        alarm_rollback: rollout
            .as_ref()
            .and_then(|d| d.alarms.as_ref())
            .is_some_and(|a| a.enable && a.rollback),
        exec_enabled: s.enable_execute_command,
        subnets: network.as_ref().map(|n| n.subnets.clone()).unwrap_or_default(),
        security_groups: network.and_then(|n| n.security_groups).unwrap_or_default(),
        balanced_container: load_balancers.into_iter().find_map(|l| l.container_name),
        deployment_controller: s
            .deployment_controller
            .map_or(DeploymentControllerType::Ecs, |d| d.r#type)
            .as_str()
            .to_owned(),
        tags: ecs_tags(s.tags.as_deref()),
    })
}

/// The newest event that calls the service steady.
fn steady_at(events: &[ServiceEvent]) -> Option<Timestamp> {
    let steady = events
        .iter()
        .filter(|e| e.message().is_some_and(|m| m.ends_with(STEADY)));
    steady.filter_map(|e| e.created_at().and_then(instant)).max()
}

fn settings(d: Option<&DeploymentConfiguration>, managed_by: Option<&ResourceManagementType>) -> DeploymentSettings {
    let express = managed_by == Some(&ResourceManagementType::Ecs);
    let Some(d) = d else {
        return DeploymentSettings {
            express,
            ..DeploymentSettings::default()
        };
    };
    let (strategy, shifts, shift_minutes) = match d.strategy() {
        None | Some(DeploymentStrategy::Rolling) => (Strategy::Rolling, 0, 0),
        Some(DeploymentStrategy::BlueGreen) => (Strategy::BlueGreen, 1, 0),
        Some(DeploymentStrategy::Linear) => {
            let linear = d.linear_configuration();
            let percent = linear.and_then(|l| l.step_percent).unwrap_or(STEP_PERCENT);
            let minutes = linear.and_then(|l| l.step_bake_time_in_minutes);
            (Strategy::Linear, steps(percent), minutes.unwrap_or(STEP_MINUTES))
        }
        Some(DeploymentStrategy::Canary) => {
            let minutes = d.canary_configuration().and_then(|c| c.canary_bake_time_in_minutes);
            (Strategy::Canary, 2, minutes.unwrap_or(CANARY_MINUTES))
        }
        Some(other) => (Strategy::Unknown(other.as_str().to_owned()), 0, 0),
    };
    DeploymentSettings {
        strategy,
        shifts,
        shift_minutes,
        bake_minutes: d.bake_time_in_minutes.unwrap_or_default(),
        hooks: collect_exact(d.lifecycle_hooks().iter().map(hook)),
        early_success: d.early_success_criteria().is_some_and(|c| c.enable),
        express,
    }
}

/// How many steps of that many percent make a hundred. AWS takes from 3 to 100.
fn steps(percent: f64) -> i32 {
    let steps = (100.0 / percent.clamp(1.0, 100.0)).ceil();
    #[expect(clippy::cast_possible_truncation, reason = "at most 100")]
    let steps = steps as i32;
    steps
}

fn hook(h: &DeploymentLifecycleHook) -> LifecycleHook {
    let timeout = h.timeout_configuration().and_then(|t| t.timeout_in_minutes);
    LifecycleHook {
        pauses: h.target_type() == Some(&DeploymentLifecycleHookTargetType::Pause),
        stages: collect_exact(h.lifecycle_stages().iter().map(|s| s.as_str().to_owned())),
        timeout_minutes: timeout.unwrap_or(HOOK_MINUTES),
    }
}

fn ecs_tags(list: Option<&[aws_sdk_ecs::types::Tag]>) -> Tags {
    tags(list.unwrap_or_default().iter().map(|t| (t.key(), t.value())))
}

fn deployment(d: SdkDeployment) -> Deployment {
    Deployment {
        id: d.id.unwrap_or_default(),
        status: d.status.unwrap_or_default(),
        task_definition: d.task_definition.unwrap_or_default(),
        rollout_state: d.rollout_state.map(|s| s.as_str().to_owned()),
        rollout_reason: d.rollout_state_reason,
        desired_count: d.desired_count,
        running_count: d.running_count,
        failed_tasks: d.failed_tasks,
        created_at: d.created_at.as_ref().and_then(instant),
        updated_at: d.updated_at.as_ref().and_then(instant),
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_ecs::types::{
        CanaryConfiguration, DeploymentLifecycleHookStage, DeploymentLifecycleHookTimeoutConfiguration,
        LinearConfiguration,
    };
    use aws_smithy_types::DateTime;

    use super::*;

    fn of(d: &DeploymentConfiguration) -> (Strategy, i32, i32, i32) {
        let s = settings(Some(d), None);
        (s.strategy, s.bake_minutes, s.shifts, s.shift_minutes)
    }

    #[test]
    fn how_each_strategy_goes() {
        let with = |strategy: DeploymentStrategy| DeploymentConfiguration::builder().strategy(strategy);
        assert_eq!(
            of(&DeploymentConfiguration::builder().build()),
            (Strategy::Rolling, 0, 0, 0)
        );
        let blue_green = with(DeploymentStrategy::BlueGreen).bake_time_in_minutes(15).build();
        assert_eq!(of(&blue_green), (Strategy::BlueGreen, 15, 1, 0));
        let linear = LinearConfiguration::builder()
            .step_percent(30.0)
            .step_bake_time_in_minutes(3)
            .build();
        let linear = with(DeploymentStrategy::Linear).linear_configuration(linear).build();
        assert_eq!(of(&linear), (Strategy::Linear, 0, 4, 3));
        assert_eq!(
            of(&with(DeploymentStrategy::Linear).build()),
            (Strategy::Linear, 0, 10, 6)
        );
        let canary = CanaryConfiguration::builder()
            .canary_percent(10.0)
            .canary_bake_time_in_minutes(7)
            .build();
        let canary = with(DeploymentStrategy::Canary).canary_configuration(canary).build();
        assert_eq!(of(&canary), (Strategy::Canary, 0, 2, 7));
        assert_eq!(
            of(&with(DeploymentStrategy::Canary).build()),
            (Strategy::Canary, 0, 2, 10)
        );
        let new = with(DeploymentStrategy::from("RAINBOW")).build();
        assert_eq!(of(&new).0, Strategy::Unknown("RAINBOW".into()));
        let express = settings(None, Some(&ResourceManagementType::Ecs));
        assert!(express.express && !settings(None, Some(&ResourceManagementType::Customer)).express);
    }

    #[test]
    fn hooks_with_their_timeouts() {
        let timeout = DeploymentLifecycleHookTimeoutConfiguration::builder()
            .timeout_in_minutes(10)
            .build();
        let pause = DeploymentLifecycleHook::builder()
            .target_type(DeploymentLifecycleHookTargetType::Pause)
            .lifecycle_stages(DeploymentLifecycleHookStage::PostTestTrafficShift)
            .timeout_configuration(timeout)
            .build();
        let function = DeploymentLifecycleHook::builder()
            .lifecycle_stages(DeploymentLifecycleHookStage::PreScaleUp)
            .build();
        let d = DeploymentConfiguration::builder()
            .lifecycle_hooks(pause)
            .lifecycle_hooks(function)
            .build();
        let told: Vec<(bool, String, i32)> = settings(Some(&d), None)
            .hooks
            .into_iter()
            .map(|h| (h.pauses, h.stages.join(" "), h.timeout_minutes))
            .collect();
        let expected = [(true, "POST_TEST_TRAFFIC_SHIFT", 10), (false, "PRE_SCALE_UP", 1440)];
        assert_eq!(told, expected.map(|(p, s, t)| (p, s.to_owned(), t)));
    }

    #[test]
    fn the_last_word_that_it_is_steady() {
        let event = |at, message: &str| {
            let at = DateTime::from_secs(at);
            ServiceEvent::builder().created_at(at).message(message).build()
        };
        let events = [
            event(300, "(service web) has started 1 tasks: (task 0)."),
            event(100, "(service web) has reached a steady state."),
            event(200, "(service web) has reached a steady state."),
        ];
        assert_eq!(steady_at(&events).map(|at| at.as_second()), Some(200));
        assert_eq!(steady_at(&events[..1]), None);
    }
}
