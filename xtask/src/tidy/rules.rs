//! A rule is a folder with its code and its documentation, and one entry of the registry.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use quote::ToTokens;
use syn::Item;

use super::syntax::words;
use super::workspace::rust_files;

/// Where the rules are.
pub const FOLDER: &str = "crates/core/src/rules";

/// The folders that are rules: they hold documentation or implement the trait.
pub fn folders(checkout: &Path) -> Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(checkout.join(FOLDER)).into_iter().flatten() {
        let entry = entry?;
        let code = fs::read_to_string(entry.path().join("mod.rs")).unwrap_or_default();
        if entry.path().join("doc.md").exists() || implements_rule(&code) {
            found.insert(entry.file_name().to_string_lossy().into_owned());
        }
    }
    Ok(found)
}

/// One complaint for each rule without its documentation, under another name than its folder's, in a single file, or
/// missing in the registry.
pub fn check(checkout: &Path) -> Result<Vec<String>> {
    let mut complaints = vec![];
    let mut registered = BTreeSet::new();
    for path in rust_files(checkout, Path::new(FOLDER))?
        .iter()
        .filter(|p| p.parent() == Some(Path::new(FOLDER)))
    {
        let code = fs::read_to_string(checkout.join(path))?;
        if implements_rule(&code) {
            complaints.push(format!("{}: a rule is a folder with mod.rs and doc.md", path.display()));
        }
        registered.extend(in_tables(&code).with_context(|| path.display().to_string())?);
    }
    for folder in folders(checkout)? {
        let at = Path::new(FOLDER).join(&folder);
        let id = folder.replace('_', "-");
        if !checkout.join(&at).join("doc.md").exists() {
            complaints.push(format!("{}: rule {id} has no doc.md", at.display()));
        }
        let code = fs::read_to_string(checkout.join(&at).join("mod.rs")).unwrap_or_default();
        if !implements_rule(&code) {
            complaints.push(format!("{}: mod.rs declares no rule", at.display()));
        }
        if let Some((_, rest)) = code.split_once(" id: \"")
            && !rest.starts_with(&format!("{id}\""))
        {
            complaints.push(format!(
                "{}: the rule should have the id {id}",
                at.join("mod.rs").display()
            ));
        }
        if !registered.contains(&folder) {
            complaints.push(format!(
                "{}: rule {id} is not in the registry of {FOLDER}",
                at.display()
            ));
        }
    }
    Ok(complaints)
}

/// Whether the code says, outside of comments, what a rule says of itself.
fn implements_rule(code: &str) -> bool {
    code.lines()
        .map(str::trim_start)
        .filter(|line| !line.starts_with("//"))
        .any(|line| line.contains("impl Rule for ") || line.contains(" META: Meta "))
}

/// The words in tables and in calls of macros, which is where a registry can be; `mod` and `use` register nothing.
fn in_tables(code: &str) -> Result<Vec<String>> {
    let tokens = syn::parse_file(code)?.items.into_iter().filter_map(|item| match item {
        Item::Static(table) => Some(table.expr.to_token_stream()),
        Item::Const(table) => Some(table.expr.to_token_stream()),
        Item::Macro(call) if call.ident.is_none() => Some(call.mac.tokens),
        _ => None,
    });
    Ok(tokens.flat_map(words).collect())
}
