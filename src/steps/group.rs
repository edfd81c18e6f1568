//! The processes of a command: its group, and those that left it.

use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;
use tokio::process::Child;
use tokio::time::{sleep, timeout};

/// How long a group has to end by itself after it was asked to.
const GRACE: Duration = Duration::from_secs(5);
/// How long something may need to end once it cannot refuse any more: longer
/// takes only what hangs in the kernel.
const KILLED: Duration = Duration::from_secs(2);
/// How often a group is looked at while it ends.
const LOOK: Duration = Duration::from_millis(50);
/// Looking through all processes takes no longer than this.
const SEARCH: Duration = Duration::from_secs(3);
/// So many processes are named; more are counted.
const NAMED: usize = 3;
/// A command and all that it starts carries these variables, by which it is
/// found again.
const MARKS: [&str; 2] = ["OPSROOM_RUN", "OPSROOM_STEP"];

/// A process group, by its leader, and what its members carry.
#[derive(Clone, Debug)]
pub(super) struct Group {
    leader: Pid,
    /// `NAME=VALUE` of each mark; empty where the command carries none.
    marks: Vec<Vec<u8>>,
}

/// A process that still lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Left {
    pid: u32,
    name: String,
}

impl Group {
    /// The group of this leader, whose environment is `env`.
    pub(super) fn of(leader: Pid, env: &BTreeMap<String, String>) -> Self {
        let mark = |name: &&str| env.get(*name).map(|it| format!("{name}={it}").into_bytes());
        let marks: Vec<_> = MARKS.iter().filter_map(mark).collect();
        Self { leader, marks: if marks.len() == MARKS.len() { marks } else { Vec::new() } }
    }

    /// Sends a signal to all of it. Fails where nobody is left in it, and where
    /// all of them are somebody else's: both show in what is left.
    pub(super) fn signal(&self, signal: Signal) {
        let _ = kill_process_group(self.leader, signal);
    }

    /// Whether nobody is in it any more.
    pub(super) fn is_empty(&self) -> bool {
        test_kill_process_group(self.leader) == Err(rustix::io::Errno::SRCH)
    }

    /// Ends all of it: asks with `first`, then with TERM, and after five seconds
    /// asks no longer. Whether the leader has gone.
    pub(super) async fn end(&self, child: &mut Child, first: Signal) -> bool {
        if self.is_empty() {
            // It does not lead its group yet.
            let _ = child.start_kill();
        }
        self.signal(first);
        if first != Signal::TERM {
            self.signal(Signal::TERM);
        }
        // What is stopped hears nothing.
        self.signal(Signal::CONT);
        let all_gone = async {
            let _ = child.wait().await;
            while !self.is_empty() {
                sleep(LOOK).await;
            }
        };
        if timeout(GRACE, all_gone).await.is_ok() {
            return true;
        }
        self.signal(Signal::KILL);
        timeout(KILLED, child.wait()).await.is_ok()
    }

    /// What of the command still lives, in its group or outside of it. A member
    /// that left it and runs as another user hides its environment, and is not found.
    pub(super) async fn left(&self) -> Vec<Left> {
        let group = self.clone();
        let searching = tokio::task::spawn_blocking(move || group.search());
        match timeout(SEARCH, searching).await {
            Ok(Ok(left)) => left,
            Ok(Err(_)) | Err(_) => Vec::new(),
        }
    }

    fn search(&self) -> Vec<Left> {
        let own = std::process::id();
        let Ok(all) = std::fs::read_dir("/proc") else { return Vec::new() };
        let pids = all.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let mut left: Vec<Left> = pids
            .filter(|pid| *pid != own)
            .filter_map(|pid| {
                let stat = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
                let stat = String::from_utf8_lossy(&stat);
                let (name, state, group) = name_state_group(&stat)?;
                let lives = !matches!(state, 'Z' | 'X');
                let ours = group == self.leader.as_raw_nonzero().get() || self.is_marked(pid);
                (lives && ours).then(|| Left { pid, name: name.to_owned() })
            })
            .collect();
        left.sort_by_key(|it| it.pid);
        left
    }

    fn is_marked(&self, pid: u32) -> bool {
        if self.marks.is_empty() {
            return false;
        }
        let Ok(environ) = std::fs::read(format!("/proc/{pid}/environ")) else { return false };
        let carries = |mark: &Vec<u8>| environ.split(|byte| *byte == 0).any(|it| it == mark);
        self.marks.iter().all(carries)
    }
}

/// Name, state and process group of a line of `/proc/PID/stat`: fields 2, 3 and
/// 5 (proc(5)). The name may hold blanks and brackets.
fn name_state_group(stat: &str) -> Option<(&str, char, i32)> {
    let (before, rest) = stat.rsplit_once(')')?;
    let (_, name) = before.split_once('(')?;
    let mut fields = rest.split_whitespace();
    let state = fields.next()?.chars().next()?;
    Some((name, state, fields.nth(1)?.parse().ok()?))
}

/// What is left, in words: `2 of its processes still run: 4242 sleep, 4243 sh`.
pub(super) fn words(left: &[Left]) -> String {
    let mut said = match left.len() {
        0 => return String::new(),
        1 => "a process of it still runs: ".to_owned(),
        many => format!("{many} processes of it still run: "),
    };
    for (place, it) in left.iter().take(NAMED).enumerate() {
        let comma = if place > 0 { ", " } else { "" };
        let name = crate::domain::harmless_within(&it.name, 30);
        // Writing to a text does not fail.
        let _ = write!(said, "{comma}{} {name}", it.pid);
    }
    if left.len() > NAMED {
        let _ = write!(said, " and {} more", left.len() - NAMED);
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_proc_is_read_whatever_the_program_is_called() {
        let stat = "7 (a) b (c) R 1 42 42 0 -1 0";
        assert_eq!(name_state_group(stat), Some(("a) b (c", 'R', 42)));
        assert_eq!(name_state_group("7 (x"), None);
    }

    #[test]
    fn what_is_left_is_named_and_counted() {
        let left = |pid| Left { pid, name: "sleep".into() };
        assert_eq!(words(&[]), "");
        assert_eq!(words(&[left(4)]), "a process of it still runs: 4 sleep");
        let many: Vec<_> = (1..6).map(left).collect();
        assert_eq!(
            words(&many),
            "5 processes of it still run: 1 sleep, 2 sleep, 3 sleep and 2 more"
        );
    }
}
