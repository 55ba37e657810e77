//! The images and frameworks of which it is known where they keep data.

use comfy_table::Cell;
use holdfast_core::connection::families::{Absence, Family, FamilyConnection, Purpose};

use crate::report::style::{Style, table_text};

/// The families, one line for each.
#[must_use]
pub fn families_table<'a>(families: impl Iterator<Item = &'a Family>, style: Style) -> String {
    let mut table = style.table();
    table.set_header(vec![
        "FAMILY",
        "NAME",
        "KIND",
        "IMAGES",
        "SETTINGS",
        "WITHOUT THEM",
        "SOURCE",
    ]);
    for family in families {
        table.add_row(vec![
            Cell::new(&family.id),
            Cell::new(family.name()),
            Cell::new(family.kind()),
            Cell::new(or_none(family.images.join(", "))),
            Cell::new(or_none(settings(family))),
            Cell::new(or_none(without(family))),
            Cell::new(or_none(family.source.join(", "))),
        ]);
    }
    table_text(&table)
}

fn or_none(text: String) -> String {
    if text.is_empty() { "-".to_owned() } else { text }
}

/// The setting that selects an engine, and those of each connection by what they hold.
fn settings(family: &Family) -> String {
    let selector = family
        .selector
        .iter()
        .map(|s| format!("engine: {}", s.variables.join(" ")));
    selector
        .chain(family.connections.iter().map(connection))
        .collect::<Vec<_>>()
        .join("; ")
}

fn connection(connection: &FamilyConnection) -> String {
    let engine = connection.engine.iter().map(ToString::to_string);
    let purpose = (connection.purpose != Purpose::Database).then(|| connection.purpose.to_string());
    let what: Vec<String> = engine.chain(purpose).collect();
    let roles = connection.variables.by_role().zip(connection.args.by_role());
    let roles: Vec<String> = roles
        .filter(|((_, variables), (_, args))| !(variables.is_empty() && args.is_empty()))
        .map(|((role, variables), (_, args))| format!("{role} {}", [variables, args].concat().join(" ")))
        .collect();
    match what.as_slice() {
        [] => roles.join(", "),
        what => format!("{}: {}", what.join(" "), roles.join(", ")),
    }
}

/// What it means when they are absent.
fn without(family: &Family) -> String {
    let Some(absent) = &family.absent else {
        return String::new();
    };
    let store = absent.store.as_deref().unwrap_or_default();
    let what = match absent.means {
        Absence::Builtin => format!("built-in {store}"),
        Absence::Required => "does not work".to_owned(),
        Absence::Nothing => "keeps nothing".to_owned(),
        Absence::Unknown => "unknown".to_owned(),
    };
    let paths = match (absent.means, family.keeps_data_in.as_slice()) {
        (Absence::Builtin | Absence::Unknown, paths @ [_, ..]) => format!(" ({})", paths.join(", ")),
        _ => String::new(),
    };
    let why = absent.why.iter().map(|w| format!(": {w}"));
    format!("{what}{paths}{}", why.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use holdfast_core::connection::families::Families;

    fn line(id: &str) -> String {
        let text = families_table(Families::embedded().iter(), Style::PLAIN);
        let found = text.lines().find(|l| l.trim_start().starts_with(&format!("{id} ")));
        let words: Vec<&str> = found.unwrap_or_default().split_whitespace().collect();
        words.join(" ")
    }

    #[test]
    fn each_family_has_a_line() {
        let text = families_table(Families::embedded().iter(), Style::PLAIN);
        assert_eq!(text.lines().count(), 1 + Families::embedded().iter().count());
        for family in Families::embedded().iter() {
            let line = line(&family.id);
            for variable in family
                .connections
                .iter()
                .flat_map(|c| c.variables.iter())
                .map(|(_, v)| v)
            {
                assert!(line.contains(variable), "{}: {variable}", family.id);
            }
            assert!(family.source.iter().all(|s| line.contains(s)), "{}", family.id);
        }
    }

    #[test]
    fn one_line_in_full() {
        assert_eq!(
            line("metabase"),
            "metabase Metabase application metabase/metabase, metabase/metabase-enterprise engine: MB_DB_TYPE; url MB_DB_CONNECTION_URI, \
             host MB_DB_HOST, port MB_DB_PORT, database MB_DB_DBNAME, user MB_DB_USER, password MB_DB_PASS built-in H2 (/metabase.db, \
             /metabase-data): without MB_DB_TYPE and MB_DB_CONNECTION_URI it uses an H2 file \
             https://www.metabase.com/docs/latest/installation-and-operation/configuring-application-database, \
             https://www.metabase.com/docs/latest/installation-and-operation/running-metabase-on-docker"
        );
    }
}
