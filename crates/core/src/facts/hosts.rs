//! Host names: which of them are RDS's, and of what kind.

use std::borrow::Cow;
use std::collections::BTreeSet;

use crate::model::connection::{Connection, SecretShape};
use crate::model::snapshot::{SecretValue, Snapshot};

/// What a host name is, by its form alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostForm<'h> {
    /// `name.HASH.REGION.rds.amazonaws.com`: an instance, in this region.
    Instance(&'h str),
    /// `name.cluster-HASH...` or `name.cluster-ro-HASH...`: the writer or the reader of a cluster, in this region.
    Cluster(&'h str),
    /// `name.cluster-custom-HASH...`: an endpoint that someone added to an Aurora cluster.
    Custom,
    /// `name.proxy-HASH...`: the endpoint that each RDS Proxy has.
    Proxy,
    /// `name.endpoint.proxy-HASH...`: one that someone added to an RDS Proxy.
    ProxyEndpoint,
    /// `name.global-HASH.global...`: the writer of an Aurora global database.
    Global,
    /// RDS's in a form that this does not know (shard groups, for one), or nobody can tell: a CNAME, an address, a pooler.
    Other,
}

/// The domains under which AWS's partitions give names to databases.
const DOMAINS: &[&[&str]] = &[
    &["amazonaws", "com"],
    &["amazonaws", "com", "cn"],
    &["amazonaws", "eu"],
    &["c2s", "ic", "gov"],
    &["sc2s", "sgov", "gov"],
];

/// The form of a host name that `normal` made.
///
/// <https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/Aurora.Overview.Endpoints.html>,
/// <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-proxy-endpoints.html>; in China also
/// `name.HASH.rds.REGION.amazonaws.com.cn`.
#[must_use]
pub fn form(host: &str) -> HostForm<'_> {
    let labels: Vec<&str> = host.split('.').collect();
    let Some(rds) = labels.iter().rposition(|l| *l == "rds") else {
        return HostForm::Other;
    };
    let (names, region) = match (labels.split_at(rds), labels.get(rds + 2..)) {
        ((before, _), _) if DOMAINS.contains(&&labels[rds + 1..]) => match before {
            [names @ .., region] => (names, *region),
            [] => return HostForm::Other,
        },
        ((names, _), Some(domain)) if DOMAINS.contains(&domain) => (names, labels[rds + 1]),
        _ => return HostForm::Other,
    };
    match names {
        [_, "endpoint", hash] if hash.contains("proxy-") => HostForm::ProxyEndpoint,
        [_, hash] if hash.contains("proxy-") => HostForm::Proxy,
        [_, hash] if hash.starts_with("global-") => HostForm::Global,
        [_, hash] if hash.starts_with("cluster-custom-") => HostForm::Custom,
        [_, hash] if hash.starts_with("cluster-") => HostForm::Cluster(region),
        [_, hash] if !hash.contains('-') && region != "global" => HostForm::Instance(region),
        _ => HostForm::Other,
    }
}

/// A host name as the lists of databases have it: lower case, without the dot of the root.
#[must_use]
pub fn normal(host: &str) -> Cow<'_, str> {
    let host = host.trim_end_matches('.');
    if host.bytes().any(|b| b.is_ascii_uppercase()) {
        Cow::Owned(host.to_ascii_lowercase())
    } else {
        Cow::Borrowed(host)
    }
}

/// The endpoints that some connection names and that neither an instance nor a cluster of the lists has: what must be
/// read further to know where they lead. In most scopes there is none.
#[must_use]
pub fn endpoints_to_read(snapshot: &Snapshot) -> BTreeSet<String> {
    let unlisted = |host: &str| match form(host) {
        HostForm::Proxy | HostForm::ProxyEndpoint | HostForm::Global => true,
        HostForm::Custom => {
            let clusters = snapshot.clusters.iter().flat_map(|m| m.values());
            !clusters.flat_map(|c| &c.hosts).any(|h| h == host)
        }
        HostForm::Instance(_) | HostForm::Cluster(_) | HostForm::Other => false,
    };
    let whole = connections(snapshot).flat_map(|c| &c.hosts).map(|h| h.host.as_str());
    let definitions = snapshot.task_definitions.values().flatten();
    let variables = definitions.flat_map(|d| &d.containers).flat_map(|c| &c.variables);
    whole
        .chain(variables.filter_map(|v| v.value.host.as_deref()))
        .map(normal)
        .filter(|h| unlisted(h))
        .map(Cow::into_owned)
        .collect()
}

