//! The socket of a run: whoever may open it follows, many at once, each at its
//! own pace.

use super::board::{Board, Piece, Reader, line};
use crate::domain::runs::{RunId, Who};
use crate::journal::Place;
use crate::runbook::{Hello, Order, Told};
use crate::runtime::runs::{output, process};
use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// An order is shorter than this: an edited block, a pasted text.
const LONGEST_ORDER: u64 = 1024 * 1024;
/// Who connects says what it wants within this time.
const HELLO: Duration = Duration::from_secs(10);
/// Refusals that wait to be told to one follower; it asks slower than it is told.
const REFUSALS: usize = 16;
/// So many follow at once.
const MOST_FOLLOWERS: usize = 64;

/// What followers do.
pub(super) enum Event {
    /// One has come.
    Joined { id: u64, peer: Peer },
    /// It orders something.
    Ordered { id: u64, order: Order },
    /// It has gone.
    Left { id: u64 },
}

/// A follower.
pub(super) struct Peer {
    /// Who it is, as the kernel tells.
    pub(super) who: Who,
    /// Its orders are refused.
    pub(super) listens: bool,
    /// Where it is told why an order was not carried out.
    pub(super) refusals: mpsc::Sender<String>,
}

/// The socket of a run; taken away when it is dropped.
pub(super) struct Socket {
    path: PathBuf,
    listener: UnixListener,
}

impl Socket {
    /// Begins to listen. What an earlier process of the run left there is taken away.
    pub(super) fn open(place: &Place, run: &RunId) -> io::Result<Self> {
        let path = place.sockets.join(format!("{run}.sock"));
        place.make_folder(&place.sockets)?;
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(&path)?;
        std::fs::set_permissions(&path, Permissions::from_mode(place.file_mode()))?;
        Ok(Self { path, listener })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // Whoever took the run up has put its own there: that one's is newer.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// What those who serve followers share.
pub(super) struct Served {
    pub(super) run: RunId,
    pub(super) board: Arc<Board>,
    pub(super) output: PathBuf,
    pub(super) events: mpsc::Sender<Event>,
    /// This host.
    pub(super) host: String,
}

/// Lets followers in as long as it is not dropped. Ends when the run is over and
/// each follower was told so.
pub(super) async fn serve(socket: Socket, served: Arc<Served>) {
    let mut followers = JoinSet::new();
    let mut version = served.board.watch();
    let mut id = 0;
    loop {
        tokio::select! {
            connected = socket.listener.accept() => {
                let Ok((stream, _)) = connected else {
                    // Too many open files: others leave.
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                };
                if followers.len() < MOST_FOLLOWERS {
                    id += 1;
                    followers.spawn(follow(stream, id, Arc::clone(&served)));
                }
            }
            Some(_) = followers.join_next() => {}
            changed = version.changed() => {
                if changed.is_err() || served.board.is_over() {
                    break;
                }
            }
        }
    }
    // Nobody else is let in: the journal tells how it ended.
    drop(socket);
    while followers.join_next().await.is_some() {}
}

async fn follow(stream: UnixStream, id: u64, served: Arc<Served>) {
    let Some(who) = who(&stream, &served.host) else { return };
    let (reading, mut writing) = stream.into_split();
    let mut reading = BufReader::new(reading);
    let hello = match timeout(HELLO, read_line(&mut reading)).await {
        Ok(Some(line)) => serde_json::from_slice::<Hello>(&line).ok(),
        _ => None,
    };
    let Some(hello) = hello else { return };
    if hello.run != served.run {
        let told = Told::Refused(format!("this is run {}", served.run));
        let _ = writing.write_all(line(&told).as_bytes()).await;
        return;
    }
    let (refusals, refused) = mpsc::channel(REFUSALS);
    let peer = Peer { who, listens: hello.listens, refusals };
    if served.events.send(Event::Joined { id, peer }).await.is_err() {
        return;
    }
    let why = tokio::select! {
        why = tell(&mut writing, Reader::from(hello.output_from), refused, &served) => {
            let _ = writing.shutdown().await;
            why
        }
        why = hear(&mut reading, id, &served) => why,
    };
    tracing::info!(run = %served.run, follower = id, why, "a follower has gone");
    // Where nobody attends any more, nobody counts either.
    let _ = served.events.send(Event::Left { id }).await;
}

/// Tells a follower everything in order; gives why it is told no more.
async fn tell(
    writing: &mut OwnedWriteHalf,
    mut reader: Reader,
    mut refused: mpsc::Receiver<String>,
    served: &Served,
) -> String {
    let mut version = served.board.watch();
    let mut may_be_refused = true;
    loop {
        version.borrow_and_update();
        let lines = match served.board.next(&mut reader) {
            Piece::Lines(lines) => lines,
            Piece::Output { step, from, to } => {
                let most = usize::try_from(to - from).unwrap_or(usize::MAX);
                match output::read(&served.output, from, most) {
                    Ok(piece) if !piece.text.is_empty() => {
                        let end = piece.from + piece.text.len() as u64;
                        // What cannot be read whole is not read again for ever.
                        reader.told_output(if end > from { end } else { to });
                        line(&Told::Output { step, from: piece.from, text: piece.text })
                    }
                    _ => {
                        reader.told_output(to);
                        continue;
                    }
                }
            }
            Piece::Over => return "it was told all".into(),
            Piece::Nothing => tokio::select! {
                changed = version.changed() => {
                    if changed.is_err() {
                        return "the run's process ends".into();
                    }
                    continue;
                }
                why = refused.recv(), if may_be_refused => {
                    let Some(why) = why else {
                        may_be_refused = false;
                        continue;
                    };
                    line(&Told::Refused(why))
                }
            },
        };
        if let Err(error) = writing.write_all(lines.as_bytes()).await {
            return format!("it takes nothing: {error}");
        }
    }
}

/// Takes a follower's orders until it goes; gives why.
async fn hear(reading: &mut BufReader<OwnedReadHalf>, id: u64, served: &Served) -> String {
    while let Some(line) = read_line(reading).await {
        let Ok(order) = serde_json::from_slice::<Order>(&line) else {
            return "its order is not understood".into();
        };
        if served.events.send(Event::Ordered { id, order }).await.is_err() {
            return "the run's process ends".into();
        }
    }
    "it has closed the line".into()
}

/// A line without its end; none where there is no more, or it is too long.
async fn read_line(reading: &mut BufReader<OwnedReadHalf>) -> Option<Vec<u8>> {
    let mut line = Vec::new();
    let read = reading.take(LONGEST_ORDER).read_until(b'\n', &mut line).await;
    (read.is_ok() && line.pop() == Some(b'\n')).then_some(line)
}

/// Who is at the other end, as the kernel tells: its user, and the login that
/// its process belongs to.
fn who(stream: &UnixStream, host: &str) -> Option<Who> {
    let peer = stream.peer_cred().ok()?;
    let login = peer.pid().and_then(|pid| process::login_of(&pid.to_string()));
    let uid = peer.uid();
    let user = process::user_name(uid).unwrap_or_else(|| uid.to_string());
    Some(Who { user, uid, login, host: host.to_owned(), from: None })
}
