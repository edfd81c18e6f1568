//! Follows a run: hears what its process tells over its socket, sends it
//! orders, and reads in the journal how it ended where nobody tells any more.

use super::process;
use super::records;
use crate::domain::runs::{Entry, ProcessId, Record, RunId, RunRecord};
use crate::journal::Reader;
use crate::runbook::{Answer, Hello, Order, Told};
use std::io;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::OwnedReadHalf;
use tokio::sync::mpsc::{Receiver, Sender};

/// A line is shorter than this: a plan with all its scripts is the longest.
const LONGEST_LINE: usize = 16 * 1024 * 1024;
/// So many bytes are taken up together.
const TOGETHER: usize = 256 * 1024;
/// So much of what the journal has is told together.
const AT_ONCE: usize = 16;
/// Orders that the run's process does not take; beyond, more are refused.
const UNSENT: usize = 1024 * 1024;
/// How long it is waited before a connection is tried again: at first, and at most.
const PAUSE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// What was ordered last is still sent by somebody who leaves.
const LAST_ORDERS: Duration = Duration::from_secs(1);

/// What somebody wants to follow.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The run.
    pub run: RunId,
    /// The journal that it is recorded in; its socket is there, too.
    pub journal: Reader,
    /// Only listens.
    pub listens: bool,
    /// What the journal has is told first, each step's output in its place, and
    /// only then what the run's process tells.
    pub past_first: bool,
}

/// What comes of following.
#[derive(Clone, Debug, PartialEq)]
pub enum Heard {
    /// The run told this, or the journal did for it.
    Told(Vec<Told>),
    /// It is not heard at the moment, and why; it is tried again.
    Lost(String),
    /// It has ended, or could not be begun: there is no more to come.
    Ended,
    /// There is nobody to follow, and why: its process has died, or there is no such run.
    Died(String),
}

/// Follows a run until it ends, nobody is there to follow, or the sender of
/// orders is dropped. Whoever follows a run that was not started yet, and is the
/// last to leave, ends it.
pub async fn follow(wanted: Wanted, mut orders: Receiver<Order>, heard: Sender<Heard>) {
    let mut follower = Follower { wanted, heard, known: Seen::default() };
    // Nobody may listen any more: then there is nobody to tell that either.
    let _ = follower.go(&mut orders).await;
}

/// Nobody wants to follow any more.
struct Left;

/// Why a connection is over.
enum Cut {
    Left,
    Broken(String),
}

impl From<Left> for Cut {
    fn from(_: Left) -> Self {
        Self::Left
    }
}

struct Follower {
    wanted: Wanted,
    heard: Sender<Heard>,
    known: Seen,
}

/// What was told so far.
#[derive(Debug, Default)]
struct Seen {
    /// It was connected at least once.
    met: bool,
    /// So many things were told, refusals aside.
    count: u64,
    /// The place of its last record.
    place: i64,
    /// The process that carries it out.
    process: Option<ProcessId>,
    /// The output was told up to here.
    output: u64,
    /// There is no more to come.
    over: bool,
}

impl Seen {
    fn take(&mut self, told: &Told) {
        self.count += u64::from(!matches!(told, Told::Refused(_)));
        match told {
            Told::Entry(entry) => self.entry(entry),
            Told::Output { from, text, .. } => {
                self.output = from.saturating_add(text.len() as u64);
            }
            Told::Impossible(_) => self.over = true,
            _ => {}
        }
    }

    fn entry(&mut self, entry: &Entry) {
        self.place = self.place.max(entry.place);
        let Record::Run { what, .. } = &entry.record else { return };
        match what {
            RunRecord::Started { process, .. } | RunRecord::TakenUp { process, .. } => {
                self.process = Some(process.clone());
            }
            RunRecord::Ended { .. } => self.over = true,
            _ => {}
        }
    }
}

impl Follower {
    async fn go(&mut self, orders: &mut Receiver<Order>) -> Result<(), Left> {
        let mut pause = PAUSE.0;
        if self.wanted.past_first {
            self.read_journal().await?;
        }
        while !self.known.over {
            let (place, count) = (self.known.place, self.known.count);
            let why = match self.connect().await {
                Ok(stream) => {
                    self.known.met = true;
                    match self.talk(stream, orders).await {
                        Cut::Left => return Err(Left),
                        Cut::Broken(why) => why,
                    }
                }
                Err(error) => error.to_string(),
            };
            if !self.known.over {
                self.read_journal().await?;
            }
            if self.known.over {
                break;
            }
            // No record tells the process of a run that was not begun: that it spoke does.
            let spoke = self.known.count > count;
            let lives = self.known.process.as_ref().map_or(spoke, process::is_alive);
            if !lives {
                let why = self.why_nobody_is_there();
                return self.say(Heard::Died(why)).await;
            }
            if self.known.place > place {
                pause = PAUSE.0;
            }
            self.say(Heard::Lost(why)).await?;
            self.wait(pause, orders).await?;
            pause = (pause * 2).min(PAUSE.1);
        }
        self.say(Heard::Ended).await
    }

    async fn connect(&self) -> io::Result<UnixStream> {
        let run = &self.wanted.run;
        let sockets = &self.wanted.journal.place().sockets;
        UnixStream::connect(sockets.join(format!("{run}.sock"))).await
    }

    fn why_nobody_is_there(&self) -> String {
        let run = &self.wanted.run;
        if self.known.process.is_some() {
            format!("its process has died; `opsroom attach {run}` takes it up")
        } else if self.known.met {
            "its process ended before it was started: nothing was done".into()
        } else {
            format!("there is no run {run}")
        }
    }

