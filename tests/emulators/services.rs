//! The rules about services and the revisions that they run.

use serde_json::{Value, json};

use crate::lies::Lie;
use crate::on_both;
use crate::stage::{CORE, Kind, Stage, list, text};
use crate::world::{World, url};

on_both!(
    missing_secret,
    ephemeral_storage,
    references,
    versions,
    what_runs_is_judged,
    sidecars
);

fn tags(workload: &str) -> Value {
    json!({"holdfast:workload": workload})
}

/// What `ecs-missing-database-secret` finds, `ecs-ephemeral-storage` finds too, unless a volume is durable.
fn missing_secret(kind: Kind) {
    let mut world = World::new();
    world
        .stack("none", json!({"web": {"secrets": null}}))
        .stack("othervar", json!({"web": {"secrets": {"DATABASE_URL": null, "API_KEY": "{{secret:othervar-url}}"}}}))
        .stack(
            "efs",
            json!({"web": {"secrets": null, "mounts": {"data": "/home/coder"}}, "revision": {"volumes": {"data": {"efs": "fs-01234567"}}}}),
        )
        .stack("plain", json!({"web": {"secrets": null, "environment": {"DATABASE_URL": "postgres://app:pw12345678@db.example.com/app"}}}))
        .stack("parameter", json!({"web": {"secrets": {"DATABASE_URL": "/parameter/url"}}}))
        .stack("alias", json!({"web": {"secrets": {"DATABASE_URL": null, "CODER_PG_CONNECTION_URL": "{{secret:alias-url}}"}}}))
        .stack("twin", json!({}));
    world.patch(json!({"parameters": {"/parameter/url": {"string": url("parameter")}}}));
    let mut stage = Stage::new(kind, &world);
    stage.configure("safety: {max_failing_percent: 100}\n");
    stage.expect(&[
        "fail critical efs ecs-missing-database-secret main/efs",
        "fail critical none ecs-ephemeral-storage main/none",
        "fail critical none ecs-missing-database-secret main/none",
        "fail critical othervar ecs-ephemeral-storage main/othervar",
        "fail critical othervar ecs-missing-database-secret main/othervar",
        "fail critical plain ecs-missing-database-secret main/plain",
    ]);
    // One rollout for both rules.
    let plan = stage.plan();
    let of = |w: &str| {
        list(&plan, "actions")
            .iter()
            .filter(|a| a["workload"] == w)
            .collect::<Vec<_>>()
    };
    assert_eq!(of("none").len(), 1, "{plan:#}");
    assert_eq!(
        of("none")[0]["rules"],
        json!(["ecs-ephemeral-storage", "ecs-missing-database-secret"])
    );
    assert_eq!(
        of("none")[0]["calls"][0]["parameters"]["changes"][0]["after"],
        stage.id("secrets", "none-url")
    );
}

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
    let mut stage = Stage::new(kind, &world);
    stage.configure("defaults: {datastore: volume, data_paths: [/data]}\nsafety: {max_failing_percent: 100}\n");
    let faulty = ["below", "beside", "readonly", "bind", "host", "nothing", "urlonly"];
    let expected: Vec<String> = faulty
        .iter()
        .map(|w| format!("fail critical {w} ecs-ephemeral-storage main/{w}"))
        .collect();
    stage.expect(&expected.iter().map(String::as_str).collect::<Vec<_>>());
    let plan = stage.plan();
    assert_eq!(plan["actions"], json!([]), "no call adds a volume");
}

