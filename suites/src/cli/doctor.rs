//! `fabric doctor`: the preflight alone.

use std::process::ExitCode;

use anyhow::Result;
use fabric_harness::tools::{self, Level};

use super::args::{DoctorArgs, Format};
use super::exit;

pub(super) async fn run(args: DoctorArgs) -> Result<ExitCode> {
    let findings = tools::doctor().await;
    match args.format {
        Format::Text => anstream::print!("{}", tools::to_text(&findings)),
        Format::Json => say!("{}", tools::to_json(&findings)),
    }
    let fatal = tools::worst(&findings) == Level::Fatal;
    Ok(ExitCode::from(if fatal { exit::ENVIRONMENT } else { exit::OK }))
}
