//! A step whose end nobody saw: its command may still run, what it says is read
//! on, and a person finds out what became of it.

use super::Conductor;
use super::floor::Over;
use crate::domain::runs::{
    Decision, Held, OutputRange, ProcessId, RunRecord, StepEnd, StepId, StepOutcome,
};
use crate::runbook::run::Standing;
use crate::runbook::{Answer, AskKind, Hidden};
use crate::runtime::runs::process;
use rustix::process::{Pid, Signal, kill_process_group};
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;
use tokio::sync::mpsc;
use tokio::time::sleep;

/// How often it is looked whether a command still runs that is nobody's child.
const LOOK: Duration = Duration::from_millis(500);
/// So long a group has to end by itself after TERM.
const GRACE: Duration = Duration::from_secs(5);
/// What a command had said when it was gone is read within this time.
const LAST_WORDS: Duration = Duration::from_millis(300);

/// What is left of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Left {
    /// It runs.
    All,
    /// It has ended; something that it started in its group has not.
    Group,
    /// Nothing.
    Nothing,
}

impl Conductor {
    /// A person settles what became of a step.
    pub(super) async fn settle(&mut self, step: StepId) -> Result<(), Over> {
        let Some(standing) = self.run.standing(step).cloned() else { return Err(Over::Asked) };
        self.see_out(step, &standing).await?;
        let left = standing.process.as_ref().map_or(Left::Nothing, left);
        let ask = self.floor.new_question(step, AskKind::Unknown { alive: false });
        let never = std::pin::pin!(std::future::pending());
        let answered = self.question_until(&ask, never).await?;
        if std::mem::take(&mut self.floor.cancels)
            && let Some(process) = &standing.process
        {
            self.floor.ask_no_more();
            self.end_group(process).await;
        }
        let Some((who, answer)) = answered else { return Ok(()) };
        if let Answer::Decide { decision: Decision::WasNotDone, .. } = answer
            && left == Left::Group
        {
            // It would run a second time beside what is left of the first.
            self.floor.trouble(Some(words_left(&standing)));
            return Ok(());
        }
        self.way_out(step, who, answer).await
    }

    /// Waits as long as the command still runs, and reads what it says. What it
    /// did is unknown all the same: nobody hears how it ends.
    async fn see_out(&mut self, step: StepId, standing: &Standing) -> Result<(), Over> {
        let alive = standing.process.as_ref().filter(|it| left(it) == Left::All);
        let words = match alive {
            None => "nobody saw how it ended",
            Some(_) => "it ended after the run's process had died; nobody saw how",
        };
        if let Some(process) = alive {
            self.learn_from(process);
            self.wait_for(step, process).await?;
        }
        if standing.end.is_some() {
            return Ok(());
        }
        let (range, pieces) = self.output.end();
        self.tell_output(step, pieces);
        let from = self.kept_before();
        let to = range.map_or_else(|| self.output_size(), |range| range.to);
        let dropped = range.map_or(0, |range| range.dropped);
        let end = StepEnd {
            outcome: StepOutcome::Unknown,
            words: words.to_owned(),
            took: standing.started.map_or(Duration::ZERO, |at| self.floor.clock.now().since(at)),
            captured: None,
            output: (to > from).then_some(OutputRange { from, to, dropped }),
            findings: Vec::new(),
        };
        let attempt = standing.attempts;
        self.surely(RunRecord::StepEnded { step, attempt, end }).await
    }

    /// Asks what to do about a command that still runs until it does no longer.
    async fn wait_for(&mut self, step: StepId, process: &ProcessId) -> Result<(), Over> {
        let (said, mut heard) = mpsc::channel(16);
        for pipe in outputs(process) {
            tokio::spawn(read_on(pipe, said.clone()));
        }
        drop(said);
        self.output.begin();
        let ask = self.floor.new_question(step, AskKind::Unknown { alive: true });
        let mut bytes = Vec::new();
        while left(process) == Left::All {
            {
                let wake = std::pin::pin!(async {
                    tokio::select! {
                        Some(piece) = heard.recv() => bytes = piece,
                        () = sleep(LOOK) => {}
                    }
                });
                // Whatever is answered: it still runs. `Again` looks again.
                self.question_until(&ask, wake).await?;
            }
            let piece = std::mem::take(&mut bytes);
            if !piece.is_empty() {
                self.keep(step, &piece);
            }
            if std::mem::take(&mut self.floor.cancels) {
                self.end_group(process).await;
            }
        }
        self.floor.ask_no_more();
        while let Ok(Some(piece)) = tokio::time::timeout(LAST_WORDS, heard.recv()).await {
            self.keep(step, &piece);
        }
        Ok(())
    }