fn references(kind: Kind) {
    let json_secret = |w: &str| json!({"json": {"url": url(w), "other": "x"}});
    let uses = |reference: &str| json!({"secrets": {"DATABASE_URL": reference}});
    let mut world = World::new();
    world
        .stack("twin", json!({}))
        .stack(
            "keyed",
            json!({"secret": json_secret("keyed"), "web": uses("{{secret:keyed-url}}:url::")}),
        )
        .stack(
            "wrongkey",
            json!({"secret": json_secret("wrongkey"), "web": uses("{{secret:wrongkey-url}}:uri::")}),
        )
        .stack(
            "whole",
            json!({"secret": json_secret("whole"), "web": uses("{{secret:whole-url}}")}),
        )
        .stack("onplain", json!({"web": uses("{{secret:onplain-url}}:url::")}))
        .stack("partial", json!({"web": uses("{{secret-partial:partial-url}}")}))
        .stack("barename", json!({"web": uses("barename-url")}))
        .stack(
            "nowhere",
            json!({"web": uses("arn:aws:secretsmanager:us-east-1:{{account}}:secret:gone-AbCdEf")}),
        )
        .stack(
            "abroad",
            json!({"web": uses("arn:aws:secretsmanager:eu-west-1:{{account}}:secret:abroad-url-AbCdEf")}),
        )
        .stack(
            "remade",
            json!({"web": uses("arn:aws:secretsmanager:us-east-1:{{account}}:secret:remade-url-AbCdEf")}),
        );
    let mut stage = Stage::new(kind, &world);
    stage.configure("safety: {max_failing_percent: 100}\n");
    let faulty = [
        "wrongkey", "whole", "onplain", "partial", "barename", "nowhere", "abroad", "remade",
    ];
    let expected: Vec<String> = faulty
        .iter()
        .map(|w| format!("fail critical {w} ecs-secret-reference-mismatch main/{w}"))
        .collect();
    let report = stage.expect(&expected.iter().map(String::as_str).collect::<Vec<_>>());
    let plan = stage.plan();
    for w in faulty {
        let action = list(&plan, "actions").iter().find(|a| a["workload"] == w);
        let action = action.unwrap_or_else(|| panic!("{w} is planned: {plan:#}"));
        let whole = stage.id("secrets", &format!("{w}-url"));
        let right = if ["wrongkey", "whole"].contains(&w) {
            format!("{whole}:url::")
        } else {
            whole
        };
        assert_eq!(action["calls"][0]["parameters"]["changes"][0]["after"], right, "{w}");
    }
    let said = |w: &str| text(&list(&report, "findings").iter().find(|f| f["workload"] == w).unwrap()["message"]);
    assert!(said("partial").contains("suffix"), "{}", said("partial"));
    assert!(said("onplain").contains("plain string"), "{}", said("onplain"));
    assert!(said("barename").contains("Parameter Store"), "{}", said("barename"));
}

/// References that pin a stage or a version.
fn versions(kind: Kind) {
    let uses = |reference: &str| json!({"web": {"secrets": {"DATABASE_URL": reference}}});
    let mut world = World::new();
    world
        .stack("previous", uses("{{secret:previous-url}}::AWSPREVIOUS:"))
        .stack("noprevious", uses("{{secret:noprevious-url}}::AWSPREVIOUS:"))
        .stack("nostage", uses("{{secret:nostage-url}}::BLUE:"))
        .stack(
            "noversion",
            uses("{{secret:noversion-url}}:::00000000-0000-0000-0000-000000000000"),
        )
        .stack("current", uses("{{secret:current-url}}::AWSCURRENT:"));
    let mut stage = Stage::new(kind, &world);
    let declared = url("previous").replace(
        "{{endpoint:previous-db}}:{{port:previous-db}}",
        &stage.id("endpoints", "previous-db"),
    );
    let id = stage.id("secrets", "previous-url");
    stage.call(
        "secretsmanager",
        "put_secret_value",
        json!({"SecretId": id, "SecretString": declared}),
    );
    stage.expect(&[
        "fail critical noprevious ecs-secret-reference-mismatch main/noprevious",
        "fail critical nostage ecs-secret-reference-mismatch main/nostage",
        "fail critical noversion ecs-secret-reference-mismatch main/noversion",
    ]);
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
    let mut stage = Stage::new(kind, &world);
    let mut expected = vec![
        "fail critical oldbad ecs-ephemeral-storage main/oldbad",
        "fail critical oldbad ecs-missing-database-secret main/oldbad",
    ];
    if Lie::EcsNeverSteady.on(kind) {
        // There the first revision stays the primary deployment for ever after an update.
        let (report, _) = stage.audit(&["--workload", "rolled"]);
        assert!(
            list(&report, "findings")
                .iter()
                .all(|f| text(&f["rule"]).starts_with("ecs-"))
        );
        let told = stage.told(&stage.audit(&[]).0);
        expected.sort_unstable();
        assert_eq!(
            told.iter().filter(|t| !t.contains("rolled")).collect::<Vec<_>>(),
            expected
        );
        return;
    }
    stage.expect(&expected);
    // It runs what is sound, and would be rolled back to what is not.
    stage.about(&[CORE, &["ecs-unsafe-rollback"]].concat());
    expected.push("fail high rolled ecs-unsafe-rollback main/rolled");
    stage.expect(&expected);
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
    let mut stage = Stage::new(kind, &world);
    stage.configure("safety: {max_failing_percent: 100}\n");
    stage.expect(&[
        "fail critical logs ecs-ephemeral-storage main/logs",
        "fail critical logs ecs-missing-database-secret main/logs",
        "fail critical pair ecs-ephemeral-storage main/pair",
        "fail critical pair ecs-missing-database-secret main/pair",
    ]);
    let plan = stage.plan();
    let acting: Vec<&Value> = list(&plan, "actions").iter().collect();
    assert_eq!(acting.len(), 1, "{plan:#}");
    assert_eq!(acting[0]["calls"][0]["parameters"]["changes"][0]["container"], "web");
    let held = list(&plan, "held").iter().find(|h| h["workload"] == "pair").unwrap();
    assert!(text(&held["reason"]).contains("unclear"), "{held:#}");
}
