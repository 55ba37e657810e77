//! Databases: instances, clusters with their members, subnet groups, parameter groups.
//!
//! Defaults are those of the provider's schemas, and where these leave it to AWS, of the API.
//! <https://registry.terraform.io/providers/hashicorp/aws/latest/docs/resources/db_instance>
//! <https://registry.terraform.io/providers/hashicorp/aws/latest/docs/resources/rds_cluster>

use std::sync::Arc;

use serde_json::Value;

use super::attributes::{Attribute, number};
use super::resource::{Resource, list, text};
use super::{Class, Reading, unknown};
use crate::check::case::{DisplayName, World};
use crate::model::resources::{DbCluster, DbInstance, Endpoint, ParameterGroup};

/// The number to assume in the best world: more than any rule requires.
const PLENTY: i32 = 35;

/// Attributes that say that storage comes from elsewhere, and with it whether it is encrypted, its size and its user.
const ORIGINS: &[&str] = &[
    "snapshot_identifier",
    "replicate_source_db",
    "restore_to_point_in_time",
    "s3_import",
    "global_cluster_identifier",
    "replication_source_identifier",
];

impl<'a> Reading<'a, '_> {
    pub(super) fn databases(&mut self) {
        let terraform = self.terraform;
        let mut clusters = std::collections::BTreeMap::new();
        for resource in terraform.managed(&["aws_rds_cluster"]) {
            let cluster = self.cluster(resource);
            clusters.insert(cluster.id.clone(), cluster);
        }
        let mut instances = std::collections::BTreeMap::new();
        for resource in terraform.managed(&["aws_db_instance"]) {
            let instance = self.instance(resource);
            instances.insert(instance.id.clone(), instance);
        }
        for resource in terraform.managed(&["aws_rds_cluster_instance"]) {
            let mut member = self.member(resource);
            if let Some(cluster) = member.cluster.as_ref().and_then(|id| clusters.get_mut(id)) {
                cluster.members.push(member.id.clone());
                member.storage_encrypted = cluster.storage_encrypted;
                member.security_groups.clone_from(&cluster.security_groups);
            }
            instances.insert(member.id.clone(), member);
        }
        for cluster in clusters.values_mut().filter(|c| c.engine.starts_with("aurora")) {
            // In which zones AWS puts two members nobody knows before; a single one is in one.
            cluster.multi_az = cluster.members.len() > 1 && self.world() == World::Best;
        }
        self.snapshot.instances = Ok(instances.into());
        self.snapshot.clusters = Ok(clusters.into());
        for (of_cluster, kind) in [
            (false, "aws_db_parameter_group"),
            (true, "aws_rds_cluster_parameter_group"),
        ] {
            for resource in terraform.managed(&[kind]) {
                self.parameter_group(resource, of_cluster);
            }
        }
    }

    fn subject(&mut self, kind: &str, address: &str) -> String {
        let arn = self.snapshot.scope.arn("rds", &format!("{kind}:{address}"));
        self.names(&arn, DisplayName::of(address));
        arn
    }

    fn instance(&mut self, r: &Resource<'a>) -> DbInstance {
        let replica_of = self.link(r, Class::DbInstance, "replicate_source_db");
        let is_replica = replica_of.is_some() || given(r, "replicate_source_db");
        let version = version(r);
        let engine = self.engine(r, "postgres");
        let parameter_groups =
            self.parameter_groups(r, Class::ParameterGroup, "parameter_group_name", &engine, &version);
        let (subnet_group, subnets, vpc) = self.subnet_group(r);
        let max = self.number(r, "max_allocated_storage", 0, i32::MAX, 0);
        DbInstance {
            arn: self.subject("db", &r.address),
            // Of backups AWS's API would choose 1 where nothing is said; the provider says 0.
            backup_retention_days: self.number(r, "backup_retention_period", 0, PLENTY, 0),
            publicly_accessible: self.flag(r, "publicly_accessible", false, false),
            storage_encrypted: self.encrypted(r),
            deletion_protection: self.flag(r, "deletion_protection", false, true),
            allocated_storage: self.number(r, "allocated_storage", 0, 1, i32::MAX / 100),
            max_allocated_storage: (max > 0).then_some(max),
            auto_minor_upgrade: self.flag(r, "auto_minor_version_upgrade", true, true),
            multi_az: self.flag(r, "multi_az", false, true),
            iam_authentication: self.flag(r, "iam_database_authentication_enabled", false, true),
            endpoint: endpoint(r, &["address", "endpoint"]),
            port: port(r),
            database: r.text("db_name").or_else(|| r.text("name")).map(str::to_owned),
            master_user: r.text("username").map(str::to_owned),
            replica_of: replica_of.or_else(|| is_replica.then(|| "a database that is not known yet".to_owned())),
            security_groups: self.links(r, Class::Group, "vpc_security_group_ids"),
            performance_insights: self.flag(r, "performance_insights_enabled", false, true),
            tags: self.own_tags(r),
            exported_logs: strings(r.values.get("enabled_cloudwatch_logs_exports")),
            dual_stack: r.text("network_type") == Some("DUAL"),
            vpc,
            subnet_group,
            subnets,
            parameter_groups,
            engine,
            engine_version: version,
            ..self.any_instance(r)
        }
    }

    fn member(&mut self, r: &Resource<'a>) -> DbInstance {
        let version = version(r);
        let engine = self.engine(r, "aurora-postgresql");
        let parameter_groups =
            self.parameter_groups(r, Class::ParameterGroup, "db_parameter_group_name", &engine, &version);
        let (subnet_group, subnets, vpc) = self.subnet_group(r);
        let cluster = self.link(r, Class::DbCluster, "cluster_identifier");
        DbInstance {
            arn: self.subject("db", &r.address),
            publicly_accessible: self.flag(r, "publicly_accessible", false, false),
            auto_minor_upgrade: self.flag(r, "auto_minor_version_upgrade", true, true),
            deletion_protection: true,
            endpoint: endpoint(r, &["endpoint"]),
            port: port(r),
            cluster: Some(cluster.unwrap_or_else(|| "a cluster that is not known yet".to_owned())),
            performance_insights: self.flag(r, "performance_insights_enabled", false, true),
            vpc,
            subnet_group,
            subnets,
            parameter_groups,
            engine,
            engine_version: version,
            ..self.any_instance(r)
        }
    }

    fn any_instance(&mut self, r: &Resource<'a>) -> DbInstance {
        DbInstance {
            id: r.address.clone(),
            status: "available".into(),
            class: r.text("instance_class").unwrap_or_default().to_owned(),
            monitoring_interval: self.number(r, "monitoring_interval", 0, 60, 0),
            tags: self.tags(r),
            ..DbInstance::default()
        }
    }

    fn cluster(&mut self, r: &Resource<'a>) -> DbCluster {
        let version = version(r);
        let engine = self.engine(r, "aurora-postgresql");
        let group = self.parameter_groups(
            r,
            Class::ClusterParameterGroup,
            "db_cluster_parameter_group_name",
            &engine,
            &version,
        );
        // Only a Multi-AZ DB cluster has a class of its own; Aurora's members have theirs.
        let own_instances = !engine.starts_with("aurora");
        let minor = own_instances.then(|| self.flag(r, "auto_minor_version_upgrade", true, true));
        let (subnet_group, _, _) = self.subnet_group(r);
        let origin = ["global_cluster_identifier", "replication_source_identifier"];
        let replica = origin.iter().find_map(|a| r.text(a));
        DbCluster {
            id: r.address.clone(),
            arn: self.subject("cluster", &r.address),
            status: "available".into(),
            publicly_accessible: own_instances.then_some(false),
            backup_retention_days: self.number(r, "backup_retention_period", 1, PLENTY, 1),
            hosts: ["endpoint", "reader_endpoint"]
                .iter()
                .filter_map(|a| r.text(a))
                .map(str::to_lowercase)
                .collect(),
            port: port(r),
            database: r.text("database_name").map(str::to_owned),
            master_user: r.text("master_username").map(str::to_owned),
            replica_of: replica
                .filter(|_| r.text("master_username").is_none())
                .map(str::to_owned),
            subnet_group,
            security_groups: self.links(r, Class::Group, "vpc_security_group_ids"),
            parameter_group: group.into_iter().next(),
            // Aurora Serverless v1 is always encrypted.
            storage_encrypted: r.text("engine_mode") == Some("serverless") || self.encrypted(r),
            deletion_protection: self.flag(r, "deletion_protection", false, true),
            multi_az: own_instances,
            iam_authentication: self.flag(r, "iam_database_authentication_enabled", false, true),
            auto_minor_upgrade: minor,
            tags: self.own_tags(r),
            dual_stack: r.text("network_type") == Some("DUAL"),
            engine,
            engine_version: version,
            ..DbCluster::default()
        }
    }

    /// `storage_encrypted`; of storage that comes from elsewhere it is not known unless it is said.
    fn encrypted(&mut self, r: &Resource<'_>) -> bool {
        let said = matches!(r.attribute("storage_encrypted"), Attribute::Known(Value::Bool(_)));
        // A state, and a plan of what exists, say it; `null` stands for "as AWS makes it".
        if !said && ORIGINS.iter().any(|o| given(r, o)) {
            self.gap(r, "storage_encrypted");
            return self.world() == World::Best;
        }
        self.flag(r, "storage_encrypted", false, true)
    }

    fn engine(&mut self, r: &Resource<'_>, assumed: &str) -> String {
        match r.attribute("engine") {
            Attribute::Known(Value::String(engine)) => engine.to_lowercase(),
            Attribute::Known(_) | Attribute::Unset => assumed.to_owned(),
            Attribute::Unknown => {
                self.gap(r, "engine");
                assumed.to_owned()
            }
        }
    }

    /// The parameter groups: of the file, or by name; AWS's own where none is set.
    fn parameter_groups(
        &mut self,
        r: &Resource<'a>,
        class: Class,
        attribute: &str,
        engine: &str,
        version: &str,
    ) -> Vec<String> {
        let found = self.links(r, class, attribute);
        if !found.is_empty() || r.attribute(attribute) == Attribute::Unknown {
            return found;
        }
        let major = version.split('.').next().unwrap_or_default();
        if major.is_empty() {
            return vec![];
        }
        vec![format!("default.{engine}{major}")]
    }

    /// The subnet group's name, its subnets, and their VPC.
    fn subnet_group(&mut self, r: &Resource<'a>) -> (Option<String>, Vec<String>, Option<String>) {
        let Some(name) = self.link(r, Class::SubnetGroup, "db_subnet_group_name") else {
            return (None, vec![], None);
        };
        let terraform = self.terraform;
        let group = terraform.at(&name);
        let subnets = group.map_or_else(Vec::new, |g| self.links(g, Class::Subnet, "subnet_ids"));
        let known = self.snapshot.subnets.as_ref().ok();
        let vpc = known.and_then(|known| subnets.iter().find_map(|id| known.get(id)).map(|s| s.vpc.clone()));
        (Some(name), subnets, vpc)
    }

    fn parameter_group(&mut self, r: &Resource<'_>, of_cluster: bool) {
        let name = r.address.clone();
        let parameters = list(r.values.get("parameter"));
        let force_ssl = parameters
            .iter()
            .find(|p| text(p, "name") == Some("rds.force_ssl"))
            .and_then(|p| Some(text(p, "value")?.to_owned()));
        let tags = self.tags(r);
        let group = ParameterGroup {
            name: name.clone(),
            of_cluster,
            force_ssl,
            tags,
        };
        // Parameters that are not known yet may be any.
        let seen = if r.unknown.get("parameter").is_some_and(super::attributes::somewhere) {
            self.gap(r, "parameter");
            Err(Arc::new(unknown(r, "parameter")))
        } else {
            Ok(group)
        };
        self.snapshot.parameter_groups.insert((of_cluster, name), seen);
    }
}

