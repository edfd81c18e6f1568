//! The little of Redis' protocol that is needed (RESP2, redis.io/docs/reference/protocol-spec).

use super::Stream;
use crate::domain::reading::PollFailure;
use crate::domain::{PollError, harmless_within};
use crate::sources::client::io_failed;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// No answer is longer.
const LONGEST: usize = 1 << 20;

/// An answer to a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reply {
    /// A simple or bulk string.
    Text(String),
    /// An error, with its code first: `NOAUTH Authentication required.`
    Error(String),
    /// A number, a list or nothing.
    Other,
}

/// A connection on which commands are asked one by one.
pub(super) struct Wire {
    stream: Box<dyn Stream>,
    got: Vec<u8>,
}

impl Wire {
    pub(super) fn new(stream: Box<dyn Stream>) -> Self {
        Self { stream, got: Vec::new() }
    }

    /// Sends a command without waiting for its answer.
    pub(super) async fn say(&mut self, words: &[&str]) -> Result<(), PollError> {
        let sent = async {
            self.stream.write_all(&request(words)).await?;
            self.stream.flush().await
        };
        sent.await.map_err(|error| broke(&error))
    }

    /// Sends a command and reads its answer.
    pub(super) async fn ask(&mut self, words: &[&str]) -> Result<Reply, PollError> {
        // A server that is full says so at once, and closes: its words are worth
        // more than the failure to write.
        let said = self.say(words).await;
        loop {
            if let Some((reply, length)) = parse(&self.got)? {
                self.got.drain(..length);
                return Ok(reply);
            }
            let mut buffer = [0; 8 << 10];
            let read = match self.stream.read(&mut buffer).await {
                Ok(0) => {
                    said?;
                    let message = "the connection was closed without an answer";
                    return Err(PollError::new(PollFailure::Network, message));
                }
                Ok(read) => read,
                Err(error) => return Err(said.err().unwrap_or_else(|| broke(&error))),
            };
            self.got.extend_from_slice(&buffer[..read]);
            if self.got.len() > LONGEST {
                return Err(PollError::new(PollFailure::TooBig, "the answer is longer than 1 MiB"));
            }
        }
    }
}

fn broke(error: &std::io::Error) -> PollError {
    io_failed(error).unwrap_or_else(|| PollError::new(PollFailure::Network, "the connection broke"))
}

