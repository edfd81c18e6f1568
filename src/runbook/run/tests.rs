//! What a run may never do, whatever happens to its process.

use super::*;
use crate::domain::runs::fixtures::{self, plan, process, who};
use crate::domain::runs::{
    CheckStep, CommandStep, Decision, Expect, Finding, Holds, StepOutcome, WriterId,
};
use proptest::prelude::*;
use std::time::Duration;

fn command(id: u32, changes: bool) -> Step {
    let kind = StepKind::Command(CommandStep { changes, ..fixtures::command("true") });
    fixtures::step(id, &format!("step {id}"), kind)
}

fn with(mut step: Step, change: impl Fn(&mut CommandStep)) -> Step {
    if let StepKind::Command(command) = &mut step.kind {
        change(command);
    }
    step
}

fn undone_by(id: u32, undo: u32) -> Step {
    with(command(id, true), |it| it.undo = Some(StepId(undo)))
}

fn undoes(id: u32) -> Step {
    with(command(id, true), |it| it.undoes = true)
}

fn manual(id: u32) -> Step {
    Step { kind: StepKind::Manual { text: "look".into() }, ..command(id, false) }
}

fn proof(id: u32) -> Step {
    let check = CheckStep { lines: Vec::new(), within: None, proof: true };
    Step { kind: StepKind::Check(check), ..command(id, false) }
}

/// A journal of one run.
struct Told {
    entries: Vec<Entry>,
}

impl Told {
    fn of(steps: Vec<Step>) -> Self {
        let mut told = Self { entries: Vec::new() };
        told.say(RunRecord::Started {
            who: who(),
            plan: Box::new(plan(steps)),
            process: process(1),
            before: Vec::new(),
        });
        told
    }

    fn say(&mut self, what: RunRecord) -> &mut Self {
        let place = i64::try_from(self.entries.len()).unwrap() + 1;
        // The clock goes back and forth: it has no say in what a run is.
        let at =
            Timestamp::from_millis(if place % 3 == 0 { 10_000 - place } else { place * 7_200_000 });
        self.entries.push(Entry {
            place,
            writer: WriterId::from("w"),
            seq: u64::try_from(place).unwrap(),
            at,
            record: Record::Run { run: "r1".into(), what },
            hash: String::new(),
        });
        self
    }

    fn start(&mut self, step: u32, attempt: u32) -> &mut Self {
        self.say(started(step, attempt, None))
    }

    fn end(&mut self, step: u32, attempt: u32, outcome: StepOutcome) -> &mut Self {
        self.say(ended(step, attempt, outcome))
    }

    fn done(&mut self, step: u32) -> &mut Self {
        self.start(step, 1).end(step, 1, StepOutcome::Ok)
    }

    fn taken_up(&mut self) -> &mut Self {
        self.say(RunRecord::TakenUp { who: who(), process: process(2) })
    }

    fn decide(&mut self, step: u32, decision: Decision) -> &mut Self {
        self.say(decided(step, decision))
    }

    fn run(&self) -> Run {
        Run::of(&self.entries).unwrap()
    }

    fn next(&self) -> Next {
        self.run().next()
    }
}

#[test]
fn what_was_seen_before_the_first_change_fills_what_was_not_known_at_the_start() {
    let line = |words: &str| {
        let finding = Finding {
            holds: Holds::No,
            words: words.into(),
            seen: None,
            value: None,
            in_time: false,
        };
        ProofLine { line: "p95".into(), finding }
    };
    let mut told = Told::of(vec![command(1, true)]);
    let Record::Run { what: RunRecord::Started { before, .. }, .. } = &mut told.entries[0].record
    else {
        panic!("not started")
    };
    before.push(line("1s of 10s seen"));
    let other = ProofLine { line: "other".into(), ..line("x") };
    told.say(RunRecord::Seen { before: vec![line("1.5s > 500ms"), other] });
    assert_eq!(told.run().before, [line("1.5s > 500ms")]);
}

fn started(step: u32, attempt: u32, undoing: Option<u32>) -> RunRecord {
    RunRecord::StepStarted {
        step: StepId(step),
        attempt,
        undoing: undoing.map(StepId),
        preview: String::new(),
        process: Some(process(100 + step)),
    }
}

fn ended(step: u32, attempt: u32, outcome: StepOutcome) -> RunRecord {
    RunRecord::StepEnded {
        step: StepId(step),
        attempt,
        end: StepEnd {
            outcome,
            words: String::new(),
            took: Duration::ZERO,
            captured: Some("v1".into()),
            output: None,
            findings: Vec::new(),
        },
    }
}

