//! What the image of a container names: a repository, whatever its tag or digest, and where it is kept.

/// Registries that anybody can read, in which a product's repository is the product's. Docker Hub is the one without a name.
/// Those that belong to one product are missing on purpose: their paths are short, and told by `names`.
const PUBLIC: &[&str] = &[
    "docker.io",
    "index.docker.io",
    "registry-1.docker.io",
    "registry.hub.docker.com",
    "public.ecr.aws",
    "quay.io",
    "ghcr.io",
    "gcr.io",
    "registry.k8s.io",
    "registry.gitlab.com",
    "registry.redhat.io",
    "mcr.microsoft.com",
    "docker.elastic.co",
    "docker.n8n.io",
    "docker.getoutline.com",
    "container-registry.oracle.com",
    "cgr.dev",
    "lscr.io",
    "codeberg.org",
];

/// What pull-through caches and mirrors of public registries are commonly called: the prefixes that AWS's console suggests,
/// and the usual ones of other registries. See
/// <https://docs.aws.amazon.com/AmazonECR/latest/userguide/pull-through-cache-creating-rule.html>.
const CACHES: &[&str] = &[
    "docker-hub",
    "dockerhub",
    "docker.io",
    "docker",
    "hub",
    "ecr-public",
    "quay",
    "quay.io",
    "ghcr",
    "ghcr.io",
    "github",
    "gitlab",
    "gcr",
    "kubernetes",
    "k8s",
    "registry.k8s.io",
    "microsoft",
    "mcr",
    "mirror",
    "mirrors",
    "cache",
    "pull-through",
    "pull-through-cache",
    "proxy",
    "public",
    "library",
    "upstream",
];

/// An image's name, without its tag and digest.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Image<'a> {
    registry: Option<&'a str>,
    /// The parts of the repository's path: what Docker Hub calls `postgres` is `library/postgres`.
    pub path: Vec<&'a str>,
}

impl<'a> Image<'a> {
    /// Reads `[registry/]path[:tag][@digest]`; `None` if it is no image's name, such as a template's `${image}`.
    ///
    /// The first part is a registry if it holds a `.` or `:` or is `localhost`, and Docker Hub keeps its official images in
    /// `library`: see <https://docs.docker.com/reference/cli/docker/image/tag/>.
    pub(super) fn parse(image: &'a str) -> Option<Self> {
        let name = image.trim().split('@').next().unwrap_or_default();
        let mut path: Vec<&str> = name.split('/').collect();
        if let Some(last) = path.last_mut() {
            *last = last.split(':').next().unwrap_or_default();
        }
        let is_registry = |first: &str| first.contains(['.', ':']) || first == "localhost";
        let registry = (path.len() > 1 && is_registry(path[0])).then(|| path.remove(0));
        let on_docker_hub = registry.is_none_or(|r| r.ends_with("docker.io"));
        if path.len() == 1 && on_docker_hub {
            path.insert(0, "library");
        }
        let good = |p: &&str| !p.is_empty() && p.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
        path.iter().all(good).then_some(Self { registry, path })
    }

    /// Whether its path ends with these parts.
    pub(super) fn ends_with(&self, parts: &[String]) -> bool {
        let mut own = self.path.iter().rev();
        parts.iter().rev().all(|part| own.next() == Some(&part.as_str()))
    }

    /// Whether the last `parts` of its path are the product's repository itself: in a public registry, or in a private
    /// one's cache of such.
    pub(super) fn is_products_own(&self, parts: usize) -> bool {
        let before = &self.path[..self.path.len().saturating_sub(parts)];
        let public = |r: &str| PUBLIC.contains(&r) || r.ends_with(".gcr.io");
        self.registry.is_none_or(public) || before.iter().any(|p| CACHES.contains(p))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_images() {
        for (image, registry, path) in [
            ("postgres", None, "library/postgres"),
            ("postgres:17@sha256:00", None, "library/postgres"),
            ("docker.io/postgres", Some("docker.io"), "library/postgres"),
            ("coder/coder:v2", None, "coder/coder"),
            ("ghcr.io/coder/coder@sha256:00", Some("ghcr.io"), "coder/coder"),
            ("localhost:5000/shop/api:1", Some("localhost:5000"), "shop/api"),
            (
                "1.dkr.ecr.eu-west-1.amazonaws.com/keycloak",
                Some("1.dkr.ecr.eu-west-1.amazonaws.com"),
                "keycloak",
            ),
        ] {
            let path = path.split('/').collect();
            assert_eq!(Image::parse(image), Some(Image { registry, path }), "{image}");
        }
        for image in ["", "${image}", "a//b", "<IMAGE>", "{{image}}:1", "ghcr.io/"] {
            assert_eq!(Image::parse(image), None, "{image}");
        }
    }
}
