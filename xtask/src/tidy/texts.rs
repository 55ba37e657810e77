//! What can be said of a file without parsing it.

use std::fs;
use std::path::Path;

use anyhow::Result;

use super::workspace::rust_files;

/// A longer file has outgrown its reader's patience: it is two files.
const LONGEST: usize = 500;

/// Where Rust code is.
const FOLDERS: &[&str] = &["src", "crates", "xtask", "tests", "benches", "fuzz"];

/// One complaint for each file that is too long.
pub fn check_lengths(checkout: &Path) -> Result<Vec<String>> {
    let mut complaints = vec![];
    for folder in FOLDERS {
        for path in rust_files(checkout, Path::new(folder))? {
            let lines = fs::read_to_string(checkout.join(&path))?.lines().count();
            if lines > LONGEST {
                complaints.push(format!("{}: {lines} lines, more than {LONGEST}", path.display()));
            }
        }
    }
    Ok(complaints)
}

/// One complaint for each line that reads the time, in tests as well, outside of a file called `clock.rs`.
pub fn check_clock(checkout: &Path) -> Result<Vec<String>> {
    let mut complaints = vec![];
    for folder in ["src", "crates"] {
        for path in rust_files(checkout, Path::new(folder))?
            .iter()
            .filter(|p| !p.ends_with("clock.rs"))
        {
            let text = fs::read_to_string(checkout.join(path))?;
            for (at, line) in text.lines().enumerate() {
                let is_comment = line.trim_start().starts_with("//");
                if !is_comment
                    && ["Timestamp::now()", "SystemTime::now()", "Zoned::now()"]
                        .iter()
                        .any(|n| line.contains(n))
                {
                    complaints.push(format!("{}:{}: only clock.rs reads the time", path.display(), at + 1));
                }
            }
        }
    }
    Ok(complaints)
}
