//! Backups: their page, full checks, their lines elsewhere.

use super::super::{Page, State, update};
use super::house::{
    NAMES, ago, alert, answer_charts, calm, calm_of, inventory, press, send, text_of, unicode_of,
};
use super::issues::poll;
use crate::domain::{
    BackupProblem, BackupReading, BackupRole, Fault, FullCheck, Labels, PollError, PollFailure,
    Reading, RestoreTest, Role, Running, Severity, Snapshot, SourceId, SourceInfo, Status,
};
use crate::panels::Chosen;
use crate::store::{Effect, Look, Looked, Msg, Seen, Stamped};
use std::sync::Arc;
use std::time::Duration;

const HOUR: u64 = 3_600;
const GB: u64 = 1 << 30;

fn wanted(name: &str) -> BackupRole {
    BackupRole {
        name: name.into(),
        service: (name == "orders").then(|| "api".into()),
        rpo: Duration::from_hours(26),
        rto: Some(Duration::from_hours(1)),
        keep: Some(7),
        keep_for: None,
        restore_test: None,
        min_free: Some(50 * GB),
        at_most: Status::Critical,
    }
}

fn source(name: &str) -> SourceInfo {
    SourceInfo {
        id: format!("backup/{name}").into(),
        kind: "restic".into(),
        label: name.into(),
        asks: format!("restic -r /srv/backup/{name} snapshots"),
        every: Duration::from_mins(15),
        timeout: Duration::from_mins(1),
        role: Role::Backup(wanted(name)),
        network: false,
        note: None,
        cost: "restic snapshots, no lock".into(),
    }
}

/// Nightly ones; the newest is `age_h` hours old.
fn nightly(age_h: u64, count: u64, size: u64) -> BackupReading {
    let snapshot = |night: u64| Snapshot {
        id: format!("{night:02}f3a9c1"),
        taken: ago((age_h + 24 * night) * HOUR),
        took: Some(Duration::from_mins(12)),
        size: Some(size - night * size / 100),
        fault: None,
        host: Some("db-1".into()),
    };
    BackupReading {
        snapshots: (0..count).rev().map(snapshot).collect(),
        count,
        encrypted: Some(true),
        off_host: Some(true),
        free: Some(120 * GB),
        place: "s3:s3.example/shop-bk".into(),
        tool: Some("restic 0.14.0".into()),
        took: Duration::from_secs(2),
        ..BackupReading::default()
    }
}

fn restored(days: u64) -> RestoreTest {
    RestoreTest {
        at: ago(days * 24 * HOUR),
        good: true,
        took: Some(Duration::from_mins(14)),
        size: Some(12 * GB),
        words: "214 tables compared".into(),
    }
}

fn tell(state: &mut State, name: &str, reading: BackupReading) {
    poll(state, &format!("backup/{name}"), Ok(Reading::Backup(Arc::new(reading))));
}

const SETS: [&str; 7] =
    ["files", "orders", "wiki", "ledger", "客户数据库每日备份", "archive", "mail"];

/// The calm house with the backups of these sets, nothing known of them yet.
fn house_of(sets: &[&str], width: u16, height: u16) -> State {
    let mut house = inventory(&NAMES);
    house.sources.extend(sets.iter().map(|name| source(name)));
    calm_of(house, width, height)
}

/// A house whose backups are in every kind of trouble.
fn troubled(width: u16, height: u16) -> State {
    let mut state = house_of(&SETS, width, height);
    let files = BackupReading { restore: Some(restored(6)), ..nightly(3, 30, 12 * GB) };
    tell(&mut state, "files", files);
    tell(&mut state, "orders", nightly(27, 14, 12 * GB));
    let mut wiki = nightly(5, 20, GB);
    wiki.snapshots.last_mut().unwrap().size = Some(GB / 3);
    tell(&mut state, "wiki", wiki);
    let mut ledger = nightly(3, 9, 4 * GB);
    for (at, words) in [(5, "truncated: no closing line"), (8, "empty file")] {
        ledger.snapshots[at].fault = Some(Fault { status: Status::Critical, words: words.into() });
        ledger.snapshots[at].size = Some(812);
    }
    ledger.problems =
        vec![BackupProblem { status: Status::Warning, words: "a lock of a dead process".into() }];
    tell(&mut state, "ledger", ledger);
    let running = Some(Running { since: Some(ago(720)), by: "pid 411 on db-1".into() });
    let long = BackupReading { running, ..nightly(20, 8, GB) };
    tell(&mut state, "客户数据库每日备份", long);
    let denied = PollError::new(PollFailure::Denied, "denied: wrong password or no key found");
    poll(&mut state, "backup/archive", Err(denied.clone()));
    poll(&mut state, "backup/archive", Err(denied));
    state.sheets.clear();
    state.settle(true);
    state
}