/// Every connection that a secret, a parameter or a plain variable of the scope holds.
fn connections(snapshot: &Snapshot) -> impl Iterator<Item = &Connection> {
    fn shape(value: &SecretValue) -> Option<&SecretShape> {
        match value {
            SecretValue::Shape(shape) => Some(shape),
            SecretValue::NoSuchVersion | SecretValue::NotInspected => None,
        }
    }
    let secrets = snapshot.values.values().flatten().filter_map(shape);
    let parameters = snapshot.parameters.values().flatten().flatten().filter_map(shape);
    let definitions = snapshot.task_definitions.values().flatten();
    let plain = definitions.flat_map(|d| &d.containers).flat_map(|c| &c.variables);
    let held = secrets.chain(parameters).flat_map(|shape| -> Vec<&Connection> {
        match shape {
            SecretShape::Plain(connection) => vec![connection],
            SecretShape::Json { keys, parts } => keys.values().flatten().chain(parts).collect(),
            SecretShape::Binary => vec![],
        }
    });
    held.chain(plain.filter_map(|v| v.value.connection.as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::testing::databases::{leads_to, parameter, plain_url};
    use crate::rules::testing::workload::{HOST, clean, cluster};

    #[test]
    fn forms() {
        let cases = [
            (HOST, HostForm::Instance("us-east-1")),
            (
                "shop.cluster-abc.us-east-1.rds.amazonaws.com",
                HostForm::Cluster("us-east-1"),
            ),
            (
                "shop.cluster-ro-abc.eu-west-1.rds.amazonaws.com",
                HostForm::Cluster("eu-west-1"),
            ),
            ("bi.cluster-custom-abc.us-east-1.rds.amazonaws.com", HostForm::Custom),
            ("shop.proxy-abc.us-east-1.rds.amazonaws.com", HostForm::Proxy),
            (
                "shop-ro.endpoint.proxy-abc.us-east-1.rds.amazonaws.com",
                HostForm::ProxyEndpoint,
            ),
            ("shop.global-abc.global.rds.amazonaws.com", HostForm::Global),
            (
                "shop.abc.cn-north-1.rds.amazonaws.com.cn",
                HostForm::Instance("cn-north-1"),
            ),
            (
                "shop.cluster-abc.rds.cn-northwest-1.amazonaws.com.cn",
                HostForm::Cluster("cn-northwest-1"),
            ),
            (
                "shop.abc.us-gov-west-1.rds.amazonaws.com",
                HostForm::Instance("us-gov-west-1"),
            ),
            (
                "shop.abc.us-iso-east-1.rds.c2s.ic.gov",
                HostForm::Instance("us-iso-east-1"),
            ),
            // Near misses.
            ("shop.shardgrp-abc.us-east-1.rds.amazonaws.com", HostForm::Other),
            ("rds.us-east-1.amazonaws.com", HostForm::Other),
            ("rds.amazonaws.com", HostForm::Other),
            ("shop.abc.us-east-1.rds.amazonaws.com.example.com", HostForm::Other),
            ("shop.abc.us-east-1.rds.example.com", HostForm::Other),
            ("shop.abc.us-east-1.docdb.amazonaws.com", HostForm::Other),
            ("shop.cluster-abc.us-east-1.neptune.amazonaws.com", HostForm::Other),
            ("db.shop.internal", HostForm::Other),
            ("10.0.1.17", HostForm::Other),
            ("localhost", HostForm::Other),
            ("rds", HostForm::Other),
            ("", HostForm::Other),
        ];
        for (host, wanted) in cases {
            assert_eq!(form(host), wanted, "{host}");
        }
        assert_eq!(
            normal("Shop-DB.abc.us-east-1.RDS.amazonaws.com."),
            "shop-db.abc.us-east-1.rds.amazonaws.com"
        );
        assert_eq!(normal("db"), "db");
    }

    #[test]
    fn only_what_no_list_has_is_read() {
        let asked = |host: &str| {
            let mut s = clean();
            cluster(&mut s)
                .hosts
                .push("bi.cluster-custom-abc.us-east-1.rds.amazonaws.com".into());
            leads_to(&mut s, host, 1);
            endpoints_to_read(&s)
        };
        for host in [
            HOST,
            "gone.abc.us-east-1.rds.amazonaws.com",
            "gone.cluster-abc.us-east-1.rds.amazonaws.com",
            "bi.cluster-custom-abc.us-east-1.rds.amazonaws.com",
            "db.shop.internal",
            "10.0.1.17",
        ] {
            assert_eq!(asked(host), BTreeSet::new(), "{host}");
        }
        for host in [
            "Shop.proxy-abc.us-east-1.rds.amazonaws.com.",
            "other.cluster-custom-abc.us-east-1.rds.amazonaws.com",
            "shop.global-abc.global.rds.amazonaws.com",
        ] {
            assert_eq!(asked(host), BTreeSet::from([normal(host).into_owned()]), "{host}");
        }
    }

    #[test]
    fn wherever_a_connection_stands() {
        const PROXY: &str = "shop.proxy-abc.us-east-1.rds.amazonaws.com";
        let wanted = BTreeSet::from([PROXY.to_owned()]);
        let mut s = clean();
        parameter(&mut s, PROXY);
        assert_eq!(endpoints_to_read(&s), wanted);
        let mut s = clean();
        plain_url(&mut s, PROXY);
        assert_eq!(endpoints_to_read(&s), wanted);
    }
}
