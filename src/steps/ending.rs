//! How the end of a command is judged, and what is said of it.

use super::StepCx;
use super::heard::{LastLine, Sample};
use crate::domain::runs::{CommandStep, Expect, StepEnd, StepOutcome};
use crate::domain::units;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

/// How a command came to its end.
#[derive(Debug)]
pub(super) enum Ending {
    /// It ended by itself.
    Exit(ExitStatus),
    /// It was ended after this time.
    Timeout(Duration),
    /// A person wanted it to end.
    Cancelled,
    /// It never began: its process was gone before the gate was opened.
    NotBegun,
    /// Nobody can tell how it ended, and why not.
    Lost(String),
}

/// What is known of a command that has ended.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) how: Ending,
    /// Of its output; without that of its errors, where they come by themselves.
    pub(super) value: LastLine,
    /// Of what it wrote last, wherever.
    pub(super) complaint: LastLine,
    pub(super) sample: Sample,
    /// What still lives of it, in words; empty where nothing does.
    pub(super) left: String,
    /// Its process would not end.
    pub(super) stuck: bool,
}

/// What a step promised, as far as its end is judged by it.
#[derive(Clone, Debug)]
pub(super) struct Promise {
    pub(super) changes: bool,
    pub(super) capture: Option<String>,
    codes: Vec<i32>,
    pattern: Option<regex::Regex>,
}

impl Promise {
    pub(super) fn of(step: &CommandStep) -> Result<Self, String> {
        let (codes, pattern) = match &step.expect {
            Expect::Codes(codes) => (codes.clone(), None),
            Expect::Output(text) => (vec![0], Some(super::heard::pattern(text)?)),
        };
        Ok(Self { changes: step.changes, capture: step.capture.clone(), codes, pattern })
    }

    /// Whether the output has to be held against a pattern.
    pub(super) fn wants_output(&self) -> bool {
        self.pattern.is_some()
    }

    /// How it ended. Cut off in the middle, a change may have been made or not.
    pub(super) fn judge(&self, mut ended: Ended, took: Duration) -> StepEnd {
        let cut_off = if self.changes { StepOutcome::Unknown } else { StepOutcome::Failed };
        let mut captured = None;
        let (outcome, mut words) = match &ended.how {
            Ending::Exit(status) => match status.code() {
                Some(code) if self.codes.contains(&code) => {
                    let (outcome, words) = self.judge_output(code, &ended.sample);
                    captured = self.capture.as_ref().and_then(|_| ended.value.value());
                    self.judge_capture(outcome, words, captured.is_some())
                }
                Some(code) => {
                    let quoted = ended.complaint.words();
                    (StepOutcome::Failed, code_words(code, quoted.as_deref()))
                }
                None => {
                    let signal = status.signal().unwrap_or_default();
                    (cut_off, format!("ended by {} from elsewhere", signal_words(signal)))
                }
            },
            Ending::Timeout(limit) => {
                (cut_off, format!("not done within {}, and ended", units::duration(*limit)))
            }
            Ending::Cancelled => (cut_off, "ended by hand".to_owned()),
            Ending::NotBegun => (
                StepOutcome::Failed,
                "its process was ended before it began: nothing of it has run".to_owned(),
            ),
            Ending::Lost(why) => (cut_off, format!("nobody saw how it ended: {why}")),
        };
        if ended.stuck {
            words.push_str("; it does not end, it hangs in the kernel");
        }
        if !ended.left.is_empty() {
            words.push_str("; ");
            words.push_str(&ended.left);
        }
        StepEnd { outcome, words, took, captured, output: None, findings: Vec::new() }
    }

    fn judge_output(&self, code: i32, sample: &Sample) -> (StepOutcome, String) {
        match &self.pattern {
            Some(pattern) if !sample.matches(pattern) => {
                let part = if sample.left_out() { " at either end of it" } else { "" };
                let words = format!("exit code {code}, but its output has no /{pattern}/{part}");
                (StepOutcome::Failed, words)
            }
            Some(_) | None => (StepOutcome::Ok, format!("exit code {code}")),
        }
    }

    /// A question without an answer has failed. What has changed something is
    /// done all the same: to call it failed would offer to do it again.
    fn judge_capture(
        &self,
        outcome: StepOutcome,
        words: String,
        is: bool,
    ) -> (StepOutcome, String) {
        match &self.capture {
            Some(name) if !is => {
                let outcome = if self.changes { outcome } else { StepOutcome::Failed };
                (outcome, format!("{words}, but no line that {name} could hold"))
            }
            Some(_) | None => (outcome, words),
        }
    }
}

/// `exit code 127: command not found`
fn code_words(code: i32, quoted: Option<&str>) -> String {
    let hint = match code {
        126 => Some("a program in it is there, but cannot be run".to_owned()),
        127 => Some("a program in it was not found".to_owned()),
        129..=192 => Some(format!("a command in it was ended by {}", signal_words(code - 128))),
        _ => None,
    };
    let said = [hint.as_deref(), quoted].into_iter().flatten().collect::<Vec<_>>().join("; ");
    if said.is_empty() { format!("exit code {code}") } else { format!("exit code {code}: {said}") }
}

fn signal_words(number: i32) -> String {
    let name = match number {
        1 => " (HUP)",
        2 => " (INT)",
        3 => " (QUIT)",
        4 => " (ILL)",
        6 => " (ABRT)",
        7 => " (BUS)",
        8 => " (FPE)",
        9 => " (KILL)",
        11 => " (SEGV)",
        13 => " (PIPE)",
        14 => " (ALRM)",
        15 => " (TERM)",
        _ => "",
    };
    format!("signal {number}{name}")
}

/// After this time the step is ended.
pub(super) fn limit(step: &CommandStep, cx: &StepCx) -> Duration {
    step.timeout.unwrap_or(cx.timeout)
}

/// Comes when a person wants it to end; never, where nobody can.
pub(super) async fn cancelled(cancel: &mut tokio::sync::watch::Receiver<bool>) {
    if cancel.wait_for(|wanted| *wanted).await.is_err() {
        std::future::pending::<()>().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_say_what_they_mean() {
        assert_eq!(code_words(3, None), "exit code 3");
        assert_eq!(code_words(3, Some("no such release")), "exit code 3: no such release");
        assert_eq!(code_words(127, None), "exit code 127: a program in it was not found");
        assert_eq!(
            code_words(141, Some("x")),
            "exit code 141: a command in it was ended by signal 13 (PIPE); x"
        );
    }
}
