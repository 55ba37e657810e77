//! `--allow-destroy ADDRESS@HASH`: one change that is meant.

use std::fmt;
use std::str::FromStr;

/// One change that is meant: where, and the hash of the very change.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct AllowedChange {
    /// The address, exactly as the finding has it.
    pub address: String,
    /// 16 hexadecimal digits.
    pub hash: String,
}

impl fmt::Display for AllowedChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.address, self.hash)
    }
}

/// Why a text allows nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AllowFault {
    /// There is no `@`, or nothing before it.
    #[error("expected ADDRESS@HASH, as the finding prints it")]
    NoAddress,
    /// What follows the last `@` is no hash.
    #[error("the hash after the last @ must be the 16 hexadecimal digits that the finding prints")]
    NoHash,
    /// It would mean several addresses.
    #[error("wildcards are not supported: each change is allowed by its own address and hash")]
    Wildcard,
}

impl FromStr for AllowedChange {
    type Err = AllowFault;

    fn from_str(text: &str) -> Result<Self, AllowFault> {
        // The key of an instance may hold an @: `aws_ssm_parameter.a["me@example.com"]`.
        let (address, hash) = text.rsplit_once('@').ok_or(AllowFault::NoAddress)?;
        if address.trim().is_empty() || address.trim() != address {
            return Err(AllowFault::NoAddress);
        }
        if has_wildcard(address) {
            return Err(AllowFault::Wildcard);
        }
        let digits = hash.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if hash.len() != 16 || !digits {
            return Err(AllowFault::NoHash);
        }
        Ok(Self {
            address: address.to_owned(),
            hash: hash.to_owned(),
        })
    }
}

/// Whether it has a `*` or `?` outside of a quoted key.
fn has_wildcard(address: &str) -> bool {
    let (mut quoted, mut escaped) = (false, false);
    for c in address.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '*' | '?' if !quoted => return true,
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_change_and_no_more() {
        let parsed: AllowedChange = r#"module.a["x"].aws_ssm_parameter.p["me@b.c"]@0123456789abcdef"#
            .parse()
            .unwrap();
        assert_eq!(parsed.address, r#"module.a["x"].aws_ssm_parameter.p["me@b.c"]"#);
        assert_eq!(parsed.hash, "0123456789abcdef");
        assert_eq!(
            parsed.to_string().parse::<AllowedChange>().unwrap(),
            parsed,
            "what is printed is what is taken"
        );
        // A key may be a star; that is no wildcard.
        assert!(r#"aws_ssm_parameter.p["*"]@0123456789abcdef"#.parse::<AllowedChange>().is_ok());
        for (text, fault) in [
            ("", AllowFault::NoAddress),
            ("aws_db_instance.main", AllowFault::NoAddress),
            ("@0123456789abcdef", AllowFault::NoAddress),
            (" aws_db_instance.main@0123456789abcdef", AllowFault::NoAddress),
            ("aws_db_instance.main@", AllowFault::NoHash),
            ("aws_db_instance.main@0123456789abcde", AllowFault::NoHash),
            ("aws_db_instance.main@0123456789ABCDEF", AllowFault::NoHash),
            ("aws_db_instance.main@*", AllowFault::NoHash),
            ("aws_db_instance.*@0123456789abcdef", AllowFault::Wildcard),
            ("*@0123456789abcdef", AllowFault::Wildcard),
            ("aws_db_instance.mai?@0123456789abcdef", AllowFault::Wildcard),
        ] {
            assert_eq!(text.parse::<AllowedChange>(), Err(fault), "{text}");
        }
    }
}
