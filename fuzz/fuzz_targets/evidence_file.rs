#![no_main]

#[path = "../properties/evidence.rs"]
mod properties;

libfuzzer_sys::fuzz_target!(|data: &[u8]| properties::evidence_file(data));
