//! A question by a command: what a pin holds, which values there are to choose from.

use super::command::see_through;
use super::course::{Bounds, Sampled};
use super::ending::Ending;
use super::gate::{Around, Held, argv};
use super::group::Group;
use crate::domain::runs::{ProcessId, Shell};
use crate::domain::units;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;
use tokio::sync::{mpsc, watch};

/// What a reading command prints, run by `bash -euo pipefail` in `folder` with
/// `env` alone: at most two megabytes, without the blank lines at its end. Its
/// errors are not part of it. Or why there is no answer, in words. Dropped before
/// its end, it ends the command.
pub async fn ask(
    script: &str,
    env: &BTreeMap<String, String>,
    folder: &str,
    limit: Duration,
    identify: fn(u32) -> Option<ProcessId>,
) -> Result<String, String> {
    let around = Around { env: env.clone(), folder: PathBuf::from(folder), identify };
    let held = Held::start(&argv(Shell::Bash, script)?, &around, true)?;
    let mut running = Running(Some(held.group.clone()));
    let (output, mut nowhere) = mpsc::channel(8);
    let (_nobody, mut cancel) = watch::channel(false);
    let bounds = Bounds { limit, sample: Sampled::Output };
    let seen = see_through(held, &bounds, &output, &mut cancel);
    tokio::pin!(seen);
    let mut ended = loop {
        tokio::select! {
            ended = &mut seen => break ended,
            _ = nowhere.recv() => {}
        }
    };
    running.0 = None;
    let quoted = ended.complaint.words().map(|it| format!(": {it}")).unwrap_or_default();
    match ended.how {
        Ending::Exit(status) if status.success() => {}
        Ending::Exit(status) => {
            return Err(match status.code() {
                Some(code) => format!("exit code {code}{quoted}"),
                None => format!("ended by a signal{quoted}"),
            });
        }
        Ending::Timeout(limit) => {
            return Err(format!("no answer within {}", units::duration(limit)));
        }
        Ending::Cancelled | Ending::NotBegun => {
            return Err("it was ended before it answered".into());
        }
        Ending::Lost(why) => return Err(why),
    }
    match ended.sample.whole() {
        Some(text) => Ok(text.trim_end_matches(['\n', '\r']).to_owned()),
        None => Err("the answer is longer than any value".into()),
    }
}

/// A command that only asks, and ends with whoever wanted to know.
struct Running(Option<Group>);

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(group) = &self.0 {
            group.signal(rustix::process::Signal::KILL);
        }
    }
}
