//! What a second person sees and says.

use super::ask::{push_exactly, titled};
use super::opened::Opened;
use super::prompt::{Came, Prompt};
use super::{plan, say};
use crate::domain::harmless;
use crate::domain::runs::{Entry, Record, RunId, RunRecord};
use crate::runbook::{Answer, Ask, AskKind, Order, Run, Told};
use crate::runtime::clock::monotonic;
use crate::runtime::plain::{Out, Plain, Signals};
use crate::runtime::runs::follow::{Heard, Wanted, follow};
use crate::runtime::runs::{process, records};
use color_eyre::Result;
use std::fmt::Write;
use std::time::Duration;
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::time::timeout;

/// So many runs are looked at.
const NEWEST: usize = 200;
/// A run that says nothing in this time is passed over.
const WORD: Duration = Duration::from_secs(5);
/// A question stands on the screen for so long before it takes an answer.
const BEFORE_ANSWERS: Duration = Duration::from_millis(500);

/// What came of it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// It was said, and is recorded.
    Done,
    /// It was not taken, and why.
    Refused(String),
    /// Nobody was there to say it, or did not want to.
    Nobody,
}

/// All that waits for approval, as text.
pub(crate) async fn waiting(opened: &Opened) -> Result<String> {
    let mut runs = records::runs(&opened.reader, NEWEST).await?;
    runs.retain(|run| run.ended.is_none() && process::is_alive(&run.process));
    let mut out = String::new();
    for run in runs {
        let mut line = Line::to(opened, &run.id, true);
        let Ok(Some((run, ask))) = timeout(WORD, line.asked()).await else { continue };
        let AskKind::Approve { until } = ask.kind else { continue };
        // Writing into a String cannot fail.
        let _ = writeln!(
            out,
            "{}  {}  {}, asked by {}, until {}",
            run.id,
            harmless(&run.plan.target),
            titled(&run.plan, ask.step),
            harmless(&run.who.user),
            say::clock(until)
        );
    }
    if out.is_empty() {
        out.push_str("nothing waits for approval\n");
    } else {
        out.push_str("opsroom approve RUN shows one and asks you\n");
    }
    Ok(out)
}

/// Shows a step and says yes, typed as the run's name, or no.
pub(crate) async fn say(opened: &Opened, run: &RunId, no: bool) -> Result<Said> {
    let mut line = Line::to(opened, run, false);
    let (run, ask) = match timeout(WORD, line.asked()).await {
        Ok(Some((run, ask))) if matches!(ask.kind, AskKind::Approve { .. }) => (run, ask),
        Ok(None) => return Ok(Said::Refused(line.why)),
        Ok(Some(_)) | Err(_) => {
            return Ok(Said::Refused(format!("run {run} does not wait for approval")));
        }
    };
    let out = Out::start()?;
    out.data(shown(&run, &ask)).await;
    if !no && !is_typed(&out, &run.id).await? {
        return Ok(Said::Nobody);
    }
    let answer = Answer::Approve(!no);
    let order = Order::Answer { ask: ask.number, answer };
    let sent = line.orders.send(order).await.is_ok();
    let said = timeout(WORD, line.taken(&ask)).await;
    Ok(match said {
        Ok(None) if sent => {
            out.message(if no { "not approved\n" } else { "approved\n" }).await;
            out.written().await;
            Said::Done
        }
        Ok(Some(why)) => Said::Refused(why),
        _ => Said::Refused("the run's process did not answer".to_owned()),
    })
}

/// The plan, and exactly what would run.
fn shown(run: &Run, ask: &Ask) -> String {
    let mut lines = vec![plan::text(&run.plan, [])];
    lines.push(format!("?? {} of run {}", titled(&run.plan, ask.step), run.id));
    let edited = run.standing(ask.step).and_then(|standing| standing.edited.clone());
    let script = edited.or_else(|| match &run.plan.step(ask.step)?.kind {
        crate::domain::runs::StepKind::Command(command) => Some(command.script.clone()),
        _ => None,
    });
    push_exactly(&mut lines, run, ask.step, &script.unwrap_or_default());
    lines.push(format!(
        "   asked by {} ({}), on {} as {}",
        harmless(&run.who.user),
        run.who.uid,
        harmless(&run.plan.host),
        harmless(&run.plan.user)
    ));
    lines.join("\n") + "\n"
}