fn chosen(state: &State) -> Option<SourceId> {
    match state.chosen() {
        Some(Chosen::Backup(id)) => Some(id),
        _ => None,
    }
}

#[test]
fn the_page_of_backups() {
    let mut state = troubled(80, 24);
    press(&mut state, "6");
    insta::assert_snapshot!(text_of(&state, 80, 24));
    let mut state = troubled(120, 40);
    press(&mut state, "6");
    insta::assert_snapshot!(unicode_of(&state, 120, 40));
    let mut state = troubled(200, 50);
    press(&mut state, "6");
    insta::assert_snapshot!(unicode_of(&state, 200, 50));
}

#[test]
fn the_details_of_a_backup_show_its_history() {
    let mut state = troubled(120, 40);
    press(&mut state, "6 / l e d g e r enter enter");
    insta::assert_snapshot!(unicode_of(&state, 120, 40));
    press(&mut state, "esc");
    assert!(text_of(&state, 120, 40).contains("BACKUPS 1 of 7"));
}

#[test]
fn enter_on_an_alert_about_backups_opens_those() {
    let mut state = troubled(80, 24);
    let mut overdue = alert("BackupStale", "api", Severity::Warning, 300, "files: 3d old");
    overdue.labels = Labels::new([("alertname", "BackupStale"), ("backup", "files")]);
    state.known.alerts = vec![overdue];
    state.settle(true);
    press(&mut state, "enter");
    assert_eq!((state.page(), chosen(&state)), (&Page::Backups, Some("backup/files".into())));
    press(&mut state, "enter 1 6");
    assert!(text_of(&state, 80, 24).contains("enter open"), "the list has the keys again");
}

/// A message a second later.
fn send_later(state: &mut State, msg: Msg) -> Vec<Effect> {
    let at = state.known.now + Duration::from_secs(1);
    update(state, Stamped { at, msg })
}

fn answer_later(state: &mut State, key: &str) -> Vec<Effect> {
    let effects = send_later(state, Msg::KeyPressed(key.parse().unwrap()));
    effects.into_iter().filter(|effect| !matches!(effect, Effect::Ask(_))).collect()
}

#[test]
fn a_full_check_is_asked_for_once_and_its_result_stands_in_the_details() {
    let mut state = troubled(80, 24);
    press(&mut state, "6");
    assert!(text_of(&state, 80, 24).lines().last().unwrap().contains("v full check"));
    press(&mut state, "/ f i l e s enter");
    assert_eq!(chosen(&state), Some("backup/files".into()));
    let look = Effect::Look { source: "backup/files".into(), look: Look::Verify };
    assert_eq!(press(&mut state, "v"), [], "a slip of a finger begins nothing");
    let asked = text_of(&state, 80, 24);
    let asked = asked.lines().last().unwrap();
    assert!(asked.starts_with("check files in full? it reads all of it: y"), "{asked}");
    send_later(&mut state, Msg::Pasted("y".into()));
    assert_eq!(answer_later(&mut state, "y"), [look]);
    assert_eq!(press(&mut state, "v"), [], "it is under way");
    press(&mut state, "enter");
    let text = text_of(&state, 80, 24);
    assert!(text.contains("checking all of it"), "{text}");
    let check = FullCheck {
        of: "00f3a9c1".into(),
        status: Status::Ok,
        words: "all packs were read".into(),
        took: Duration::from_mins(3),
    };
    let (source, at) = (SourceId::from("backup/files"), state.known.now);
    let outcome = Ok(Seen::Verified(check));
    send(&mut state, Msg::Looked(Looked { source, look: Look::Verify, at, outcome }));
    let text = text_of(&state, 80, 24);
    assert!(text.contains("files, full check: ok: all packs were read"), "{text}");
    press(&mut state, "down");
    let text = text_of(&state, 80, 24);
    assert!(text.contains("full check   <10s ago: ok: all packs were read"), "{text}");
}

