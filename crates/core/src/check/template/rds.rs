//! Databases.
//!
//! Where the defaults of CloudFormation differ from those of the Terraform provider, they are written out.
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-rds-dbinstance.html>
//! <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBInstance.html>

use serde_json::{Value, json};

use super::functions::Functions;
use super::made::Made;
use super::unknown::unknown;

const INSTANCE: &[(&str, &str)] = &[
    ("AllocatedStorage", "allocated_storage"),
    ("AutoMinorVersionUpgrade", "auto_minor_version_upgrade"),
    ("BackupRetentionPeriod", "backup_retention_period"),
    ("DBInstanceClass", "instance_class"),
    ("DBName", "db_name"),
    ("DBParameterGroupName", "parameter_group_name"),
    ("DBSnapshotIdentifier", "snapshot_identifier"),
    ("DBSubnetGroupName", "db_subnet_group_name"),
    ("DeletionProtection", "deletion_protection"),
    ("EnableCloudwatchLogsExports", "enabled_cloudwatch_logs_exports"),
    ("EnableIAMDatabaseAuthentication", "iam_database_authentication_enabled"),
    ("EnablePerformanceInsights", "performance_insights_enabled"),
    ("Engine", "engine"),
    ("EngineVersion", "engine_version"),
    ("MasterUsername", "username"),
    ("MaxAllocatedStorage", "max_allocated_storage"),
    ("MonitoringInterval", "monitoring_interval"),
    ("MultiAZ", "multi_az"),
    ("NetworkType", "network_type"),
    ("PubliclyAccessible", "publicly_accessible"),
    ("SourceDBInstanceIdentifier", "replicate_source_db"),
    ("SourceDBClusterIdentifier", "replicate_source_db"),
    ("StorageEncrypted", "storage_encrypted"),
    ("VPCSecurityGroups", "vpc_security_group_ids"),
];

const MEMBER: &[(&str, &str)] = &[
    ("AutoMinorVersionUpgrade", "auto_minor_version_upgrade"),
    ("DBClusterIdentifier", "cluster_identifier"),
    ("DBInstanceClass", "instance_class"),
    ("DBParameterGroupName", "db_parameter_group_name"),
    ("DBSubnetGroupName", "db_subnet_group_name"),
    ("EnablePerformanceInsights", "performance_insights_enabled"),
    ("Engine", "engine"),
    ("EngineVersion", "engine_version"),
    ("MonitoringInterval", "monitoring_interval"),
    ("PubliclyAccessible", "publicly_accessible"),
];

const CLUSTER: &[(&str, &str)] = &[
    ("AutoMinorVersionUpgrade", "auto_minor_version_upgrade"),
    ("BackupRetentionPeriod", "backup_retention_period"),
    ("DBClusterParameterGroupName", "db_cluster_parameter_group_name"),
    ("DBSubnetGroupName", "db_subnet_group_name"),
    ("DatabaseName", "database_name"),
    ("DeletionProtection", "deletion_protection"),
    ("EnableIAMDatabaseAuthentication", "iam_database_authentication_enabled"),
    ("Engine", "engine"),
    ("EngineMode", "engine_mode"),
    ("EngineVersion", "engine_version"),
    ("GlobalClusterIdentifier", "global_cluster_identifier"),
    ("MasterUsername", "master_username"),
    ("NetworkType", "network_type"),
    ("ReplicationSourceIdentifier", "replication_source_identifier"),
    ("SnapshotIdentifier", "snapshot_identifier"),
    ("SourceDBClusterIdentifier", "restore_to_point_in_time"),
    ("StorageEncrypted", "storage_encrypted"),
    ("VpcSecurityGroupIds", "vpc_security_group_ids"),
];

pub(super) fn instance(functions: &Functions<'_>, id: &str) -> Made {
    let has = |name| functions.property(id, name).is_some();
    let member = has("DBClusterIdentifier");
    let made = if member {
        Made::new(id, "aws_rds_cluster_instance").copy(functions, id, MEMBER)
    } else {
        let replica = has("SourceDBInstanceIdentifier") || has("SourceDBClusterIdentifier");
        let made = Made::new(id, "aws_db_instance").copy(functions, id, INSTANCE);
        if replica || has("BackupRetentionPeriod") {
            made
        } else {
            made.set("backup_retention_period", 1)
        }
    };
    let made = made
        .maybe("identifier", functions.text(id, "DBInstanceIdentifier"))
        .set("address", functions.host(id, false))
        .set("endpoint", functions.host(id, false))
        .set("port", functions.port(id, 0))
        .tagged(functions, id);
    if has("PubliclyAccessible") || !may_be_public(functions, id) {
        made
    } else {
        made.set("publicly_accessible", unknown())
    }
}

/// Whether AWS may choose that an instance is public: if its VPC has an internet gateway. Only a VPC of the template is
/// known to have none.
fn may_be_public(functions: &Functions<'_>, id: &str) -> bool {
    let vpc = || {
        let group = functions.text(id, "DBSubnetGroupName")?;
        let subnets = functions.property(&group, "SubnetIds")?;
        let subnet = subnets.as_array()?.first()?.as_str()?.to_owned();
        functions.text(&subnet, "VpcId")
    };
    let Some(vpc) = vpc().filter(|vpc| functions.kind(vpc) == Some("AWS::EC2::VPC")) else {
        return true;
    };
    let all = functions.file.get("Resources").and_then(Value::as_object);
    all.into_iter().flatten().any(|(id, resource)| {
        resource.get("Type").and_then(Value::as_str) == Some("AWS::EC2::VPCGatewayAttachment")
            && functions.property(id, "InternetGatewayId").is_some()
            && functions.text(id, "VpcId").is_none_or(|of| of == vpc)
    })
}

pub(super) fn cluster(functions: &Functions<'_>, id: &str) -> Made {
    Made::new(id, "aws_rds_cluster")
        .copy(functions, id, CLUSTER)
        .maybe("cluster_identifier", functions.text(id, "DBClusterIdentifier"))
        .set("endpoint", functions.host(id, false))
        .set("reader_endpoint", functions.host(id, true))
        .set("port", functions.port(id, 0))
        .tagged(functions, id)
}

pub(super) fn parameters(functions: &Functions<'_>, id: &str, kind: &'static str) -> Made {
    let made = Made::new(id, kind).tagged(functions, id);
    match functions.property(id, "Parameters") {
        Some(Value::Object(all)) => {
            let each = all.into_iter().map(|(name, value)| {
                let value = match value {
                    Value::Number(number) => number.to_string().into(),
                    Value::Bool(flag) => Value::from(if flag { "1" } else { "0" }),
                    other => other,
                };
                json!({"name": name, "value": value})
            });
            made.set("parameter", each.collect::<Vec<_>>())
        }
        Some(other) => made.set("parameter", other),
        None => made,
    }
}
