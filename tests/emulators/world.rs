//! Worlds, spelled out only where they differ from a stack that nobody would complain about.

use serde_json::{Map, Value, json};

/// The password in every secret that a case does not replace.
pub const PASSWORD: &str = "Zq9wXv4mRtLp7KdB";

/// The URL that leads to the database of `stack`.
pub fn url(stack: &str) -> String {
    format!("postgres://app:{PASSWORD}@{{{{endpoint:{stack}-db}}}}:{{{{port:{stack}-db}}}}/app?sslmode=require")
}

/// The same as `user`, with `query` at its end.
pub fn url_as(user: &str, stack: &str, query: &str) -> String {
    format!("postgres://{user}:{PASSWORD}@{{{{endpoint:{stack}-db}}}}:{{{{port:{stack}-db}}}}/app{query}")
}

/// A container whose `DATABASE_URL` comes from `reference`.
pub fn uses(reference: &str) -> Value {
    json!({"web": {"secrets": {"DATABASE_URL": reference}}})
}

/// What makes something part of a workload.
pub fn tags(workload: &str) -> Value {
    json!({"holdfast:workload": workload})
}

/// A world that `emulators/lay_out.py` can lay out.
pub struct World(Vec<Value>);

impl World {
    /// One scope: the caller's account, us-east-1.
    pub fn new() -> Self {
        let mut world = Self(vec![]);
        world.scope("us-east-1", None);
        world
    }

    /// Goes on in another account or region.
    pub fn scope(&mut self, region: &str, account: Option<&str>) -> &mut Self {
        let mut scope = json!({
            "region": region,
            "name": account.map_or_else(|| region.to_owned(), |a| format!("{a}/{region}")),
            "vpcs": {"main": {"ipv6": true, "subnets": {
                "private-a": {"cidr": "10.0.1.0/24", "az": "a", "route": "nat"},
                "private-b": {"cidr": "10.0.2.0/24", "az": "b", "route": "nat"},
            }}},
            "db_subnet_groups": {"private": ["private-a", "private-b"]},
            "clusters": {"main": {}},
        });
        if let Some(account) = account {
            scope["account"] = json!(account);
        }
        self.0.push(scope);
        self
    }

    /// Lays `patch` over the scope (RFC 7396: null removes).
    pub fn patch(&mut self, patch: Value) -> &mut Self {
        merge(self.0.last_mut().expect("a scope"), patch);
        self
    }

    /// A stack tagged `holdfast:workload=NAME`: a private database `NAME-db` in a group of that name that lets in
    /// the group `NAME-app`, the secret `NAME-url`, the family `NAME`, and the service `main/NAME` that runs its first revision.
    /// What `but` holds is otherwise: `db`, `web` (the container), `revision`, `service` are laid over; `ingress` is
    /// added; `secret` (a string or `{json: ...}`), `revisions` and `tags` replace.
    pub fn stack(&mut self, name: &str, but: Value) -> &mut Self {
        let tags = but
            .get("tags")
            .cloned()
            .unwrap_or_else(|| json!({"holdfast:workload": name}));
        let (db, app) = (format!("{name}-db"), format!("{name}-app"));
        let mut secret = match but.get("secret") {
            Some(Value::String(text)) => json!({"string": text}),
            Some(other) => other.clone(),
            None => json!({"string": url(name)}),
        };
        secret["tags"] = tags.clone();
        let mut ingress = vec![json!({"group": app})];
        ingress.extend(
            but.get("ingress")
                .and_then(Value::as_array)
                .cloned()
                .unwrap_or_default(),
        );
        let mut web = json!({"port": 80, "secrets": {"DATABASE_URL": format!("{{{{secret:{name}-url}}}}")}});
        merge(&mut web, but.get("web").cloned().unwrap_or(json!({})));
        let mut revision = json!({"tags": tags, "containers": {"web": web}});
        merge(&mut revision, but.get("revision").cloned().unwrap_or(json!({})));
        let mut database = json!({"database": "app", "subnet_group": "private", "security_groups": [db], "tags": tags});
        merge(&mut database, but.get("db").cloned().unwrap_or(json!({})));
        let mut service = json!({
            "task_definition": format!("{name}:1"), "subnets": ["private-a", "private-b"],
            "security_groups": [app], "tags": tags,
        });
        merge(&mut service, but.get("service").cloned().unwrap_or(json!({})));
        let revisions = but.get("revisions").cloned().unwrap_or_else(|| json!([revision]));
        self.patch(json!({
            "security_groups": {&app: {"tags": tags}, &db: {"tags": tags, "ingress": ingress}},
            "db_instances": {&db: database},
            "secrets": {format!("{name}-url"): secret},
            "task_definitions": {name: revisions},
            "services": {format!("main/{name}"): service},
        }))
    }

    /// For `lay_out.py`.
    pub fn declared(&self) -> Value {
        json!({"scopes": self.0})
    }
}

/// RFC 7396.
pub fn merge(target: &mut Value, patch: Value) {
    let Value::Object(patch) = patch else {
        *target = patch;
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(target) = target else { return };
    for (key, value) in patch {
        if value.is_null() {
            target.remove(&key);
        } else {
            merge(target.entry(key).or_insert(Value::Null), value);
        }
    }
}
