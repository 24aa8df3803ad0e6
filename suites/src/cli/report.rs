//! `fabric report`: a run that is over, printed or written from its record alone.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use fabric_reports::summary::Look;
use fabric_reports::{Record, html, junit, markdown, summary, tap};

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
        Page::Tap => tap::render(&record),
        Page::Text => {
            let look = if args.output.is_some() { Look::PLAIN } else { Look::of_stdout() };
            summary::render(&record, None, look)
        }
    };
    match &args.output {
        Some(file) => write(file, &page)?,
        None => say!("{}", page.trim_end()),
    }
    Ok(ExitCode::from(exit::OK))
}

fn write(file: &Path, page: &str) -> Result<(), Usage> {
    let page = format!("{}\n", page.trim_end());
    std::fs::write(file, page).map_err(|error| Usage(format!("cannot write {}: {error}", file.display())))
}
