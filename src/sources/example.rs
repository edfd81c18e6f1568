//! `config.example.toml` is what the tables of keys say, those of the sources included.

use super::{Shared, kind_keys, of_kind};
use crate::config::{Config, Family, Mistakes, example, render, uncommented};
use crate::domain::{Role, SourceId, SourceInfo};
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/config.example.toml");

/// With `OPSROOM_WRITE_EXAMPLE=1` the file is written anew.
#[test]
fn the_example_file_is_what_the_keys_say() {
    let now = example(&kind_keys());
    if std::env::var_os("OPSROOM_WRITE_EXAMPLE").is_some() {
        std::fs::write(FILE, &now).unwrap();
    }
    let file = std::fs::read_to_string(FILE).unwrap_or_default();
    assert!(file == now, "run the tests once with OPSROOM_WRITE_EXAMPLE=1 and look at the change");
}

#[test]
fn all_lines_of_the_example_in_force_are_a_config_without_a_mistake() {
    let text = uncommented(&example(&kind_keys()));
    let mut mistakes = Mistakes::default();
    let config = Config::read(&text, &kind_keys(), &mut mistakes);
    let shared = Shared::new(|| Duration::ZERO, 1);
    let mut made = 0;
    for check_config in config.services.iter().flat_map(|service| &service.checks) {
        let info = SourceInfo {
            id: SourceId::from(check_config.role.name.as_str()),
            kind: String::new(),
            label: String::new(),
            asks: String::new(),
            every: check_config.every,
            timeout: check_config.timeout,
            role: Role::Check(check_config.role.clone()),
            network: false,
            note: None,
            cost: String::new(),
        };
        let (kind, table) = (check_config.kind, &check_config.table);
        let kind = (Family::Check, kind);
        let source = of_kind(
            kind,
            table,
            info,
            (check_config.connect_timeout, None),
            &shared,
            &mut mistakes,
        );
        made += usize::from(source.is_some());
    }
    assert!(mistakes.is_empty(), "{}", render(Path::new("example"), &text, &mistakes, false));
    // One of each kind, `health`, `tcp` and `tls` in short, and `tcp` of the second service.
    let checks = kind_keys().iter().filter(|kind| kind.family == Family::Check).count();
    assert_eq!(made, checks + 4);
}

#[test]
fn no_table_of_the_example_has_a_key_twice() {
    for table in example(&kind_keys()).split("\n#[").skip(1) {
        let keys: Vec<&str> = table
            .lines()
            .filter_map(|line| line.strip_prefix('#')?.split_once(" = "))
            .map(|(key, _)| key)
            .filter(|key| !key.contains(' '))
            .collect();
        let unique: BTreeSet<&&str> = keys.iter().collect();
        assert_eq!(unique.len(), keys.len(), "{table}");
    }
}
