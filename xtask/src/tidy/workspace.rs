//! The crates of a checkout.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// One target of a package: a library or a binary.
#[derive(Debug)]
pub struct Crate {
    /// As the package is called: `holdfast-core`.
    pub package: String,
    /// As other crates write it in a path, `holdfast_core`; a binary has no such name.
    pub library: Option<String>,
    /// `lib.rs` or `main.rs`, from the root of the checkout.
    pub root: PathBuf,
}

/// Every library and binary: the package at the root, those in `crates/`, and `xtask`.
pub fn crates(checkout: &Path) -> Result<Vec<Crate>> {
    let mut folders = vec![PathBuf::new(), PathBuf::from("xtask")];
    for entry in fs::read_dir(checkout.join("crates")).into_iter().flatten() {
        folders.push(Path::new("crates").join(entry?.file_name()));
    }
    folders.sort();
    let mut found = vec![];
    for folder in folders {
        let (library, binary) = (folder.join("src/lib.rs"), folder.join("src/main.rs"));
        if !checkout.join(&library).exists() && !checkout.join(&binary).exists() {
            continue;
        }
        let package = package_name(&checkout.join(&folder).join("Cargo.toml"))?;
        for (root, is_library) in [(library, true), (binary, false)] {
            if checkout.join(&root).exists() {
                found.push(Crate {
                    library: is_library.then(|| package.replace('-', "_")),
                    package: package.clone(),
                    root,
                });
            }
        }
    }
    Ok(found)
}

/// The first `name = "…"` below `[package]`.
fn package_name(manifest: &Path) -> Result<String> {
    let text = fs::read_to_string(manifest).with_context(|| manifest.display().to_string())?;
    text.lines()
        .skip_while(|line| line.trim() != "[package]")
        .find_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"'))
        .map(str::to_owned)
        .with_context(|| format!("{} names no package", manifest.display()))
}

/// Every Rust file below `folder`, from the root of the checkout, in order. A folder that does not exist holds none.
pub fn rust_files(checkout: &Path, folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = vec![];
    let at = checkout.join(folder);
    if !at.is_dir() {
        return Ok(found);
    }
    let mut entries = fs::read_dir(&at)?.collect::<Result<Vec<_>, _>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = folder.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            if entry.file_name() != "target" {
                found.extend(rust_files(checkout, &path)?);
            }
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
    Ok(found)
}