fn decided(step: u32, decision: Decision) -> RunRecord {
    RunRecord::Decided { step: StepId(step), who: who(), decision, reason: String::new() }
}

fn skipped(step: u32) -> RunRecord {
    RunRecord::Skipped { step: StepId(step), who: who(), reason: "not here".into() }
}

fn step(id: u32) -> Next {
    Next::Step { step: StepId(id), undoing: None }
}

fn undo(id: u32, undoing: u32) -> Next {
    Next::Step { step: StepId(id), undoing: Some(StepId(undoing)) }
}

fn outcome(next: &Next) -> Option<RunOutcome> {
    if let Next::End(outcome, _) = next { Some(*outcome) } else { None }
}

#[test]
fn steps_go_forward_in_order_and_the_proof_proves() {
    let mut told =
        Told::of(vec![command(1, false), undone_by(2, 3), undoes(3), manual(4), proof(5)]);
    assert_eq!(told.next(), step(1));
    assert_eq!(told.done(1).next(), step(2));
    // What undoes another step never runs forward.
    assert_eq!(told.done(2).next(), step(4));
    told.say(RunRecord::Ticked { step: StepId(4), who: who(), note: "seen".into() });
    assert_eq!(told.next(), step(5));
    assert_eq!(outcome(&told.done(5).next()), Some(RunOutcome::Proved));
    assert_eq!(told.run().standing(StepId(3)).unwrap().state, StepState::Reserve);
}

#[test]
fn what_was_left_out_is_not_said_to_be_done() {
    let mut told = Told::of(vec![command(1, true), command(2, true), proof(3)]);
    told.done(1).say(skipped(2));
    let Next::End(RunOutcome::Proved, words) = told.done(3).next() else { panic!() };
    assert_eq!(words, "all but step 2 was done, and the proof holds");
}

#[test]
fn without_a_proof_nothing_is_proved() {
    let mut told = Told::of(vec![command(1, true)]);
    assert_eq!(outcome(&told.done(1).next()), Some(RunOutcome::Unproved));
    let mut told = Told::of(vec![command(1, true), proof(2)]);
    told.done(1).start(2, 1).end(2, 1, StepOutcome::Unproved);
    assert_eq!(told.next(), Next::Decide(StepId(2)));
    let mut again = Told { entries: told.entries.clone() };
    assert_eq!(again.decide(2, Decision::Retry).next(), step(2));
    assert_eq!(outcome(&again.say(skipped(2)).next()), Some(RunOutcome::Unproved));
    assert_eq!(outcome(&told.decide(2, Decision::Abandon).next()), Some(RunOutcome::Unproved));
}

#[test]
fn a_read_behind_the_last_change_that_says_what_it_has_to_find_proves_it() {
    let finds = |id| with(command(id, false), |it| it.expect = Expect::Output("proved".into()));
    let end = |steps: Vec<Step>| {
        let many = u32::try_from(steps.len()).unwrap();
        let mut told = Told::of(steps);
        (1..=many).for_each(|id| {
            told.done(id);
        });
        outcome(&told.next())
    };
    assert_eq!(end(vec![command(1, true), finds(2)]), Some(RunOutcome::Proved));
    // Not by its exit code, not before the change, not where nothing was changed.
    assert_eq!(end(vec![command(1, true), command(2, false)]), Some(RunOutcome::Unproved));
    assert_eq!(end(vec![finds(1), command(2, true)]), Some(RunOutcome::Unproved));
    assert_eq!(end(vec![finds(1)]), Some(RunOutcome::Unproved));
    let mut left = Told::of(vec![command(1, true), finds(2)]);
    left.done(1).start(2, 1).end(2, 1, StepOutcome::Failed);
    assert_eq!(left.next(), Next::Decide(StepId(2)));
    assert_eq!(outcome(&left.say(skipped(2)).next()), Some(RunOutcome::Unproved));
}

#[test]
fn a_failed_step_stops_until_a_person_decides() {
    let mut told = Told::of(vec![command(1, true), proof(2)]);
    told.start(1, 1).end(1, 1, StepOutcome::Failed);
    assert_eq!(told.next(), Next::Decide(StepId(1)));
    assert_eq!(told.run().choices(StepId(1)), (vec![Decision::Retry, Decision::Abandon], true));
    let mut left = Told { entries: told.entries.clone() };
    assert_eq!(left.say(skipped(1)).next(), step(2));
    let mut given = Told { entries: told.entries.clone() };
    assert_eq!(outcome(&given.decide(1, Decision::Abandon).next()), Some(RunOutcome::Failed));
    assert_eq!(told.decide(1, Decision::Retry).next(), step(1));
}

