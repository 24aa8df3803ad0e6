//! A lab's files: topology, kind, helm values, manifests, lab.yaml.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fabric_harness::fuzz::lab(data));