/// A command as a list of bulk strings.
fn request(words: &[&str]) -> Vec<u8> {
    let mut out = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        out.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        out.extend_from_slice(word.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    out
}

/// The first answer in what came, with its length; `None` while it is not whole.
pub(super) fn parse(got: &[u8]) -> Result<Option<(Reply, usize)>, PollError> {
    let other = || PollError::broken("what answers there does not speak as Redis does");
    let Some((kind, rest)) = got.split_first() else { return Ok(None) };
    if !b"+-:$*_%,#(=>~!".contains(kind) {
        return Err(other());
    }
    let Some(end) = rest.windows(2).position(|two| two == b"\r\n") else { return Ok(None) };
    let line = String::from_utf8_lossy(&rest[..end]).into_owned();
    let after = end + 3;
    Ok(match kind {
        b'+' => Some((Reply::Text(line), after)),
        b'-' => Some((Reply::Error(line), after)),
        b'$' | b'=' | b'!' => {
            let Ok(length) = line.parse::<i64>() else { return Err(other()) };
            let Ok(length) = usize::try_from(length) else {
                return Ok(Some((Reply::Other, after)));
            };
            if length > LONGEST {
                return Err(PollError::new(PollFailure::TooBig, "the answer is longer than 1 MiB"));
            }
            got.get(after..after + length + 2).map(|bulk| {
                let text = String::from_utf8_lossy(&bulk[..length]).into_owned();
                let text =
                    if *kind == b'=' { text.get(4..).unwrap_or_default().into() } else { text };
                let reply = if *kind == b'!' { Reply::Error(text) } else { Reply::Text(text) };
                (reply, after + length + 2)
            })
        }
        // Nothing that is asked here is answered with these; what follows is not read.
        _ => Some((Reply::Other, after)),
    })
}

/// Errors to PING that are worth a look at INFO, which answers all the same.
pub(super) fn leaves_info(error: &str) -> bool {
    ["LOADING", "MISCONF", "MASTERDOWN"].iter().any(|code| error.starts_with(code))
}

/// What an error is called.
pub(super) fn refused(error: &str, with_password: bool) -> PollError {
    let code = error.split(' ').next().unwrap_or_default();
    let said = harmless_within(error.trim(), 120);
    let told = |failure, words: &str| PollError::new(failure, words.to_owned());
    match code {
        "NOAUTH" if with_password => {
            told(PollFailure::Denied, "denied: the password was not taken")
        }
        "NOAUTH" => told(PollFailure::Denied, "denied: a password is needed, and none is set"),
        "WRONGPASS" => told(PollFailure::Denied, "denied: wrong user or password"),
        "NOPERM" => told(PollFailure::Denied, "denied: this user may not do that (NOPERM)"),
        "DENIED" => told(
            PollFailure::Denied,
            "denied: protected mode takes connections from its own host only",
        ),
        "LOADING" => told(PollFailure::Busy, "loading its data from disk"),
        "BUSY" => told(PollFailure::Busy, "busy: a script runs and holds up everybody"),
        "MASTERDOWN" => told(PollFailure::Busy, "its primary is down, and it serves no old data"),
        "MISCONF" => told(PollFailure::Broken, "writes are refused: saving to disk fails"),
        "OOM" => told(PollFailure::Broken, "out of memory: writes are refused"),
        "READONLY" => told(PollFailure::Broken, "read-only: this is a replica"),
        "ERR" if error.contains("max number of clients") => {
            told(PollFailure::Busy, "too many clients: maxclients is reached")
        }
        "ERR" if error.contains("invalid password") => {
            told(PollFailure::Denied, "denied: wrong password")
        }
        "ERR" if error.contains("DB index") => {
            told(PollFailure::Absent, "absent: no such database")
        }
        _ => PollError::broken(format!("it says: {said}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_when_they_are_whole() {
        let text = |text: &str| Reply::Text(text.into());
        assert_eq!(parse(b"+PONG\r\n:1\r\n").unwrap(), Some((text("PONG"), 7)));
        assert_eq!(parse(b"$5\r\nhello\r\nrest").unwrap(), Some((text("hello"), 11)));
        assert_eq!(parse(b"=8\r\ntxt:four\r\n").unwrap(), Some((text("four"), 14)));
        assert_eq!(parse(b"$-1\r\n").unwrap(), Some((Reply::Other, 5)));
        for part in [&b""[..], b"$", b"$5\r", b"$5\r\nhell", b"$5\r\nhello\r", b"-ERR"] {
            assert_eq!(parse(part).unwrap(), None);
        }
        for wrong in [&b"HTTP/1.1 400 Bad\r\n"[..], b"$x\r\n", b"$9999999999\r\n", b"\0\0\0\r\n"] {
            assert!(parse(wrong).is_err());
        }
    }

    #[test]
    fn words_are_sent_by_their_length() {
        assert_eq!(request(&["AUTH", "a\r\nb"]), b"*2\r\n$4\r\nAUTH\r\n$4\r\na\r\nb\r\n");
    }

    #[test]
    fn each_error_has_its_word() {
        let told = |error: &str| refused(error, true);
        for (error, cause, word) in [
            (
                "WRONGPASS invalid username-password pair or user is disabled.",
                PollFailure::Denied,
                "denied",
            ),
            ("ERR invalid password", PollFailure::Denied, "denied"),
            ("NOAUTH Authentication required.", PollFailure::Denied, "denied"),
            ("ERR max number of clients reached", PollFailure::Busy, "too many clients"),
            (
                "BUSY Redis is busy running a script. You can only call SCRIPT KILL.",
                PollFailure::Busy,
                "busy",
            ),
            ("LOADING Redis is loading the dataset in memory", PollFailure::Busy, "loading"),
            (
                "OOM command not allowed when used memory > 'maxmemory'.",
                PollFailure::Broken,
                "out of memory",
            ),
            (
                "READONLY You can't write against a read only replica.",
                PollFailure::Broken,
                "read-only",
            ),
            ("ERR DB index is out of range", PollFailure::Absent, "absent"),
            ("WHAT \x1b[31mever", PollFailure::Broken, "it says: WHAT"),
        ] {
            let error = told(error);
            assert_eq!(error.cause, cause);
            assert!(error.message.starts_with(word), "{error}");
            assert!(!error.message.contains('\x1b'));
        }
    }
}
