//! `fabric report`: a run that is over, printed or written from its record alone.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use fabric_reports::{Record, html, junit, markdown};

use super::args::{Page, ReportArgs};
use super::exit::{self, Usage};

pub(super) fn run(args: &ReportArgs) -> Result<ExitCode> {
    let mut path = args.record.clone().unwrap_or_else(|| PathBuf::from("target/fabric/latest"));
    if path.is_dir() {
        path.push("record.json");
    }
    // What is not there, or is no record, is wrong usage: nothing was to be brought up.
    let record = Record::read(&path).map_err(|error| Usage(error.to_string()))?;
    let page = match args.format {
        Page::Md => markdown::render(&record),
        Page::Junit => junit::render(&record)?,
        Page::Html => html::render(&record)?,
    };
    match &args.output {
        Some(file) => fs::write(file, page.trim_end().to_owned() + "\n").with_context(|| {
            format!("cannot write {}; is its folder there, and can it be written to?", file.display())
        })?,
        None => say!("{}", page.trim_end()),
    }
    Ok(ExitCode::from(exit::OK))
}
