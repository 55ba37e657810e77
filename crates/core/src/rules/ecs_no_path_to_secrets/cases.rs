//! What `ecs-no-path-to-secrets` says, and of what it says nothing.

use crate::model::resources::{Egress, IngressRule, SecurityGroup, VpcEndpoint};
use crate::model::snapshot::Snapshot;
use crate::rules::testing::databases::{add_subnet, subnet};
use crate::rules::testing::workload::{denied, ingress, service, shop, web};
use crate::rules::testing::{Case, Cases, Unread, finding_by};

const SECRETS: &str = "com.amazonaws.us-east-1.secretsmanager";
const LOGS: &str = "com.amazonaws.us-east-1.logs";
const UNSTEADY: &[&str] = &["ecs-no-path-to-secrets"];

#[rustfmt::skip]
pub(in crate::rules) const CASES: Cases = Cases {
    failing: &[
        Case::new("no route and no endpoint", starting),
        Case::new("an internet gateway, and no public address", |s| { starting(s); subnet(s).egress = Egress::Internet; }),
        Case::new("an endpoint for one of two services", |s| { starting(s); has(s, vec![endpoint(SECRETS)]); }),
        Case::new("an endpoint whose group lets nobody in", |s| { starting(s); both(s); group(s, vec![]); }),
        Case::new("an endpoint whose group lets others in", |s| { starting(s); both(s); group(s, vec![https("sg-other"), https("10.9.0.0/16")]); }),
        Case::new("an endpoint whose group lets in another port", |s| { starting(s); both(s); group(s, vec![ingress("sgr-1", "sg-app")]); }),
        Case::new("a closed endpoint takes what a NAT gateway could", |s| { starting(s); both(s); group(s, vec![]); subnet(s).egress = Egress::Nat; }),
        Case::new("an endpoint that was deleted", |s| { starting(s); both(s); each(s, |e| e.state = "deleted".into()); }),
        Case::new("a private image without S3", |s| { starting(s); both(s); private_image(s); has_ecr(s); }).and_unknown(&["ecs-secret-unreadable"]),
        Case::new("the gateway of another route table", |s| { starting(s); both(s); private_image(s); has_ecr(s); gateway(s, "rtb-2"); }).and_unknown(&["ecs-secret-unreadable"]),
        Case::new("one of two subnets", |s| {
            starting(s);
            add_subnet(s, "subnet-2", "vpc-1", "10.0.2.0/24", &[]);
            service(s).subnets.push("subnet-2".into());
        }),
        Case::new("one of two subnets, and the task in the other runs", |s| {
            starting(s);
            add_subnet(s, "subnet-2", "vpc-1", "10.0.2.0/24", &[]);
            let service = service(s);
            service.subnets.push("subnet-2".into());
            (service.desired_count, service.running_count) = (2, 1);
            (service.deployments[0].desired_count, service.deployments[0].running_count) = (2, 1);
        }),
    ],
    passing: &[
        Case::new("tasks that run have shown it", |s| { has(s, vec![]); }),
        Case::new("the same, and nothing was read", |s| s.vpc_endpoints.clear()),
        Case::new("a blue/green deployment that bakes: its task runs, so it had a path", baking),
        Case::new("a NAT gateway", |s| { starting(s); subnet(s).egress = Egress::Nat; }),
        Case::new("a public address", |s| { starting(s); subnet(s).egress = Egress::Internet; service(s).assign_public_ip = true; }).and_fail(&["ecs-public-task"]),
        Case::new("endpoints that let its group in", |s| { starting(s); both(s); }),
        Case::new("endpoints that let its addresses in", |s| { starting(s); both(s); group(s, vec![https("10.0.0.0/16")]); }),
        Case::new("a private image with all that it takes", |s| { starting(s); both(s); private_image(s); has_ecr(s); gateway(s, "rtb-1"); }).and_unknown(&["ecs-secret-unreadable"]),
        Case::new("a service that wants no task", |s| { starting(s); let x = service(s); x.desired_count = 0; x.deployments[0].rollout_state = Some("COMPLETED".into()); }),
        Case::new("on EC2", |s| { starting(s); service(s).fargate = false; }),
        Case::new("in another network mode", |s| { starting(s); let x = service(s); x.subnets.clear(); x.security_groups.clear(); }),
        Case::new("a task that fetches nothing", |s| { starting(s); web(s).secrets.clear(); web(s).log = None; }).and_fail(&["ecs-ephemeral-storage", "ecs-missing-database-secret"]),
    ],
    unknown: &[
        Case::new("the endpoints", |s| { starting(s); s.vpc_endpoints.insert("vpc-1".into(), Err(denied("DescribeVpcEndpoints"))); }),
        Case::new("endpoints that were not read", |s| { starting(s); s.vpc_endpoints.clear(); }),
        Case::new("the subnets", |s| { starting(s); s.subnets = Err(denied("DescribeSubnets")); }).and_unknown(&["rds-public-subnet"]),
        Case::new("a transit gateway", |s| { starting(s); subnet(s).egress = Egress::Perhaps("tgw-1".into()); }),
        Case::new("a route to another network", |s| { starting(s); subnet(s).private_routes = vec!["10.9.0.0/16".parse().expect("a net")]; }),
        Case::new("a VPC of another account", |s| { starting(s); subnet(s).shared = true; }),
        Case::new("no route table was read", |s| { starting(s); subnet(s).route_table = None; }),
        Case::new("an endpoint without private DNS", |s| { starting(s); both(s); each(s, |e| e.private_dns = false); }),
        Case::new("an endpoint that is being made", |s| { starting(s); both(s); each(s, |e| { e.state = "pending".into(); }); }),
        Case::new("a prefix list lets it in, or not", |s| { starting(s); both(s); group(s, vec![https("pl-1")]); }),
        Case::new("a part of the subnet is let in", |s| { starting(s); both(s); group(s, vec![https("10.0.1.0/28")]); }),
        Case::new("a group that was not read", |s| { starting(s); both(s); s.security_groups.as_mut().expect("read").remove("sg-endpoints"); }),
    ],
    unread: &[Unread::Services, Unread::OneService, Unread::AnotherService, Unread::Revision],
};

