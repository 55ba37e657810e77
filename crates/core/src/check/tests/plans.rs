//! Plans and change sets of one change each: some lose data, others don't.

use serde_json::{Map, Value, json};

pub(super) const DESTROYS: &str = "plan-destroys-data";
pub(super) const LOSES: &str = "plan-loses-restore-points";

/// A Terraform plan of one change.
pub(super) fn plan(kind: &str, actions: &[&str], before: &Value, after: &Value, more: &Value) -> Value {
    let mut change = json!({"actions": actions, "before": before, "after": after, "after_unknown": {}});
    let mut resource = json!({"address": format!("{kind}.main"), "mode": "managed", "type": kind, "name": "main"});
    for (key, value) in more.as_object().into_iter().flatten() {
        let target = if ["replace_paths", "after_unknown", "importing", "before_sensitive"].contains(&key.as_str()) {
            &mut change
        } else {
            &mut resource
        };
        target[key] = value.clone();
    }
    resource["change"] = change;
    json!({"format_version": "1.2", "terraform_version": "1.11.4", "resource_changes": [resource]})
}

pub(super) fn deletes(kind: &str, before: &Value) -> Value {
    plan(kind, &["delete"], before, &Value::Null, &json!({}))
}

pub(super) fn replaces(kind: &str, before: &Value, field: &str) -> Value {
    let mut after = before.clone();
    after[field] = json!("changed");
    plan(
        kind,
        &["delete", "create"],
        before,
        &after,
        &json!({"replace_paths": [[field]]}),
    )
}

pub(super) fn updates(kind: &str, field: &str, before: &Value, after: &Value) -> Value {
    let (mut b, mut a) = (Map::new(), Map::new());
    b.insert(field.into(), before.clone());
    a.insert(field.into(), after.clone());
    plan(kind, &["update"], &b.into(), &a.into(), &json!({}))
}

/// A change set of one change.
pub(super) fn change_set(change: &Value) -> Value {
    json!({
        "ChangeSetName": "deploy",
        "StackName": "shop",
        "StackId": "arn:aws:cloudformation:eu-west-1:123456789012:stack/shop/0a1b",
        "Status": "CREATE_COMPLETE",
        "Changes": [{"Type": "Resource", "ResourceChange": change}],
    })
}

pub(super) fn removes(kind: &str, policy: Option<&str>) -> Value {
    let mut change = json!({"Action": "Remove", "LogicalResourceId": "Store", "PhysicalResourceId": "store-1", "ResourceType": kind});
    if let Some(policy) = policy {
        change["PolicyAction"] = json!(policy);
    }
    change_set(&change)
}

pub(super) fn modifies(kind: &str, replacement: &str, policy: &str, field: &str) -> Value {
    change_set(&json!({
        "Action": "Modify", "LogicalResourceId": "Store", "PhysicalResourceId": "store-1", "ResourceType": kind,
        "Replacement": replacement, "PolicyAction": policy, "Scope": ["Properties"],
        "Details": [{
            "Target": {"Attribute": "Properties", "Name": field, "RequiresRecreation": "Always"},
            "Evaluation": "Static", "ChangeSource": "DirectModification",
        }],
    }))
}

/// A property that changes in place.
fn property(kind: &str, field: &str, before: &str, after: &str) -> Value {
    change_set(&json!({
        "Action": "Modify", "LogicalResourceId": "Store", "PhysicalResourceId": "store-1", "ResourceType": kind,
        "Replacement": "False", "Scope": ["Properties"],
        "Details": [{
            "Target": {
                "Attribute": "Properties", "Name": field, "RequiresRecreation": "Never",
                "BeforeValue": before, "AfterValue": after,
            },
        }],
    }))
}

fn kept_first(more: &Value) -> Value {
    let mut all =
        json!({"identifier": "shop-db", "skip_final_snapshot": false, "final_snapshot_identifier": "shop-last"});
    for (key, value) in more.as_object().into_iter().flatten() {
        all[key] = value.clone();
    }
    all
}

