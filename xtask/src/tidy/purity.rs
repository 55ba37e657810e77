//! The core reads no file, environment, network or clock, and awaits nothing; some crates are kept out of it and of
//! others, however far down they would come in.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::layers::CORE_PACKAGE;
use super::resolve::{Target, resolve};
use super::tree::Tree;

/// Beginnings of paths that no code of the core mentions, tests excepted.
const BANNED: &[&str] = &[
    "tokio",
    "futures",
    "async_trait",
    "tracing",
    "aws_",
    "std::env",
    "std::fs",
    "std::io",
    // Addresses are values.
    "std::net::TcpListener",
    "std::net::TcpStream",
    "std::net::ToSocketAddrs",
    "std::net::UdpSocket",
    "std::process",
    "std::thread",
    "std::time::Instant",
    "std::time::SystemTime",
    "jiff::Timestamp::now",
    "jiff::Zoned::now",
];

/// Packages, and beginnings of the names of what `cargo tree` may not show below them, for tests and builds included.
const KEPT_OUT: &[(&str, &[&str])] = &[
    (CORE_PACKAGE, &["tokio", "aws-"]),
    ("holdfast-operator", &["aws-"]),
    ("xtask", &["tokio", "aws-", "holdfast"]),
];

/// One complaint for each place in the core that does more than compute.
pub fn check_code(tree: &Tree) -> Vec<String> {
    let in_core = |module: usize| tree.modules[module].package == CORE_PACKAGE;
    let mut complaints = vec![];
    for mention in tree.mentions.iter().filter(|m| in_core(m.module)) {
        for target in resolve(tree, mention.module, &mention.path) {
            let Target::Foreign(path) = target else { continue };
            let path = path.join("::");
            if BANNED.iter().any(|banned| begins_with(&path, banned)) {
                complaints.push(format!(
                    "{}: the core is pure: {path}",
                    tree.place(mention.module, mention.line)
                ));
            }
        }
    }
    for (module, line) in tree.awaiting.iter().filter(|(module, _)| in_core(*module)) {
        complaints.push(format!("{}: the core is pure: async", tree.place(*module, *line)));
    }
    complaints.sort();
    complaints.dedup();
    complaints
}

/// Whole segments, unless the beginning ends in an underscore.
fn begins_with(path: &str, banned: &str) -> bool {
    path.strip_prefix(banned)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with("::") || banned.ends_with('_'))
}

/// One complaint for each crate that is kept out and yet in.
pub fn check_dependencies(checkout: &Path) -> Result<Vec<String>> {
    let mut complaints = vec![];
    for (package, kept_out) in KEPT_OUT {
        complaints.extend(unwanted(package, kept_out, &dependencies(checkout, package)?));
    }
    Ok(complaints)
}

fn unwanted(package: &str, kept_out: &[&str], dependencies: &str) -> Vec<String> {
    let mut found: Vec<&str> = dependencies
        .lines()
        .filter_map(|line| line.split(' ').next())
        .filter(|name| *name != package && kept_out.iter().any(|begins| name.starts_with(begins)))
        .collect();
    found.sort_unstable();
    found.dedup();
    found
        .iter()
        .map(|name| format!("{package} depends on {name}; see: cargo tree -p {package} -i {name}"))
        .collect()
}

/// A line for each crate: its name, then its version.
fn dependencies(checkout: &Path, package: &str) -> Result<String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let run = Command::new(cargo)
        .args(["tree", "--locked", "--package", package])
        .args(["--edges", "normal,build,dev", "--prefix", "none"])
        .current_dir(checkout)
        .output()
        .context("cargo tree")?;
    ensure!(
        run.status.success(),
        "cargo tree -p {package}: {}",
        String::from_utf8_lossy(&run.stderr)
    );
    Ok(String::from_utf8(run.stdout)?)
}

#[cfg(test)]
mod tests {
    use super::unwanted;

    #[test]
    fn a_crate_that_is_kept_out_is_found_however_it_came_in() {
        let tree = "holdfast-core v0.1.0 (/work)\nserde v1.0.0\ntokio-util v0.7.0\naws-sdk-ecs v1.0.0\naws-sdk-ecs v1.0.0 (*)\n";
        let complaints = unwanted("holdfast-core", &["tokio", "aws-"], tree);
        assert_eq!(complaints.len(), 2);
        assert!(complaints[0].starts_with("holdfast-core depends on aws-sdk-ecs"));
        assert!(complaints[1].starts_with("holdfast-core depends on tokio-util"));
    }

    #[test]
    fn other_crates_may_come_in() {
        let tree = "holdfast-core v0.1.0 (/work)\nserde v1.0.0\nawsm v0.1.0\n";
        assert_eq!(
            unwanted("holdfast-core", &["tokio", "aws-"], tree),
            Vec::<String>::new()
        );
    }
}
