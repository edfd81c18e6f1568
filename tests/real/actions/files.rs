//! `restore-files-restic` against a real repository.

use super::super::database::{run, secret};
use super::super::repository::{damage, files};
use super::super::restic::{PASSWORD, Repository};
use super::{Hand, new, text, whole};

#[test]
fn files_come_back_beside_the_live_ones_and_a_damaged_pack_is_told() {
    let Some(repository) = Repository::new() else { return };
    repository.backup(1);
    repository.backup(2);
    // Names that no line can hold as they are.
    let source = repository.folder.path().join("source");
    std::fs::write(source.join("a b\\c\nd"), "odd").unwrap();
    std::fs::write(source.join("-rf"), "odd too").unwrap();
    std::os::unix::fs::symlink("f1", source.join("link")).unwrap();
    run(repository.command().args(["backup", "--quiet"]).arg(&source));
    let listed = run(repository.command().args(["snapshots", "--json"]));
    let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
    let newest = listed.as_array().unwrap().last().unwrap()["short_id"].as_str().unwrap();

    let password = secret(repository.folder.path(), "password", PASSWORD);
    let vars = [
        ("restic", text(&repository.at)),
        ("restic_password_file", password.trim_start_matches("file:").to_owned()),
    ];
    let vars: Vec<(&str, &str)> = vars.iter().map(|(name, held)| (*name, held.as_str())).collect();
    let folder = new(repository.folder.path(), "restored");
    let hand = || {
        Hand::new("restore-files-restic", &vars)
            .home(repository.folder.path())
            .set("SNAPSHOT", newest)
            .set("FOLDER", &text(&folder))
    };
    let hand = hand();
    let went = hand.run();
    went.well();
    assert!(went.said["verify"].contains("proved: 4 files"), "{went:#?}");
    assert!(!format!("{went:?}").contains(PASSWORD));
    let there = folder.join(source.strip_prefix("/").unwrap());
    assert_eq!(std::fs::read(there.join("f2")).unwrap(), std::fs::read(source.join("f2")).unwrap());

    // A file that was touched afterwards, and one too many.
    std::fs::write(there.join("-rf"), "odd two").unwrap();
    hand.run_step("verify", &went).fails("verify", "differs");
    std::fs::write(there.join("more"), "").unwrap();
    hand.run_step("verify", &went).fails("verify", "or more than those");

    // What is there already is never written into, nor taken away by another run.
    hand.run().fails("room", "is there already");
    hand.run_step("restore", &went).fails("restore", "File exists");
    let other = Hand::new("restore-files-restic", &vars)
        .home(repository.folder.path())
        .set("SNAPSHOT", newest)
        .set("FOLDER", &text(&folder))
        .called("another");
    other.run_step("away", &went).well();
    assert!(folder.exists());
    hand.run_step("away", &went).well();
    assert!(!folder.exists());

    damage(&files(&repository.at, "/data/")[0]);
    hand.run().fails("restore", "ciphertext verification failed");
    hand.run_step("verify", &went).fails("verify", "");
}

#[test]
fn a_person_brings_files_back_and_the_run_is_proved() {
    let Some(repository) = Repository::new() else { return };
    repository.backup(1);
    let listed = run(repository.command().args(["snapshots", "--json"]));
    let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
    let snapshot = listed[0]["id"].as_str().unwrap()[..8].to_owned();
    let password = secret(repository.folder.path(), "password", PASSWORD);
    let bench = whole::bench(&format!(
        "[service.files]\nvars = {{ restic = '{}', restic_password_file = '{}' }}\n",
        text(&repository.at),
        password.trim_start_matches("file:")
    ));
    let folder = new(repository.folder.path(), "restored");
    let sets = [format!("SNAPSHOT={snapshot}"), format!("FOLDER={}", text(&folder))];
    let arguments =
        ["restore-files-restic", "--service", "files", "--set", &sets[0], "--set", &sets[1]];
    let told = whole::is_proved(&bench, whole::run(&bench, &arguments, "files", 1));
    assert!(told.contains("proved: 1 files in "), "{told}");
    assert!(!told.contains(PASSWORD), "{told}");
    let source = repository.folder.path().join("source");
    let there = folder.join(source.strip_prefix("/").unwrap());
    assert_eq!(std::fs::read(there.join("f1")).unwrap(), std::fs::read(source.join("f1")).unwrap());
    // What is there already is never written into.
    let told = whole::fails(&bench, whole::run(&bench, &arguments, "files", 0));
    assert!(told.contains("is there already"), "{told}");
}
