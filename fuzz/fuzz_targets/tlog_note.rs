#![no_main]

#[path = "../properties/tlog.rs"]
mod properties;

libfuzzer_sys::fuzz_target!(|data: &[u8]| properties::note(data));
