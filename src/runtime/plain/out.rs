//! Standard output and standard error, written by a thread of their own: a
//! link that takes nothing holds up nobody but itself.

use crate::runtime::descriptors::write_whole;
use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::{mpsc, oneshot};

/// Pieces that wait to be written.
const WAITING: usize = 64;

/// Where data and messages go, in the order in which they come.
#[derive(Clone, Debug)]
pub struct Out {
    pieces: mpsc::Sender<Piece>,
    behind: Arc<AtomicUsize>,
}

enum Piece {
    Data(Vec<u8>),
    Message(Vec<u8>),
    Written(oneshot::Sender<()>),
}

impl Out {
    /// Starts the thread that writes.
    pub fn start() -> io::Result<Self> {
        let (pieces, mut waiting) = mpsc::channel(WAITING);
        let behind = Arc::new(AtomicUsize::new(0));
        let left = Arc::clone(&behind);
        std::thread::Builder::new().name("out".into()).spawn(move || {
            let (mut data, mut messages) = (Sink::new(io::stdout()), Sink::new(io::stderr()));
            while let Some(piece) = waiting.blocking_recv() {
                let count = match piece {
                    Piece::Data(bytes) => data.write(&bytes),
                    Piece::Message(bytes) => messages.write(&bytes),
                    // Nobody may wait for it any more.
                    Piece::Written(told) => {
                        let _ = told.send(());
                        0
                    }
                };
                left.fetch_sub(count, Ordering::Relaxed);
            }
        })?;
        Ok(Self { pieces, behind })
    }

    /// Writes to standard output. Returns when it is its turn to be written.
    pub async fn data(&self, bytes: impl Into<Vec<u8>>) {
        let bytes = bytes.into();
        self.behind.fetch_add(bytes.len(), Ordering::Relaxed);
        // The thread lives as long as its handles.
        let _ = self.pieces.send(Piece::Data(bytes)).await;
    }

    /// Writes to standard error.
    pub async fn message(&self, bytes: impl Into<Vec<u8>>) {
        let bytes = bytes.into();
        self.behind.fetch_add(bytes.len(), Ordering::Relaxed);
        let _ = self.pieces.send(Piece::Message(bytes)).await;
    }

    /// Waits until all was written.
    pub async fn written(&self) {
        let (told, hears) = oneshot::channel();
        if self.pieces.send(Piece::Written(told)).await.is_ok() {
            let _ = hears.await;
        }
    }

    /// So many bytes were not taken yet.
    pub fn behind(&self) -> usize {
        self.behind.load(Ordering::Relaxed)
    }
}

/// A stream until nobody reads it any more: whoever has gone away has what it wanted.
struct Sink<W: AsFd> {
    to: W,
    gone: bool,
}

impl<W: AsFd> Sink<W> {
    fn new(to: W) -> Self {
        Self { to, gone: false }
    }

    fn write(&mut self, bytes: &[u8]) -> usize {
        if !self.gone {
            self.gone = write_whole(&self.to, bytes).is_err();
        }
        bytes.len()
    }
}
