//! Whether the network of a Fargate task leads to what it fetches before its containers run.
//!
//! Since platform version 1.4.0 all of it goes through the task's own interface: to Secrets Manager, Parameter Store,
//! ECR, S3 and CloudWatch Logs. Secrets Manager and Parameter Store decrypt by themselves: KMS needs no path.
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/platform-version-migration.html>

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::start_needs::{EcrImage, start_references};
use super::workload::Workload;
use crate::model::resources::{Egress, SecurityGroup, Service, Source, Subnet, TaskDefinition, VpcEndpoint};
use crate::model::snapshot::{Read, ReadError};
use crate::model::value_from::{self, ValueFrom};

const HTTPS: u16 = 443;

/// What a task asks for at start: the endpoint's name after the region (`ecr.api`), and what for.
pub type StartServices = BTreeMap<(String, &'static str), String>;

/// The services that a revision asks for at start, by region and name.
#[must_use]
pub fn start_services(w: &Workload<'_>, definition: &TaskDefinition) -> StartServices {
    let here = &w.snapshot.scope.region;
    let mut found = StartServices::new();
    let mut add = |region: &str, service: &'static str, what: &str| {
        let what = what.to_owned();
        found.entry((region.to_owned(), service)).or_insert(what);
    };
    for reference in start_references(definition) {
        match value_from::parse(reference) {
            ValueFrom::Secret(target) => add(target.region, "secretsmanager", "Secrets Manager"),
            ValueFrom::Parameter(name) if value_from::is_parameter(name) => {
                let named = name.starts_with("arn:").then(|| name.split(':').nth(3)).flatten();
                let region = named.filter(|r| !r.is_empty()).unwrap_or(here);
                add(region, "ssm", "Parameter Store");
            }
            ValueFrom::Parameter(_) => {}
        }
    }
    for container in &definition.containers {
        if let Some(image) = EcrImage::parse(&container.image) {
            add(image.region, "ecr.api", "ECR");
            add(image.region, "ecr.dkr", "ECR");
            // Layers come from S3. https://docs.aws.amazon.com/AmazonECR/latest/userguide/vpc-endpoints.html
            add(image.region, "s3", "image layers in S3");
        }
        if !container.environment_files.is_empty() {
            add(here, "s3", "environment files in S3");
        }
        if let Some(log) = &container.log {
            add(log.region.as_deref().unwrap_or(here), "logs", "CloudWatch Logs");
        }
    }
    found
}

/// Where a path is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingPath {
    /// `com.amazonaws.us-east-1.secretsmanager`
    pub endpoint: String,
    /// What is behind it, for a message.
    pub what: String,
    /// Why there is no path.
    pub why: String,
    /// Subnets from which there is none.
    pub subnets: BTreeSet<String>,
}

/// What is known of the paths of a service's tasks.
#[derive(Debug, Default)]
pub struct StartPaths {
    /// Those that are missing.
    pub missing: Vec<MissingPath>,
    /// Why one of the others is not known.
    pub unknown: Option<Arc<ReadError>>,
}

/// VPCs of a service's subnets, as far as they were read.
pub fn vpcs_of<'a>(w: &Workload<'a>, service: &Service) -> impl Iterator<Item = &'a str> {
    let known = w.snapshot.subnets.as_ref().ok();
    let of = move |id: &String| known?.get(id).map(|s| s.vpc.as_str());
    service.subnets.iter().filter_map(of)
}

/// Looks for a path from each subnet of a service to each of `services`.
///
/// # Errors
/// What kept the subnets, the security groups or the endpoints from being read.
pub fn start_paths(w: &Workload<'_>, service: &Service, services: &StartServices) -> Read<StartPaths> {
    let subnets = w.snapshot.subnets.as_ref().map_err(Arc::clone)?;
    w.groups()?;
    let mut found = StartPaths::default();
    let mut missing: BTreeMap<(String, String), MissingPath> = BTreeMap::new();
    for id in &service.subnets {
        let subnet = subnets.get(id).ok_or_else(|| unlisted(id))?;
        let endpoints = match w.snapshot.vpc_endpoints.get(&subnet.vpc) {
            Some(Ok(endpoints)) => endpoints,
            Some(Err(e)) => return Err(Arc::clone(e)),
            None => return Err(unclear(&subnet.vpc, "its endpoints were not read")),
        };
        for ((region, name), what) in services {
            let path = Path {
                w,
                service,
                subnet,
                endpoints,
                local: *region == w.snapshot.scope.region,
                name,
            };
            match path.look() {
                Look::There => {}
                Look::Unclear(why) => {
                    let e = unclear(id, &format!("whether it leads to {what}: {why}"));
                    found.unknown = found.unknown.or(Some(e));
                }
                Look::Missing(why) => {
                    let endpoint = format!("com.amazonaws.{region}.{name}");
                    let entry = missing.entry((endpoint.clone(), why.clone()));
                    let path = entry.or_insert_with(|| MissingPath {
                        endpoint,
                        what: what.clone(),
                        why,
                        subnets: BTreeSet::new(),
                    });
                    path.subnets.insert(id.clone());
                }
            }
        }
    }
    found.missing = missing.into_values().collect();
    Ok(found)
}

