use super::support::DATABASE_READS;
use super::{Failure, Judgement, Meta, Remedy, Rule, Subject, Workload};
use crate::model::finding::Evidence;
use crate::model::policy::Severity;
use crate::model::resources::DbInstance;

/// `rds-expiring-certificate`
pub struct RdsExpiringCertificate;

static META: Meta = Meta {
    id: "rds-expiring-certificate",
    severity: Severity::Medium,
    summary: "the server certificate of an instance ends within `certificate_notice`",
    docs: "\
## What it checks
The end of the server certificate (`CertificateDetails.ValidTill`) of every DB instance, members of clusters and read \
replicas included: clients connect to each. One that is being created has none yet. It fails from `certificate_notice` (60 \
days) before the end on, and is high once that has come.

## Why it matters
Clients that verify the server (`sslmode=verify-ca` or `verify-full`) refuse it from one second to the next, all at once.

## What Holdfast does
It reports. Whether every client trusts the next authority is for a person to know.

## By hand
1. Give every client the bundle that AWS publishes (`https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem`).
2. See whether the version rotates without a restart: `aws rds describe-db-engine-versions --engine ENGINE \
--engine-version VERSION --include-all --query 'DBEngineVersions[].SupportsCertificateRotationWithoutRestart'`
3. `aws rds modify-db-instance --db-instance-identifier ID --ca-certificate-identifier rds-ca-rsa2048-g1 \
--apply-immediately`; without `--apply-immediately` in the next maintenance window.
",
    parameters: &["certificate_notice"],
    reads: DATABASE_READS,
    ..Meta::DEFAULT
};

impl Rule for RdsExpiringCertificate {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn judge<'a>(&self, w: &Workload<'a>) -> Vec<Judgement<'a>> {
        match w.instances() {
            Err(e) => w.unknown(&e),
            Ok(instances) => instances.iter().copied().filter_map(|i| judge_one(w, i)).collect(),
        }
    }
}

fn judge_one<'a>(w: &Workload<'a>, i: &'a DbInstance) -> Option<Judgement<'a>> {
    let until = i.certificate_until?;
    let subject = Subject::Instance(i);
    if until > w.now + w.params.certificate_notice {
        return Some(Judgement::pass(subject));
    }
    let ended = until <= w.now;
    let message = if ended {
        format!("the server certificate of {} ended at {until}", i.id)
    } else {
        let days = until.duration_since(w.now).as_hours() / 24;
        format!("the server certificate of {} ends at {until}, in {days} days", i.id)
    };
    let failure = Failure {
        severity: ended.then_some(Severity::High),
        message,
        evidence: vec![Evidence::new(
            "CertificateDetails.ValidTill",
            until.to_string(),
            format!("after {}", w.now + w.params.certificate_notice),
        )],
        remedy: Remedy::manual(format!(
            "see that every client trusts the new authority, then rotate: aws rds modify-db-instance \
             --db-instance-identifier {} --ca-certificate-identifier rds-ca-rsa2048-g1 --apply-immediately",
            i.id
        )),
    };
    Some(Judgement::fail(subject, &i.tags, failure).in_phase(w.instance_phase(i)))
}
