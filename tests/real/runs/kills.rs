//! Random kills: of the run's process, of its follower, of both, and of the
//! shell that runs the command, while the clock is set by an hour now and then.
//! `OPSROOM_KILLS` says how many, `OPSROOM_SEED` which.

use super::house::{Follower, House, Said};
use opsroom::domain::runs::{Decision, Entry, Record, RunRecord, StepId, StepOutcome};
use opsroom::runbook::run::StepState;
use opsroom::runbook::{Answer, AskKind, Order};
use opsroom::runtime::runs::process;
use rustix::process::{Pid, Signal, kill_process};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::timeout;

/// In the usual run.
const KILLS: u64 = 24;
/// Among what was killed: so often the clock was set.
const CLOCK: &str = "clock set";

/// Numbers that look random, the same ones for the same seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

fn number(variable: &str, usual: u64) -> u64 {
    std::env::var(variable).ok().and_then(|it| it.parse().ok()).unwrap_or(usual)
}

#[tokio::test]
async fn killed_at_random_no_step_runs_twice_and_none_is_lost() {
    let seed = number("OPSROOM_SEED", 0x2545_f491_4f6c_dd1d);
    let wanted = number("OPSROOM_KILLS", KILLS);
    let mut dice = Dice(seed | 1);
    let (mut killed, mut runs) = (BTreeMap::new(), 0);
    let plain = || House::new("environment = 'staging'\n");
    let house = super::clock::set_by_file(plain()).unwrap_or_else(plain);
    house.ten_steps();
    let kills = |killed: &BTreeMap<&str, u64>| -> u64 {
        killed.iter().filter(|(what, _)| **what != CLOCK).map(|(_, times)| times).sum()
    };
    while kills(&killed) < wanted {
        one_run(&house, &mut dice, &mut killed).await;
        runs += 1;
    }
    assert_eq!(house.verify().await, Vec::<String>::new());
    println!("{runs} runs of ten steps, killed: {killed:?}");
}

async fn one_run(house: &House, dice: &mut Dice, killed: &mut BTreeMap<&'static str, u64>) {
    house.clear_log();
    let mut run = house.conduct(&House::ten()).await.unwrap();
    let id = run.run.clone();
    let mut follower = house.follow(&run).await;
    let plan = follower.planned().await;
    follower.order(Order::Start(plan.hash())).await;
    let mut shells = 0;
    loop {
        let moment = Duration::from_millis(dice.below(500));
        // Else what it had to tell was not told before it died.
        if let Ok(Said::Over) = timeout(moment, drive(&mut follower, house)).await {
            break;
        }
        if dice.below(3) == 0 {
            let clock = ["+1h\n", "-1h\n", "+0\n"][usize::try_from(dice.below(3)).unwrap()];
            house.write("clock", clock);
            *killed.entry(CLOCK).or_default() += 1;
        }
        let mut kind = dice.below(4);
        let shell = shell(&house.entries(&id).await);
        if kind == 3 && (shell.is_none() || shells == 3) {
            kind = 0;
        }
        match kind {
            0 | 2 => {
                run.kill().await;
                *killed.entry(if kind == 0 { "run" } else { "both" }).or_default() += 1;
                match house.take_up(id.as_str()).await {
                    Ok(taken) => run = taken,
                    // It had not begun yet: then nothing was done.
                    Err(why) if why.contains("there is no run") => {
                        assert_eq!(house.log(), "", "{why}");
                        return;
                    }
                    // It had ended, and died before it could tell.
                    Err(why) => {
                        assert!(why.contains("has ended"), "{why}");
                        break;
                    }
                }
                // It may be over before anybody follows: what it did is looked at below.
                match Follower::connect(&run, false).await {
                    Ok(next) => follower = next,
                    Err(_) => break,
                }
            }
            3 => {
                let pid = Pid::from_raw(i32::try_from(shell.unwrap()).unwrap()).unwrap();
                let _ = kill_process(pid, Signal::KILL);
                *killed.entry("shell").or_default() += 1;
                shells += 1;
            }
            _ => {
                *killed.entry("follower").or_default() += 1;
                // The run may have ended meanwhile: then nobody listens.
                match Follower::connect(&run, false).await {
                    Ok(next) => follower = next,
                    Err(_) => break,
                }
            }
        }
    }
    hold_to(house, &house.entries(&id).await);
}