    /// Ends the command and what it has started in its group: asks first.
    async fn end_group(&mut self, process: &ProcessId) {
        tracing::info!(run = %self.run.id, pid = process.pid, "a command that was left is ended");
        let Some(group) = i32::try_from(process.pid).ok().and_then(Pid::from_raw) else { return };
        // Fails where nobody is left in it.
        let _ = kill_process_group(group, Signal::TERM);
        let gone = async {
            while left(process) == Left::All {
                sleep(LOOK / 5).await;
            }
        };
        let _ = self.floor.meanwhile(tokio::time::timeout(GRACE, gone)).await;
        if left(process) != Left::Nothing {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }

    /// The values of secrets died with the process that knew them; the command
    /// has them still. They are hidden in what it says, and not used for anything.
    fn learn_from(&mut self, process: &ProcessId) {
        let environ = fs::read(format!("/proc/{}/environ", process.pid)).unwrap_or_default();
        let pairs = environ.split(|byte| *byte == 0);
        let pairs = pairs.filter_map(|pair| std::str::from_utf8(pair).ok()?.split_once('='));
        let is_secret = |name: &str| {
            let values = &self.run.plan.values;
            values.iter().any(|value| value.name == name && value.held == Held::Secret)
        };
        let found: Vec<Hidden> = pairs
            .filter(|(name, _)| is_secret(name))
            .map(|(_, it)| Hidden(it.to_owned()))
            .collect();
        if let Ok(true) = self.mask.learn(found.iter().map(|it| it.0.as_str())) {
            self.output.hide(self.mask.masker());
        }
    }

    /// The output file up to here is of steps that were seen to end.
    fn kept_before(&self) -> u64 {
        kept_before(&self.run)
    }

    fn output_size(&self) -> u64 {
        let path = self.journal.place().run(&self.run.id).join("output");
        fs::metadata(path).map_or(0, |it| it.len())
    }
}

/// The output file up to here is of steps whose end is recorded.
pub(super) fn kept_before(run: &crate::runbook::Run) -> u64 {
    let ends = run.steps.iter().filter_map(|it| it.end.as_ref()?.1.output);
    ends.map(|range| range.to).max().unwrap_or(0)
}

fn words_left(standing: &Standing) -> String {
    let pid = standing.process.as_ref().map_or(0, |it| it.pid);
    format!("something of it still runs, in process group {pid}: end it first")
}

/// What is left of a command.
fn left(process: &ProcessId) -> Left {
    if process::is_alive(process) {
        return Left::All;
    }
    let is_this_boot = process::boot_id().is_ok_and(|boot| boot == process.boot);
    // A number is not given away while a group has it.
    let is_anothers = process::process_id(process.pid).is_some_and(|it| it.start != process.start);
    if is_this_boot && !is_anothers && has_members(process.pid) {
        Left::Group
    } else {
        Left::Nothing
    }
}

fn has_members(group: u32) -> bool {
    let Ok(all) = fs::read_dir("/proc") else { return false };
    all.flatten().any(|entry| {
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        is_member(&stat, group)
    })
}

/// State and process group: fields 3 and 5 of `/proc/PID/stat` (proc(5)).
fn is_member(stat: &str, group: u32) -> bool {
    let Some((_, rest)) = stat.rsplit_once(')') else { return false };
    let mut fields = rest.split_whitespace();
    let is_gone = matches!(fields.next(), Some("Z" | "X") | None);
    !is_gone && fields.nth(1).and_then(|it| it.parse().ok()) == Some(group)
}

/// The pipes that a command writes into. It keeps them open for reading itself,
/// so that they were there all the time.
fn outputs(process: &ProcessId) -> Vec<pipe::Receiver> {
    let mut seen = BTreeSet::new();
    let mut pipes = Vec::new();
    for fd in [1, 2] {
        let path = format!("/proc/{}/fd/{fd}", process.pid);
        let Ok(about) = fs::metadata(&path) else { continue };
        if seen.insert((about.dev(), about.ino()))
            && let Ok(pipe) = pipe::OpenOptions::new().open_receiver(&path)
        {
            pipes.push(pipe);
        }
    }
    pipes
}

async fn read_on(mut pipe: pipe::Receiver, said: mpsc::Sender<Vec<u8>>) {
    let mut bytes = vec![0; 64 * 1024];
    while let Ok(read @ 1..) = pipe.read(&mut bytes).await {
        let piece = bytes.get(..read).unwrap_or_default().to_vec();
        if said.send(piece).await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_has_whoever_says_so_and_still_lives() {
        assert!(is_member("7 (a) b) S 1 42 7 0", 42));
        assert!(!is_member("7 (a) Z 1 42 7 0", 42));
        assert!(!is_member("7 (a) S 1 7 42 0", 42));
        assert!(!is_member("", 42));
    }

    #[test]
    fn a_process_of_another_start_or_boot_is_nothing_of_this_one() {
        let own = process::own().unwrap();
        assert_eq!(left(&own), Left::All);
        assert_eq!(left(&ProcessId { start: own.start + 1, ..own.clone() }), Left::Nothing);
        assert_eq!(left(&ProcessId { boot: "before".into(), ..own }), Left::Nothing);
    }
}
