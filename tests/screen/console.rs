//! A visit: the practice environment is watched, something breaks, it is healed.

use super::harness::{Home, Terminal};
use super::waiting::{SOON, eventually};
use rustix::process::Signal;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A fault is to be seen within this: it comes after 20 s, and grows.
const FAULT: Duration = Duration::from_secs(75);

fn practice_folder(home: &Path) -> Option<PathBuf> {
    std::fs::read_dir(home).unwrap().flatten().map(|entry| entry.path()).find(|path| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("opsroom-demo-"))
    })
}

fn processes_of(folder: &Path) -> usize {
    let folder = folder.to_str().unwrap();
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let commands = entries.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    commands.filter(|command| String::from_utf8_lossy(command).contains(folder)).count()
}

/// The row that is selected.
fn selected(text: &str) -> Option<&str> {
    text.lines().find(|line| line.starts_with('❯'))
}

/// The row that is chosen below all others: in the palette, where one is open.
fn selected_last(text: &str) -> Option<&str> {
    text.lines().rev().find(|line| line.starts_with('❯'))
}

/// A service's row.
fn row<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let services = text.lines().skip_while(|line| !line.starts_with("SERVICES"));
    services
        .take_while(|line| !line.starts_with("HOSTS"))
        .find(|line| line.split_whitespace().any(|word| word == name))
}

#[test]
fn a_fault_comes_before_ones_eyes_and_is_healed() {
    let home = Home::new();
    let mut terminal = Terminal::start(home.opsroom(&["demo", "--seed", "1"]), 120, 40);
    terminal.see_text("PRACTICE");
    let text = terminal.see("all five services are ok", |text| {
        ["web", "api", "payments", "worker", "db"]
            .iter()
            .all(|name| row(text, name).is_some_and(|row| row.contains(" ok ")))
    });

    // It starts at what is worst; among the services the selection moves on.
    assert!(selected(&text).unwrap().contains("BackupStale"));
    terminal.press("\t");
    let text = terminal.see("a service is selected", |text| {
        selected(text).is_some_and(|row| !row.contains("BackupStale"))
    });
    let first = selected(&text).unwrap().to_owned();
    terminal.press("j");
    terminal.see("another row", |text| {
        selected(text)
            .is_some_and(|row| row.split_whitespace().nth(2) != first.split_whitespace().nth(2))
    });

    // Filter, and take it away again.
    terminal.press("/payments\r");
    terminal.see("only payments", |text| {
        row(text, "payments").is_some() && row(text, "worker").is_none()
    });
    terminal.press("\x1b");
    terminal.see("all of them", |text| row(text, "worker").is_some());

    // A service's page, and back.
    terminal.press(":service api\r");
    terminal.see_text("team orders");
    terminal.press("l");
    terminal.see_text("GET /products 200");
    terminal.press("\x1b");
    terminal.see("the service again", |text| text.contains("team orders"));
    terminal.press("1");
    terminal.see("the overview", |text| row(text, "worker").is_some());

    terminal.see_within("api is critical", FAULT, |text| {
        row(text, "api").is_some_and(|row| row.contains("CRIT"))
    });
    terminal.see_within("web suffers too", FAULT, |text| {
        text.lines().any(|line| line.contains("CRIT") && line.contains(" web "))
    });

    // What changes something is never preselected: enter alone does nothing.
    terminal.press(":heal all\r");
    terminal.see_text("choose it with the arrow keys");
    terminal.press(":heal all");
    terminal.see_text("command: heal all");
    terminal.press("\x1b[B\x1b[A");
    terminal.see("the command is chosen", |text| {
        selected_last(text).is_some_and(|row| row.contains("heal all"))
    });
    terminal.press("\r");
    terminal.see_within("nothing is critical any more", FAULT, |text| text.contains(" 0 CRIT"));
    terminal.see_within("all is ok again", FAULT, |text| {
        row(text, "api").is_some_and(|row| row.contains(" ok "))
    });

    let folder = practice_folder(home.path()).unwrap();
    terminal.press("q");
    assert!(terminal.end(SOON).success());
    assert!(!folder.exists());
    assert_eq!(processes_of(&folder), 0);
}

#[test]
fn a_console_that_was_killed_leaves_no_practice_behind() {
    let home = Home::new();
    let mut terminal = Terminal::start(home.opsroom(&["demo"]), 80, 24);
    terminal.see("an answer", |text| text.contains("PRACTICE") && text.contains("payments"));
    let folder = practice_folder(home.path()).unwrap();
    assert!(processes_of(&folder) > 0);
    terminal.signal(Signal::KILL);
    terminal.end(SOON);
    eventually("its processes are gone", SOON, || processes_of(&folder) == 0);
    eventually("its folder is gone", SOON, || !folder.exists());
}