/// Whether an attribute is there, known or not.
fn given(r: &Resource<'_>, attribute: &str) -> bool {
    match r.attribute(attribute) {
        Attribute::Known(Value::String(text)) => !text.is_empty(),
        Attribute::Known(Value::Array(items)) => !items.is_empty(),
        Attribute::Known(_) | Attribute::Unknown => true,
        Attribute::Unset => false,
    }
}

/// What runs, where the file says it, else what was asked for.
fn version(r: &Resource<'_>) -> String {
    let version = r.text("engine_version_actual").or_else(|| r.text("engine_version"));
    version.unwrap_or_default().to_owned()
}

fn endpoint(r: &Resource<'_>, attributes: &[&str]) -> Option<Endpoint> {
    let text = attributes.iter().find_map(|a| r.text(a))?;
    // `endpoint` of an instance is host and port, `address` the host alone.
    let host = text.split(':').next()?.to_lowercase();
    Some(Endpoint { host, port: port(r)? })
}

fn port(r: &Resource<'_>) -> Option<u16> {
    let port = u16::try_from(number(r.values.get("port")?)?).ok()?;
    (port != 0).then_some(port)
}

fn strings(value: Option<&Value>) -> Vec<String> {
    let items = list(value).iter().filter_map(Value::as_str);
    items.map(str::to_owned).collect()
}
