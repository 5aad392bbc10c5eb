#![no_main]

#[path = "../properties/search.rs"]
mod properties;

libfuzzer_sys::fuzz_target!(|data: &[u8]| properties::line(data));
