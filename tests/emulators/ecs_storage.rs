//! `ecs-ephemeral-storage`, and which revisions and containers are evaluated at all.

use serde_json::{Value, json};

use crate::on_both;
use crate::quirks::Quirk;
use crate::test_env::{CORE, Kind, TestEnv, list, text};
use crate::world::{World, tags};

on_both!(ephemeral_storage, what_runs_is_judged, sidecars, proxies_and_agents);

/// `datastore: volume`: only a durable volume at or above a data path will do.
fn ephemeral_storage(kind: Kind) {
    let volume = |mount: Value, volumes: Value| json!({"web": {"secrets": null, "with": {"mountPoints": [mount]}}, "revision": {"volumes": volumes}});
    let efs = json!({"data": {"efs": "fs-01234567"}});
    let at = |path: &str| json!({"sourceVolume": "data", "containerPath": path, "readOnly": false});
    let mut world = World::new();
    world
        .stack("at", volume(at("/data"), efs.clone()))
        .stack("slash", volume(at("/data/"), efs.clone()))
        .stack("above", volume(at("/"), efs.clone()))
        .stack("below", volume(at("/data/cache"), efs.clone()))
        .stack("beside", volume(at("/database"), efs.clone()))
        .stack(
            "readonly",
            volume(
                json!({"sourceVolume": "data", "containerPath": "/data", "readOnly": true}),
                efs,
            ),
        )
        .stack("bind", volume(at("/data"), json!({"data": {}})))
        .stack("host", volume(at("/data"), json!({"data": {"host": "/mnt/x"}})))
        .stack("nothing", json!({"web": {"secrets": null}}))
        .stack("urlonly", json!({}));
    let mut env = TestEnv::new(kind, &world);
    env.configure("defaults: {datastore: volume, data_paths: [/data]}\nsafety: {max_failing_percent: 100}\n");
    let faulty = ["below", "beside", "readonly", "bind", "host", "nothing", "urlonly"];
    let expected: Vec<String> = faulty
        .iter()
        .map(|w| format!("fail critical {w} ecs-ephemeral-storage main/{w}"))
        .collect();
    env.expect(&expected.iter().map(String::as_str).collect::<Vec<_>>());
    let plan = env.plan();
    assert_eq!(plan["actions"], json!([]), "no call adds a volume");
}

/// The revision that runs decides, whatever newer ones say.
fn what_runs_is_judged(kind: Kind) {
    let good = |w: &str| json!({"tags": tags(w), "containers": {"web": {"port": 80, "secrets": {"DATABASE_URL": format!("{{{{secret:{w}-url}}}}")}}}});
    let bad = |w: &str| json!({"tags": tags(w), "containers": {"web": {"port": 80}}});
    let mut world = World::new();
    world
        .stack("newbad", json!({"revisions": [good("newbad"), bad("newbad")]}))
        .stack("oldbad", json!({"revisions": [bad("oldbad"), good("oldbad")]}))
        .stack(
            "rolled",
            json!({"revisions": [bad("rolled"), good("rolled")], "service": {"updates": ["rolled:2"]}}),
        );
    let mut env = TestEnv::new(kind, &world);
    let mut expected = vec![
        "fail critical oldbad ecs-ephemeral-storage main/oldbad",
        "fail critical oldbad ecs-missing-database-secret main/oldbad",
    ];
    if Quirk::EcsNeverSteady.on(kind) {
        // There the first revision stays the primary deployment for ever after an update.
        let (report, _) = env.audit(&["--workload", "rolled"]);
        assert!(
            list(&report, "findings")
                .iter()
                .all(|f| text(&f["rule"]).starts_with("ecs-"))
        );
        let told = env.told(&env.audit(&[]).0);
        expected.sort_unstable();
        assert_eq!(
            told.iter().filter(|t| !t.contains("rolled")).collect::<Vec<_>>(),
            expected
        );
        return;
    }
    env.expect(&expected);
    // It runs what is sound, and would be rolled back to what is not.
    env.about(&[CORE, &["ecs-unsafe-rollback"]].concat());
    expected.push("fail high rolled ecs-unsafe-rollback main/rolled");
    env.expect(&expected);
}

fn sidecars(kind: Kind) {
    let mut world = World::new();
    world
        // The secret is in another container than the one that listens: any one is enough.
        .stack(
            "proxy",
            json!({"web": {"secrets": null},
                   "revision": {"containers": {"app": {"secrets": {"DATABASE_URL": "{{secret:proxy-url}}"}}}}}),
        )
        .stack(
            "logs",
            json!({"web": {"secrets": null}, "revision": {"containers": {"shipper": {"essential": false}}}}),
        )
        .stack(
            "pair",
            json!({"web": {"secrets": null}, "revision": {"containers": {"admin": {"port": 81}}}}),
        );
    let mut env = TestEnv::new(kind, &world);
    env.configure("safety: {max_failing_percent: 100}\n");
    env.expect(&[
        "fail critical logs ecs-ephemeral-storage main/logs",
        "fail critical logs ecs-missing-database-secret main/logs",
        "fail critical pair ecs-ephemeral-storage main/pair",
        "fail critical pair ecs-missing-database-secret main/pair",
    ]);
    let plan = env.plan();
    let acting: Vec<&Value> = list(&plan, "actions").iter().collect();
    assert_eq!(acting.len(), 1, "{plan:#}");
    assert_eq!(acting[0]["calls"][0]["parameters"]["changes"][0]["container"], "web");
    let held = list(&plan, "held").iter().find(|h| h["workload"] == "pair").unwrap();
    assert!(
        text(&held["reason"]).contains("nothing shows which container"),
        "{held:#}"
    );
}

/// A proxy behind the load balancer, or an agent beside a worker, has the port; the application gets the secret.
fn proxies_and_agents(kind: Kind) {
    let beside = |name: &str, image: &str, port: u16| {
        json!({"web": {"secrets": null, "port": null, "image": "example.com/shop:4"},
               "revision": {"containers": {name: {"image": image, "port": port}}}})
    };
    let mut world = World::new();
    world
        .stack("fronted", beside("nginx", "nginx:1.27", 80))
        .stack(
            "traced",
            beside("xray-daemon", "public.ecr.aws/xray/aws-xray-daemon:3.x", 2000),
        )
        .stack(
            "watched",
            beside("datadog-agent", "public.ecr.aws/datadog/agent:7", 8126),
        );
    let mut env = TestEnv::new(kind, &world);
    env.configure("safety: {max_failing_percent: 100}\n");
    let plan = env.plan();
    for w in ["fronted", "traced", "watched"] {
        let action = list(&plan, "actions").iter().find(|a| a["workload"] == w);
        let action = action.unwrap_or_else(|| panic!("{w} is planned: {plan:#}"));
        let changes = list(&action["calls"][0]["parameters"], "changes");
        let containers: Vec<String> = changes.iter().map(|c| text(&c["container"])).collect();
        assert_eq!(containers, ["web"], "{action:#}");
    }
}
