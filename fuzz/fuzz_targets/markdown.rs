//! Any text is a runbook: it is read without a panic, and what it says of itself holds.
#![no_main]

use libfuzzer_sys::fuzz_target;
use opsroom::runbook::Book;

fuzz_target!(|text: &str| {
    let book = Book::read("book", "book.md", text);
    let lines = u32::try_from(text.split(['\n', '\r']).count()).unwrap_or(u32::MAX);
    for block in &book.document.blocks {
        assert!(block.line >= 1 && block.line <= block.end_line && block.end_line <= lines);
    }
    for heading in &book.document.headings {
        assert!((1..=6).contains(&heading.level) && heading.line <= lines);
    }
    for (index, step) in book.steps.iter().enumerate() {
        assert_eq!(step.id.0 as usize, index + 1);
    }
});