#[test]
fn undoing_begins_with_the_failed_step_and_goes_back() {
    let mut told = Told::of(vec![
        undone_by(1, 11),
        undone_by(2, 12),
        undone_by(3, 13),
        undone_by(4, 14),
        undoes(11),
        undoes(12),
        undoes(13),
        undoes(14),
    ]);
    told.done(1).done(2).start(3, 1).end(3, 1, StepOutcome::Failed).decide(3, Decision::Undo);
    assert_eq!(told.next(), undo(13, 3));
    assert_eq!(told.done(13).next(), undo(12, 2));
    told.start(12, 1).end(12, 1, StepOutcome::Failed);
    assert_eq!(told.next(), Next::Decide(StepId(12)));
    assert_eq!(told.decide(12, Decision::Retry).next(), undo(12, 2));
    told.say(skipped(12));
    assert_eq!(told.next(), undo(11, 1));
    let next = told.done(11).next();
    assert_eq!(next, Next::End(RunOutcome::Failed, "not all of it was undone".into()));
    assert_eq!(told.run().standing(StepId(1)).unwrap().state, StepState::Undone);
    assert_eq!(told.run().standing(StepId(2)).unwrap().state, StepState::Ok);
}

#[test]
fn a_step_that_was_cut_off_is_settled_by_a_person_first() {
    let mut told = Told::of(vec![undone_by(1, 3), proof(2), undoes(3)]);
    told.start(1, 1);
    assert_eq!(told.run().standing(StepId(1)).unwrap().state, StepState::Running);
    told.taken_up();
    assert_eq!(told.next(), Next::Settle(StepId(1)));
    for hasty in [Decision::Retry, Decision::Undo] {
        assert_eq!(told.decide(1, hasty).next(), Next::Settle(StepId(1)));
    }
    // An end that somebody tells later makes nothing of it that nobody saw.
    assert_eq!(told.end(1, 1, StepOutcome::Ok).next(), Next::Settle(StepId(1)));

    let mut given = Told { entries: told.entries.clone() };
    assert_eq!(outcome(&given.decide(1, Decision::Abandon).next()), Some(RunOutcome::Unknown));
    let mut done = Told { entries: told.entries.clone() };
    assert_eq!(done.decide(1, Decision::WasDone).next(), step(2));
    assert_eq!(done.run().standing(StepId(1)).unwrap().state, StepState::Ticked);
    told.decide(1, Decision::WasNotDone);
    assert_eq!(told.next(), Next::Decide(StepId(1)));
    // What was not done needs no undoing.
    assert_eq!(told.run().choices(StepId(1)).0, [Decision::Retry, Decision::Abandon]);
    assert_eq!(told.decide(1, Decision::Retry).next(), step(1));
}

#[test]
fn a_step_that_was_not_approved_is_refused() {
    let mut told = Told::of(vec![command(1, true)]);
    told.say(RunRecord::Approved { step: StepId(1), who: None, yes: false });
    assert_eq!(told.next(), Next::Decide(StepId(1)));
    assert_eq!(outcome(&told.decide(1, Decision::Abandon).next()), Some(RunOutcome::Refused));
}

#[test]
fn what_a_step_captured_and_what_was_pinned_first_counts() {
    let mut told = Told::of(vec![with(command(1, false), |it| it.capture = Some("WAS".into()))]);
    let pin = |is: &str| RunRecord::PinsAsked {
        step: StepId(1),
        pins: vec![crate::domain::runs::PinAsked {
            name: "release".into(),
            was: String::new(),
            is: Ok(is.into()),
        }],
    };
    told.say(pin("v1")).say(pin("v2")).done(1);
    assert_eq!(told.run().captured.get("WAS").map(String::as_str), Some("v1"));
    assert_eq!(told.run().pinned.get("release").map(String::as_str), Some("v1"));
}

/// A conductor that does what a run says, is told what to do where a person is
/// asked, and may be killed before or after each record.
struct Conductor<'a> {
    told: &'a mut Told,
    /// What happens: read one by one, zeros behind the end.
    dice: std::slice::Iter<'a, u8>,
    /// Copies of steps that run, by step and attempt: a kill does not end them.
    started: Vec<(StepId, u32)>,
    /// The steps that were seen to end well by the process that started them.
    seen_ok: Vec<(StepId, u32)>,
}