/// A subnet may be gone, or newer than the list.
fn unlisted(subnet: &str) -> Arc<ReadError> {
    Arc::new(ReadError {
        service: "ec2".into(),
        operation: "DescribeSubnets".into(),
        resource: subnet.to_owned(),
        code: "NotRead".into(),
        message: "it is not among the account's subnets, so where it routes to is unknown".into(),
    })
}

fn unclear(resource: &str, message: &str) -> Arc<ReadError> {
    Arc::new(ReadError {
        service: "ec2".into(),
        operation: "DescribeVpcEndpoints".into(),
        resource: resource.to_owned(),
        code: "NotKnown".into(),
        message: format!("{resource}: {message}"),
    })
}

/// One subnet and one AWS service.
struct Path<'p, 'a> {
    w: &'p Workload<'a>,
    service: &'p Service,
    subnet: &'p Subnet,
    endpoints: &'p [VpcEndpoint],
    /// Whether the service is asked in the task's own region: endpoints lead to no other.
    local: bool,
    name: &'p str,
}

enum Look {
    There,
    Missing(String),
    Unclear(String),
}

impl Path<'_, '_> {
    fn look(&self) -> Look {
        let ending = format!(".{}", self.name);
        let ours = self
            .endpoints
            .iter()
            .filter(|e| self.local && e.service.ends_with(&ending));
        let (gateways, interfaces): (Vec<&VpcEndpoint>, Vec<&VpcEndpoint>) = ours.partition(|e| e.gateway);
        let table = self.subnet.route_table.as_ref();
        let live = |e: &&VpcEndpoint| e.state == "available";
        if gateways
            .iter()
            .filter(|e| live(e))
            .any(|e| table.is_some_and(|t| e.route_tables.contains(t)))
        {
            return Look::There;
        }
        // The usual name leads to an interface with private DNS, whatever other ways there are.
        if let Some(endpoint) = interfaces.iter().find(|e| e.private_dns && live(e)) {
            return self.by_interface(endpoint);
        }
        // A private hosted zone may lead to it, and one that is being made may be there soon.
        let hidden = interfaces
            .iter()
            .chain(&gateways)
            .find(|e| e.state.to_lowercase().starts_with("pending") || (live(e) && !e.gateway));
        match self.by_route() {
            Look::Missing(why) => match hidden {
                Some(e) if e.state == "available" => Look::Unclear(format!(
                    "{} has no private DNS, and a private hosted zone may lead to it",
                    e.id
                )),
                Some(e) => Look::Unclear(format!("{} is {}", e.id, e.state)),
                None => Look::Missing(why),
            },
            other => other,
        }
    }

    fn by_route(&self) -> Look {
        let subnet = self.subnet;
        let to_others = !subnet.private_routes.is_empty();
        match &subnet.egress {
            Egress::Nat => Look::There,
            Egress::Internet if self.service.assign_public_ip => Look::There,
            Egress::Perhaps(target) => Look::Unclear(format!("it routes to {target}")),
            // Endpoints may be in a network that it routes to, and of another account's nothing is known.
            _ if to_others => Look::Unclear("it routes to other networks, which may have endpoints".into()),
            _ if subnet.shared => Look::Unclear("another account owns its VPC".into()),
            // Which addresses tasks without IPv4 use is not known.
            _ if !subnet.cidrs.iter().any(|c| matches!(c, ipnet::IpNet::V4(_))) => {
                Look::Unclear("it has no IPv4 range".into())
            }
            _ if subnet.route_table.is_none() => Look::Unclear("its route table was not read".into()),
            Egress::Internet => Look::Missing(
                "the route leads to an internet gateway, but tasks get no public address (assignPublicIp), and there is no endpoint"
                    .into(),
            ),
            Egress::None => Look::Missing("there is no route to a NAT or internet gateway, and no endpoint".into()),
        }
    }

    /// Whether a group of the endpoint lets the tasks in.
    fn by_interface(&self, endpoint: &VpcEndpoint) -> Look {
        let mut perhaps = endpoint
            .groups
            .is_empty()
            .then(|| format!("no group of {} is known", endpoint.id));
        for id in &endpoint.groups {
            let group: Option<&SecurityGroup> = self.w.group(id).ok().flatten();
            let Some(group) = group else {
                perhaps = Some(format!("the rules of {id} were not read"));
                continue;
            };
            for rule in group.ingress.iter().filter(|r| r.reaches(HTTPS)) {
                match &rule.source {
                    Source::Group { id, .. } if self.service.security_groups.contains(id) => return Look::There,
                    Source::Cidr(net) if self.subnet.cidrs.iter().any(|c| net.contains(c)) => return Look::There,
                    // A part of the subnet, or ranges that were not read.
                    Source::Cidr(net) if self.subnet.cidrs.iter().any(|c| c.contains(net)) => {
                        perhaps = Some(format!("{id} lets in {net}, a part of it"));
                    }
                    Source::PrefixList(list) | Source::Other(list) => {
                        perhaps = Some(format!("{id} lets in {list}, whose ranges were not read"));
                    }
                    Source::Cidr(_) | Source::Group { .. } => {}
                }
            }
        }
        match perhaps {
            Some(why) => Look::Unclear(why),
            None => Look::Missing(format!(
                "its name leads to {}, and no rule of {} lets the tasks in on port {HTTPS}",
                endpoint.id,
                endpoint.groups.join(", ")
            )),
        }
    }
}