    /// Tells what the journal has and the run's process did not tell.
    async fn read_journal(&mut self) -> Result<(), Left> {
        let Wanted { journal, run, .. } = &self.wanted;
        let told = records::told(journal, run, self.known.place, self.known.output).await;
        let mut told = match told {
            Ok(told) => told,
            Err(error) => {
                tracing::warn!(%error, "a run's records cannot be read");
                return Ok(());
            }
        };
        while !told.is_empty() {
            let rest = told.split_off(told.len().min(AT_ONCE));
            self.tell(std::mem::replace(&mut told, rest)).await?;
        }
        Ok(())
    }

    async fn tell(&mut self, told: Vec<Told>) -> Result<(), Left> {
        for told in &told {
            self.known.take(told);
        }
        self.say(Heard::Told(told)).await
    }

    async fn say(&self, heard: Heard) -> Result<(), Left> {
        self.heard.send(heard).await.map_err(|_| Left)
    }

    /// Waits; orders that come meanwhile reach nobody.
    async fn wait(&mut self, pause: Duration, orders: &mut Receiver<Order>) -> Result<(), Left> {
        let over = tokio::time::sleep(pause);
        tokio::pin!(over);
        loop {
            tokio::select! {
                () = &mut over => return Ok(()),
                order = orders.recv() => {
                    order.ok_or(Left)?;
                    let why = "not sent: the line to the run is cut";
                    self.tell(vec![Told::Refused(why.into())]).await?;
                }
            }
        }
    }

    /// Hears and orders until one of both ends it.
    async fn talk(&mut self, stream: UnixStream, orders: &mut Receiver<Order>) -> Cut {
        let peer = stream.peer_cred().map(|peer| peer.uid()).ok();
        let (from, mut into) = stream.into_split();
        let mut lines = Lines::of(from);
        let hello = Hello {
            run: self.wanted.run.clone(),
            output_from: self.known.output,
            listens: self.wanted.listens,
        };
        let mut unsent = line_of(&hello);
        loop {
            tokio::select! {
                told = lines.next() => match told {
                    Ok(Some(told)) => {
                        if let Err(left) = self.tell(told).await {
                            return left.into();
                        }
                    }
                    Ok(None) => return Cut::Broken("its process has closed the line".into()),
                    Err(error) => return Cut::Broken(error.to_string()),
                },
                sent = into.write(&unsent), if !unsent.is_empty() => match sent {
                    Ok(count) => drop(unsent.drain(..count)),
                    // What it told last may still be there to be read.
                    Err(_) => unsent.clear(),
                },
                order = orders.recv() => {
                    let Some(order) = order else {
                        let _ = tokio::time::timeout(LAST_ORDERS, into.write_all(&unsent)).await;
                        return Cut::Left;
                    };
                    let refused = if is_secret(&order) && !is_own(peer) {
                        "not sent: the run's process belongs to another user, who would get the secret"
                    } else if unsent.len() > UNSENT {
                        "not sent: the run's process takes no orders at the moment"
                    } else {
                        unsent.append(&mut line_of(&order));
                        continue;
                    };
                    if let Err(left) = self.tell(vec![Told::Refused(refused.into())]).await {
                        return left.into();
                    }
                }
            }
        }
    }
}

fn line_of(value: &impl serde::Serialize) -> Vec<u8> {
    // Plain data of this program's own: it always has a JSON form.
    let mut line = serde_json::to_vec(value).unwrap_or_default();
    line.push(b'\n');
    line
}

fn is_secret(order: &Order) -> bool {
    match order {
        Order::Values { secrets, .. } => !secrets.is_empty(),
        Order::Answer { answer, .. } => matches!(answer, Answer::Secret(_)),
        _ => false,
    }
}

fn is_own(peer: Option<u32>) -> bool {
    peer.is_some_and(|uid| uid == rustix::process::getuid().as_raw())
}

/// What the other side tells, line by line.
struct Lines {
    from: OwnedReadHalf,
    read: Vec<u8>,
    /// Up to here no line end is in `read`.
    scanned: usize,
}

impl Lines {
    fn of(from: OwnedReadHalf) -> Self {
        Self { from, read: Vec::new(), scanned: 0 }
    }

    /// All lines that have come by now, at least one; none when the other side
    /// has closed. Can be dropped while it waits without losing anything.
    async fn next(&mut self) -> io::Result<Option<Vec<Told>>> {
        loop {
            if let Some(end) = self.read[self.scanned..].iter().rposition(|byte| *byte == b'\n') {
                let rest = self.read.split_off(self.scanned + end + 1);
                let lines = std::mem::replace(&mut self.read, rest);
                self.scanned = self.read.len();
                let told: Vec<Told> = lines.split(|byte| *byte == b'\n').filter_map(told).collect();
                if told.is_empty() {
                    continue;
                }
                return Ok(Some(told));
            }
            self.scanned = self.read.len();
            if self.read.len() > LONGEST_LINE {
                return Err(io::Error::other("its process tells lines that never end"));
            }
            self.read.reserve(16 * 1024);
            let most = TOGETHER as u64;
            if (&mut self.from).take(most).read_buf(&mut self.read).await? == 0 {
                return Ok(None);
            }
        }
    }
}

/// A line that is not understood is passed over: another version may tell more.
fn told(line: &[u8]) -> Option<Told> {
    if line.is_empty() {
        return None;
    }
    let told = serde_json::from_slice(line);
    if let Err(error) = &told {
        tracing::warn!(%error, length = line.len(), "a run told what is not understood");
    }
    told.ok()
}

#[cfg(test)]
mod tests;
