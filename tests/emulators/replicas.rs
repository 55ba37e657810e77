//! Two replicas that share accounts and regions by leases in DynamoDB, and one that loses its lease.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::chaos::{assert_each_once, assert_told, history, launch, on_both_at_once, until, watched};
use crate::operator::{Operator, modified};
use crate::outages::create_table;
use crate::test_env::{Gateway, Kind, TestEnv, list, text};
use crate::world::World;

#[test]
fn they_share_and_any_may_die() {
    on_both_at_once(shared);
}

#[test]
fn a_stolen_lease_stops_what_has_not_been_sent() {
    on_both_at_once(stolen);
}

const SOON: Duration = Duration::from_mins(1);
const ACCOUNT: &str = "123456789012";
const OTHER: &str = "222222222222";

/// Where: the name in the world, account, region.
type Place = (&'static str, &'static str, &'static str);

const PLACES: [Place; 3] = [
    ("us-east-1", ACCOUNT, "us-east-1"),
    ("eu-west-1", ACCOUNT, "eu-west-1"),
    ("222222222222/us-east-1", OTHER, "us-east-1"),
];

struct Fleet {
    env: TestEnv,
    queue: String,
}

impl Fleet {
    /// In each place a database for each event of the case.
    fn new(kind: Kind) -> Self {
        let mut world = World::new();
        for (name, account, region) in PLACES {
            if name != "us-east-1" {
                world.scope(region, (account == OTHER).then_some(OTHER));
            }
            for stack in ["one", "two", "three"] {
                world.stack(stack, json!({}));
            }
            if name == "us-east-1" {
                world.patch(json!({"queues": {"signals": {}}}));
            }
        }
        let mut env = TestEnv::new(kind, &world);
        let queue = text(&env.made["us-east-1"]["queues"]["signals"]);
        for table in ["leases", "ledger"] {
            create_table(&mut env, table);
        }
        env.configure(&format!(
            "mode: enforce\nevents: {{queue_url: \"{queue}\"}}\nsweep: {{interval: 1h}}\n\
             ledger: {{kind: dynamodb, table: ledger}}\nlease: {{kind: dynamodb, table: leases}}\n\
             safety: {{max_failing_percent: 100}}\n\
             targets:\n\
             - {{account: \"{ACCOUNT}\", regions: [us-east-1, eu-west-1]}}\n\
             - {{account: \"{OTHER}\", role_arn: \"arn:aws:iam::{OTHER}:role/holdfast\", regions: [us-east-1]}}\n",
        ));
        Self { env, queue }
    }

    fn start(&self) -> (Operator, Gateway) {
        let gateway = watched(&self.env, &[]);
        (launch(&self.env, &gateway.endpoint), gateway)
    }

    /// Scopes by the process id of their owner.
    fn owners(&mut self) -> BTreeMap<String, String> {
        let items = self.env.call("dynamodb", "scan", json!({"TableName": "leases"}));
        let leases = list(&items, "Items").iter().filter(|i| i["pk"]["S"] == "lease");
        let pid = |owner: &str| {
            owner
                .rsplit(':')
                .next()
                .and_then(|o| o.split('-').next())
                .unwrap_or_default()
                .to_owned()
        };
        leases
            .filter_map(|l| Some((text(&l["sk"]["S"]), pid(l["owner"]["S"].as_str()?))))
            .collect()
    }

    fn held(&mut self, operator: &Operator) -> Vec<Place> {
        let pid = operator.pid().to_string();
        let owners = self.owners();
        let is_held = |p: &&Place| owners.get(&format!("{}/{}", p.1, p.2)) == Some(&pid);
        PLACES.iter().filter(is_held).copied().collect()
    }

    fn open(&mut self, place: Place, stack: &str) {
        let change = json!({"DBInstanceIdentifier": format!("{stack}-db"), "PubliclyAccessible": true, "ApplyImmediately": true});
        self.env.call_in(place.0, "rds", "modify_db_instance", change);
    }

    fn is_open(&mut self, place: Place, stack: &str) -> bool {
        let id = json!({"DBInstanceIdentifier": format!("{stack}-db")});
        let answer = self.env.call_in(place.0, "rds", "describe_db_instances", id);
        answer["DBInstances"][0]["PubliclyAccessible"] == json!(true)
    }

    fn tell(&mut self, place: Place, stack: &str) {
        let body = modified(&format!("{stack}-db"))
            .replace(ACCOUNT, place.1)
            .replace("us-east-1", place.2);
        self.env.call(
            "sqs",
            "send_message",
            json!({"QueueUrl": self.queue, "MessageBody": body}),
        );
    }
}

/// Who closed it where: `ACCOUNT/REGION stack-db`.
fn closed(gateway: &Gateway) -> Vec<String> {
    let made = gateway.made();
    made.iter()
        .map(|m| format!("{} {} {}", m.account, m.region, m.what))
        .collect()
}

fn shared(kind: Kind) {
    let mut fleet = Fleet::new(kind);
    let (first, first_gate) = fleet.start();
    until(
        "the first holds everything",
        SOON,
        || fleet.held(&first).len() == 3,
        || first.logged(),
    );
    let (second, second_gate) = fleet.start();
    let both_hold = |fleet: &mut Fleet| fleet.held(&first).len() == 2 && fleet.held(&second).len() == 1;
    until(
        "both hold some",
        SOON,
        || both_hold(&mut fleet),
        || format!("{}\n\n{}", first.logged(), second.logged()),
    );
    until(
        "both are ready",
        SOON,
        || [&first, &second].iter().all(|o| o.get("/readyz").0 == 200),
        || second.logged(),
    );
    assert!([&first, &second].iter().all(|o| o.metric("holdfast_leader", &[]) > 0.5));
    for operator in [&first, &second] {
        let mine = fleet.held(operator);
        for (_, account, region) in PLACES {
            let labels = [format!("account=\"{account}\""), format!("region=\"{region}\"")];
            let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
            let told = || operator.metric("holdfast_workloads", &labels) > 0.0;
            let expected = mine.iter().any(|p| (p.1, p.2) == (account, region));
            until(
                "metrics of what is held",
                SOON,
                || told() == expected,
                || operator.logged(),
            );
        }
    }
    // Whoever receives an event, the one whose scope it is acts.
    for place in PLACES {
        fleet.open(place, "one");
        fleet.tell(place, "one");
        until(
            "closed",
            SOON,
            || !fleet.is_open(place, "one"),
            || format!("{}\n\n{}", first.logged(), second.logged()),
        );
    }
    assert_eq!([closed(&first_gate).len(), closed(&second_gate).len()], [2, 1]);

    // One dies, and what is opened meanwhile no event tells of.
    let orphans = fleet.held(&first);
    let pid = first.pid();
    first.kill();
    let died = Instant::now();
    for place in &orphans {
        fleet.open(*place, "two");
    }
    until(
        "the other takes over",
        SOON,
        || fleet.held(&second).len() == 3,
        || second.logged(),
    );
    let moved = died.elapsed();
    for place in &orphans {
        until(
            "closed by the other",
            SOON,
            || !fleet.is_open(*place, "two"),
            || second.logged(),
        );
    }
    eprintln!(
        "figures: after kill -9 of {pid} its scopes moved in {moved:.1?}, and all was closed in {:.1?}",
        died.elapsed()
    );
    assert!(moved < Duration::from_secs(30), "{moved:?}");

    // A third comes, and the second is asked to stop.
    let (third, third_gate) = fleet.start();
    until(
        "the third holds some",
        SOON,
        || !fleet.held(&third).is_empty(),
        || third.logged(),
    );
    let left = fleet.held(&second);
    let stopping = Instant::now();
    assert_eq!(second.stop(), 0);
    let ended = stopping.elapsed();
    for place in &left {
        fleet.open(*place, "three");
    }
    until(
        "the third holds everything",
        SOON,
        || fleet.held(&third).len() == 3,
        || third.logged(),
    );
    let moved = stopping.elapsed();
    for place in &left {
        until(
            "closed by the third",
            SOON,
            || !fleet.is_open(*place, "three"),
            || third.logged(),
        );
    }
    eprintln!(
        "figures: after SIGTERM it ended in {ended:.1?}, they moved in {moved:.1?}, and all was closed in {:.1?}",
        stopping.elapsed()
    );
    // The third counts the one that was killed among the living, and leaves its share free, until it has not seen it move
    // for 15 s.
    assert!(moved < Duration::from_secs(25), "{moved:?}");

    let all: Vec<_> = [&first_gate, &second_gate, &third_gate]
        .into_iter()
        .flat_map(Gateway::made)
        .collect();
    let mut named = all.clone();
    for m in &mut named {
        m.what = format!("{} {} {}", m.account, m.region, m.what);
    }
    assert_each_once(&named);
    assert_eq!(all.len(), 3 + orphans.len() + left.len());
    let told = history(&fleet.env, &fleet.env.endpoint);
    assert_eq!(list(&told, "attempts").len(), all.len());
    assert!(
        list(&told, "attempts").iter().all(|a| a["outcome"] == "verified"),
        "{told:#}"
    );
    assert_eq!(third.stop(), 0);
}

/// The lease goes to another while the look that precedes a correction is under way.
fn stolen(kind: Kind) {
    let mut fleet = Fleet::new(kind);
    let place = PLACES[0];
    let (operator, gateway) = fleet.start();
    until(
        "it holds everything",
        SOON,
        || fleet.held(&operator).len() == 3,
        || operator.logged(),
    );
    until("ready", SOON, || operator.get("/readyz").0 == 200, || operator.logged());
    gateway.set(json!({"hold": ["rds:DescribeDBInstances"]}));
    fleet.open(place, "one");
    fleet.tell(place, "one");
    until("a look", SOON, || gateway.held() > 0, || operator.logged());
    let key = json!({"pk": {"S": "lease"}, "sk": {"S": format!("{}/{}", place.1, place.2)}});
    let item = fleet
        .env
        .call("dynamodb", "get_item", json!({"TableName": "leases", "Key": key}));
    let mut item = item["Item"].clone();
    let add = |n: &Value| json!({"N": (text(&n["N"]).parse::<u64>().expect("a number") + 1).to_string()});
    item["owner"] = json!({"S": "thief"});
    (item["token"], item["beat"]) = (add(&item["token"]), add(&item["beat"]));
    fleet
        .env
        .call("dynamodb", "put_item", json!({"TableName": "leases", "Item": item}));
    gateway.set(json!({"hold": []}));
    let says = || {
        operator
            .logged()
            .lines()
            .any(|l| l.contains("thief") || l.contains("is not held any more"))
    };
    until("it says so", SOON, says, || operator.logged());
    assert!(fleet.is_open(place, "one"), "the deposed does not act");
    assert_eq!(closed(&gateway), Vec::<String>::new());
    // The thief never announced that it lives: its lease is free again after a while, and what it left undone is done.
    until("closed", SOON, || !fleet.is_open(place, "one"), || operator.logged());
    assert_each_once(&gateway.made());
    let attempts = || history(&fleet.env, &fleet.env.endpoint);
    let settled = || list(&attempts(), "attempts").iter().all(|a| !a["outcome"].is_null());
    until("the end of the attempt", SOON, settled, || operator.logged());
    assert_told(&attempts(), 1);
    assert_eq!(operator.stop(), 0);
}
