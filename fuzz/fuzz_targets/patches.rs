//! An object, a line end, and a patch of it: JSON patch, merge, strategic merge, server-side apply.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fabric_harness::fuzz::patches(data));
