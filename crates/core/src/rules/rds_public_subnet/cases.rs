//! What `rds-public-subnet` says, and of what it says nothing.

use crate::rules::testing::databases::{add_subnet, migrating, replica, subnet};
use crate::rules::testing::workload::{cluster, db, denied, service};
use crate::rules::testing::{Case, Cases, Unread};

#[rustfmt::skip]
pub(in crate::rules) const CASES: Cases = Cases {
    failing: &[
        Case::new("a route to the internet", |s| subnet(s).internet_gateway = Some("igw-1".into())),
        Case::new("a cluster's route to the internet", |s| { cluster(s); subnet(s).internet_gateway = Some("igw-1".into()); }),
        Case::new("a replica's route to the internet", |s| { replica(s).subnets = vec!["subnet-2".into()]; add_subnet(s, "subnet-2", "vpc-1", "10.0.2.0/24", &[]); s.subnets.as_mut().expect("read").get_mut("subnet-2").expect("there").internet_gateway = Some("igw-1".into()); }),
        Case::new("a public subnet after the window", |s| { migrating(s, "2026-11-21T11:00:00Z"); subnet(s).internet_gateway = Some("igw-1".into()); }),
        Case::new("a public subnet beside one that is not found", |s| { db(s).subnets.push("subnet-9".into()); subnet(s).internet_gateway = Some("igw-1".into()); }),
    ],
    passing: &[
        Case::new("a public subnet while migrating", |s| { migrating(s, "2026-11-22T00:00:00Z"); subnet(s).internet_gateway = Some("igw-1".into()); }),
        Case::new("a public subnet of the service alone", |s| { add_subnet(s, "subnet-2", "vpc-1", "10.0.2.0/24", &[]); service(s).subnets = vec!["subnet-1".into()]; db(s).subnets = vec!["subnet-2".into()]; subnet(s).internet_gateway = Some("igw-1".into()); }),
    ],
    unknown: &[
        Case::new("subnets", |s| s.subnets = Err(denied("DescribeSubnets"))),
        Case::new("a subnet that is not there", |s| db(s).subnets.push("subnet-9".into())),
    ],
    unread: &[Unread::Instances, Unread::Clusters],
};
