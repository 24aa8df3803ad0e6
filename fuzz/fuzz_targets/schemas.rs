//! A schema of a CustomResourceDefinition, a line end, and an object.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fabric_harness::fuzz::schemas(data));
