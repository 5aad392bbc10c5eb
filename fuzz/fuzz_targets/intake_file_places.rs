#![no_main]

#[path = "../properties/intake.rs"]
mod properties;

libfuzzer_sys::fuzz_target!(|data: &[u8]| properties::file_places(data));