/// The first deployment of the service, of which no task runs yet.
fn starting(s: &mut Snapshot) {
    let service = service(s);
    service.running_count = 0;
    let primary = &mut service.deployments[0];
    (primary.running_count, primary.rollout_state) = (0, Some("IN_PROGRESS".into()));
    primary.created_at = Some(crate::rules::testing::workload::now());
    subnet(s).egress = Egress::None;
    has(s, vec![]);
}

/// A task of the newest deployment runs, which it does not before it has its secrets; the deployment goes on for the bake time.
fn baking(s: &mut Snapshot) {
    starting(s);
    let service = service(s);
    service.running_count = 1;
    service.deployments[0].running_count = 1;
}

fn has(s: &mut Snapshot, endpoints: Vec<VpcEndpoint>) {
    s.vpc_endpoints.insert("vpc-1".into(), Ok(endpoints));
}

fn add(s: &mut Snapshot, endpoint: VpcEndpoint) {
    let known = s.vpc_endpoints.get_mut("vpc-1").expect("there");
    known.as_mut().expect("read").push(endpoint);
}

fn each(s: &mut Snapshot, change: fn(&mut VpcEndpoint)) {
    let known = s.vpc_endpoints.get_mut("vpc-1").expect("there");
    known.as_mut().expect("read").iter_mut().for_each(change);
}

fn endpoint(service: &str) -> VpcEndpoint {
    VpcEndpoint {
        id: format!("vpce-{}", service.rsplit('.').next().unwrap_or_default()),
        service: service.into(),
        state: "available".into(),
        private_dns: true,
        groups: vec!["sg-endpoints".into()],
        ..VpcEndpoint::default()
    }
}

/// Endpoints for both services that the task needs, which let its group in.
fn both(s: &mut Snapshot) {
    has(s, vec![endpoint(SECRETS), endpoint(LOGS)]);
    group(s, vec![https("sg-app")]);
}

fn has_ecr(s: &mut Snapshot) {
    for name in ["api", "dkr"] {
        add(s, endpoint(&format!("com.amazonaws.us-east-1.ecr.{name}")));
    }
}

fn gateway(s: &mut Snapshot, table: &str) {
    let gateway = VpcEndpoint {
        gateway: true,
        private_dns: false,
        groups: vec![],
        route_tables: vec![table.into()],
        ..endpoint("com.amazonaws.us-east-1.s3")
    };
    add(s, gateway);
}

fn private_image(s: &mut Snapshot) {
    web(s).image = "123456789012.dkr.ecr.us-east-1.amazonaws.com/shop:1".into();
}

fn https(source: &str) -> IngressRule {
    IngressRule {
        from_port: Some(443),
        to_port: Some(443),
        ..ingress(&format!("sgr-{source}"), source)
    }
}

fn group(s: &mut Snapshot, ingress: Vec<IngressRule>) {
    let group = SecurityGroup {
        id: "sg-endpoints".into(),
        name: "endpoints".into(),
        vpc: Some("vpc-1".into()),
        ingress,
        tags: shop(&[]),
    };
    s.security_groups
        .as_mut()
        .expect("read")
        .insert(group.id.clone(), group);
}

#[test]
fn a_subnet_that_aws_does_not_list_may_have_a_path() {
    let gone = |s: &mut Snapshot| {
        starting(s);
        service(s).subnets = vec!["subnet-gone".into()];
    };
    assert_eq!(
        finding_by(gone, UNSTEADY[0]).message,
        "main/shop can't be judged: ec2:DescribeSubnets on subnet-gone: it is not among the account's subnets, so where it \
         routes to is unknown"
    );
}

#[test]
fn the_message_names_what_is_out_of_reach() {
    let finding = finding_by(starting, UNSTEADY[0]);
    assert_eq!(
        finding.message,
        "tasks of main/shop in subnet-1 have no path to CloudWatch Logs, Secrets Manager, which they need at start: there is \
         no route to a NAT or internet gateway, and no endpoint"
    );
    let summary = finding.remediation.expect("a remedy").summary;
    assert!(
        summary.contains(SECRETS) && summary.contains(LOGS) && summary.contains("sg-app"),
        "{summary}"
    );
    let closed = |s: &mut Snapshot| {
        starting(s);
        both(s);
        group(s, vec![]);
    };
    let message = finding_by(closed, UNSTEADY[0]).message;
    assert!(
        message.contains("no rule of sg-endpoints lets the tasks in on port 443"),
        "{message}"
    );
}
