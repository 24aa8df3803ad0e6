//! The expectations of a lab.yaml, and its symbols and hops by themselves.

#![no_main]

use std::path::Path;

use fabric_harness::lab::LabFile;
use fabric_harness::lab::yaml::{Diagnostics, FromTree, parse};
use fabric_suites::expect::{Expect, Hop, Symbol};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(symbol) = Symbol::parse(text) {
        let _ = (symbol.short(), symbol.exchanged("a", "b"));
        assert_eq!(
            Symbol::parse(&symbol.to_string()).as_ref(),
            Ok(&symbol),
            "a symbol is read as it is written"
        );
    }
    if let Ok(hop) = Hop::parse(text) {
        let _ = (hop.short(), hop.exchanged("a", "b"));
    }
    let mut ctx = Diagnostics::new();
    if let Some(tree) = parse(Path::new("lab.yaml"), text, &mut ctx) {
        let _ = Expect::from_tree(&tree, &mut ctx);
        let _ = LabFile::<Expect>::from_tree(&tree, &mut ctx);
    }
    for diagnostic in ctx.into_sorted() {
        assert!(!diagnostic.render(false).is_empty());
    }
});
