//! `holdfast run`

use clap::Args;

use super::{Failure, Session, exit};

/// Arguments of `run`.
#[derive(Debug, Args)]
pub struct RunArgs {}

pub(super) async fn run(_session: Session, _args: &RunArgs) -> Result<u8, Failure> {
    Ok(exit::CLEAN)
}
