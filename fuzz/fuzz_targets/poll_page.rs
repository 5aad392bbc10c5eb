#![no_main]

#[path = "../properties/poll.rs"]
mod properties;

libfuzzer_sys::fuzz_target!(|data: &[u8]| properties::page(data));
