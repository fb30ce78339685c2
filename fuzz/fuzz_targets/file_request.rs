#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| smp_fuzz::targets::file_request::run(data));