enum Stop {
    Killed,
    Over,
}

impl Conductor<'_> {
    fn roll(&mut self, sides: u8) -> u8 {
        self.dice.next().map_or(0, |it| it % sides)
    }

    fn record(&mut self, what: RunRecord) -> Result<(), Stop> {
        match self.roll(8) {
            7 => Err(Stop::Killed),
            6 => {
                self.told.say(what);
                Err(Stop::Killed)
            }
            _ => {
                self.told.say(what);
                Ok(())
            }
        }
    }

    /// One life of a process.
    fn live(&mut self) -> Stop {
        for _ in 0..400 {
            if let Err(stop) = self.one() {
                return stop;
            }
        }
        Stop::Over
    }

    fn one(&mut self) -> Result<(), Stop> {
        let run = self.told.run();
        match run.next() {
            Next::Step { step, undoing } => match &run.plan.step(step).unwrap().kind {
                StepKind::Manual { .. } => {
                    self.record(RunRecord::Ticked { step, who: who(), note: String::new() })
                }
                kind => {
                    let attempt = run.standing(step).unwrap().attempts + 1;
                    let is_command = matches!(kind, StepKind::Command(_));
                    let outcome = match (self.roll(5), is_command) {
                        (0..=2, _) => StepOutcome::Ok,
                        (3, _) => StepOutcome::Failed,
                        (_, true) => StepOutcome::Unknown,
                        (_, false) => StepOutcome::Unproved,
                    };
                    self.record(started(step.0, attempt, undoing.map(|it| it.0)))?;
                    self.started.push((step, attempt));
                    if outcome == StepOutcome::Ok {
                        self.seen_ok.push((step, attempt));
                    }
                    self.record(ended(step.0, attempt, outcome))
                }
            },
            Next::Decide(step) => {
                let (choices, skip) = run.choices(step);
                let count = u8::try_from(choices.len()).unwrap() + u8::from(skip);
                let chosen = usize::from(self.roll(count));
                let what = match choices.get(chosen) {
                    Some(decision) => decided(step.0, *decision),
                    None => skipped(step.0),
                };
                self.record(what)
            }
            Next::Settle(step) => {
                // Now and then somebody is too hasty.
                let decision = match self.roll(6) {
                    0 | 1 => Decision::WasDone,
                    2 | 3 => Decision::WasNotDone,
                    4 => Decision::Retry,
                    _ => Decision::Undo,
                };
                self.record(decided(step.0, decision))
            }
            Next::End(outcome, reason) => {
                self.record(RunRecord::Ended { outcome, reason, proof: None })?;
                Err(Stop::Over)
            }
        }
    }
}

/// Whether the records allow each start: nothing else runs, and a step that was
/// started before is started again only because somebody decided so.
fn starts_are_allowed(entries: &[Entry], plan: &Plan) -> Result<(), String> {
    let mut open: Option<(StepId, u32)> = None;
    let mut tried: BTreeMap<StepId, u32> = BTreeMap::new();
    let mut allowed: BTreeMap<StepId, bool> = BTreeMap::new();
    let mut undo_decided = false;
    for entry in entries {
        let Record::Run { what, .. } = &entry.record else { continue };
        match what {
            RunRecord::StepStarted { step, attempt, undoing, .. } => {
                if let Some(open) = open {
                    return Err(format!("{step} began while {open:?} was open"));
                }
                let before = tried.entry(*step).or_default();
                if *attempt != *before + 1 {
                    return Err(format!("attempt {attempt} of {step} after {before}"));
                }
                *before = *attempt;
                let free = matches!(plan.step(*step).unwrap().kind, StepKind::Check(_));
                let again = allowed.insert(*step, false).unwrap_or(true);
                if !again && !free && undoing.is_none() {
                    return Err(format!("{step} began again and nobody decided it"));
                }
                if undoing.is_some() && !undo_decided {
                    return Err(format!("{step} undoes and nobody decided it"));
                }
                open = Some((*step, *attempt));
            }
            RunRecord::StepEnded { step, attempt, end } => {
                if open != Some((*step, *attempt)) {
                    return Err(format!("{step} ended and did not run"));
                }
                let unsettled = end.outcome == StepOutcome::Unknown;
                if !unsettled {
                    open = None;
                }
            }
            RunRecord::Decided { step, decision, .. } => match decision {
                Decision::WasDone | Decision::WasNotDone
                    if open.is_some_and(|(id, _)| id == *step) => {
                        open = None;
                    }
                Decision::Retry if open.is_none() => {
                    allowed.insert(*step, true);
                }
                Decision::Undo if open.is_none() => undo_decided = true,
                _ => {}
            },
            RunRecord::TakenUp { .. }
                // A check that was cut off does nothing: it is simply asked anew.
                if open.is_some_and(|(id, _)| {
                    matches!(plan.step(id).unwrap().kind, StepKind::Check(_))
                }) => {
                    open = None;
                }
            _ => {}
        }
    }
    Ok(())
}

