//! Where a connection leads by a name that neither an instance nor a cluster lists: RDS Proxy, global databases, aliases; and
//! the secrets that RDS keeps (`secret-wrong-database`, `rds-abandoned`, `rds-unreachable-from-service`, `secret-unrotated`).

use serde_json::{Value, json};

use crate::on_both;
use crate::test_env::{CORE, Kind, TestEnv, list, said, text};
use crate::world::{PASSWORD, World, tags};

on_both!(
    proxies_are_followed_to_their_targets,
    proxies_that_may_not_be_read,
    nothing_is_read_that_no_connection_names,
    what_nothing_tells_is_unknown,
    a_global_database,
    a_secret_that_rds_keeps,
    the_keys_of_a_secret_that_rds_keeps,
    a_password_declared_to_hold_a_connection,
);

const WRONG: &str = "secret-wrong-database";
const ABANDONED: &str = "rds-abandoned";
const UNREACHABLE: &str = "rds-unreachable-from-service";

/// Calls that only a connection makes necessary.
const FURTHER: &[&str] = &[
    "rds:DescribeDBProxies",
    "rds:DescribeDBProxyEndpoints",
    "rds:DescribeDBProxyTargets",
    "rds:DescribeDBClusterEndpoints",
    "rds:DescribeGlobalClusters",
];

/// A proxy of that name; its host.
fn proxy(env: &mut TestEnv, name: &str, targets: &[&str]) -> String {
    let subnets = ["private-a", "private-b"].map(|s| env.id("subnets", s));
    let made = env.call(
        "rds",
        "create_db_proxy",
        json!({"DBProxyName": name, "EngineFamily": "POSTGRESQL", "RoleArn": "arn:aws:iam::123456789012:role/proxy",
               "VpcSubnetIds": subnets, "Auth": [{"AuthScheme": "SECRETS", "IAMAuth": "DISABLED",
               "SecretArn": "arn:aws:secretsmanager:us-east-1:123456789012:secret:proxy-AbC123"}]}),
    );
    if !targets.is_empty() {
        let register = json!({"DBProxyName": name, "DBInstanceIdentifiers": targets});
        env.call("rds", "register_db_proxy_targets", register);
    }
    text(&made["DBProxy"]["Endpoint"])
}

/// The secret of `stack` leads to `host` from now on.
fn lead(env: &mut TestEnv, stack: &str, host: &str) {
    let url = format!("postgres://app:{PASSWORD}@{host}:5432/app?sslmode=require");
    let value = json!({"SecretId": format!("{stack}-url"), "SecretString": url});
    env.call("secretsmanager", "put_secret_value", value);
}

fn stacks(names: &[&str]) -> World {
    let mut world = World::new();
    for name in names {
        world.stack(name, json!({}));
    }
    world
}

fn proxies_are_followed_to_their_targets(kind: Kind) {
    let mut env = TestEnv::new(kind, &stacks(&["pooled", "astray", "hollow", "twin"]));
    env.about(&[WRONG, ABANDONED, UNREACHABLE]);
    let own = proxy(&mut env, "pooler", &["pooled-db"]);
    let empty = proxy(&mut env, "hollow", &[]);
    lead(&mut env, "pooled", &own.to_uppercase());
    lead(&mut env, "astray", &own);
    lead(&mut env, "hollow", &empty);
    let report = env.expect(&[
        "fail critical astray secret-wrong-database astray-url",
        "unknown critical hollow secret-wrong-database hollow-url",
    ]);
    let message = said(&report, "astray", "/message");
    assert!(message.contains(&format!("its host is {own} (pooled-db)")), "{message}");
    let message = said(&report, "hollow", "/message");
    assert!(message.contains("RDS Proxy hollow, which has no target"), "{message}");
    assert!(message.contains("`workloads.hollow.database_aliases`"), "{message}");
    // Nobody but the proxy needs a way to the database.
    env.call("rds", "delete_db_proxy", json!({"DBProxyName": "hollow"}));
    let message = said(&env.audit(&[]).0, "hollow", "/message");
    assert!(message.contains("that this account and region don't have"), "{message}");
    // moto has no endpoints but a proxy's own.
    if kind == Kind::Ministack {
        let subnets = ["private-a", "private-b"].map(|s| env.id("subnets", s));
        let reader = json!({"DBProxyName": "pooler", "DBProxyEndpointName": "pooler-ro", "VpcSubnetIds": subnets, "TargetRole": "READ_ONLY"});
        let made = env.call("rds", "create_db_proxy_endpoint", reader);
        lead(&mut env, "pooled", &text(&made["DBProxyEndpoint"]["Endpoint"]));
        let (report, _) = env.audit(&[]);
        let told = env.told(&report);
        assert!(told.iter().all(|line| !line.contains(" pooled ")), "{told:?}");
    }
}

