//! `holdfast diagnose`

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use holdfast_aws::client::Aws;
use holdfast_core::config::Config;
use holdfast_core::diagnose::connection::{ConnectTarget, hops, not_tried, why_not};
use holdfast_core::diagnose::{Diagnosis, Status, diagnose, thorough};
use holdfast_core::model::snapshot::{ReadError, Snapshot};
use serde::Serialize;

use super::failure::Failure;
use super::output::{print, print_json};
use super::session::Session;
use super::workload::read_workload;
use crate::connect::{Authorities, connect};
use crate::exit::Exit;
use crate::report::{Style, Tool, diagnosis_table};

/// Arguments of `diagnose`.
#[derive(Debug, Args)]
pub(super) struct DiagnoseArgs {
    /// The workload: the value of its tag.
    workload: String,
    /// Only this service: its name, or `cluster/name`. May be repeated.
    #[arg(long = "service", value_name = "NAME")]
    services: Vec<String>,
    /// Form of the diagnosis.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// Also connect to the database from here, with the value of the secret, and ask who it is. Nothing is changed, and
    /// the value is shown nowhere.
    #[arg(long)]
    connect: bool,
    /// Certificates of the authorities that the server's certificate is checked against, as PEM. Needed for sslmode
    /// verify-ca and verify-full. Those of RDS: <https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem>
    #[arg(long, value_name = "PEM", requires = "connect")]
    ca_file: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    Table,
    /// For programs: docs/report.md.
    Json,
}

/// `diagnose --format json`.
#[derive(Debug, Serialize)]
struct Report<'a> {
    schema_version: u32,
    tool: Tool,
    workload: &'a str,
    status: Status,
    diagnoses: &'a [Diagnosis],
    errors: Vec<Arc<ReadError>>,
}

pub(super) async fn run(mut session: Session, args: &DiagnoseArgs) -> Result<Exit, Failure> {
    let authorities = args.ca_file.as_deref().map(Authorities::read).transpose()?;
    let config = thorough(&session.config);
    let read = read_workload(&mut session, &args.workload, &config).await?;
    let is_selected = |id: &str| {
        let name = id.rsplit('/').next().unwrap_or(id);
        args.services.is_empty() || args.services.iter().any(|s| s == id || s == name)
    };
    check_services_exist(&read, &session.config, &args.workload, &args.services)?;
    let mut diagnoses = vec![];
    for (aws, snapshot) in &read {
        let mut found = diagnose(
            snapshot,
            &session.config,
            session.clock.now(),
            &args.workload,
            &is_selected,
        );
        if args.connect {
            connect_all(aws, &session.config, &mut found, authorities.as_ref()).await;
        }
        diagnoses.push(found);
    }
    // A workload may have resources but no service in a region. If others have one, that region is left out.
    let has_service = |d: &Diagnosis| {
        d.paths
            .iter()
            .any(|w| w.revision.is_some() || w.status != Status::Broken)
    };
    if diagnoses.iter().any(has_service) {
        diagnoses.retain(has_service);
    }
    let status = Status::of(diagnoses.iter().map(|d| d.status));
    let errors: BTreeSet<Arc<ReadError>> = read.iter().flat_map(|(_, s)| s.errors.iter().cloned()).collect();
    let errors: Vec<Arc<ReadError>> = errors.into_iter().chain(session.unreachable.iter().cloned()).collect();
    match args.format {
        Format::Table => {
            for error in &session.unreachable {
                eprintln!("holdfast: could not read {error}");
            }
            print(&diagnosis_table(&diagnoses, Style::of_stdout()))?;
        }
        Format::Json => {
            print_json(&Report {
                schema_version: 1,
                tool: Tool::this(),
                workload: &args.workload,
                status,
                diagnoses: &diagnoses,
                errors,
            })?;
        }
    }
    Ok(match status {
        Status::Broken => Exit::Findings,
        Status::Proved if session.unreachable.is_empty() => Exit::Clean,
        _ => Exit::Unknown,
    })
}

/// Fails for a `--service` that the workload does not have: a typo must not look like a workload without services.
fn check_services_exist(
    read: &[(Aws, Snapshot)],
    config: &Config,
    workload: &str,
    wanted: &[String],
) -> Result<(), Failure> {
    let mut known: BTreeSet<String> = BTreeSet::new();
    for (_, snapshot) in read {
        let Ok(services) = &snapshot.services else {
            return Ok(());
        };
        let ours = services
            .values()
            .filter(|s| s.tags.workload(&config.tag_prefix) == Some(workload));
        known.extend(ours.map(|s| format!("{}/{}", s.cluster, s.name)));
        let unread = snapshot.unread_services.iter().filter(|(_, (w, _))| w == workload);
        known.extend(unread.filter_map(|(arn, _)| Some(arn.rsplit_once(":service/")?.1.to_owned())));
    }
    let is_known = |name: &String| known.iter().any(|k| k == name || k.rsplit('/').next() == Some(name));
    match wanted.iter().find(|name| !is_known(name)) {
        None => Ok(()),
        Some(name) => {
            let existing: Vec<String> = known.into_iter().collect();
            let existing = if existing.is_empty() {
                "none".to_owned()
            } else {
                existing.join(", ")
            };
            Err(Failure(format!(
                "{workload} has no service {name}; there is: {existing}"
            )))
        }
    }
}

/// Connects on each path that no hop breaks before. Paths with the same value share one connection.
async fn connect_all(aws: &Aws, config: &Config, found: &mut Diagnosis, authorities: Option<&Authorities>) {
    let extensions = config.params(&found.workload).required_extensions;
    let mut done = vec![];
    for path in &mut found.paths {
        let source = match (why_not(path), path.source.clone()) {
            (None, Some(source)) => source,
            (why, _) => {
                let why = why.unwrap_or_else(|| "the connection string is not known".to_owned());
                path.extend(not_tried(&why, !extensions.is_empty()));
                continue;
            }
        };
        let known = done.iter().position(|(tried, _)| *tried == source);
        let at = if let Some(at) = known {
            at
        } else {
            let result = connect(aws, &source, authorities, &extensions).await;
            done.push((source, result));
            done.len() - 1
        };
        if let Some((_, (facts, result))) = done.get(at) {
            let target = ConnectTarget {
                connection: facts.as_ref(),
                secret: path.secret.as_deref().unwrap_or("the secret"),
            };
            let more = hops(result, target, !extensions.is_empty());
            path.extend(more);
        }
    }
    found.sum_up();
}
