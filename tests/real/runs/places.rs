//! Where the journal lies goes wrong: a full disk, a log that a power cut left
//! in the middle.

use super::house::{House, Said};
use super::kills::{drive, hold_to};
use opsroom::runbook::{Answer, AskKind, Order};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A small file system in memory, which ends with its test.
struct Small(tempfile::TempDir);

impl Small {
    /// None, with words, where this user may mount nothing.
    fn mount(bytes: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={bytes},mode=700"), "opsroom-test"])
            .arg(folder.path())
            .output();
        if mounted.is_ok_and(|it| it.status.success()) {
            return Some(Self(folder));
        }
        println!("skipped: this user may mount nothing");
        None
    }

    fn fill(&self) -> PathBuf {
        let path = self.0.path().join("filler");
        let mut file = std::fs::File::options().append(true).create(true).open(&path).unwrap();
        for piece in [1 << 20, 4096, 64] {
            while file.write_all(&vec![b'x'; piece]).is_ok() {}
        }
        path
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[tokio::test]
async fn on_a_full_disk_nothing_runs_that_cannot_be_recorded() {
    let Some(small) = Small::mount("40m") else { return };
    let house = House::new("environment = 'staging'\n").with_state(small.0.path());
    house.ten_steps();
    let mut run = house.conduct(&House::ten()).await.unwrap();
    let mut follower = house.follow(&run).await;
    let plan = follower.planned().await;
    follower.order(Order::Start(plan.hash())).await;
    // Step 1 reads, step 2 asks.
    let Said::Asked(ask) = follower.until_asked().await else { panic!("it ended") };
    small.fill();
    // It lives on what was kept for that.
    follower.answer(ask.number, Answer::Go { typed: None }).await;
    let Said::Asked(mut ask) = follower.until_asked().await else { panic!("it ended") };
    assert_eq!(house.steps_begun(), [1, 2]);
    let filler = small.fill();
    // By now there is room for nothing: what is not recorded is not run.
    let mut steps = house.steps_begun().len();
    while follower.doing.trouble.is_none() {
        follower.answer(ask.number, Answer::Go { typed: None }).await;
        while follower.doing.trouble.is_none() {
            if let Said::Asked(next) = follower.until_asked().await {
                ask = next;
                break;
            }
        }
        let begun = house.steps_begun().len();
        assert!(begun <= steps + 2, "{}", house.log());
        steps = begun;
        small.fill();
    }
    let begun = house.steps_begun();
    assert!(begun.len() < 10, "the disk was never full");
    assert!(follower.doing.trouble.as_ref().unwrap().contains("nothing is done now"));
    // Room again: it goes on where it was.
    std::fs::remove_file(filler).unwrap();
    if let AskKind::Confirm { typed, .. } = &ask.kind {
        follower.answer(ask.number, Answer::Go { typed: typed.clone() }).await;
    }
    assert!(matches!(drive(&mut follower, &house).await, Said::Over));
    let id = run.run.clone();
    run.kill().await;
    hold_to(&house, &house.entries(&id).await);
    assert_eq!(house.verify().await, Vec::<String>::new());
}

#[tokio::test]
async fn what_a_power_cut_took_from_the_journal_is_not_run_again_unasked() {
    let house = House::new("environment = 'staging'\n");
    house.ten_steps();
    for lost in [1, 3_000, 9_000, 20_000, 40_000] {
        house.clear_log();
        let mut run = house.conduct(&House::ten()).await.unwrap();
        let id = run.run.clone();
        let mut follower = house.follow(&run).await;
        let plan = follower.planned().await;
        follower.order(Order::Start(plan.hash())).await;
        let until = async {
            let _ = drive(&mut follower, &house).await;
        };
        tokio::select! {
            () = until => {}
            () = house.until_logged("5 begin") => {}
        }
        run.kill().await;
        crate::support::until("step 5", || async { house.log().contains("5 end") }).await;
        let missing = cut(&house.place().folder.join("journal.sqlite-wal"), lost);
        let wrong = house.verify().await;
        assert!(missing || wrong.is_empty(), "{wrong:?}");
        let mut again = match house.take_up(id.as_str()).await {
            Ok(again) => again,
            // Even its beginning may be gone.
            Err(why) => {
                assert!(why.contains("there is no run") && !wrong.is_empty(), "{why} {wrong:?}");
                continue;
            }
        };
        let mut follower = house.follow(&again).await;
        assert!(matches!(drive(&mut follower, &house).await, Said::Over));
        again.kill().await;
        let log = house.log();
        for step in 1..=10 {
            let ended = log.lines().filter(|line| **line == format!("{step} end")).count();
            assert_eq!(ended, 1, "step {step}, {lost} bytes lost:\n{log}");
        }
        assert!(!log.contains("clash"), "{log}");
    }
}

/// Cuts so many bytes from the end of a file; whether it was long enough.
fn cut(path: &Path, bytes: u64) -> bool {
    let Ok(file) = std::fs::File::options().write(true).open(path) else { return false };
    let length = file.metadata().unwrap().len();
    file.set_len(length.saturating_sub(bytes)).unwrap();
    length > 0
}

#[tokio::test]
async fn a_runbook_that_makes_room_is_carried_out_and_recorded_on_a_full_disk() {
    let Some(small) = Small::mount("64m") else { return };
    let house = House::new("environment = 'staging'\n").with_state(small.0.path());
    house.ten_steps();
    // Whoever came before has made the journal, and what is kept for a full disk.
    let mut before = house.conduct(&House::ten()).await.unwrap();
    house.follow(&before).await.planned().await;
    before.kill().await;
    let filler = small.fill();
    house.book(
        "clean-up",
        &format!(
            "# Make room\n```bash {{name=look reads}}\ndf -h {folder}\n```\n\
             ```bash {{name=clean}}\nrm {file}\necho there is room\n```\n\
             ```bash {{reads expect=/^[0-9]+M$/}}\ndf --output=avail -h {folder} | tail -n 1 | tr -d ' '\n```\n",
            folder = small.0.path().display(),
            file = filler.display(),
        ),
    );
    let run = house.conduct(&House::request("clean-up")).await.unwrap();
    let id = run.run.clone();
    let mut follower = house.follow(&run).await;
    let plan = follower.planned().await;
    follower.order(Order::Start(plan.hash())).await;
    // It goes on being filled by somebody else.
    small.fill();
    follower.confirm().await;
    follower.until_over().await;
    assert!(!filler.exists());
    assert!(follower.output.contains("there is room"), "{}", follower.output);
    run.ends().await;
    let entries = house.entries(&id).await;
    assert_eq!(entries, follower.entries);
    assert_eq!(house.verify().await, Vec::<String>::new());
    let reserve = std::fs::metadata(house.place().reserve()).unwrap().len();
    assert_eq!(reserve, 16 << 20, "it is kept again");
}
