//! Renders a record as a page, for those who work on the page: `cargo run -p fabric-reports --example page -- record.json > page.html`.

use std::io::Write as _;

use fabric_reports::{Record, html};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("say which record.json")?;
    std::io::stdout().write_all(html::render(&Record::read(path)?)?.as_bytes())?;
    Ok(())
}
