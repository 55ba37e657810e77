//! One resource in the form of a Terraform plan.

use serde_json::Value;

use super::functions::Functions;
use super::made::Made;
use super::unknown::unknown;
use super::{network, rds, secrets, services};

/// What a resource of the template is in a plan; nothing for what no rule looks at.
pub(super) fn resource(functions: &Functions<'_>, id: &str, written: &Value) -> Vec<Value> {
    let made = match written.get("Type").and_then(Value::as_str).unwrap_or_default() {
        "AWS::RDS::DBInstance" => vec![rds::instance(functions, id)],
        "AWS::RDS::DBCluster" => vec![rds::cluster(functions, id)],
        "AWS::RDS::DBSubnetGroup" => vec![
            Made::new(id, "aws_db_subnet_group")
                .set(
                    "subnet_ids",
                    functions.property(id, "SubnetIds").unwrap_or_else(unknown),
                )
                .maybe("name", functions.text(id, "DBSubnetGroupName")),
        ],
        "AWS::RDS::DBParameterGroup" => vec![rds::parameters(functions, id, "aws_db_parameter_group")],
        "AWS::RDS::DBClusterParameterGroup" => vec![rds::parameters(functions, id, "aws_rds_cluster_parameter_group")],
        "AWS::EC2::SecurityGroup" => vec![network::group(functions, id)],
        "AWS::EC2::SecurityGroupIngress" => vec![network::ingress(functions, id)],
        "AWS::EC2::VPC" => vec![Made::new(id, "aws_vpc").tagged(functions, id)],
        "AWS::EC2::Subnet" => vec![network::subnet(functions, id)],
        "AWS::EC2::InternetGateway" => vec![network::gateway(id)],
        "AWS::EC2::RouteTable" => vec![Made::new(id, "aws_route_table").copy(functions, id, &[("VpcId", "vpc_id")])],
        "AWS::EC2::Route" => vec![network::route(functions, id)],
        "AWS::EC2::SubnetRouteTableAssociation" => vec![Made::new(id, "aws_route_table_association").copy(
            functions,
            id,
            &[("SubnetId", "subnet_id"), ("RouteTableId", "route_table_id")],
        )],
        "AWS::SecretsManager::Secret" => secrets::secret(functions, id),
        "AWS::ECS::TaskDefinition" => vec![services::definition(functions, id)],
        "AWS::ECS::Service" => vec![services::service(functions, id)],
        _ => vec![],
    };
    made.into_iter().map(Made::change).collect()
}
