#![no_main]

#[path = "../properties/source.rs"]
mod properties;

libfuzzer_sys::fuzz_target!(|data: &[u8]| properties::directory(data));