/// Each with the rule that must fail.
#[rustfmt::skip]
pub(super) fn planted() -> Vec<(&'static str, &'static str, Value)> {
    let skipped = json!({"identifier": "shop-db", "skip_final_snapshot": true, "final_snapshot_identifier": null});
    let mut all = vec![
        ("a database without a final snapshot", DESTROYS, deletes("aws_db_instance", &skipped)),
        ("a database whose final snapshot has no name", DESTROYS, deletes("aws_db_instance", &json!({"skip_final_snapshot": false, "final_snapshot_identifier": null}))),
        ("a database of which nothing more is told", DESTROYS, deletes("aws_db_instance", &json!({}))),
        ("a database, with a name but skipped", DESTROYS, deletes("aws_db_instance", &json!({"skip_final_snapshot": true, "final_snapshot_identifier": "x"}))),
        ("a replaced database", DESTROYS, replaces("aws_db_instance", &skipped, "kms_key_id")),
        ("created before it is deleted", DESTROYS, plan("aws_db_instance", &["create", "delete"], &skipped, &skipped, &json!({"replace_paths": [["engine"]]}))),
        ("replaced because it is tainted", DESTROYS, plan("aws_db_instance", &["delete", "create"], &skipped, &skipped, &json!({"action_reason": "replace_because_tainted"}))),
        ("replaced by request", DESTROYS, plan("aws_db_instance", &["delete", "create"], &skipped, &skipped, &json!({"action_reason": "replace_by_request"}))),
        ("replaced by a trigger", DESTROYS, plan("aws_db_instance", &["delete", "create"], &skipped, &skipped, &json!({"action_reason": "replace_by_triggers"}))),
        ("an index beyond count", DESTROYS, plan("aws_db_instance", &["delete"], &skipped, &Value::Null, &json!({"action_reason": "delete_because_count_index", "index": 1}))),
        ("a key no longer in for_each", DESTROYS, plan("aws_db_instance", &["delete"], &skipped, &Value::Null, &json!({"action_reason": "delete_because_each_key", "index": "eu"}))),
        ("a module that is gone", DESTROYS, plan("aws_db_instance", &["delete"], &skipped, &Value::Null, &json!({"action_reason": "delete_because_no_module", "address": "module.db[\"a.b\"].aws_db_instance.main"}))),
        ("moved and replaced", DESTROYS, plan("aws_db_instance", &["delete", "create"], &skipped, &skipped, &json!({"previous_address": "aws_db_instance.old", "replace_paths": [["db_subnet_group_name"]]}))),
        ("imported and replaced", DESTROYS, plan("aws_db_instance", &["delete", "create"], &skipped, &skipped, &json!({"importing": {"id": "shop-db"}, "replace_paths": [["username"]]}))),
        ("a deposed object", DESTROYS, plan("aws_db_instance", &["delete"], &skipped, &Value::Null, &json!({"deposed": "0a1b2c3d"}))),
        ("a field that is not known yet", DESTROYS, plan("aws_db_instance", &["delete", "create"], &skipped, &skipped, &json!({"replace_paths": [["kms_key_id"]], "after_unknown": {"kms_key_id": true}}))),
        ("a plan of a thinned-out file", DESTROYS, json!({"format_version": "1.2", "resource_changes": [{"address": "module.a.aws_db_instance.x[0]", "change": {"actions": ["delete"]}}]})),
        ("Terraform 0.15", DESTROYS, { let mut p = deletes("aws_db_instance", &skipped); p["format_version"] = json!("0.1"); p }),
        ("a cluster without a final snapshot", DESTROYS, deletes("aws_rds_cluster", &skipped)),
        ("a replaced cluster", DESTROYS, replaces("aws_rds_cluster", &skipped, "storage_encrypted")),
        ("a cluster of DocumentDB", DESTROYS, deletes("aws_docdb_cluster", &skipped)),
        ("a cluster of Neptune", DESTROYS, deletes("aws_neptune_cluster", &skipped)),
        ("a warehouse", DESTROYS, deletes("aws_redshift_cluster", &json!({"skip_final_snapshot": true}))),
        ("a table", DESTROYS, deletes("aws_dynamodb_table", &json!({"name": "orders"}))),
        ("a replaced table", DESTROYS, replaces("aws_dynamodb_table", &json!({"name": "orders"}), "hash_key")),
        ("a file system", DESTROYS, deletes("aws_efs_file_system", &json!({"id": "fs-1"}))),
        ("a replaced file system", DESTROYS, replaces("aws_efs_file_system", &json!({"id": "fs-1"}), "encrypted")),
        ("a Windows file system without a backup", DESTROYS, deletes("aws_fsx_windows_file_system", &json!({"skip_final_backup": true}))),
        ("a volume", DESTROYS, deletes("aws_ebs_volume", &json!({"id": "vol-1", "final_snapshot": false}))),
        ("a replaced volume", DESTROYS, replaces("aws_ebs_volume", &json!({"id": "vol-1"}), "availability_zone")),
        ("a backup vault", DESTROYS, deletes("aws_backup_vault", &json!({"name": "v", "force_destroy": true}))),
        ("a key", DESTROYS, deletes("aws_kms_key", &json!({"deletion_window_in_days": 7}))),
        ("a replaced key", DESTROYS, replaces("aws_kms_key", &json!({}), "customer_master_key_spec")),
        ("a secret at once", DESTROYS, deletes("aws_secretsmanager_secret", &json!({"name": "db", "recovery_window_in_days": 0}))),
        ("a secret with a window", DESTROYS, deletes("aws_secretsmanager_secret", &json!({"name": "db", "recovery_window_in_days": 30}))),
        ("a renamed secret", DESTROYS, replaces("aws_secretsmanager_secret", &json!({"name": "db"}), "name")),
        ("a parameter", DESTROYS, deletes("aws_ssm_parameter", &json!({"name": "/db"}))),
        ("a log group", DESTROYS, deletes("aws_cloudwatch_log_group", &json!({"name": "/ecs", "skip_destroy": false}))),
        ("a snapshot", DESTROYS, deletes("aws_db_snapshot", &json!({"id": "s"}))),
        ("a bucket that is emptied", DESTROYS, deletes("aws_s3_bucket", &json!({"id": "b", "force_destroy": true}))),
        ("a cache with snapshots", DESTROYS, deletes("aws_elasticache_replication_group", &json!({"snapshot_retention_limit": 7}))),
        ("an in-memory database", DESTROYS, deletes("aws_memorydb_cluster", &json!({"name": "m"}))),
        ("retention lowered", LOSES, updates("aws_db_instance", "backup_retention_period", &json!(14), &json!(1))),
        ("backups turned off", LOSES, updates("aws_db_instance", "backup_retention_period", &json!(7), &json!(0))),
        ("retention of a cluster, removed", LOSES, updates("aws_rds_cluster", "backup_retention_period", &json!(30), &Value::Null)),
        ("protection taken off", LOSES, updates("aws_db_instance", "deletion_protection", &json!(true), &json!(false))),
        ("protection of a cluster, removed", LOSES, updates("aws_rds_cluster", "deletion_protection", &json!(true), &Value::Null)),
        ("the final snapshot skipped", LOSES, updates("aws_db_instance", "skip_final_snapshot", &json!(false), &json!(true))),
        ("automated backups deleted along", LOSES, updates("aws_db_instance", "delete_automated_backups", &json!(false), &json!(true))),
        ("recovery window 0", LOSES, updates("aws_secretsmanager_secret", "recovery_window_in_days", &json!(30), &json!(0))),
        ("the window of a key", LOSES, updates("aws_kms_key", "deletion_window_in_days", &json!(30), &json!(7))),
        ("logs kept for a day instead of for ever", LOSES, updates("aws_cloudwatch_log_group", "retention_in_days", &json!(0), &json!(1))),
        ("point-in-time recovery off", LOSES, plan("aws_dynamodb_table", &["update"], &json!({"point_in_time_recovery": [{"enabled": true}]}), &json!({"point_in_time_recovery": [{"enabled": false}]}), &json!({}))),
        ("a backup plan deleted", LOSES, deletes("aws_backup_plan", &json!({"name": "daily"}))),
        ("a backup selection deleted", LOSES, deletes("aws_backup_selection", &json!({}))),
        ("a vault lock deleted", LOSES, deletes("aws_backup_vault_lock_configuration", &json!({}))),
        ("a global database deleted", LOSES, deletes("aws_rds_global_cluster", &json!({"global_cluster_identifier": "g"}))),
    ];
    all.extend([
        ("a stack's database", DESTROYS, removes("AWS::RDS::DBInstance", Some("Delete"))),
        ("a stack's cluster", DESTROYS, removes("AWS::RDS::DBCluster", Some("Delete"))),
        ("a stack's file system", DESTROYS, removes("AWS::EFS::FileSystem", Some("Delete"))),
        ("a stack's volume", DESTROYS, removes("AWS::EC2::Volume", Some("Delete"))),
        ("a stack's vault", DESTROYS, removes("AWS::Backup::BackupVault", Some("Delete"))),
        ("a stack's key", DESTROYS, removes("AWS::KMS::Key", Some("Delete"))),
        ("a stack's secret", DESTROYS, removes("AWS::SecretsManager::Secret", Some("Delete"))),
        ("a stack's parameter", DESTROYS, removes("AWS::SSM::Parameter", Some("Delete"))),
        ("a stack's log group", DESTROYS, removes("AWS::Logs::LogGroup", Some("Delete"))),
        ("a stack's table", DESTROYS, removes("AWS::DynamoDB::Table", Some("Delete"))),
        ("an old CLI without PolicyAction", DESTROYS, removes("AWS::EFS::FileSystem", None)),
        ("replaced and deleted", DESTROYS, modifies("AWS::RDS::DBInstance", "True", "ReplaceAndDelete", "DBName")),
        ("a replaced secret", DESTROYS, modifies("AWS::SecretsManager::Secret", "True", "ReplaceAndDelete", "Name")),
        ("retention in a stack", LOSES, property("AWS::RDS::DBInstance", "BackupRetentionPeriod", "14", "1")),
        ("protection in a stack", LOSES, property("AWS::RDS::DBCluster", "DeletionProtection", "true", "false")),
        ("logs in a stack", LOSES, property("AWS::Logs::LogGroup", "RetentionInDays", "365", "7")),
        ("a policy that deletes", LOSES, change_set(&json!({
            "Action": "Modify", "LogicalResourceId": "Store", "ResourceType": "AWS::EFS::FileSystem", "Replacement": "False", "Scope": ["DeletionPolicy"],
            "Details": [{"Target": {"Attribute": "DeletionPolicy", "RequiresRecreation": "Never", "BeforeValue": "Retain", "AfterValue": "Delete"}}],
        }))),
    ]);
    all
}

