//! `opsroom rehearse` through the real program: reads run, nothing that changes
//! anything does, and what is broken is said without secrets.

use crate::runs::house::House;
use crate::support::until;
use rustix::process::{Pid, Signal, kill_process};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

fn opsroom(house: &House) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_opsroom"));
    command
        .arg("--config")
        .arg(house.scratch().join("config.toml"))
        .env("XDG_STATE_HOME", house.scratch().join("state"))
        .env("HOME", house.scratch())
        .stdin(Stdio::null());
    command
}

fn rehearse(house: &House, words: &[&str]) -> (Output, serde_json::Value) {
    let output = opsroom(house).args(["rehearse", "--json"]).args(words).output().unwrap();
    let said = serde_json::from_slice(&output.stdout);
    let said = said.unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    (output, said)
}

fn words(list: &serde_json::Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect()
}

/// Everything in it that must not run writes `canary` into the log.
const CAREFUL: &str = "---\nservices: [api]\nparams:\n  TARGET:\n    ask: Target\n    \
     from: 'echo listed >> \"$FILE\"; printf \"\\nv41\\nv40\\n\"'\n    match: 'v[0-9]+'\n  \
     KEY: { ask: Key, secret: true, match: '[a-z]+' }\n  NAME: { ask: Name, match: '[0-9]+' }\n---\n\
     # Careful\n```pin\nrelease = echo pinned >> \"$FILE\"; echo 1\n```\n\
     ## Look\n```bash {reads capture=FOUND}\necho looked at $TARGET >> \"$FILE\"\necho one\n```\n\
     ## Look again\n```sh {reads}\nprintf 'found %s\\n' \"$FOUND\" >> \"$FILE\"\n```\n\
     ## With a secret\n```bash {reads}\necho \"canary $KEY\" >> \"$FILE\"\n```\n\
     ## With what only a person knows\n```bash {reads}\necho \"canary $NAME\" >> \"$FILE\"\n```\n\
     ## With a label\n```bash {reads}\necho \"canary $LABEL_instance\" >> \"$FILE\"\n```\n\
     ## In a terminal\n```bash {reads tty}\necho canary >> \"$FILE\"\n```\n\
     ## By hand\n- [ ] look around\n\n\
     ## Change\n```bash {undo=back}\necho canary >> \"$FILE\"\n: $(echo canary >> \"$FILE\")\n```\n\
     ## Look at what was done\n```bash {reads}\necho canary >> \"$FILE\"\n```\n\
     ## Back\n```bash {name=back}\necho canary >> \"$FILE\"\n```\n";

#[test]
fn reads_run_up_to_the_first_change_and_nothing_else_does() {
    let house = House::new("[service.api]\nhealth = 'http://127.0.0.1:1/'\n");
    house.book("careful", CAREFUL);
    // Written for people: each of its commands counts as a change.
    house.book("foreign", "# Clean up\n\n```bash\necho canary >> \"$FILE\"\nls \"$DIR\"\n```\n");
    house.book("prose", "# Only words\n\nNothing to do.\n");
    let (output, said) = rehearse(&house, &[]);
    let log = house.log();
    assert!(!log.contains("canary"), "{log}");
    assert_eq!(log, "listed\nlooked at v41\nfound one\npinned\n");
    assert_eq!(output.status.code(), Some(0), "{said:#}");
    let of = |name: &str| said.as_array().unwrap().iter().find(|it| it["runbook"] == name).unwrap();
    assert_eq!((&of("careful")["ran"], &of("careful")["planned"]), (&4.into(), &7.into()));
    assert_eq!((&of("foreign")["ran"], &of("foreign")["planned"]), (&0.into(), &1.into()));
    assert!(of("prose")["skipped"].as_str().unwrap().contains("no steps"));
    // What ships, and nobody has set up here, breaks nothing until it is named.
    assert!(of("rollback")["skipped"].as_str().unwrap().contains("not set up here"));
    let (named, _) = rehearse(&house, &["rollback"]);
    assert_eq!(named.status.code(), Some(10));
}

