//! Names of container images, compared as registries read them.

/// An image by repository, tag and digest.
///
/// How a reference is read: <https://github.com/distribution/reference/blob/main/normalize.go>: the part before the first
/// slash is a registry if it has a dot or a colon or is `localhost`, else the image is Docker Hub's, where a name of one
/// part is in `library/`; without tag and digest it is `:latest`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Registry and path: `docker.io/library/postgres`.
    pub repository: String,
    /// The tag; absent if there is only a digest.
    pub tag: Option<String>,
    /// The digest, written or known from elsewhere.
    pub digest: Option<String>,
}

/// Whether two images are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SameImage {
    /// Both digests are known, and equal.
    ByDigest,
    /// Repository and tag are equal, and not both digests are known. A tag can be moved.
    ByTag,
    /// They differ.
    No,
    /// The repository is the same; of one only the digest is known, and of the other only the tag.
    Unknown,
}

/// Docker Hub under its other names.
const DOCKER_HUB: &[&str] = &[
    "index.docker.io",
    "registry-1.docker.io",
    "registry.hub.docker.com",
    "hub.docker.com",
];

impl Image {
    /// Reads a reference; `None` if it is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) => (name, Some(digest)),
            None => (text, None),
        };
        if let Some(digest) = digest {
            let (algorithm, hex) = digest.split_once(':')?;
            let plain = |s: &str| !s.is_empty() && s.chars().all(|c| c.is_ascii_alphanumeric() || "+._-".contains(c));
            if !plain(algorithm) || hex.is_empty() || !hex.chars().all(|c| c.is_ascii_hexdigit()) {
                return None;
            }
        }
        let (path, tag) = match name.rsplit_once(':') {
            // Else the colon is that of a registry's port.
            Some((path, tag)) if !tag.contains('/') => (path, Some(tag)),
            _ => (name, None),
        };
        let fit = |s: &str| s.chars().all(|c| c.is_ascii_alphanumeric() || "._-/:".contains(c));
        if !fit(path) || path.split('/').any(str::is_empty) {
            return None;
        }
        if tag.is_some_and(|t| t.is_empty() || t.len() > 128 || !fit(t)) {
            return None;
        }
        let tag = match (tag, digest) {
            (None, None) => Some("latest"),
            (tag, _) => tag,
        };
        Some(Self {
            repository: repository(path),
            tag: tag.map(str::to_owned),
            digest: digest.map(str::to_ascii_lowercase),
        })
    }

    /// Reads what a task definition names as an image. One that is no reference is only the same as itself.
    #[must_use]
    pub fn of(text: &str) -> Self {
        Self::parse(text).unwrap_or_else(|| Self {
            repository: text.to_owned(),
            tag: Some(String::new()),
            digest: None,
        })
    }

    /// The same with a digest that is known from elsewhere. One that is written counts more.
    #[must_use]
    pub fn with_digest(mut self, digest: Option<&str>) -> Self {
        if self.digest.is_none() {
            self.digest = digest.filter(|d| d.contains(':')).map(str::to_ascii_lowercase);
        }
        self
    }

    /// Whether this and `other` are the same image.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> SameImage {
        match (&self.digest, &other.digest) {
            // The same content, whatever it is called: a digest is the hash of the manifest.
            (Some(a), Some(b)) if a == b => SameImage::ByDigest,
            (Some(_), Some(_)) => SameImage::No,
            _ if self.repository != other.repository => SameImage::No,
            _ => match (&self.tag, &other.tag) {
                (Some(a), Some(b)) if a == b => SameImage::ByTag,
                (Some(_), Some(_)) => SameImage::No,
                _ => SameImage::Unknown,
            },
        }
    }
}

fn repository(path: &str) -> String {
    let (registry, rest) = match path.split_once('/') {
        Some((first, rest)) if first.contains(['.', ':']) || first == "localhost" => (first.to_ascii_lowercase(), rest),
        _ => ("docker.io".to_owned(), path),
    };
    if registry != "docker.io" && !DOCKER_HUB.contains(&registry.as_str()) {
        return format!("{registry}/{rest}");
    }
    if rest.contains('/') {
        format!("docker.io/{rest}")
    } else {
        format!("docker.io/library/{rest}")
    }
}

impl std::fmt::Display for Image {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let repository = self.repository.strip_prefix("docker.io/").unwrap_or(&self.repository);
        f.write_str(repository.strip_prefix("library/").unwrap_or(repository))?;
        if let Some(tag) = self.tag.as_ref().filter(|t| !t.is_empty()) {
            write!(f, ":{tag}")?;
        }
        match &self.digest {
            Some(digest) => write!(f, "@{digest}"),
            None => Ok(()),
        }
    }
}

