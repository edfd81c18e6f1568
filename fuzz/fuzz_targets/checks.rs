//! Any lines of a check and of a pin are read without a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use opsroom::runbook::{Book, conditions};

fuzz_target!(|text: &str| {
    let _ = conditions::condition(text);
    let lines = text.replace("~~~", "   ");
    let _ = Book::read("book", "book.md", &format!("~~~check\n{lines}\n~~~\n~~~pin\n{lines}\n~~~\n"));
});
