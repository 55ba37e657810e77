//! What is registered and updated, and what is not, by what AWS says just before.

use std::sync::{Arc, Mutex, PoisonError};

use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use holdfast_core::action::{Action, SecretChange, ServiceSetting, SetUpService};
use holdfast_core::config::Config;
use holdfast_core::model::read_error::NOT_SENT;
use holdfast_core::model::snapshot::Read;
use holdfast_operator::ports::Write;
use serde_json::{Value, json};

use super::write;
use crate::client::testing;
use crate::inventory::{Collector, NoProgress, ReadCache};

const BASE: &str = "arn:aws:ecs:us-east-1:123456789012:task-definition/shop:1";

/// The request's operation and body.
type Sent = Arc<Mutex<Vec<(String, Value)>>>;

/// Makes `call` where AWS describes the definition and the service so, and returns what was sent that changes something.
async fn sent(definition: &Value, service: &Value, call: Write<'_>) -> (Read<Option<String>>, Vec<(String, Value)>) {
    let (config, cache) = (Config::default(), ReadCache::default());
    let (definition, service) = (definition.clone(), service.clone());
    let log = Sent::default();
    let seen = Arc::clone(&log);
    let aws = testing::aws("123456789012", &config, move |request: &HttpRequest| {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
        let answer = match operation.as_str() {
            "DescribeTaskDefinition" => json!({"taskDefinition": definition, "tags": []}),
            "DescribeServices" => json!({"services": [service]}),
            _ => {
                let body = request.body().bytes().unwrap_or_default();
                let body = serde_json::from_slice(body).expect("JSON");
                let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
                seen.push((operation, body));
                json!({"taskDefinition": {"taskDefinitionArn": "arn:new"}})
            }
        };
        (200, answer.to_string())
    });
    let collector = Collector {
        aws: &aws,
        config: &config,
        cache: &cache,
        progress: &NoProgress,
    };
    let result = write(&collector, call).await;
    let sent = log.lock().unwrap_or_else(PoisonError::into_inner).clone();
    (result, sent)
}

fn definition() -> Value {
    json!({
        "taskDefinitionArn": BASE, "family": "shop", "revision": 1, "status": "ACTIVE",
        "registeredAt": 1_760_000_000, "compatibilities": ["EC2", "FARGATE"], "volumes": [],
        "requiresAttributes": [{"name": "com.amazonaws.ecs.capability.docker-remote-api.1.18"}],
        "containerDefinitions": [{
            "name": "web", "image": "example.com/web:1", "cpu": 0, "environment": [{"name": "URL", "value": "hunter2"}],
            "dockerLabels": {"team": "shop"}, "versionConsistency": "enabled",
            "restartPolicy": {"enabled": true, "restartAttemptPeriod": 60}}],
    })
}

fn change() -> Vec<SecretChange> {
    vec![SecretChange {
        container: "web".into(),
        variable: "URL".into(),
        before: None,
        after: "arn:secret".into(),
    }]
}

async fn register(definition: &Value) -> (Read<Option<String>>, Vec<(String, Value)>) {
    let call = Write::Register {
        base: BASE,
        changes: &change(),
        workload: "shop",
        attempt: "a-1",
    };
    sent(definition, &Value::Null, call).await
}

#[tokio::test]
async fn a_new_revision_has_all_that_the_base_has() {
    let (result, sent) = register(&definition()).await;
    assert_eq!(result.expect("registered").as_deref(), Some("arn:new"));
    let [(operation, body)] = sent.as_slice() else {
        panic!("{sent:?}")
    };
    assert_eq!(operation, "RegisterTaskDefinition");
    let mut web = definition()["containerDefinitions"][0].clone();
    web["environment"] = json!([]);
    web["secrets"] = json!([{"name": "URL", "valueFrom": "arn:secret"}]);
    assert_eq!(body["containerDefinitions"], json!([web]));
}