/// Whether the person at the terminal types the run's name.
async fn is_typed(out: &Out, run: &RunId) -> Result<bool> {
    let Some(mut terminal) = Plain::take()? else { return Ok(false) };
    let mut signals = Signals::listen()?;
    out.message(format!("   type {run} to approve it; ctrl-c leaves it as it is\n")).await;
    loop {
        let mut prompt = Prompt::new("", terminal.size().0, terminal.is_able());
        out.message(prompt.drawn()).await;
        out.written().await;
        let opens = monotonic() + BEFORE_ANSWERS;
        let line = loop {
            let typed = tokio::select! {
                typed = terminal.typed() => typed,
                signal = signals.next() => match signal {
                    crate::runtime::plain::Signalled::Continued => {
                        terminal.retake();
                        // The shell wrote below it.
                        out.message(prompt.drawn()).await;
                        continue;
                    }
                    crate::runtime::plain::Signalled::Resized => {
                        prompt.resize(terminal.size().0);
                        continue;
                    }
                    _ => None,
                },
            };
            let Some(typed) = typed else {
                terminal.give_back();
                return Ok(false);
            };
            if monotonic() < opens {
                continue;
            }
            match prompt.take(typed) {
                Came::Echo(echo) => out.message(echo).await,
                Came::Done(line) => break line,
                Came::Pasted(_) | Came::Left => break String::new(),
            }
        };
        out.message("\n").await;
        if line == run.as_str() {
            terminal.give_back();
            return Ok(true);
        }
        out.message(format!("   nothing was approved: it takes {run}, typed in full\n")).await;
    }
}

/// A follower that waits for one thing.
struct Line {
    orders: Sender<Order>,
    heard: Receiver<Heard>,
    run: Option<Run>,
    /// Why there is nobody.
    why: String,
}

impl Line {
    fn to(opened: &Opened, run: &RunId, listens: bool) -> Self {
        let (orders, ordered) = mpsc::channel(4);
        let (tells, heard) = mpsc::channel(16);
        let journal = opened.reader.clone();
        let wanted = Wanted { run: run.clone(), journal, listens, past_first: false };
        tokio::spawn(follow(wanted, ordered, tells));
        Self { orders, heard, run: None, why: format!("run {run} has ended") }
    }

    /// What the run asks; none where it is over or nobody carries it out.
    async fn asked(&mut self) -> Option<(Run, Ask)> {
        loop {
            for told in self.told().await? {
                match told {
                    Told::Entry(entry) => self.entry(&entry),
                    Told::Doing(doing) => {
                        if let (Some(run), Some(ask)) = (&self.run, doing.ask) {
                            return Some((run.clone(), ask));
                        }
                    }
                    _ => {}
                }
            }
        }
    }

    /// None when the answer was taken; else why it was not.
    async fn taken(&mut self, ask: &Ask) -> Option<String> {
        loop {
            let Some(told) = self.told().await else { return Some(self.why.clone()) };
            for told in told {
                match told {
                    Told::Refused(why) => return Some(harmless(&why).into_owned()),
                    Told::Entry(Entry {
                        record: Record::Run { what: RunRecord::Approved { step, .. }, .. },
                        ..
                    }) if step == ask.step => return None,
                    _ => {}
                }
            }
        }
    }

    async fn told(&mut self) -> Option<Vec<Told>> {
        loop {
            match self.heard.recv().await? {
                Heard::Told(told) => return Some(told),
                Heard::Lost(_) => {}
                Heard::Ended => return None,
                Heard::Died(why) => {
                    self.why = harmless(&why).into_owned();
                    return None;
                }
            }
        }
    }

    fn entry(&mut self, entry: &Entry) {
        match &mut self.run {
            Some(run) => run.take(entry),
            None => self.run = Run::begun_by(entry),
        }
    }
}
