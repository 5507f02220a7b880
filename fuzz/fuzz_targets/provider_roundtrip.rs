#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz_bodies::provider_roundtrip(data));