fn proxies_that_may_not_be_read(kind: Kind) {
    let mut env = TestEnv::new(kind, &stacks(&["pooled"]));
    env.about(&[WRONG]);
    let host = proxy(&mut env, "pooler", &["pooled-db"]);
    lead(&mut env, "pooled", &host);
    env.expect(&[]);
    for action in ["rds:DescribeDBProxies", "rds:DescribeDBProxyTargets"] {
        let gateway = env.gateway(&["--deny", action]);
        let (report, code) = env.audit_at(&gateway.endpoint, &[]);
        assert_eq!(code, 3, "{report:#}");
        assert_eq!(
            env.told(&report),
            ["unknown critical pooled secret-wrong-database pooled-url"]
        );
        let message = said(&report, "pooled", "/message");
        assert!(message.contains(action), "{action}: {message}");
        let errors = list(&report, "errors");
        assert!(
            errors
                .iter()
                .any(|e| action.ends_with(e["operation"].as_str().unwrap())),
            "{report:#}"
        );
    }
}

fn nothing_is_read_that_no_connection_names(kind: Kind) {
    let mut env = TestEnv::new(kind, &stacks(&["shop", "alias", "gone"]));
    env.about_all();
    proxy(&mut env, "pooler", &["shop-db"]);
    lead(&mut env, "alias", "db.shop.internal");
    lead(&mut env, "gone", "old-db.abc123.us-east-1.rds.amazonaws.com");
    let gateway = env.gateway(&[]);
    env.audit_at(&gateway.endpoint, &[]);
    let calls = gateway.calls();
    assert!(calls.contains(&"rds:DescribeDBInstances".to_owned()));
    assert!(calls.iter().all(|c| !FURTHER.contains(&c.as_str())), "{calls:?}");
}

/// terraform-provider-aws#39862: none of these is known to be wrong, and the message names the key that tells.
fn what_nothing_tells_is_unknown(kind: Kind) {
    let hosts = [
        ("global", "shop.global-a1b2c3d4e5f6.global.rds.amazonaws.com"),
        ("cname", "db.internal.example.com"),
        ("pooler", "pgbouncer.shop.local"),
        (
            "reader",
            "shop-pooler-ro.proxy-a1b2c3d4e5f6.us-east-1.rds.amazonaws.com",
        ),
        ("address", "10.0.1.17"),
    ];
    let mut env = TestEnv::new(kind, &stacks(&hosts.map(|(name, _)| name)));
    env.about(&[WRONG, ABANDONED]);
    for (name, host) in hosts {
        lead(&mut env, name, host);
    }
    let unknown = |name: &str| format!("unknown critical {name} secret-wrong-database {name}-url");
    let expected: Vec<String> = hosts.iter().map(|(name, _)| unknown(name)).collect();
    let report = env.expect(&expected.iter().map(String::as_str).collect::<Vec<_>>());
    for (name, host) in hosts {
        let message = said(&report, name, "/message");
        assert!(message.contains(host), "{message}");
        assert!(
            message.contains(&format!("`workloads.{name}.database_aliases`")),
            "{message}"
        );
    }
    let aliases = hosts.map(|(name, host)| format!("{name}: {{database_aliases: [\"{host}\"]}}"));
    env.configure(&format!("workloads: {{{}}}\n", aliases.join(", ")));
    env.expect(&[]);
}

