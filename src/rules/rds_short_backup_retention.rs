use std::collections::BTreeMap;

use super::support::{not_available, untagged};
use super::{Failure, Judgement, Meta, Remedy, Rule, Workload};
use crate::model::finding::Evidence;
use crate::model::policy::{Risk, Severity};
use crate::model::remediation::{Action, Database};
use crate::model::tags::Tags;

/// `rds-short-backup-retention`
pub struct RdsShortBackupRetention;

static META: Meta = Meta {
    id: "rds-short-backup-retention",
    severity: Severity::High,
    enabled: true,
    summary: "automated backups are kept for fewer days than `backup_retention_days`",
    docs: "\
## What it checks
`BackupRetentionPeriod` of every DB instance and cluster against `backup_retention_days` (7). Read replicas are \
skipped: their source is what a restore needs. Aurora members are judged on their cluster, which owns the backups.

## Why it matters
Many losses are noticed days later. With one day of backups, the last good copy is gone by then; with none, there was \
never one.

## What Holdfast does
`ModifyDBInstance` or `ModifyDBCluster`. Raising n to m is not noticed by anyone. From 0, AWS restarts the instance: \
that is an `outage`, which `safety.allow_risk` must name. Refused while other changes are pending, because \
`ApplyImmediately` would carry those out too.

## By hand
`aws rds modify-db-instance --db-instance-identifier ID --backup-retention-period 7 --apply-immediately`
",
    controls: &["SecurityHub:RDS.11", "Config:db-instance-backup-enabled"],
    parameters: &["backup_retention_days"],
    reads: &["rds:DescribeDBInstances", "rds:DescribeDBClusters"],
    writes: &["rds:ModifyDBInstance", "rds:ModifyDBCluster"],
    risk: Risk::Outage,
    ..Meta::DEFAULT
};

impl Rule for RdsShortBackupRetention {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn judge(&self, w: &Workload<'_>) -> Vec<Judgement> {
        let (instances, clusters) = match (w.instances(), w.clusters_with_members()) {
            (Ok(instances), Ok(clusters)) => (instances, clusters),
            (Err(e), _) | (_, Err(e)) => return w.unknown(&e),
        };
        let clusters = clusters.into_iter().filter(|c| c.replica_of.is_none()).map(|c| {
            let judged = Judged {
                database: Database::Cluster(c.id.clone()),
                id: &c.id,
                status: &c.status,
                days: c.backup_retention_days,
                pending: &c.pending,
                tags: &c.tags,
            };
            judged.against(w, w.cluster_ref(c)).in_phase(w.phase(&c.tags))
        });
        let instances = instances
            .into_iter()
            .filter(|i| i.cluster.is_none() && i.replica_of.is_none())
            .map(|i| {
                let judged = Judged {
                    database: Database::Instance(i.id.clone()),
                    id: &i.id,
                    status: &i.status,
                    days: i.backup_retention_days,
                    pending: &i.pending,
                    tags: &i.tags,
                };
                judged.against(w, w.instance_ref(i)).in_phase(w.instance_phase(i))
            });
        clusters.chain(instances).collect()
    }
}

struct Judged<'a> {
    database: Database,
    id: &'a str,
    status: &'a str,
    days: i32,
    pending: &'a BTreeMap<String, String>,
    tags: &'a Tags,
}

impl Judged<'_> {
    fn against(self, w: &Workload<'_>, resource: crate::model::finding::ResourceRef) -> Judgement {
        let wanted = i32::try_from(w.params.backup_retention_days).unwrap_or(i32::MAX);
        if self.days >= wanted {
            return Judgement::pass(resource);
        }
        let id = self.id;
        let message = if self.days == 0 {
            format!("{id} has no automated backups; {wanted} days are wanted")
        } else {
            format!("{id} keeps backups for {}; {wanted} days are wanted", days(self.days))
        };
        let refused = untagged(w, id, self.tags).or_else(|| self.waits());
        let remedy = Remedy {
            summary: format!("set BackupRetentionPeriod={wanted} on {id}"),
            actions: vec![Action::RaiseRetention {
                database: self.database,
                from: self.days,
                to: wanted,
            }],
            refused,
        };
        let evidence = vec![Evidence::new(
            "BackupRetentionPeriod",
            self.days,
            format!(">= {wanted}"),
        )];
        Judgement::fail(
            resource,
            self.tags,
            Failure {
                severity: None,
                message,
                evidence,
                remedy,
            },
        )
    }

    fn waits(&self) -> Option<String> {
        if let Some(why) = not_available(self.id, self.status) {
            return Some(why);
        }
        let pending: Vec<&str> = self.pending.keys().map(String::as_str).collect();
        (!pending.is_empty()).then(|| {
            format!(
                "waits: {} has changes pending ({}) that ApplyImmediately would carry out too",
                self.id,
                pending.join(", ")
            )
        })
    }
}

fn days(n: i32) -> String {
    if n == 1 { "1 day".into() } else { format!("{n} days") }
}
