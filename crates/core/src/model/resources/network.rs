//! Security groups and subnets.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::model::tags::Tags;

/// A security group with its ingress rules.
#[derive(Debug, Clone, Default)]
pub struct SecurityGroup {
    /// `sg-...`
    pub id: String,
    /// `GroupName`.
    pub name: String,
    /// Its VPC.
    pub vpc: Option<String>,
    /// One entry for each rule.
    pub ingress: Vec<IngressRule>,
    /// Tags.
    pub tags: Tags,
}

/// One ingress rule: one protocol and port range, one source.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct IngressRule {
    /// `sgr-...`
    pub id: String,
    /// `tcp`, `udp`, `icmp`, a number, or `-1` for all.
    pub protocol: String,
    /// First port; absent where the protocol is `-1`.
    pub from_port: Option<i32>,
    /// Last port, inclusive.
    pub to_port: Option<i32>,
    /// Who may come in.
    pub source: Source,
}

/// The source of an ingress rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// An IPv4 or IPv6 range.
    Cidr(IpNet),
    /// A managed prefix list.
    PrefixList(String),
    /// Another security group, perhaps of another account.
    Group {
        /// `sg-...`
        id: String,
        /// The owner, if AWS names one.
        account: Option<String>,
    },
    /// A source that Holdfast does not know, as AWS wrote it. It never counts as harmless.
    Other(String),
}

impl IngressRule {
    /// Whether TCP connections to `port` may come in by this rule.
    #[must_use]
    pub fn reaches(&self, port: u16) -> bool {
        match self.protocol.as_str() {
            "-1" | "all" => true,
            // AWS normalises 6 to tcp; an API caller may still see the number.
            "tcp" | "6" => {
                let (from, to) = (self.from_port.unwrap_or(0), self.to_port.unwrap_or(65535));
                // EC2 also writes "all ports" as -1 to -1.
                (from == -1 && to == -1) || (from..=to).contains(&i32::from(port))
            }
            _ => false,
        }
    }

    /// Whether the source is the whole of IPv4 or IPv6.
    #[must_use]
    pub fn is_world(&self) -> bool {
        matches!(&self.source, Source::Cidr(net) if net.prefix_len() == 0)
    }

    /// Whether the source is one single address.
    #[must_use]
    pub fn is_single_address(&self) -> bool {
        matches!(&self.source, Source::Cidr(net) if net.prefix_len() == net.max_prefix_len())
    }

    /// For a message: `tcp 5432 from 0.0.0.0/0`.
    #[must_use]
    pub fn describe(&self) -> String {
        let ports = match (self.protocol.as_str(), self.from_port, self.to_port) {
            ("-1" | "all", _, _) => "all protocols".to_owned(),
            (p, Some(from), Some(to)) if from == to => format!("{p} {from}"),
            (p, Some(from), Some(to)) => format!("{p} {from}-{to}"),
            (p, _, _) => format!("{p} all ports"),
        };
        format!("{ports} from {}", self.source)
    }
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Cidr(net) => write!(f, "{net}"),
            Self::PrefixList(id) | Self::Other(id) => f.write_str(id),
            Self::Group {
                id,
                account: Some(account),
            } => write!(f, "{account}/{id}"),
            Self::Group { id, account: None } => f.write_str(id),
        }
    }
}

/// A subnet.
#[derive(Debug, Clone, Default)]
pub struct Subnet {
    /// `subnet-...`
    pub id: String,
    /// Its VPC.
    pub vpc: String,
    /// IPv4 and IPv6 ranges.
    pub cidrs: Vec<IpNet>,
    /// The internet gateway that its route table (its own, or the VPC's main one) sends 0.0.0.0/0 or `::/0` to.
    pub internet_gateway: Option<String>,
    /// Ranges outside its VPC that its route table sends to a peering connection, a transit gateway, a Cloud WAN core
    /// network or a virtual private gateway. A route to a prefix list, whose ranges are not read, appears here as
    /// everything: what is missing here is known to be unreachable.
    pub private_routes: Vec<IpNet>,
    /// Its route table; absent if none was read.
    pub route_table: Option<String>,
    /// Where that sends what is neither for the VPC nor for a network of the customer's own.
    pub egress: Egress,
    /// Whether another account owns it: of that account's endpoints nothing is known here.
    pub shared: bool,
}

/// Where a route table sends IPv4 traffic to the internet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Egress {
    /// Nowhere.
    #[default]
    None,
    /// To an internet gateway, which serves interfaces with a public address.
    Internet,
    /// To a NAT gateway.
    Nat,
    /// To something that may lead there: a transit gateway, a firewall, an instance. Its id.
    Perhaps(String),
}

/// A VPC endpoint.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VpcEndpoint {
    /// `vpce-...`
    pub id: String,
    /// `com.amazonaws.us-east-1.secretsmanager`.
    pub service: String,
    /// Whether it is a gateway, which works by routes, and not an interface.
    pub gateway: bool,
    /// `available`, `pending`, ...
    pub state: String,
    /// Whether the service's usual name leads to it in the VPC.
    pub private_dns: bool,
    /// Security groups of its interfaces.
    pub groups: Vec<String>,
    /// Route tables of a gateway.
    pub route_tables: Vec<String>,
}
