//! What a task fetches before its containers run, with which permissions, and whether its service has shown that it can.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::secrets::readable_as;
use super::workload::Workload;
use crate::model::resources::{AccessTarget, Container, SecretVariable, Service, TaskDefinition};
use crate::model::snapshot::{Read, ReadError};
use crate::model::value_from::{self, ValueFrom};

/// What the execution role of a revision must be allowed to do before a task of it runs.
#[derive(Debug, Default)]
pub struct StartNeeds {
    /// What is fetched, and who needs it: for a message.
    pub targets: BTreeMap<AccessTarget, String>,
    /// Whether an execution role is needed, wherever references lead.
    pub needs_role: bool,
    /// Why one of the references leads nobody knows where.
    pub unknown: Option<Arc<ReadError>>,
}

/// The needs of a revision.
///
/// On EC2, the instance's own role pulls images and writes logs; the execution role fetches the rest.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task_execution_IAM_role.html>
#[must_use]
pub fn start_needs(w: &Workload<'_>, service: &Service, definition: &TaskDefinition) -> StartNeeds {
    let mut needs = StartNeeds::default();
    let scope = &w.snapshot.scope;
    // A file may leave the role to whoever registers it; ECS refuses secrets without one, wherever tasks run.
    let exists = !service.deployments.is_empty();
    for container in &definition.containers {
        let who = |what: &str| format!("{what} of {}", container.name);
        for (reference, what) in references_of(container) {
            needs.needs_role = true;
            match readable_at_start(w, reference) {
                Ok(Some(arn)) => needs.add(arn.into(), who(&what)),
                Ok(None) => {}
                Err(e) => needs.unknown = needs.unknown.or(Some(e)),
            }
        }
        for file in container.environment_files.iter().filter(|f| f.starts_with("arn:")) {
            needs.needs_role = true;
            needs.add(AccessTarget::File(file.clone()), who("environment file"));
        }
        if !service.fargate {
            continue;
        }
        if let Some(image) = EcrImage::parse(&container.image) {
            needs.needs_role |= exists;
            needs.add(AccessTarget::Registry, "images in ECR".into());
            needs.add(AccessTarget::Image(image.repository_arn()), who("image"));
        }
        if let Some(log) = &container.log {
            needs.needs_role |= exists;
            let region = log.region.as_deref().unwrap_or(&scope.region);
            let group = scope.arn("logs", &format!("log-group:{}", log.group)).replacen(
                &format!(":{}:", scope.region),
                &format!(":{region}:"),
                1,
            );
            // Streams are named `prefix/container/task-id`.
            // https://docs.aws.amazon.com/AmazonECS/latest/developerguide/specify-log-config.html
            let prefix = log.stream_prefix.as_deref().unwrap_or("ecs");
            let stream = format!("{group}:log-stream:{prefix}/{}/task", container.name);
            needs.add(AccessTarget::LogStream(stream), who("log"));
            if container.creates_log_group {
                needs.add(AccessTarget::LogGroup(group), who("log"));
            }
        }
    }
    needs
}

impl StartNeeds {
    fn add(&mut self, target: AccessTarget, who: String) {
        self.targets.entry(target).or_insert(who);
    }
}

/// Every reference to a secret or parameter that is followed before a container runs, and what it is for.
fn references_of(container: &Container) -> impl Iterator<Item = (&str, String)> {
    fn of<'c>(what: &'static str, variables: &'c [SecretVariable]) -> impl Iterator<Item = (&'c str, String)> {
        let named = move |v: &'c SecretVariable| (v.value_from.as_str(), format!("{what} {}", v.name));
        variables.iter().map(named)
    }
    let registry = container.repository_credentials.as_deref();
    of("secret", &container.secrets)
        .chain(of("log option", &container.secret_options))
        .chain(registry.map(|r| (r, "repositoryCredentials".to_owned())))
}

/// The references of a revision that are followed before a task of it runs, as written, each once.
#[must_use]
pub fn start_references(definition: &TaskDefinition) -> BTreeSet<&str> {
    let all = definition.containers.iter().flat_map(references_of);
    all.map(|(reference, _)| reference).collect()
}