#[test]
fn only_y_after_the_question_could_be_read_begins_a_full_check() {
    for key in ["enter", "n", "esc", "Y", "ctrl-y", "v", "space", "q", "ctrl-c"] {
        let mut state = troubled(80, 24);
        press(&mut state, "6 v");
        assert_eq!(answer_later(&mut state, key), [], "{key}");
        assert!(text_of(&state, 80, 24).contains(": not checked"), "{key}");
        assert_eq!(answer_later(&mut state, "y"), [], "the question is gone after {key}");
    }
    let mut state = troubled(80, 24);
    assert_eq!(press(&mut state, "6 v y"), [], "typed ahead");
    assert!(text_of(&state, 80, 24).contains("before the question could be read"));
}

#[test]
fn a_full_check_that_cannot_be_made_is_no_result() {
    let mut state = troubled(80, 24);
    press(&mut state, "6 v");
    answer_later(&mut state, "y");
    let source = chosen(&state).unwrap();
    let outcome = Err(PollError::new(PollFailure::Busy, "busy: locked by pid 411"));
    let at = state.known.now;
    send(&mut state, Msg::Looked(Looked { source, look: Look::Verify, at, outcome }));
    assert!(text_of(&state, 80, 24).contains("full check: not done: busy: locked by pid 411"));
}

#[test]
fn backups_stand_on_the_overview_and_on_the_page_of_their_service() {
    let state = troubled(80, 24);
    insta::assert_snapshot!(text_of(&state, 80, 24));
    let mut state = troubled(120, 40);
    insta::assert_snapshot!(unicode_of(&state, 120, 40));
    press(&mut state, "2 down enter");
    assert_eq!(state.page(), &Page::Service("api".into()));
    answer_charts(&mut state);
    let text = text_of(&state, 120, 40);
    let line = text.lines().find(|line| line.starts_with("BACKUP")).unwrap();
    assert!(line.contains("orders X"), "{text}");
}

#[test]
fn enter_on_the_line_of_the_overview_opens_the_page_at_its_backup() {
    let mut state = troubled(80, 24);
    // Past alerts, services and hosts.
    let panels = state.sheets[&Page::Overview].panels.iter();
    let at = panels.map(|(kind, _)| kind.name).position(|name| name == "backup-lines").unwrap();
    while state.sheets[&Page::Overview].focus != at {
        press(&mut state, "tab");
    }
    press(&mut state, "enter");
    assert_eq!(state.page(), &Page::Backups);
    assert_eq!(chosen(&state), Some("backup/orders".into()));
    press(&mut state, "esc");
    assert_eq!(state.page(), &Page::Overview);
}

#[test]
fn backups_that_are_well_take_one_line_and_give_way() {
    let mut state = house_of(&["files", "orders"], 80, 24);
    for name in ["files", "orders"] {
        let reading = BackupReading { restore: Some(restored(6)), ..nightly(3, 30, 12 * GB) };
        tell(&mut state, name, reading);
    }
    let text = text_of(&state, 80, 24);
    let line = text.lines().find(|line| line.starts_with("BACKUP")).unwrap();
    assert!(line.contains("files 3h/26h, restored 6d ago | orders 3h/26h"), "{text}");
}

#[test]
fn the_last_of_five_hundred_backups_is_a_key_away() {
    let names: Vec<String> = (0..500).map(|i| format!("set-{i:03}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut state = house_of(&names, 80, 24);
    press(&mut state, "6 G");
    let text = text_of(&state, 80, 24);
    assert!(text.contains("BACKUPS 500") && text.contains("set-499"), "{text}");
    press(&mut state, "1");
    assert!(text_of(&state, 80, 24).contains("more"));
}

#[test]
fn nothing_is_checked_in_full_where_no_backup_is_selected() {
    let mut state = calm(80, 24);
    assert_eq!(press(&mut state, "v"), []);
    assert!(text_of(&state, 80, 24).contains("select a backup"));
}
