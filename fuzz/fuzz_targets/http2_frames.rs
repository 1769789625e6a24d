//! `http2_frames` for libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| stoker_fuzz::run("http2_frames", data));