/// The shell of the command that runs, by the journal.
fn shell(entries: &[Entry]) -> Option<u32> {
    let mut open = None;
    for entry in entries {
        match &entry.record {
            Record::Run { what: RunRecord::StepStarted { process, .. }, .. } => {
                open.clone_from(process);
            }
            Record::Run { what: RunRecord::StepEnded { .. }, .. } => open = None,
            _ => {}
        }
    }
    open.filter(process::is_alive).map(|process| process.pid)
}

/// Answers as a person would who looks before they say anything.
pub(super) async fn drive(follower: &mut Follower, house: &House) -> Said {
    loop {
        let ask = match follower.until_asked().await {
            Said::Asked(ask) => ask,
            over => return over,
        };
        let is_done = is_done(&house.log(), ask.step);
        match &ask.kind {
            AskKind::Confirm { typed, .. } => {
                follower.answer(ask.number, Answer::Go { typed: typed.clone() }).await;
            }
            AskKind::Unknown { alive: true } => {}
            AskKind::Unknown { alive: false } => {
                let seen = if is_done { Decision::WasDone } else { Decision::WasNotDone };
                follower.decide(ask.number, seen).await;
            }
            AskKind::Failed { .. } if is_done => {
                let answer = Answer::Skip { reason: "it was done".into() };
                follower.answer(ask.number, answer).await;
            }
            AskKind::Failed { .. } => follower.decide(ask.number, Decision::Retry).await,
            other => panic!("{other:?}"),
        }
    }
}

fn is_done(log: &str, step: StepId) -> bool {
    let own = format!("{step} ");
    log.lines().rfind(|line| line.starts_with(&own)).is_some_and(|line| line.ends_with("end"))
}

/// What may never be otherwise, whoever was killed.
pub(super) fn hold_to(house: &House, entries: &[Entry]) {
    let log = house.log();
    let run = opsroom::runbook::Run::of(entries).unwrap();
    assert!(run.ended.is_some(), "{log}\n{:?}", run.next());
    assert!(!log.contains("clash"), "two live copies:\n{log}");
    let count = |line: String| log.lines().filter(|it| **it == line).count();
    for standing in &run.steps {
        let step = standing.step;
        let (begun, ended) = (count(format!("{step} begin")), count(format!("{step} end")));
        assert_eq!(ended, 1, "step {step} was carried out {ended} times:\n{log}");
        let recorded = started(entries, step);
        assert!(begun <= recorded, "step {step} began {begun} times, recorded {recorded}");
        if standing.state == StepState::Ok {
            let (_, end) = standing.end.as_ref().unwrap();
            assert_eq!(end.outcome, StepOutcome::Ok);
        }
    }
    only_by_decision(entries);
}

fn started(entries: &[Entry], wanted: StepId) -> usize {
    let is_start = |entry: &&Entry| {
        matches!(&entry.record,
            Record::Run { what: RunRecord::StepStarted { step, .. }, .. } if *step == wanted)
    };
    entries.iter().filter(is_start).count()
}

/// A step begins a second time only where a person has said so, and never while
/// another one is open.
fn only_by_decision(entries: &[Entry]) {
    let mut open: Option<StepId> = None;
    let mut may: BTreeMap<StepId, bool> = BTreeMap::new();
    for entry in entries {
        let Record::Run { what, .. } = &entry.record else { continue };
        match what {
            RunRecord::StepStarted { step, .. } => {
                assert_eq!(open, None, "step {step} began while another was open");
                assert!(may.insert(*step, false).unwrap_or(true), "step {step}: nobody said so");
                open = Some(*step);
            }
            RunRecord::StepEnded { end, .. } if end.outcome != StepOutcome::Unknown => open = None,
            RunRecord::Decided { step, decision, .. } => match decision {
                Decision::WasDone | Decision::WasNotDone => open = None,
                Decision::Retry => {
                    may.insert(*step, true);
                }
                Decision::Undo | Decision::Abandon => {}
            },
            _ => {}
        }
    }
}
