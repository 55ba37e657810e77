//! CloudFormation templates, written by people and by the CDK.

use super::{bytes, evaluate, fixture, told};
use crate::check::CheckedFile;

fn place(checked: &CheckedFile, rule: &str) -> Option<usize> {
    let finding = checked.evaluation.findings.iter().find(|f| f.rule == rule)?;
    finding.place.as_ref().map(|p| p.line)
}

#[test]
fn the_smallest() {
    let text = r#"{"AWSTemplateFormatVersion": "2010-09-09", "Resources": {
        "Task": {"Type": "AWS::ECS::TaskDefinition", "Properties": {
            "Family": "shop", "RequiresCompatibilities": ["FARGATE"], "ExecutionRoleArn": {"Fn::GetAtt": ["Exec", "Arn"]},
            "ContainerDefinitions": [{"Name": "app", "Image": "shop:1",
                "Secrets": [{"Name": "DATABASE_URL", "ValueFrom": {"Ref": "DbSecret"}}]}]}},
        "Db": {"Type": "AWS::RDS::DBInstance", "Properties": {
            "Engine": "postgres", "BackupRetentionPeriod": 0,
            "PubliclyAccessible": true, "StorageEncrypted": true}}}}"#;
    let checked = evaluate("template.json", text.as_bytes(), None).unwrap();
    assert_eq!(
        told(&checked),
        [
            "fail template rds-public-access rds-db-instance Db",
            "fail template rds-short-backup-retention rds-db-instance Db",
        ]
    );
    assert_eq!(place(&checked, "rds-short-backup-retention"), Some(7));
    assert_eq!(place(&checked, "rds-public-access"), Some(8));
    let public = checked
        .evaluation
        .findings
        .iter()
        .find(|f| f.rule == "rds-public-access")
        .unwrap();
    let summary = &public.remediation.as_ref().unwrap().summary;
    assert_eq!(summary, "set PubliclyAccessible: false on Db (template.json:8)");
}

#[test]
fn a_whole_stack_in_yaml() {
    let checked = fixture("stack.yaml", None);
    assert_eq!(
        told(&checked),
        [
            "fail shop rds-open-ingress ec2-security-group DatabaseGroup",
            "fail shop rds-public-access rds-db-instance Database",
        ]
    );
    let open = checked
        .evaluation
        .findings
        .iter()
        .find(|f| f.rule == "rds-open-ingress")
        .unwrap();
    assert!(open.message.contains("tcp 5432 from 0.0.0.0/0"), "{}", open.message);
    assert!(!open.message.contains("AppGroup"), "{}", open.message);
    let s = &checked.snapshot;
    let db = &s.instances.as_ref().unwrap()["Database"];
    assert_eq!(db.security_groups, ["DatabaseGroup"]);
    assert_eq!(db.subnets, ["SubnetA", "SubnetB"]);
    assert_eq!(db.vpc.as_deref(), Some("Vpc"));
    assert_eq!(
        (db.backup_retention_days, db.allocated_storage, db.port),
        (14, 100, Some(5432))
    );
    assert!(db.multi_az && db.deletion_protection && db.storage_encrypted);
    let subnets = s.subnets.as_ref().unwrap();
    assert_eq!(subnets["SubnetA"].internet_gateway.as_deref(), Some("Gateway"));
    let service = s.services.as_ref().unwrap().values().next().unwrap();
    assert_eq!(service.security_groups, ["AppGroup"]);
    assert!(service.fargate && service.circuit_breaker && !service.assign_public_ip);
    // What stands for a parameter's value is its default.
    assert!(
        checked.unchecked.defaults.contains("Environment"),
        "{:?}",
        checked.unchecked.defaults
    );
    let debug = format!(
        "{:?} {:?} {:?}",
        checked.evaluation.findings, checked.snapshot, checked.unchecked
    );
    assert!(!debug.contains("fixture-password"), "{debug}");
}

