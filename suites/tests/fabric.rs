//! `cargo test --test fabric`: the lab of the repository (or `FABRIC_LAB`), verified end to end.

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    if let Some(code) = fabric_harness::runtime::hats::wear() {
        return code;
    }
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."));
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| top.join("target"), Into::into);
    fabric_suites::run::main(top.join("fixtures/cilium-bgp"), target.join("fabric"))
}
