//! What to write into the file, in its own words, and on which line.

use serde_json::Value;

use super::source::Document;
use super::{definition, template};
use crate::finding::{FilePlace, Finding};

/// How a file spells what it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Terraform,
    Template,
    Definitions,
}

/// The file, as it is written.
pub(super) struct Written<'a> {
    pub format: Format,
    pub path: &'a str,
    pub document: &'a Document,
}

/// One rule's advice: what Terraform and CloudFormation write, and the property whose line it is.
struct Words {
    rule: &'static str,
    terraform: &'static str,
    cloudformation: &'static str,
    property: &'static str,
}

const fn words(
    rule: &'static str,
    terraform: &'static str,
    cloudformation: &'static str,
    property: &'static str,
) -> Words {
    Words {
        rule,
        terraform,
        cloudformation,
        property,
    }
}

/// `{}` is the value that the finding expects.
const WORDS: &[Words] = &[
    words(
        "rds-public-access",
        "set publicly_accessible = false on",
        "set PubliclyAccessible: false on",
        "PubliclyAccessible",
    ),
    words(
        "rds-public-subnet",
        "give its aws_db_subnet_group only subnet_ids without a route to an internet gateway:",
        "give its AWS::RDS::DBSubnetGroup only SubnetIds without a route to an internet gateway:",
        "DBSubnetGroupName",
    ),
    words(
        "rds-open-ingress",
        "remove these ingress rules, and allow the service's group (security_groups or referenced_security_group_id) \
         instead, on",
        "remove these rules from SecurityGroupIngress, and allow the service's group (SourceSecurityGroupId) instead, on",
        "SecurityGroupIngress",
    ),
    words(
        "rds-short-backup-retention",
        "set backup_retention_period = {} on",
        "set BackupRetentionPeriod: {} on",
        "BackupRetentionPeriod",
    ),
    words(
        "rds-unencrypted-storage",
        "set storage_encrypted = true before it is created (of one that exists, it means a replacement: restore an \
         encrypted copy of a snapshot instead) on",
        "set StorageEncrypted: true before it is created (of one that exists, it means a replacement: restore an \
         encrypted copy of a snapshot instead) on",
        "StorageEncrypted",
    ),
    words(
        "rds-deletion-unprotected",
        "set deletion_protection = true on",
        "set DeletionProtection: true on",
        "DeletionProtection",
    ),
    words(
        "rds-storage-ceiling",
        "set max_allocated_storage = {} on",
        "set MaxAllocatedStorage: {} on",
        "MaxAllocatedStorage",
    ),
    words(
        "rds-unenforced-tls",
        "set parameter { name = \"rds.force_ssl\", value = \"1\" } in the parameter group of",
        "set Parameters: {rds.force_ssl: \"1\"} in the parameter group of",
        "DBParameterGroupName",
    ),
    words(
        "rds-no-minor-upgrades",
        "set auto_minor_version_upgrade = true on",
        "set AutoMinorVersionUpgrade: true on",
        "AutoMinorVersionUpgrade",
    ),
    words(
        "rds-single-az",
        "set multi_az = true on",
        "set MultiAZ: true on",
        "MultiAZ",
    ),
    words(
        "rds-no-iam-authentication",
        "set iam_database_authentication_enabled = true on",
        "set EnableIAMDatabaseAuthentication: true on",
        "EnableIAMDatabaseAuthentication",
    ),
    words(
        "ecs-no-rollout-protection",
        "set deployment_circuit_breaker { enable = true, rollback = true } on",
        "set DeploymentConfiguration: {DeploymentCircuitBreaker: {Enable: true, Rollback: true}} on",
        "DeploymentConfiguration",
    ),
    words(
        "ecs-public-task",
        "set network_configuration { assign_public_ip = false } on",
        "set AssignPublicIp: DISABLED on",
        "NetworkConfiguration/AwsvpcConfiguration/AssignPublicIp",
    ),
    words(
        "ecs-exec-disabled",
        "set enable_execute_command = true on",
        "set EnableExecuteCommand: true on",
        "EnableExecuteCommand",
    ),
];

impl Written<'_> {
    /// The name of an attribute in the file.
    pub(super) fn attribute(&self, name: &str) -> String {
        match self.format {
            Format::Template => template::property(name),
            Format::Terraform | Format::Definitions => name.to_owned(),
        }
    }

    /// Says what to write, and where.
    pub(super) fn advise(&self, finding: &mut Finding) {
        let words = WORDS.iter().find(|w| w.rule == finding.rule);
        let line = match self.format {
            // Nobody edits a plan.
            Format::Terraform => None,
            Format::Template => self.line_in_template(&finding.resource.id, words.map(|w| w.property)),
            Format::Definitions => self.line_in_definitions(finding),
        };
        if let (Some(words), Some(remediation)) = (words, &mut finding.remediation) {
            let text = match self.format {
                Format::Terraform => Some(words.terraform),
                Format::Template => Some(words.cloudformation),
                Format::Definitions => None,
            };
            let expected = finding.evidence.first().map(|e| plain(&e.expected)).unwrap_or_default();
            if let Some(text) = text {
                remediation.summary = format!("{} {}", text.replace("{}", &expected), finding.resource.id);
            }
        }
        if let Some(line) = line {
            finding.place = Some(FilePlace {
                file: self.path.to_owned(),
                line,
            });
            if let Some(remediation) = &mut finding.remediation {
                remediation.summary = format!("{} ({}:{line})", remediation.summary, self.path);
            }
        }
    }

    fn line_in_template(&self, id: &str, property: Option<&str>) -> Option<usize> {
        let resource = format!("/Resources/{id}");
        // Of a property that nobody wrote, the line is that of the resource.
        let written = |name: &&str| {
            let path = format!("{resource}/Properties/{name}");
            self.document.value.pointer(&path).is_some()
        };
        self.document.value.pointer(&resource)?;
        match property.filter(written) {
            Some(property) => self.document.lines.of(&format!("{resource}/Properties/{property}")),
            None => self.document.lines.of(&resource),
        }
    }

    /// The line of the container that the evidence names, else of the definition.
    fn line_in_definitions(&self, finding: &Finding) -> Option<usize> {
        let all = definition::recognise(&self.document.value);
        let of = |found: &&definition::Found<'_>| found.is_called(&finding.resource.id);
        let found = all.iter().find(of).or_else(|| all.first().filter(|_| all.len() == 1))?;
        let told = |name: &&str| finding.evidence.iter().any(|e| e.field.contains(&format!("[{name}]")));
        let container = found.containers().into_iter().find(|name| told(name));
        let path = container.map_or_else(|| found.path(), |name| found.path_of(name));
        self.document.lines.of(&path)
    }
}

/// A value without what rules put in front of it: `>= 7` is 7.
fn plain(expected: &Value) -> String {
    let text = expected.as_str().map_or_else(|| expected.to_string(), str::to_owned);
    text.trim_start_matches(['>', '=', ' ']).to_owned()
}
