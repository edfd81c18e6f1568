//! Any rule file, file of tests and template is read, and what can be run is
//! run, without a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use opsroom::domain::{Labels, Timestamp};
use opsroom::rules::template::World;
use opsroom::rules::{Names, Template, read, unit};

fuzz_target!(|text: &str| {
    let file = read(text.as_bytes(), Names::Utf8);
    for mistake in &file.mistakes {
        assert!(mistake.line >= 1 && mistake.column >= 1);
    }
    let (tests, wrong) = unit::read(text.as_bytes());
    if wrong.is_empty() && text.len() < 2_000 && tests.every.as_secs() >= 1 {
        let short = tests.tests.iter().all(|test| {
            test.alerts.iter().all(|it| it.at.as_secs() < 600)
                && test.exprs.iter().all(|it| it.at.as_secs() < 600)
        });
        let groups: Vec<_> = file.groups.iter().map(|group| ("f", group)).collect();
        if short {
            let _ = unit::run(&tests, &groups);
        }
    }
    if let Ok(template) = Template::parse(text) {
        let labels = Labels::new([("job", "j"), ("instance", "i")]);
        let query = |_: &str| Ok(vec![(labels.clone(), 1.5)]);
        let world = World {
            at: Timestamp::from_millis(60_000),
            external_labels: &labels,
            external_url: "http://x/y",
            query: &query,
        };
        let _ = template.expand("A", &labels, 1234.5, &world);
    }
});
