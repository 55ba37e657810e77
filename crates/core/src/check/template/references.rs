//! What a reference to a resource becomes: its logical id, or a placeholder that the lowered resource has, too.

use serde_json::Value;

use super::functions::Functions;
use super::unknown::is_unknown;

/// Rotations, attachments and policies of a secret refer to one another's secret in a few steps at most.
const STEPS: usize = 4;

impl Functions<'_> {
    /// `Ref` to a resource.
    pub(super) fn identity(&self, id: &str, kind: &str) -> Value {
        match kind {
            "AWS::EC2::InternetGateway" => gateway(id).into(),
            "AWS::EC2::VPNGateway" => format!("vgw-{id}").into(),
            _ => match self.secret(id, STEPS) {
                Some(arn) => arn.into(),
                None => id.into(),
            },
        }
    }

    /// `Fn::GetAtt`; none for what only AWS knows.
    pub(super) fn attribute(&self, id: &str, attribute: &str, depth: usize) -> Option<Value> {
        let kind = self.kind(id)?;
        if let Some(arn) = self.secret(id, STEPS) {
            return ["Id", "Arn", "SecretArn"].contains(&attribute).then(|| arn.into());
        }
        match (kind, attribute) {
            ("AWS::RDS::DBInstance" | "AWS::RDS::DBCluster", "Endpoint.Address" | "ReadEndpoint.Address") => {
                Some(self.host(id, attribute.starts_with("Read")).into())
            }
            ("AWS::RDS::DBInstance" | "AWS::RDS::DBCluster", "Endpoint.Port") => Some(self.port(id, depth)),
            ("AWS::RDS::DBInstance", "MasterUserSecret.SecretArn") => Some(self.managed("db", id).into()),
            ("AWS::RDS::DBCluster", "MasterUserSecret.SecretArn") => Some(self.managed("cluster", id).into()),
            ("AWS::EC2::SecurityGroup", "GroupId" | "Id")
            | ("AWS::EC2::VPC", "VpcId")
            | ("AWS::EC2::Subnet", "SubnetId")
            | ("AWS::EC2::RouteTable", "RouteTableId")
            | ("AWS::ECS::TaskDefinition", "TaskDefinitionArn") => Some(id.into()),
            ("AWS::EC2::InternetGateway", "InternetGatewayId") => Some(gateway(id).into()),
            ("AWS::EC2::VPC", "DefaultSecurityGroup") => Some(format!("{id}.DefaultSecurityGroup").into()),
            _ => None,
        }
    }

    /// The placeholder for the ARN of a secret, also by what AWS refers to it by: an attachment, a rotation, a policy.
    pub(super) fn secret(&self, id: &str, steps: usize) -> Option<String> {
        match self.kind(id)? {
            "AWS::SecretsManager::Secret" => {
                // What follows the last hyphen is the suffix that AWS adds: with one, a reference is complete.
                Some(self.scope.arn("secretsmanager", &format!("secret:{id}-XXXXXX")))
            }
            "AWS::SecretsManager::SecretTargetAttachment"
            | "AWS::SecretsManager::RotationSchedule"
            | "AWS::SecretsManager::ResourcePolicy" => {
                let of = self.resource(id)?.get("Properties")?.get("SecretId")?;
                let target = of.get("Ref").and_then(Value::as_str)?;
                self.secret(target, steps.checked_sub(1)?)
            }
            _ => None,
        }
    }

    /// The placeholder for the secret that RDS makes itself.
    fn managed(&self, of: &str, id: &str) -> String {
        self.scope
            .arn("secretsmanager", &format!("secret:rds!{of}-{id}-XXXXXX"))
    }

    /// The placeholder for a database's host.
    pub(super) fn host(&self, id: &str, reader: bool) -> String {
        let role = if reader { "-ro" } else { "" };
        format!(
            "{}{role}.after-deployment.{}.rds.amazonaws.com",
            id.to_ascii_lowercase(),
            self.scope.region
        )
    }

    /// The port of a database: as written, else the default of its engine.
    /// <https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBInstance.html>
    pub(super) fn port(&self, id: &str, depth: usize) -> Value {
        let written = |name| {
            let property = self.resource(id)?.get("Properties")?.get(name)?;
            Some(self.value(property, depth + 1))
        };
        if let Some(port) = written("Port").or_else(|| written("DBPort")) {
            return port;
        }
        let engine = written("Engine").unwrap_or(Value::Null);
        let engine = engine.as_str().unwrap_or_default().to_ascii_lowercase();
        match engine.as_str() {
            e if e.contains("postgres") => "5432".into(),
            e if e.contains("mysql") || e.contains("maria") => "3306".into(),
            _ => super::unknown::unknown(),
        }
    }

    /// The text of a property, if it is known.
    pub(super) fn text(&self, id: &str, name: &str) -> Option<String> {
        let value = self.property(id, name).filter(|v| !is_unknown(v))?;
        value.as_str().map(str::to_owned)
    }
}

/// The placeholder for an internet gateway: routes know one by these letters.
pub(super) fn gateway(id: &str) -> String {
    format!("igw-{id}")
}