/// The ARN that a role must be able to read. `None` where the reference leads to nothing, of which
/// `ecs-secret-reference-mismatch` speaks.
fn readable_at_start(w: &Workload<'_>, reference: &str) -> Read<Option<String>> {
    match value_from::parse(reference) {
        ValueFrom::Secret(_) => Ok(readable_as(w, reference)?.map(Cow::into_owned)),
        ValueFrom::Parameter(name) if value_from::is_parameter(name) => match w.snapshot.parameters.get(name) {
            Some(Ok(None)) => Ok(None),
            Some(Err(e)) => Err(Arc::clone(e)),
            // Whether it may be read does not hang on what it holds.
            Some(Ok(Some(_))) | None => Ok(Some(value_from::parameter_arn(name, &w.snapshot.scope))),
        },
        ValueFrom::Parameter(_) => Ok(None),
    }
}

/// An image in a private repository of ECR.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EcrImage<'a> {
    /// The account that owns the registry.
    pub account: &'a str,
    /// Its region.
    pub region: &'a str,
    /// The repository's name.
    pub repository: &'a str,
    china: bool,
}

impl<'a> EcrImage<'a> {
    /// Reads `account.dkr.ecr.region.amazonaws.com/repository[:tag][@digest]`, also with FIPS and dual-stack names.
    /// <https://docs.aws.amazon.com/AmazonECR/latest/userguide/Registries.html>
    #[must_use]
    pub fn parse(image: &'a str) -> Option<Self> {
        let (host, path) = image.split_once('/')?;
        let (account, rest) = host.split_once(".dkr")?;
        let rest = ["-ecr-fips.", "-ecr.", ".ecr-fips.", ".ecr."]
            .iter()
            .find_map(|p| rest.strip_prefix(p))?;
        let (region, domain) = rest.split_once('.')?;
        let is_account = account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit());
        let is_aws = matches!(
            domain,
            "amazonaws.com" | "amazonaws.com.cn" | "on.aws" | "on.amazonwebservices.com.cn"
        );
        let path = path.split('@').next().unwrap_or_default();
        let repository = path.split(':').next().unwrap_or_default();
        (is_account && is_aws && !repository.is_empty()).then_some(Self {
            account,
            region,
            repository,
            china: domain.rsplit('.').next() == Some("cn"),
        })
    }

    /// ARN of the repository.
    #[must_use]
    pub fn repository_arn(&self) -> String {
        let partition = match self.region {
            _ if self.china => "aws-cn",
            r if r.starts_with("us-gov-") => "aws-us-gov",
            _ => "aws",
        };
        let Self {
            account,
            region,
            repository,
            ..
        } = self;
        format!("arn:{partition}:ecr:{region}:{account}:repository/{repository}")
    }
}

/// Whether a service has shown that its tasks start: all that it wants of its newest deployment run, whatever ECS still does
/// with that. A task runs only once it was given all that it fetches at start.
#[must_use]
pub fn runs_steadily(service: &Service) -> bool {
    let newest = service.deployments.iter().find(|d| d.status == "PRIMARY");
    newest.is_some_and(|d| {
        let failed = d.rollout_state.as_deref() == Some("FAILED");
        !failed && d.running_count > 0 && d.running_count >= d.desired_count
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_of_private_repositories() {
        let arn = |image: &str| EcrImage::parse(image).map(|i| i.repository_arn());
        let team = "arn:aws:ecr:us-east-1:123456789012:repository/team/shop";
        for image in [
            "123456789012.dkr.ecr.us-east-1.amazonaws.com/team/shop",
            "123456789012.dkr.ecr.us-east-1.amazonaws.com/team/shop:1.2",
            "123456789012.dkr.ecr.us-east-1.amazonaws.com/team/shop@sha256:00",
            "123456789012.dkr.ecr.us-east-1.amazonaws.com/team/shop:1.2@sha256:00",
            "123456789012.dkr.ecr-fips.us-east-1.amazonaws.com/team/shop:1",
            "123456789012.dkr-ecr.us-east-1.on.aws/team/shop:1",
        ] {
            assert_eq!(arn(image).as_deref(), Some(team), "{image}");
        }
        assert_eq!(
            arn("123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn/shop").as_deref(),
            Some("arn:aws-cn:ecr:cn-north-1:123456789012:repository/shop")
        );
        for image in [
            "",
            "nginx",
            "nginx:1.27",
            "public.ecr.aws/nginx/nginx:1",
            "docker.io/library/postgres:17",
            "example.com/123456789012.dkr.ecr.us-east-1.amazonaws.com/shop",
            "123456789012.dkr.ecr.us-east-1.example.com/shop",
            "12345.dkr.ecr.us-east-1.amazonaws.com/shop",
            "123456789012.dkr.ecr.us-east-1.amazonaws.com/",
        ] {
            assert_eq!(arn(image), None, "{image}");
        }
    }
}
