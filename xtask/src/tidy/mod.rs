//! What the layout promises (ARCHITECTURE.md) and the compiler does not hold.

mod circles;
mod layers;
mod mentions;
mod purity;
mod read;
mod resolve;
mod rules;
mod syntax;
#[cfg(test)]
mod tests;
mod texts;
mod tree;
mod workspace;

use std::path::Path;

use anyhow::Result;

/// Every complaint about a checkout.
pub fn check(checkout: &Path) -> Result<Vec<String>> {
    let mut complaints = check_sources(checkout)?;
    complaints.extend(purity::check_dependencies(checkout)?);
    Ok(complaints)
}

/// Those that need no more than the text of the checkout.
fn check_sources(checkout: &Path) -> Result<Vec<String>> {
    let tree = read::read(checkout, &workspace::crates(checkout)?, rules::folders(checkout)?)?;
    let imports = resolve::imports(&tree);
    Ok([
        tree.missing.clone(),
        circles::of_modules(&tree, &imports),
        circles::of_files(&tree, &imports),
        circles::of_parents(&tree, &imports),
        layers::unlisted(&tree),
        layers::check(&tree, &imports),
        purity::check_code(&tree),
        rules::check(checkout)?,
        texts::check_lengths(checkout)?,
        texts::check_clock(checkout)?,
    ]
    .concat())
}