#[rustfmt::skip]
pub(super) fn ordinary() -> Vec<(&'static str, Value)> {
    let skipped = json!({"identifier": "shop-db", "skip_final_snapshot": true});
    let created = |kind: &str, after: &Value| plan(kind, &["create"], &Value::Null, after, &json!({}));
    vec![
        ("nothing", json!({"format_version": "1.2", "planned_values": {}, "resource_changes": []})),
        ("no change", plan("aws_db_instance", &["no-op"], &skipped, &skipped, &json!({}))),
        ("a read", plan("aws_db_instance", &["read"], &Value::Null, &skipped, &json!({"mode": "data"}))),
        ("a new secret without a window", created("aws_secretsmanager_secret", &json!({"recovery_window_in_days": 0}))),
        ("a new file system", created("aws_efs_file_system", &json!({}))),
        ("a new log group", created("aws_cloudwatch_log_group", &json!({"retention_in_days": 1}))),
        ("moved", plan("aws_efs_file_system", &["no-op"], &json!({}), &json!({}), &json!({"previous_address": "aws_efs_file_system.old"}))),
        ("moved and changed in place", plan("aws_efs_file_system", &["update"], &json!({"throughput_mode": "bursting"}), &json!({"throughput_mode": "elastic"}), &json!({"previous_address": "aws_efs_file_system.old"}))),
        ("forgotten", plan("aws_db_instance", &["forget"], &skipped, &Value::Null, &json!({}))),
        ("forgotten and made anew", plan("aws_efs_file_system", &["create", "forget"], &json!({}), &json!({}), &json!({}))),
        ("imported", plan("aws_efs_file_system", &["no-op"], &json!({}), &json!({}), &json!({"importing": {"id": "fs-1"}}))),
        ("imported and changed", plan("aws_kms_key", &["update"], &json!({"description": ""}), &json!({"description": "x"}), &json!({"importing": {"id": "k"}}))),
        ("a snapshot first", deletes("aws_db_instance", &kept_first(&json!({})))),
        ("a snapshot first, of a replaced one", replaces("aws_db_instance", &kept_first(&json!({})), "kms_key_id")),
        ("a snapshot first, of a cluster", deletes("aws_rds_cluster", &kept_first(&json!({})))),
        ("a snapshot first, of a warehouse", deletes("aws_redshift_cluster", &kept_first(&json!({})))),
        ("a read replica", deletes("aws_db_instance", &json!({"skip_final_snapshot": true, "replicate_source_db": "shop-db"}))),
        ("a member of Aurora", deletes("aws_rds_cluster_instance", &json!({"identifier": "a-1"}))),
        ("a volume after a snapshot", deletes("aws_ebs_volume", &json!({"final_snapshot": true}))),
        ("a file system after a backup", deletes("aws_fsx_windows_file_system", &json!({"skip_final_backup": false}))),
        ("a log group that stays", deletes("aws_cloudwatch_log_group", &json!({"skip_destroy": true}))),
        ("a bucket that AWS keeps unless it is empty", deletes("aws_s3_bucket", &json!({"force_destroy": false}))),
        ("a cache", deletes("aws_elasticache_cluster", &json!({"engine": "memcached"}))),
        ("a cache without snapshots", replaces("aws_elasticache_replication_group", &json!({"snapshot_retention_limit": 0}), "engine_version")),
        ("another task definition", replaces("aws_ecs_task_definition", &json!({"family": "shop", "container_definitions": "[]"}), "cpu")),
        ("another instance", replaces("aws_instance", &json!({"id": "i-1"}), "ami")),
        ("another secret version", replaces("aws_secretsmanager_secret_version", &json!({"secret_id": "s"}), "secret_string")),
        ("another group", replaces("aws_security_group", &json!({"name": "db"}), "description")),
        ("another selection", replaces("aws_backup_selection", &json!({"name": "s"}), "name")),
        ("a mount target", deletes("aws_efs_mount_target", &json!({}))),
        ("an alias", deletes("aws_kms_alias", &json!({}))),
        ("more retention", updates("aws_db_instance", "backup_retention_period", &json!(1), &json!(14))),
        ("protection put on", updates("aws_db_instance", "deletion_protection", &json!(false), &json!(true))),
        ("a final snapshot from now on", updates("aws_db_instance", "skip_final_snapshot", &json!(true), &json!(false))),
        ("a larger class", updates("aws_db_instance", "instance_class", &json!("db.t4g.micro"), &json!("db.m7g.large"))),
        ("logs for ever", updates("aws_cloudwatch_log_group", "retention_in_days", &json!(30), &json!(0))),
        ("a version that AWS tells later", plan("aws_db_instance", &["update"], &json!({"engine_version": "17.4", "backup_retention_period": 7}), &json!({"backup_retention_period": 7}), &json!({"after_unknown": {"engine_version": true}}))),
        ("a state", json!({"format_version": "1.0", "values": {"root_module": {"resources": [{"address": "aws_efs_file_system.a", "mode": "managed", "type": "aws_efs_file_system", "name": "a", "values": {}}]}}})),
        ("retained", removes("AWS::EFS::FileSystem", Some("Retain"))),
        ("after a snapshot", removes("AWS::RDS::DBInstance", Some("Snapshot"))),
        ("replaced and retained", modifies("AWS::RDS::DBCluster", "True", "ReplaceAndRetain", "DatabaseName")),
        ("replaced after a snapshot", modifies("AWS::RDS::DBInstance", "True", "ReplaceAndSnapshot", "DBName")),
        ("retained although it may be replaced", modifies("AWS::RDS::DBInstance", "Conditional", "ReplaceAndRetain", "DBName")),
        ("added to a stack", change_set(&json!({"Action": "Add", "LogicalResourceId": "Store", "ResourceType": "AWS::RDS::DBInstance"}))),
        ("imported into a stack", change_set(&json!({"Action": "Import", "LogicalResourceId": "Store", "ResourceType": "AWS::EFS::FileSystem"}))),
        ("only the stack's records", change_set(&json!({"Action": "SyncWithActual", "LogicalResourceId": "Store", "ResourceType": "AWS::EFS::FileSystem"}))),
        ("a member of Aurora in a stack", change_set(&json!({
            "Action": "Remove", "PolicyAction": "Delete", "LogicalResourceId": "Reader", "ResourceType": "AWS::RDS::DBInstance",
            "BeforeContext": "{\"Properties\":{\"DBClusterIdentifier\":\"shop\"}}",
        }))),
        ("another task definition in a stack", modifies("AWS::ECS::TaskDefinition", "True", "ReplaceAndDelete", "ContainerDefinitions")),
        ("a tag", property("AWS::RDS::DBInstance", "Tags", "a", "b")),
        ("a nested stack that changes", change_set(&json!({"Action": "Modify", "LogicalResourceId": "Data", "ResourceType": "AWS::CloudFormation::Stack", "Replacement": "False"}))),
    ]
}