fn a_global_database(kind: Kind) {
    let mut world = World::new();
    world.stack("shop", json!({})).stack("other", json!({}));
    world.patch(json!({
        "db_clusters": {"fleet": {"subnet_group": "private", "security_groups": ["shop-db"], "database": "app", "tags": tags("shop")}},
        "db_instances": {"shop-db": null, "fleet-1": {"cluster": "fleet", "tags": tags("shop")}},
        "secrets": {"shop-url": {"string": "replaced below"}},
    }));
    let mut env = TestEnv::new(kind, &world);
    env.about(&[WRONG]);
    let cluster = env.call("rds", "describe_db_clusters", json!({"DBClusterIdentifier": "fleet"}));
    lead(
        &mut env,
        "shop",
        cluster["DBClusters"][0]["Endpoint"].as_str().expect("a writer"),
    );
    env.expect(&[]);
    let source = env.id("db_clusters", "fleet");
    let create = json!({"GlobalClusterIdentifier": "shop-global", "SourceDBClusterIdentifier": source});
    env.call("rds", "create_global_cluster", create);
    let described = env.call("rds", "describe_global_clusters", json!({}));
    let Some(host) = described["GlobalClusters"][0]["Endpoint"].as_str().map(str::to_owned) else {
        // ministack gives a global database no endpoint.
        assert_eq!(kind, Kind::Ministack, "{described:#}");
        return;
    };
    lead(&mut env, "shop", &host);
    lead(&mut env, "other", &host);
    let report = env.expect(&["fail critical other secret-wrong-database other-url"]);
    let message = said(&report, "other", "/message");
    assert!(message.contains(&format!("{host} (fleet)")), "{message}");
}

fn a_secret_that_rds_keeps(kind: Kind) {
    let name = "rds!db-7c1f0a2e-1111-2222-3333-444455556666";
    let mut world = World::new();
    world.stack(
        "shop",
        json!({"web": {"secrets": null, "environment": {"DB_HOST": "{{endpoint:shop-db}}"}}}),
    );
    world.patch(json!({"secrets": {
        "shop-url": null,
        name: {"json": {"username": "postgres", "password": "q#?x(>W9"}, "tags": tags("shop")},
    }}));
    let mut env = TestEnv::new(kind, &world);
    env.about(&["secret-unrotated", WRONG]);
    // New: RDS rotates it in a week.
    env.expect(&[]);
    let arn = env.id("secrets", name);
    let say = |status: &str| format!("<SecretArn>{arn}</SecretArn><SecretStatus>{status}</SecretStatus>");
    let audit = |env: &TestEnv, status: &str| -> (Vec<String>, Value) {
        let gateway = env.gateway(&[
            "--say",
            "rds:DescribeDBInstances",
            "shop-db",
            "MasterUserSecret",
            &say(status),
        ]);
        let (report, _) = env.audit_at(&gateway.endpoint, &[]);
        (env.told(&report), report)
    };
    assert_eq!(audit(&env, "active").0, Vec::<String>::new());
    let (told, report) = audit(&env, "impaired");
    assert_eq!(told, [format!("fail low shop secret-unrotated {name}")]);
    assert!(said(&report, "shop", "/message").contains("impaired"));
}

/// `{username, password}` without a host, user and password by their keys, the rest in plain text.
fn by_keys() -> World {
    let name = "rds!db-7c1f0a2e-1111-2222-3333-444455556666";
    let key = |key: &str| format!("{{{{secret:{name}}}}}:{key}::");
    let mut world = World::new();
    world.stack(
        "shop",
        json!({"web": {
            "environment": {"DB_HOST": "{{endpoint:shop-db}}", "DB_PORT": "5432", "DB_NAME": "app"},
            "secrets": {"DATABASE_URL": null, "DB_USER": key("username"), "DB_PASSWORD": key("password")},
        }}),
    );
    world.patch(json!({"secrets": {
        "shop-url": null,
        name: {"json": {"username": "postgres", "password": "q#?x(>W9"}, "tags": tags("shop")},
    }}));
    world
}

/// aws-cdk#5665: that is a whole connection.
fn the_keys_of_a_secret_that_rds_keeps(kind: Kind) {
    let mut env = TestEnv::new(kind, &by_keys());
    env.about(CORE);
    env.expect(&[]);
    env.configure("workloads: {shop: {database_env: [{host: DB_HOST, user: DB_USER, password: DB_PASSWORD}]}}\n");
    env.expect(&[]);
}

/// The configuration lists a variable that gets a password, by its name and by its key, among those that hold a connection:
/// the configuration is wrong, not the task, which has its database.
fn a_password_declared_to_hold_a_connection(kind: Kind) {
    let mut env = TestEnv::new(kind, &by_keys());
    env.about(CORE);
    for declared in ["[DB_PASSWORD]", "[DB_PASSWORD, DB_USER]"] {
        env.configure(&format!("workloads: {{shop: {{secret_env: {declared}}}}}\n"));
        env.expect(&[]);
    }
}
