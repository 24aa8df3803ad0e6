//! What passes on links: frames, and a session's bytes.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fabric_harness::fuzz::packets(data));
