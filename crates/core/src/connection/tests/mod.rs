//! What is read of a value, and that nothing is read that may be a password.

mod bounds;
mod credentials;
mod dialects;
mod equality;
mod json;
mod leaks;
mod malformed;
mod passwords;
mod plain;
mod round_trips;

use super::*;
use crate::model::connection::{ConnectionForm, Fault, Note};

/// A connection on one line: `form user[:*]@host:port,.../database?sslmode !fault ~note`, `-` for what is
/// absent.
fn line(c: &Connection) -> String {
    let form = match c.form {
        ConnectionForm::Url => "url",
        ConnectionForm::Keywords => "kw",
        ConnectionForm::Pairs => "pairs",
        ConnectionForm::Dsn => "dsn",
        ConnectionForm::Address => "address",
        ConnectionForm::Parts => "parts",
    };
    let hosts: Vec<_> = c.hosts.iter().map(|h| format!("{}:{}", h.host, h.port)).collect();
    let or = |s: &Option<String>| s.clone().unwrap_or_else(|| "-".into());
    let mode = c.sslmode.as_ref().map(|m| format!("?{m}")).unwrap_or_default();
    let password = if c.has_password { ":*" } else { "" };
    let hosts = if hosts.is_empty() {
        "-".to_owned()
    } else {
        hosts.join(",")
    };
    let mut out = format!("{form} {}{password}@{hosts}/{}{mode}", or(&c.user), or(&c.database));
    for fault in &c.faults {
        let name = match fault {
            Fault::WrongScheme { found } => format!("WrongScheme({})", or(found)),
            Fault::UnencodedReserved { part } => format!("Unencoded({part:?})"),
            Fault::BadPercentEncoding { part } => format!("BadPercent({part:?})"),
            other => format!("{other:?}"),
        };
        out.push_str(" !");
        out.push_str(&name);
    }
    for note in &c.notes {
        let name = match note {
            Note::UnknownParameter { name } => format!("Unknown({})", or(name)),
            other => format!("{other:?}"),
        };
        out.push_str(" ~");
        out.push_str(&name);
    }
    out
}

const NOT: &str = "url -@-/- !NotAConnectionString";

fn json_lines(value: &str) -> Vec<String> {
    let SecretShape::Json { keys, parts } = inspect(value) else {
        panic!("no JSON: {value}")
    };
    let mut out: Vec<_> = parts.iter().map(|p| format!("= {}", line(p))).collect();
    out.extend(
        keys.iter()
            .map(|(k, c)| format!("{k}: {}", c.as_ref().map_or_else(|| "-".into(), line))),
    );
    out
}