/// Without the open rule and the flag, nothing is wrong: the app's group is the source of a rule, and the secret leads to
/// the database whose endpoint nobody knows yet.
#[test]
fn a_stack_that_is_well() {
    let text = String::from_utf8(bytes("stack.yaml")).unwrap();
    let text = text.replace("CidrIp: 0.0.0.0/0", "SourceSecurityGroupId: !Ref AppGroup");
    let text = text.replace("PubliclyAccessible: yes", "PubliclyAccessible: no");
    let checked = evaluate("stack.yaml", text.as_bytes(), None).unwrap();
    assert_eq!(told(&checked), Vec::<String>::new());
    assert!(checked.evaluation.passes > 5, "{}", checked.evaluation.passes);
    assert!(checked.snapshot.errors.is_empty());
    for wrong in ["${Database.Endpoint.Address}", ":5432/shop"] {
        let other = if wrong.starts_with('$') {
            "other-db.abc123.us-east-1.rds.amazonaws.com"
        } else {
            ":6432/shop"
        };
        let checked = evaluate("stack.yaml", text.replace(wrong, other).as_bytes(), None).unwrap();
        assert!(
            told(&checked).iter().any(|l| l.contains("secret-wrong-database")),
            "{wrong}: {:?}",
            told(&checked)
        );
    }
}

#[test]
fn what_only_aws_knows_has_two_worlds() {
    let text = "Parameters:
  Public: {Type: String}
  Groups: {Type: 'List<AWS::EC2::SecurityGroup::Id>'}
  Days: {Type: Number}
Resources:
  Db:
    Type: AWS::RDS::DBInstance
    Properties:
      Engine: postgres
      PubliclyAccessible: !Ref Public
      BackupRetentionPeriod: !Ref Days
      StorageEncrypted: false
      VPCSecurityGroups: !Ref Groups
";
    let checked = evaluate("db.yaml", text.as_bytes(), None).unwrap();
    assert_eq!(told(&checked), Vec::<String>::new());
    assert!(
        checked
            .evaluation
            .findings
            .iter()
            .any(|f| f.rule == "rds-unencrypted-storage")
    );
    for gap in [
        "Db (PubliclyAccessible)",
        "Db (BackupRetentionPeriod)",
        "Db (VPCSecurityGroups)",
    ] {
        assert!(
            checked.unchecked.gaps.contains(gap),
            "{gap}: {:?}",
            checked.unchecked.gaps
        );
    }
    // AWS decides by the network whether an instance is public, unless it is said.
    let text = "Resources:\n  Db:\n    Type: AWS::RDS::DBInstance\n    Properties: {Engine: postgres}\n";
    let checked = evaluate("db.yaml", text.as_bytes(), None).unwrap();
    assert!(checked.unchecked.gaps.contains("Db (PubliclyAccessible)"));
    assert_eq!(
        told(&checked),
        ["fail db rds-short-backup-retention rds-db-instance Db"],
        "AWS keeps backups for a day where nothing is said"
    );
}

#[test]
fn the_output_of_the_cdk() {
    let checked = fixture("ShopStack.template.json", None);
    // Whether settings in parts are a database secret is not what this is about.
    let told: Vec<String> = told(&checked)
        .into_iter()
        .filter(|l| !l.contains("ecs-missing-database-secret"))
        .collect();
    assert_eq!(told, Vec::<String>::new());
    assert!(checked.evaluation.passes > 5, "{}", checked.evaluation.passes);
    let s = &checked.snapshot;
    let secrets = s.secrets.as_ref().unwrap();
    assert_eq!(secrets.len(), 1, "{secrets:?}");
    let service = s.services.as_ref().unwrap().values().next().unwrap();
    let definition = s.task_definitions[&service.task_definition].as_ref().unwrap();
    let references: Vec<&str> = definition.containers[0]
        .secrets
        .iter()
        .map(|v| v.value_from.as_str())
        .collect();
    assert_eq!(
        references,
        ["arn:aws:secretsmanager:unknown:unknown:secret:DbSecret685A0FA5-XXXXXX:password::"],
        "an attachment is its secret"
    );
}