#[tokio::test]
async fn what_is_broken_is_named_without_secrets_and_kept_for_the_next_who_needs_it() {
    let house = House::new(
        "[prometheus]\nurl = 'http://127.0.0.1:1'\n[prometheus.auth]\nbearer = 'cmd:printf sword-fish-7'\n",
    );
    house.book("good", "# Good\n```bash {reads}\necho 1\n```\n");
    house.book(
        "bad",
        "# Bad\n```pin\nrelease = echo no such release >&2; exit 3\n```\n\
         ## Look\n```bash {reads}\necho 'refused for sword-fish-7' >&2\nexit 4\n```\n\
         ## Wait\n```bash {reads timeout=1s}\nsleep 60\n```\n\
         ## Change\n```bash\nif true; then echo canary >> \"$FILE\"\n```\n\
         ## Proof\n```check\npromql up == 1\n```\n",
    );
    let (output, said) = rehearse(&house, &["good", "bad"]);
    assert_eq!(output.status.code(), Some(10), "{said:#}");
    assert_eq!(words(&said[0]["broken"]), Vec::<&str>::new());
    let broken = words(&said[1]["broken"]).join("\n");
    for told in [
        "step 1 (Look): exit code 4: refused for (hidden)",
        "step 2 (Wait): no answer within 1s",
        "step 3 (Change): bash cannot read it",
        "the pin release: exit code 3: no such release",
        "`promql up == 1`: nobody can tell",
    ] {
        assert!(broken.contains(told), "{told}\n{broken}");
    }
    assert!(!String::from_utf8_lossy(&output.stdout).contains("sword-fish-7"));
    house.nowhere("sword-fish-7");
    assert_eq!(house.log(), "");
    assert_eq!(house.verify().await, Vec::<String>::new());

    let listed = || {
        let output = opsroom(&house).args(["runbooks", "list", "--json"]).output().unwrap();
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap().to_string()
    };
    let known = listed();
    assert!(known.contains("refused for (hidden)"), "{known}");
    // In words for a person, too.
    house.book("worse", "# Worse\n```bash {reads}\nexit 4\n```\n");
    let output = opsroom(&house).args(["rehearse", "good", "worse"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.starts_with("ok           good  1 command run, 0 steps only planned\n"), "{said}");
    assert!(said.contains("\nBROKEN       worse  1 command run"), "{said}");
    // It was that text that was broken, and not the one that is there now.
    house.book("bad", "# Bad\n```bash {reads}\necho mended\n```\n");
    assert!(!listed().contains("refused"));
}

#[test]
fn a_runbook_whose_lines_a_person_has_to_edit_is_not_called_ok() {
    let house = House::new("");
    house.book("good", "# Good\n```bash {reads}\necho 1\n```\n");
    house.book("people", "# Clean up\n\n```bash\nssh db-1 ls <folder>\n```\n");
    house.book("worse", "# Worse\n```bash {reads}\nexit 4\n```\n");
    let (output, said) = rehearse(&house, &["good", "people"]);
    assert_eq!(output.status.code(), Some(14), "{said:#}");
    assert_eq!(words(&said[0]["edits"]), Vec::<&str>::new());
    let edits = words(&said[1]["edits"]);
    assert!(edits.len() == 1 && edits[0].starts_with("step 1 (Clean up): "), "{edits:?}");
    let output = opsroom(&house).args(["rehearse", "good", "people", "worse"]).output().unwrap();
    assert_eq!(output.status.code(), Some(10));
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        said.contains("\nneeds edits  people  0 commands run, 1 step only planned\n"),
        "{said}"
    );
    assert!(said.contains("\n             to be edited: step 1 (Clean up): "), "{said}");
    let output = opsroom(&house).args(["rehearse", "good"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
}

#[tokio::test]
async fn ended_it_leaves_no_command_behind() {
    let house = House::new("");
    house.book("slow", "# Slow\n```bash {reads}\necho $$ >> \"$FILE\"\nsleep 300 & wait\n```\n");
    let mut child = opsroom(&house)
        .args(["rehearse", "slow"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    house.until_logged("\n").await;
    let shell = PathBuf::from("/proc").join(house.log().trim());
    assert!(shell.exists());
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    kill_process(pid, Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1));
    until("the command's end", || async { !shell.exists() }).await;
}