/// Images that only accompany an application: they ship logs and traces, watch, or pass connections on. By the last part
/// of the repository.
///
/// Log routers: <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/using_firelens.html>; tracing and metrics:
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/trace-data.html>,
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/deploy_servicelens_CloudWatch_agent_deploy_ECS.html>; proxies:
/// <https://docs.aws.amazon.com/app-mesh/latest/userguide/envoy.html>; runtime monitoring:
/// <https://docs.aws.amazon.com/guardduty/latest/ug/how-runtime-monitoring-works-ecs-fargate.html>.
const COMPANIONS: &[&str] = &[
    "aws-for-fluent-bit",
    "fluent-bit",
    "fluentbit",
    "fluentd",
    "newrelic-fluentbit-output",
    "vector",
    "promtail",
    "filebeat",
    "logspout",
    "aws-xray-daemon",
    "aws-otel-collector",
    "opentelemetry-collector",
    "opentelemetry-collector-contrib",
    "cloudwatch-agent",
    "datadog-agent",
    "splunk-otel-collector",
    "aws-appmesh-envoy",
    "envoy",
    "aws-guardduty-agent-fargate",
    "aws-guardduty-agent",
    "cadvisor",
    "node-exporter",
];

/// Whether an image only accompanies an application: a log router, an agent, a proxy.
#[must_use]
pub fn is_companion(image: &str) -> bool {
    let Some(image) = Image::parse(image) else {
        return false;
    };
    let name = image.repository.rsplit('/').next().unwrap_or_default();
    // Datadog's agent is called `agent` in its own repositories.
    COMPANIONS.contains(&name) || (name == "agent" && image.repository.contains("datadog"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(text: &str) -> Image {
        Image::parse(text).expect(text)
    }

    #[test]
    fn references_as_registries_read_them() {
        let digest = format!("sha256:{}", "0a".repeat(32));
        for (text, repository, tag, has_digest) in [
            ("postgres", "docker.io/library/postgres", Some("latest"), false),
            ("postgres:16", "docker.io/library/postgres", Some("16"), false),
            ("docker.io/postgres:16", "docker.io/library/postgres", Some("16"), false),
            (
                "docker.io/library/postgres:16",
                "docker.io/library/postgres",
                Some("16"),
                false,
            ),
            (
                "index.docker.io/acme/shop",
                "docker.io/acme/shop",
                Some("latest"),
                false,
            ),
            ("acme/shop:1", "docker.io/acme/shop", Some("1"), false),
            ("localhost/shop:1", "localhost/shop", Some("1"), false),
            ("localhost:5000/shop", "localhost:5000/shop", Some("latest"), false),
            ("registry:5000/a/b:c", "registry:5000/a/b", Some("c"), false),
            ("GHCR.io/acme/shop:v1", "ghcr.io/acme/shop", Some("v1"), false),
            (&format!("ghcr.io/acme/shop@{digest}"), "ghcr.io/acme/shop", None, true),
            (
                &format!("ghcr.io/acme/shop:v1@{digest}"),
                "ghcr.io/acme/shop",
                Some("v1"),
                true,
            ),
        ] {
            let read = image(text);
            assert_eq!(
                (read.repository.as_str(), read.tag.as_deref(), read.digest.is_some()),
                (repository, tag, has_digest),
                "{text}"
            );
        }
        for text in [
            "",
            ":1",
            "shop:",
            "shop@",
            "shop@sha256",
            "shop@sha256:xyz",
            "a b",
            "/shop",
            "shop/:1",
            "https://x/y",
        ] {
            assert_eq!(Image::parse(text), None, "{text}");
        }
    }

    #[test]
    fn the_same_image() {
        let (a, b) = ("sha256:aa", "sha256:bb");
        let with = |text: &str, digest: Option<&str>| image(text).with_digest(digest);
        for (one, other, same) in [
            (
                with("shop:1", None),
                with("docker.io/library/shop:1", None),
                SameImage::ByTag,
            ),
            (with("shop", None), with("shop:latest", None), SameImage::ByTag),
            (with("shop:1", Some(a)), with("shop:1", None), SameImage::ByTag),
            (with("shop:1", Some(a)), with("shop:1", Some(a)), SameImage::ByDigest),
            (with("shop:1", Some(a)), with("shop:1", Some(b)), SameImage::No),
            (
                with("shop:1", Some(a)),
                with("ghcr.io/x/shop:2", Some("SHA256:AA")),
                SameImage::ByDigest,
            ),
            (with("shop:1", None), with("shop:2", None), SameImage::No),
            (with("shop:1", None), with("ghcr.io/x/shop:1", None), SameImage::No),
            (with("shop@sha256:aa", None), with("shop:1", None), SameImage::Unknown),
            (
                with("shop@sha256:aa", None),
                with("shop:1", Some(a)),
                SameImage::ByDigest,
            ),
            (
                with("shop@sha256:aa", Some(b)),
                with("shop:1", Some(a)),
                SameImage::ByDigest,
            ),
        ] {
            assert_eq!(one.is_same(&other), same, "{one} {other}");
            assert_eq!(other.is_same(&one), same, "{other} {one}");
        }
        assert_eq!(image("docker.io/library/shop").to_string(), "shop:latest");
    }

    #[test]
    fn companions() {
        for image in [
            "public.ecr.aws/aws-observability/aws-for-fluent-bit:stable",
            "906394416424.dkr.ecr.us-east-1.amazonaws.com/aws-for-fluent-bit",
            "fluent/fluent-bit:2.1",
            "public.ecr.aws/datadog/agent:7",
            "gcr.io/datadoghq/agent:latest",
            "amazon/aws-xray-daemon",
        ] {
            assert!(is_companion(image), "{image}");
        }
        for image in ["acme/agent:1", "acme/shop", "postgres:16", "acme/vector-search"] {
            assert!(!is_companion(image), "{image}");
        }
    }
}
