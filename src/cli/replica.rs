//! The name of this process.

/// A name that no other process ever has: on ECS the task's id, elsewhere host and process id. Random characters
/// follow, because ECS can restart a container in the same task.
pub(super) fn replica_name() -> String {
    let metadata = std::env::var("ECS_CONTAINER_METADATA_URI_V4").ok();
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let random: String = std::iter::repeat_with(fastrand::alphanumeric).take(8).collect();
    name(metadata.as_deref(), host.as_deref(), std::process::id(), &random)
}

/// The path of the metadata address ends in the task's id on Fargate (`.../v4/TASK-CONTAINER`), elsewhere in the
/// container's id. Both identify the process.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-metadata-endpoint-v4-fargate.html>
fn name(metadata: Option<&str>, host: Option<&str>, pid: u32, random: &str) -> String {
    let id = metadata.and_then(|url| url.trim_end_matches('/').rsplit('/').next());
    let id = id.filter(|id| id.len() >= 8 && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'));
    let task = id.map(|id| match id.split_once('-') {
        Some((task, _)) if task.len() == 32 => task,
        _ => id,
    });
    match (task, host.map(str::trim).filter(|h| !h.is_empty())) {
        (Some(task), _) => format!("{task}-{random}"),
        (None, Some(host)) => format!("{host}:{pid}-{random}"),
        (None, None) => format!("holdfast:{pid}-{random}"),
    }
}

#[cfg(test)]
mod tests {
    use super::name;

    #[test]
    fn a_name_tells_which_process_it_is() {
        let fargate = "http://169.254.170.2/v4/cd189a933e5849daa93386466019ab50-2495160603";
        assert_eq!(name(Some(fargate), None, 1, "x"), "cd189a933e5849daa93386466019ab50-x");
        let ec2 = "http://169.254.170.2/v4/8b4f8b5e-2cd5-4e21-8f0a-0f0ec5e0a8c1/";
        assert_eq!(
            name(Some(ec2), Some("h\n"), 1, "x"),
            "8b4f8b5e-2cd5-4e21-8f0a-0f0ec5e0a8c1-x"
        );
        assert_eq!(name(None, Some("web-1\n"), 42, "x"), "web-1:42-x");
        assert_eq!(name(Some("nonsense?"), Some(""), 42, "x"), "holdfast:42-x");
        assert_ne!(super::replica_name(), super::replica_name());
    }
}
