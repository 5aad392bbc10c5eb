#![no_main]

#[path = "../properties/watch.rs"]
mod properties;

libfuzzer_sys::fuzz_target!(|data: &[u8]| properties::learned(data));
