#[cfg(test)]
pub(super) mod cases;

use super::rule::{Failure, Meta, Remedy, ResultSubject, Rule, RuleResult, Workload};
use crate::facts::DATABASE_READS;
use crate::finding::Evidence;
use crate::model::policy::Severity;
use crate::model::resources::DbInstance;

/// `rds-expiring-certificate`
pub struct RdsExpiringCertificate;

static META: Meta = Meta {
    id: "rds-expiring-certificate",
    severity: Severity::Medium,
    summary: "the server certificate of an instance ends within `certificate_notice`",
    docs: include_str!("doc.md"),
    parameters: &["certificate_notice"],
    reads: DATABASE_READS,
    ..Meta::DEFAULT
};

impl Rule for RdsExpiringCertificate {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn evaluate<'a>(&self, w: &Workload<'a>) -> Vec<RuleResult<'a>> {
        match w.instances() {
            Err(e) => w.unknown(&e),
            Ok(instances) => instances.iter().copied().filter_map(|i| evaluate_one(w, i)).collect(),
        }
    }
}

fn evaluate_one<'a>(w: &Workload<'a>, i: &'a DbInstance) -> Option<RuleResult<'a>> {
    let until = i.certificate_until?;
    let subject = ResultSubject::Instance(i);
    if until > w.now + w.params.certificate_notice {
        return Some(RuleResult::pass(subject));
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
    Some(RuleResult::fail(subject, &i.tags, failure).in_phase(w.instance_phase(i)))
}
