//! Any info string is read without a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use opsroom::runbook::{Book, attributes};

fuzz_target!(|text: &str| {
    let info = attributes::info(text);
    assert!(text.contains(&info.language));
    let _ = attributes::read(text);
    let line = text.replace(['\n', '\r', '`'], " ");
    let _ = Book::read("book", "book.md", &format!("```sh {line}\nuptime\n```\n"));
});
