//! What gobgpd logs and `gobgp -j` answers.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fabric_harness::fuzz::gobgp(data));
