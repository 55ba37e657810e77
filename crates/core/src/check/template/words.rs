//! The names of properties, for attributes as the lowered form has them.

/// Where a name is not its parts with capital letters.
const IRREGULAR: &[(&str, &str)] = &[
    ("container_definitions", "ContainerDefinitions"),
    ("iam_database_authentication_enabled", "EnableIAMDatabaseAuthentication"),
    ("ingress", "SecurityGroupIngress"),
    ("cidr_blocks", "SecurityGroupIngress"),
    ("cidr_ipv4", "CidrIp"),
    ("cidr_ipv6", "CidrIpv6"),
    ("multi_az", "MultiAZ"),
    (
        "network_configuration.security_groups",
        "NetworkConfiguration.AwsvpcConfiguration.SecurityGroups",
    ),
    (
        "network_configuration.subnets",
        "NetworkConfiguration.AwsvpcConfiguration.Subnets",
    ),
    ("parameter", "Parameters"),
    ("performance_insights_enabled", "EnablePerformanceInsights"),
    ("referenced_security_group_id", "SourceSecurityGroupId"),
    ("replicate_source_db", "SourceDBInstanceIdentifier"),
    ("security_group_id", "GroupId"),
    ("snapshot_identifier", "DBSnapshotIdentifier"),
    ("username", "MasterUsername"),
    ("vpc_security_group_ids", "VPCSecurityGroups"),
];

/// The property that an attribute is made of: `PubliclyAccessible` for `publicly_accessible`.
pub(in crate::check) fn property(attribute: &str) -> String {
    if let Some((_, property)) = IRREGULAR.iter().find(|(known, _)| *known == attribute) {
        return (*property).to_owned();
    }
    let part = |part: &str| match part {
        "db" => "DB".to_owned(),
        part => {
            let mut letters = part.chars();
            let first = letters.next().map(|c| c.to_ascii_uppercase());
            first.into_iter().chain(letters).collect()
        }
    };
    attribute.split('_').map(part).collect()
}
