//! The text of ping and traceroute.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fabric_harness::fuzz::probes(data));