fn any_steps() -> impl Strategy<Value = Vec<Step>> {
    proptest::collection::vec(0_u8..6, 1..8).prop_map(|kinds| {
        let mut steps = Vec::new();
        let mut id = 0;
        for kind in kinds {
            id += 1;
            match kind {
                0 => steps.push(command(id, false)),
                1 => steps.push(command(id, true)),
                2 => {
                    steps.push(undone_by(id, id + 1));
                    id += 1;
                    steps.push(undoes(id));
                }
                3 => steps.push(manual(id)),
                4 => steps.push(with(command(id, true), |it| it.capture = Some("X".into()))),
                _ => steps.push(proof(id)),
            }
        }
        steps
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn killed_at_any_point_and_taken_up_no_step_runs_twice(
        steps in any_steps(),
        dice in proptest::collection::vec(any::<u8>(), 0..300),
    ) {
        let mut told = Told::of(steps);
        let plan = told.run().plan;
        let mut conductor =
            Conductor { told: &mut told, dice: dice.iter(), started: vec![], seen_ok: vec![] };
        for _ in 0..100 {
            if let Stop::Over = conductor.live() {
                break;
            }
            conductor.told.taken_up();
        }
        let (begun, seen_ok) = (conductor.started.clone(), conductor.seen_ok.clone());
        starts_are_allowed(&told.entries, &plan).map_err(TestCaseError::fail)?;
        let run = told.run();
        // None is lost: what really began stands as begun.
        for (step, attempt) in begun {
            prop_assert!(run.standing(step).unwrap().attempts >= attempt);
        }
        // None is ok that was not seen to end by the process that started it.
        for standing in &run.steps {
            if standing.state == StepState::Ok {
                prop_assert!(seen_ok.contains(&(standing.step, standing.attempts)));
            }
        }
        prop_assert!(run.steps.iter().filter(|it| it.state == StepState::Running).count() <= 1);
        // In the end it is over, and says so ever after.
        prop_assert!(run.ended.is_some(), "{:?}", run.next());
        let proofs = plan.steps.iter().filter(|it| matches!(it.kind, StepKind::Check(_)));
        if run.ended.as_ref().unwrap().1 == RunOutcome::Proved {
            for proof in proofs {
                prop_assert_eq!(run.standing(proof.id).unwrap().state, StepState::Ok);
            }
        }
    }

    #[test]
    fn any_records_in_any_order_give_a_run_that_knows_what_comes_next(
        steps in any_steps(),
        records in proptest::collection::vec((0_u8..12, 1_u32..12, 0_u32..4), 0..60),
    ) {
        let mut told = Told::of(steps);
        for (kind, step, number) in records {
            let outcomes = [StepOutcome::Ok, StepOutcome::Failed, StepOutcome::Unknown, StepOutcome::Unproved];
            let outcome = outcomes[number as usize];
            let what = match kind {
                0 | 1 => started(step, number, None),
                2 | 3 => ended(step, number, outcome),
                4 => decided(step, Decision::Retry),
                5 => decided(step, Decision::Undo),
                6 => decided(step, Decision::WasDone),
                7 => decided(step, Decision::WasNotDone),
                8 => skipped(step),
                9 => RunRecord::TakenUp { who: who(), process: process(step) },
                10 => RunRecord::Ticked { step: StepId(step), who: who(), note: String::new() },
                _ => RunRecord::Approved { step: StepId(step), who: None, yes: number == 0 },
            };
            told.say(what);
            let run = told.run();
            if let Next::Step { step, .. } | Next::Decide(step) | Next::Settle(step) = run.next() {
                prop_assert!(run.plan.step(step).is_some());
            }
        }
        // Whoever hears records twice folds the same run.
        let mut run = told.run();
        for entry in &told.entries {
            run.take(entry);
        }
        prop_assert_eq!(&run, &told.run());
        for standing in run.steps.iter().filter(|it| it.state == StepState::Ok) {
            let (_, end) = standing.end.as_ref().unwrap();
            prop_assert_eq!(end.outcome, StepOutcome::Ok);
        }
    }
}
