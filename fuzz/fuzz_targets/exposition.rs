//! Any bytes as a page, scraped again and again with changes.

#![no_main]

mod page;

use libfuzzer_sys::fuzz_target;
use opsroom::metrics::exposition::Format;

fuzz_target!(|data: &[u8]| {
    page::check(data, "text/plain; version=0.0.4", Format::Text);
});
