//! The command line: one file for each command, and below them what commands share.
//!
//! A command reads (`session`), asks `holdfast_core` what that means, and writes the answer (`report`, `output`). It
//! returns how the process ends, or why it could not run.

mod apply;
mod audit;
mod catalogue;
mod check;
mod checklist;
mod config;
mod diagnose;
mod failure;
mod gate;
mod history;
mod load_config;
mod memory;
mod output;
mod plan;
mod progress;
mod reference;
mod replica;
mod run;
mod selection;
mod session;
mod workload;
mod write_report;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use self::failure::Failure;
use self::output::print_json;
use self::session::Session;
use crate::exit::Exit;
use crate::telemetry::{self, LogFormat};

/// Keeps ECS workloads and their RDS databases from losing data: audits tagged resources against invariants, and
/// corrects what it may.
#[derive(Debug, Parser)]
#[command(name = "holdfast", version, max_term_width = 100, arg_required_else_help = true)]
pub struct Cli {
    /// Configuration file. Without it: the text in `HOLDFAST_CONFIG_YAML`, else the defaults.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Send all AWS calls there: an emulator or a proxy.
    #[arg(long, global = true, value_name = "URL")]
    endpoint_url: Option<String>,
    /// Regions to look at, instead of those that the configuration or the environment names. May be repeated.
    #[arg(long = "region", global = true, value_name = "REGION")]
    regions: Vec<String>,
    /// Form of log lines, which go to standard error.
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text)]
    log_format: LogFormat,
    /// More log lines: -v for what is done, -vv for every call.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// One sweep, report, exit. Exit codes: 0 clean, 1 findings, 2 could not run, 3 something is unknown.
    Audit(audit::AuditArgs),
    /// One sweep, then what `enforce` would do: each call, and for what would not be done, why.
    Plan(plan::PlanArgs),
    /// Carries a plan out once, with verification. Corrects whatever `mode` says: you asked for it. Exit codes: 0 all
    /// done and verified, 1 something failed or was refused, 2 could not run, 3 done, but something is unknown.
    Apply(apply::ApplyArgs),
    /// Judges files before they become AWS: task definitions, Terraform plans, CloudFormation templates and change sets,
    /// the destruction of data included. Needs no AWS. Exit codes as of `audit`.
    Check(check::CheckArgs),
    /// For deploy pipelines: waits for a running migration, and says whether the workload is fit to be deployed. Exit
    /// codes: 0 go on, 1 do not (each reason is printed), 2 could not run, 3 something is unknown.
    Gate(gate::GateArgs),
    /// The operator: events and sweeps until SIGTERM.
    Run(run::RunArgs),
    /// Why a service does not reach its database: walks from the service by revision, variable, secret, URL, database,
    /// security group, route, role and log, and stops at the first hop that is broken. Exit codes: 0 all proved, 1 a hop
    /// is broken, 2 could not run, 3 nothing broken, but something is unknown.
    Diagnose(diagnose::DiagnoseArgs),
    /// The checklist of a migration to a database: each item proved, disproved or unknown, with its evidence and date.
    /// Exit codes: 0 all proved, 1 something is disproved, 2 could not run, 3 nothing disproved, but something is unknown.
    Checklist(checklist::ChecklistArgs),
    /// What was found and what was done about it, newest first, as the ledger remembers it. Asks AWS only where the ledger is
    /// a DynamoDB table. Exit codes: 0 told, 2 could not run.
    History(history::HistoryArgs),
    /// The catalogue, one rule in full, or the images and frameworks that Holdfast knows.
    Rules(catalogue::RulesArgs),
    /// The configuration: check it, show what is in force, print its schema.
    #[command(subcommand)]
    Config(config::ConfigCommand),
    /// Least-privilege IAM policy for exactly the enabled rules, and for the queue, bus, pause parameter, tables and targets
    /// that the configuration names. `history` alone needs `dynamodb:Query` on the ledger's table.
    IamPolicy(catalogue::IamPolicyArgs),
    /// The EventBridge pattern that the enabled rules need.
    EventPattern,
    /// A page of docs/, as Markdown.
    #[command(hide = true)]
    Reference {
        /// Which page.
        page: reference::Page,
    },
    /// Shell completions, for instance `holdfast completions bash > /etc/bash_completion.d/holdfast`.
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
}

impl Cli {
    /// Runs the command, and prints to standard error why it could not run.
    pub fn run(self) -> ExitCode {
        // People watch `run` by its log, and the other commands by their output.
        let verbosity = self.verbose + u8::from(matches!(self.command, Command::Run(_)));
        let exit = telemetry::init(self.log_format, verbosity)
            .map_err(Failure::from)
            .and_then(|()| self.dispatch());
        match exit {
            Ok(exit) => exit.into(),
            Err(Failure(message)) => {
                eprintln!("holdfast: {message}");
                Exit::CannotRun.into()
            }
        }
    }

    fn dispatch(self) -> Result<Exit, Failure> {
        let config = self.config.as_deref();
        match &self.command {
            Command::Rules(args) => catalogue::rules(args, config),
            Command::Check(args) => check::run(args, config),
            Command::Config(command) => config::run(command, config),
            Command::IamPolicy(args) => catalogue::iam_policy(args, config, &self.regions),
            Command::Reference { page } => reference::run(*page),
            Command::EventPattern => {
                print_json(&holdfast_core::event::pattern())?;
                Ok(Exit::Clean)
            }
            Command::Completions { shell } => {
                let mut command = <Self as clap::CommandFactory>::command();
                clap_complete::generate(*shell, &mut command, "holdfast", &mut std::io::stdout());
                Ok(Exit::Clean)
            }
            Command::Audit(args) => block_on(async { audit::run(&self.session().await?, args).await }),
            Command::Plan(args) => block_on(async { plan::run(&self.session().await?, args).await }),
            Command::Apply(args) => {
                let plan = args.read_plan()?;
                block_on(async { apply::run(&self.session().await?, args, plan).await })
            }
            Command::Gate(args) => block_on(async { gate::run(&self.session().await?, args).await }),
            Command::Diagnose(args) => block_on(async { diagnose::run(self.session().await?, args).await }),
            Command::Checklist(args) => block_on(async { checklist::run(self.session().await?, args).await }),
            Command::History(args) => block_on(history::run(
                args,
                config,
                self.endpoint_url.as_deref(),
                self.regions.first().map(String::as_str),
            )),
            Command::Run(args) => block_on(async { run::run(self.session().await?, args).await }),
        }
    }

    async fn session(&self) -> Result<Session, Failure> {
        Session::open(self.config.as_deref(), self.endpoint_url.as_deref(), &self.regions).await
    }
}

/// Runs a command that needs the network.
fn block_on(command: impl Future<Output = Result<Exit, Failure>>) -> Result<Exit, Failure> {
    // One thread: a sweep mostly waits for the network, and to send each answer to another thread costs more than to
    // parse it. Thousands of workloads are evaluated in a few milliseconds, for which an event can wait. And glibc does
    // not reuse for one thread the memory that another one has freed.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(command)
}
