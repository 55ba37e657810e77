//! The repository that a container's image names, whatever its registry, account, mirror, tag or digest.

/// The parts of the repository's path of `image`, without its registry: `quay.io/keycloak/keycloak:26` is
/// `keycloak/keycloak`, and what Docker Hub calls `postgres` is `library/postgres`. `None` if it is no image's name.
///
/// The first part is a registry if it holds a `.` or `:` or is `localhost`: see
/// <https://docs.docker.com/reference/cli/docker/image/tag/>. Docker Hub keeps its official images in `library`.
pub(super) fn repository(image: &str) -> Option<Vec<&str>> {
    let image = image.trim();
    let without_digest = image.split('@').next().unwrap_or_default();
    let mut parts: Vec<&str> = without_digest.split('/').collect();
    if let Some(last) = parts.last_mut() {
        *last = last.split(':').next().unwrap_or_default();
    }
    let has_registry = |first: &str| first.contains(['.', ':']) || first == "localhost";
    let registry = (parts.len() > 1).then(|| parts[0]).filter(|first| has_registry(first));
    if let Some(registry) = registry {
        parts.remove(0);
        if parts.len() == 1 && matches!(registry, "docker.io" | "index.docker.io" | "registry-1.docker.io") {
            parts.insert(0, "library");
        }
    } else if parts.len() == 1 {
        parts.insert(0, "library");
    }
    // A template's own syntax, such as `${image}`, names nothing.
    let good = |p: &&str| !p.is_empty() && p.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
    parts.iter().all(good).then_some(parts)
}
