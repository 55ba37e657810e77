use super::support::{DATABASE_READS, Whole, each_whole};
use super::{Failure, Judgement, Meta, Remedy, Rule, Workload};
use crate::model::finding::Evidence;
use crate::model::policy::Severity;

/// `rds-no-iam-authentication`
pub struct RdsNoIamAuthentication;

static META: Meta = Meta {
    id: "rds-no-iam-authentication",
    severity: Severity::Low,
    enabled: false,
    summary: "IAM identities can't log in to a database",
    docs: include_str!("doc.md"),
    controls: &[
        "SecurityHub:RDS.10",
        "SecurityHub:RDS.12",
        "Config:rds-instance-iam-authentication-enabled",
    ],
    reads: DATABASE_READS,
    ..Meta::DEFAULT
};

impl Rule for RdsNoIamAuthentication {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn judge<'a>(&self, w: &Workload<'a>) -> Vec<Judgement<'a>> {
        each_whole(w, |whole| Some(judge_one(w, whole)))
    }
}

fn judge_one<'a>(w: &Workload<'a>, whole: &Whole<'a>) -> Judgement<'a> {
    let enabled = match whole {
        Whole::Instance(i) => i.iam_authentication,
        Whole::Cluster(c) => c.iam_authentication,
    };
    if enabled {
        return whole.pass();
    }
    whole.fail(
        w,
        Failure {
            severity: None,
            message: format!("IAM identities can't log in to {}", whole.id()),
            evidence: vec![Evidence::new("IAMDatabaseAuthenticationEnabled", false, true)],
            remedy: Remedy::manual(format!(
                "{} --enable-iam-database-authentication --apply-immediately",
                whole.modify()
            )),
        },
    )
}