#[tokio::test]
async fn what_would_be_lost_is_not_registered() {
    let mut unknown = definition();
    unknown["networkIsolation"] = json!({"mode": "STRICT"});
    unknown["containerDefinitions"][0]["restartPolicy"]["backoff"] = json!(false);
    let (result, sent) = register(&unknown).await;
    let error = result.expect_err("refused");
    assert_eq!((error.code.as_str(), sent), (NOT_SENT, vec![]));
    let named = "containerDefinitions[].restartPolicy.backoff, networkIsolation";
    assert!(error.message.contains(named), "{}", error.message);
    assert!(!error.message.contains("STRICT") && !error.message.contains("hunter2"));
}

/// The plan may rest on a revision that was read when the process began.
#[tokio::test]
async fn only_active_is_active() {
    for status in ["INACTIVE", "DELETE_IN_PROGRESS"] {
        let mut gone = definition();
        gone["status"] = json!(status);
        let (result, sent_for_new) = register(&gone).await;
        let error = result.expect_err("refused");
        assert_eq!((error.code.as_str(), sent_for_new), (NOT_SENT, vec![]), "{status}");
        let twin = Write::RegisterTwin {
            base: BASE,
            workload: "shop",
            attempt: "a-1-back",
        };
        let (result, sent) = sent(&gone, &Value::Null, twin).await;
        assert_eq!(result.expect("registered").as_deref(), Some("arn:new"), "{status}");
        let body = &sent[0].1;
        assert_eq!(body["containerDefinitions"], definition()["containerDefinitions"]);
        let tags = json!([
            {"key": "holdfast:workload", "value": "shop"},
            {"key": "holdfast:attempt", "value": "a-1-back"},
        ]);
        assert_eq!(body["tags"], tags);
    }
}

#[tokio::test]
async fn a_deployment_is_rolled_back_and_a_revision_deregistered() {
    let arn = "arn:aws:ecs:us-east-1:123456789012:service-deployment/main/shop/a";
    for (call, operation, body) in [
        (
            Write::Stop { deployment: arn },
            "StopServiceDeployment",
            json!({"serviceDeploymentArn": arn, "stopType": "ROLLBACK"}),
        ),
        (
            Write::Deregister { revision: BASE },
            "DeregisterTaskDefinition",
            json!({"taskDefinition": BASE}),
        ),
    ] {
        let (result, sent) = sent(&Value::Null, &Value::Null, call).await;
        assert_eq!(result.expect("sent"), None);
        assert_eq!(sent, [(operation.to_owned(), body)]);
    }
}

/// `UpdateService` replaces the whole of a deployment configuration.
#[tokio::test]
async fn a_configuration_with_unknown_fields_is_left_alone() {
    let action = Action::SetUpService(SetUpService {
        cluster: "main".into(),
        service: "shop".into(),
        setting: ServiceSetting::CircuitBreaker,
    });
    let configuration =
        json!({"maximumPercent": 150, "deploymentCircuitBreaker": {"enable": false, "rollback": false}});
    let mut service = json!({"serviceName": "shop", "deploymentConfiguration": configuration, "rainbow": 1});
    let (result, changes) = sent(&Value::Null, &service, Write::Correct(&action)).await;
    assert_eq!(result.expect("sent"), None);
    let expected = json!({"maximumPercent": 150, "deploymentCircuitBreaker": {"enable": true, "rollback": true}});
    assert_eq!(changes[0].1["deploymentConfiguration"], expected);
    service["deploymentConfiguration"]["rainbow"] = json!({"colours": 7});
    let (result, changes) = sent(&Value::Null, &service, Write::Correct(&action)).await;
    let error = result.expect_err("refused");
    assert_eq!((error.code.as_str(), changes), (NOT_SENT, vec![]));
    assert!(
        error.message.contains("deploymentConfiguration.rainbow"),
        "{}",
        error.message
    );
}
