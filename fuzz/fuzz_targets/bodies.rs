//! Bodies of requests: JSON and YAML.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fabric_harness::fuzz::bodies(data));
