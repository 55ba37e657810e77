#[cfg(test)]
pub(super) mod cases;

use super::rule::{Failure, FollowUp, FollowUpReads, Meta, Remedy, ResultSubject, Rule, RuleResult, Workload};
use crate::action::SecretChange;
use crate::facts::{ROLLOUT_WRITES, SECRET_READS, ask_to_roll_out, each_running, right_connection, roll_out};
use crate::finding::Evidence;
use crate::model::connection::Connection;
use crate::model::hold::HoldReason;
use crate::model::policy::{Risk, Severity};
use crate::model::resources::{Service, TaskDefinition, revision_name};
use crate::model::store::Engine;

/// `ecs-plaintext-database-url`
pub struct EcsPlaintextDatabaseUrl;

static META: Meta = Meta {
    id: "ecs-plaintext-database-url",
    severity: Severity::High,
    summary: "a container gets a database password as a plain environment variable",
    docs: include_str!("doc.md"),
    controls: &["SecurityHub:ECS.8", "Config:ecs-no-environment-secrets"],
    parameters: &[],
    reads: SECRET_READS,
    writes: ROLLOUT_WRITES,
    risk: Risk::Brief,
    follow_up: FollowUp::With("ecs-secret-unreadable"),
    ..Meta::DEFAULT
};

impl Rule for EcsPlaintextDatabaseUrl {
    fn meta(&self) -> &'static Meta {
        &META
    }

    fn evaluate<'a>(&self, w: &Workload<'a>) -> Vec<RuleResult<'a>> {
        each_running(w, |service, definition| Some(evaluate_service(w, service, definition)))
    }

    fn follow_up_reads(&self, w: &Workload<'_>, reads: &mut FollowUpReads) {
        ask_to_roll_out(w, self.evaluate(w), reads);
    }
}

/// One plain variable with a password.
struct Plain<'a> {
    container: &'a str,
    variable: &'a str,
    /// The facts about the database, if it is a whole URL and not only a password.
    url: Option<&'a Connection>,
}

fn plain_variables(definition: &TaskDefinition) -> Vec<Plain<'_>> {
    let mut found = vec![];
    for container in &definition.containers {
        for variable in &container.variables {
            let url = variable.value.connection.as_ref().filter(|c| c.has_password);
            if url.is_some() || variable.value.password {
                found.push(Plain {
                    container: &container.name,
                    variable: &variable.name,
                    url,
                });
            }
        }
    }
    found
}

fn evaluate_service<'a>(w: &Workload<'a>, service: &'a Service, definition: &TaskDefinition) -> RuleResult<'a> {
    let subject = ResultSubject::Service(service);
    let found = plain_variables(definition);
    if found.is_empty() {
        return RuleResult::pass(subject);
    }
    let kind = |p: &Plain<'_>| match p.url {
        Some(url) if url.engine == Engine::Postgres => "a postgres URL with its password",
        Some(_) => "a connection string with its password",
        None => "a password",
    };
    let told: Vec<String> = found
        .iter()
        .map(|p| format!("{} in {} ({})", p.variable, p.container, kind(p)))
        .collect();
    let failure = Failure {
        severity: None,
        message: format!(
            "{}/{} runs {}, which gives its containers a database password in plain text: {}",
            service.cluster,
            service.name,
            revision_name(&definition.arn),
            told.join("; ")
        ),
        evidence: found
            .iter()
            .map(|p| {
                let field = format!("containerDefinitions[{}].environment[{}]", p.container, p.variable);
                Evidence::new(field, kind(p), "a reference to a secret")
            })
            .collect(),
        remedy: remedy(w, service, &found),
    };
    RuleResult::fail(subject, &service.tags, failure)
}

fn remedy(w: &Workload<'_>, service: &Service, found: &[Plain<'_>]) -> Remedy {
    let name = format!("{}/{}", service.cluster, service.name);
    let by_hand: Vec<&str> = found.iter().filter(|p| p.url.is_none()).map(|p| p.variable).collect();
    let urls: Vec<(&Plain<'_>, &Connection)> = found.iter().filter_map(|p| p.url.map(|url| (p, url))).collect();
    let rest = if by_hand.is_empty() {
        String::new()
    } else {
        format!("; take {} from a secret by hand", by_hand.join(", "))
    };
    if urls.is_empty() {
        return Remedy::manual(format!(
            "put the password into a secret, and let {} of {name} refer to it",
            by_hand.join(", ")
        ));
    }
    let variables: Vec<&str> = urls.iter().map(|(p, _)| p.variable).collect();
    let summary = format!(
        "take {} of {name} from the workload's secret{rest}",
        variables.join(", ")
    );
    match moved(w, &urls) {
        Ok(changes) => roll_out(w, service, summary, changes),
        Err(why) => Remedy::refuse(summary, vec![], why),
    }
}

/// The changes that move `urls` to the workload's secret, or the difference that an application would notice.
fn moved(w: &Workload<'_>, urls: &[(&Plain<'_>, &Connection)]) -> Result<Vec<SecretChange>, HoldReason> {
    let (reference, right) = right_connection(w)?;
    urls.iter()
        .map(|(plain, url)| {
            let variable = || plain.variable.to_owned();
            let Some(differences) = url.differences(right).filter(|_| url.is_well_formed()) else {
                return Err(HoldReason::PlainMalformed(variable()));
            };
            match differences.first() {
                Some(what) => Err(HoldReason::PlainDiffers {
                    variable: variable(),
                    what: what.name(),
                }),
                None => Ok(SecretChange {
                    container: plain.container.to_owned(),
                    variable: variable(),
                    before: None,
                    after: reference.clone(),
                }),
            }
        })
        .collect()
}
