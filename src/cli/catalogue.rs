//! `holdfast rules` and `holdfast iam-policy`

use std::path::Path;

use clap::{Args, ValueEnum};
use holdfast_core::connection::families::{Families, Family};
use holdfast_core::iam_policy::{Bearer, policy};
use holdfast_core::model::policy::Mode;
use holdfast_core::model::rule_meta::Meta;
use holdfast_core::rules;
use serde_json::json;

use super::failure::Failure;
use super::load_config::load_config;
use super::output::{print, print_json};
use crate::exit::Exit;
use crate::report::{Style, families_table, rules_table};

/// Arguments of `rules`.
#[derive(Debug, Args)]
pub(super) struct RulesArgs {
    /// One rule, in full.
    id: Option<String>,
    /// The images and frameworks of which it is known where they keep data, those of the configuration's `families` included.
    #[arg(long, conflicts_with = "id")]
    families: bool,
    /// Form of the list of families.
    #[arg(long, value_enum, default_value_t = Format::Table, requires = "families")]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    Table,
    /// For programs: every key of each entry, as a configuration has them.
    Json,
}

/// Whose policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Whose {
    /// The role that Holdfast runs with, where it looks after other accounts: its queue, bus, pause parameter and tables, and
    /// the roles of its targets.
    Operator,
    /// The role that it assumes in an account it looks after: reads, and in mode enforce the corrections.
    Target,
    /// Both, for a role that looks after its own account.
    All,
}

impl From<Whose> for Bearer {
    fn from(whose: Whose) -> Self {
        match whose {
            Whose::Operator => Self::Operator,
            Whose::Target => Self::Target,
            Whose::All => Self::All,
        }
    }
}

/// Arguments of `iam-policy`.
#[derive(Debug, Args)]
pub(super) struct IamPolicyArgs {
    /// What the role shall be able to do.
    #[arg(long, default_value = "audit")]
    mode: Mode,
    /// Whose policy. With several accounts, give `operator` to the role that Holdfast runs with, and `target` to the role in
    /// each account that it looks after. For `operator` and `all`, --region tells where Holdfast runs: the ARNs of its
    /// tables then name that region.
    #[arg(long = "for", value_enum, default_value = "all", value_name = "WHOM")]
    bearer: Whose,
}

pub(super) fn rules(args: &RulesArgs, path: Option<&Path>) -> Result<Exit, Failure> {
    if args.families {
        return families(args.format, path);
    }
    let Some(id) = &args.id else {
        print(&rules_table(rules::metas(), Style::of_stdout()))?;
        return Ok(Exit::Clean);
    };
    let Some(meta) = rules::meta(id) else {
        let known = rules::all_ids();
        let nearest = known
            .iter()
            .max_by(|a, b| strsim::jaro(a, id).total_cmp(&strsim::jaro(b, id)));
        let hint = nearest.map(|n| format!("; did you mean {n}?")).unwrap_or_default();
        return Err(Failure(format!(
            "there is no rule {id}{hint} (`holdfast rules` lists them)"
        )));
    };
    print(&markdown(meta))?;
    Ok(Exit::Clean)
}

fn families(format: Format, path: Option<&Path>) -> Result<Exit, Failure> {
    let families = Families::with(&load_config(path)?.config.families);
    match format {
        Format::Table => print(&families_table(families.iter(), Style::of_stdout()))?,
        Format::Json => {
            let list: Vec<&Family> = families.iter().collect();
            print_json(&json!({"schema_version": 1, "families": list}))?;
        }
    }
    Ok(Exit::Clean)
}

/// One rule as Markdown.
fn markdown(meta: &Meta) -> String {
    let list = |items: &[&str]| {
        if items.is_empty() {
            "none".to_owned()
        } else {
            items.join(", ")
        }
    };
    format!(
        "# {}\n\nFails when {}.\n\n- severity: {}\n- enabled: {}\n- risk of its corrections: {}\n- corrects: {}\n- parameters: {}\n\
         - maps to: {}\n- IAM actions to judge: {}\n- IAM actions to correct: {}\n\n{}",
        meta.id,
        meta.summary,
        meta.severity,
        if meta.enabled { "yes" } else { "no" },
        meta.risk,
        match (meta.writes.is_empty(), meta.corrects) {
            (true, _) => "nothing: it only reports".to_owned(),
            (false, true) => "yes, in mode enforce".to_owned(),
            (false, false) => format!("only with `rules.{}.correct: true`", meta.id),
        },
        list(meta.parameters),
        list(meta.controls),
        list(meta.reads),
        list(meta.writes),
        meta.docs
    )
}

pub(super) fn iam_policy(args: &IamPolicyArgs, path: Option<&Path>, regions: &[String]) -> Result<Exit, Failure> {
    let config = load_config(path)?.config;
    let region = regions.first().map(String::as_str);
    print_json(&policy(&config, args.mode, args.bearer.into(), region))?;
    Ok(Exit::Clean)
}
