#![no_main]

#[path = "../bodies/scenario.rs"]
mod scenario;

libfuzzer_sys::fuzz_target!(|input: &[u8]| scenario::check(input));