/// A secret that RDS makes and keeps is not in the template: nothing can be told of it.
#[test]
fn a_managed_master_secret() {
    let text = "Resources:
  Db:
    Type: AWS::RDS::DBInstance
    Properties: {Engine: postgres, ManageMasterUserPassword: true, PubliclyAccessible: false, BackupRetentionPeriod: 7}
  Task:
    Type: AWS::ECS::TaskDefinition
    Properties:
      RequiresCompatibilities: [FARGATE]
      ExecutionRoleArn: !Sub arn:${AWS::Partition}:iam::${AWS::AccountId}:role/exec
      ContainerDefinitions:
        - Name: app
          Image: !Sub ${AWS::AccountId}.dkr.ecr.${AWS::Region}.${AWS::URLSuffix}/shop:1
          Environment:
            - {Name: DB_HOST, Value: !GetAtt Db.Endpoint.Address}
            - {Name: DB_PORT, Value: !GetAtt Db.Endpoint.Port}
          Secrets:
            - {Name: DATABASE_PASSWORD, ValueFrom: !Sub '${Db.MasterUserSecret.SecretArn}:password::'}
";
    let checked = evaluate("x.yaml", text.as_bytes(), None).unwrap();
    let mismatch = |l: &String| l.contains("secret-reference-mismatch");
    assert!(!told(&checked).iter().any(mismatch), "{:?}", told(&checked));
}

/// A password that is resolved at deployment is in plain text afterwards.
#[test]
fn a_resolved_password_is_in_plain_text() {
    for value in [
        "!Sub 'postgres://shop:{{resolve:secretsmanager:shop:SecretString:password}}@db.example.com:5432/shop'",
        "!Sub 'postgres://shop:${Password}@db.example.com:5432/shop'",
        "!Join ['', ['postgres://shop:', !Ref Password, '@db.example.com:5432/shop']]",
    ] {
        let text = format!(
            "Parameters: {{Password: {{Type: String, NoEcho: true}}}}\nResources:\n  Task:\n    Type: AWS::ECS::TaskDefinition\n    \
             Properties:\n      ContainerDefinitions:\n        - Name: app\n          Image: shop:1\n          Environment:\n            \
             - {{Name: DATABASE_URL, Value: {value}}}\n"
        );
        let checked = evaluate("x.yaml", text.as_bytes(), None).unwrap();
        assert!(
            checked
                .evaluation
                .findings
                .iter()
                .any(|f| f.rule == "ecs-plaintext-database-url"),
            "{value}: {:?}",
            checked.evaluation.findings
        );
    }
}

/// A template that multiplies its texts ends, and says nothing of them.
#[test]
fn a_template_can_not_make_endless_texts() {
    let long = "x".repeat(100_000);
    let many = vec!["${P}"; 20_000].concat();
    let text = format!(
        r#"{{"Parameters": {{"P": {{"Type": "String", "Default": "{long}"}}}}, "Resources": {{"Db": {{"Type": "AWS::RDS::DBInstance",
        "Properties": {{"Engine": "postgres", "PubliclyAccessible": true, "DBName": {{"Fn::Sub": "{many}"}}}}}}}}}}"#
    );
    let checked = evaluate("x.json", text.as_bytes(), None).unwrap();
    assert!(told(&checked).iter().any(|l| l.contains("rds-public-access")));
    let circle = "Conditions:\n  A: !Not [!Condition B]\n  B: !Not [!Condition A]\nResources:\n  Db:\n    Type: AWS::RDS::DBInstance\n    \
                  Condition: A\n    Properties: {Engine: postgres, PubliclyAccessible: true}\n";
    let checked = evaluate("x.yaml", circle.as_bytes(), None).unwrap();
    assert!(told(&checked).iter().any(|l| l.contains("rds-public-access")));
}
