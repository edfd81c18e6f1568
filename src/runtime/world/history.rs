//! The samples and the state of alerts: taken up from whoever kept them last,
//! and kept for whoever comes next.

use super::World;
use crate::metrics::{Limits, Memory, window};
use crate::rules::Earlier;
use crate::runtime::keeping::{Keeping, Kept};
use crate::runtime::kept::{Keeper, KeptFiles};
use crate::runtime::state_file;
use crate::store::Msg;
use std::time::Duration;

/// Old samples are let go of, and the window is kept, this often.
const KEEP: Duration = Duration::from_secs(30);
/// The window is kept so soon for the first time: what was not kept is lost
/// with the process.
const FIRST_KEEP: Duration = Duration::from_secs(5);

impl World {
    /// Takes up what another process kept, samples and the state of alerts, before
    /// anything else reaches the engine. What is damaged is said, and left to
    /// whoever keeps it.
    pub fn take_up(&self, files: KeptFiles, limits: Limits) {
        let known = files.known();
        self.load(files, limits, None, move || {
            // Newer than the samples: it is written as soon as an alert turns.
            let known = state_file::read_known(&known).ok().flatten();
            known.map(|known| known.own_alerts()).unwrap_or_default()
        });
    }

    /// The same; where this process keeps the history from now on, a damaged
    /// window is put aside.
    pub(in crate::runtime) fn go_on_from(&self, keeper: Keeper, limits: Limits, earlier: Earlier) {
        self.load(keeper.files().clone(), limits, Some(keeper), move || earlier);
    }

    fn load(
        &self,
        files: KeptFiles,
        limits: Limits,
        keeper: Option<Keeper>,
        earlier: impl FnOnce() -> Earlier + Send + 'static,
    ) {
        let out = self.0.out.clone();
        self.0.engine.take_up(move |memory| {
            let path = files.window();
            match state_file::read_window(&path, limits) {
                Ok(Some(kept)) => *memory = kept,
                Ok(None) => {}
                Err(error) => {
                    let keeps = keeper.is_some_and(|keeper| keeper.keeps().unwrap_or(false));
                    let what = if keeps {
                        state_file::put_aside(&path);
                        "was put aside"
                    } else {
                        "cannot be read"
                    };
                    let text = format!("the kept history {what}: {error}");
                    // A full channel has more important things to tell.
                    let _ = out.try_send(Msg::Said { text, bad: true });
                }
            }
            earlier()
        });
    }

    /// Keeps the window in a file, every half minute, where nobody else does,
    /// and says so when it cannot.
    pub(in crate::runtime) async fn keep_window(self, keeper: Keeper, keeping: Keeping) {
        let path = keeper.files().window();
        let mut pause = FIRST_KEEP;
        loop {
            tokio::time::sleep(std::mem::replace(&mut pause, KEEP)).await;
            self.0.engine.expire(self.0.clock.now());
            match keeper.keeps() {
                Ok(true) => {}
                Ok(false) => continue,
                Err(error) => {
                    keeping.ended(Kept::Window, &path, Err(error));
                    continue;
                }
            }
            let (sender, snapshot) = tokio::sync::oneshot::channel();
            self.0.engine.with_memory(move |memory| drop(sender.send(snapshot_of(memory))));
            if let Ok(Some(snapshot)) = snapshot.await {
                let (path, keeper, keeping) = (path.clone(), keeper.clone(), keeping.clone());
                let write = move || {
                    let written = keeper.write_window(&snapshot.into_bytes());
                    keeping.ended(Kept::Window, &path, written);
                };
                // A disk that hangs holds nothing up but the next keeping.
                let _ = tokio::task::spawn_blocking(write).await;
            }
        }
    }

    /// Keeps the window a last time, where nobody else does, and waits for that
    /// at most `patience`.
    pub fn keep_window_now(&self, keeper: Keeper, patience: Duration) {
        if !keeper.keeps().unwrap_or(false) {
            return;
        }
        let (sender, snapshot) = std::sync::mpsc::channel();
        self.0.engine.with_memory(move |memory| drop(sender.send(snapshot_of(memory))));
        let (sender, done) = std::sync::mpsc::channel();
        let write = move || {
            // Nothing comes where the engine has ended.
            if let Ok(Some(snapshot)) = snapshot.recv()
                && let Err(error) = keeper.write_window(&snapshot.into_bytes())
            {
                let path = keeper.files().window();
                tracing::warn!(path = %path.display(), %error, "the window was not kept");
            }
            // Held until here: nobody else writes before this is written.
            drop(keeper);
            // Nobody may be waiting any more.
            let _ = sender.send(());
        };
        // Without a thread nothing is kept, and nobody waits.
        if std::thread::Builder::new().name("last keep".into()).spawn(write).is_ok() {
            let _ = done.recv_timeout(patience);
        }
    }
}

fn snapshot_of(memory: &Memory) -> Option<window::Snapshot> {
    (!memory.is_empty()).then(|| window::snapshot(memory))
}
