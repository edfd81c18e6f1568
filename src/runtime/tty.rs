//! What the console and the plain terminal both do with the descriptor of a terminal.

use super::descriptors::write_while;
use ratatui::layout::Size;
use rustix::fs::{Mode, OFlags};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use tokio::io::unix::AsyncFd;

/// A terminal that takes nothing is tried so often, each time after 4 ms.
const PATIENCE: usize = 25;

/// Opens the terminal behind one of the standard streams anew, so that "do not
/// wait" is not set for the shell's own use of it, which shares their description.
/// Needs a tokio runtime.
pub(super) fn own_description(stream: u8) -> io::Result<AsyncFd<OwnedFd>> {
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let opened = rustix::fs::open(format!("/proc/self/fd/{stream}"), flags, Mode::empty())
        .or_else(|_| rustix::fs::open("/dev/tty", flags, Mode::empty()))?;
    watched(opened)
}

#[expect(
    deprecated,
    reason = "its successor is unsafe code; an owned descriptor fulfils its terms"
)]
fn watched(fd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    AsyncFd::new(fd)
}

/// Writes a few bytes that must not be lost, to a terminal that does not wait. It
/// refuses them while it is full, and while somebody else is in the middle of
/// writing to it: then they are tried again, for a tenth of a second in all.
pub(super) fn write_patiently(fd: impl AsFd, bytes: &[u8]) {
    let mut tries = 0..PATIENCE;
    // One that takes nothing for so long, or is gone, gets nothing back.
    let _ = write_while(fd, bytes, || tries.next().is_some());
}

/// Columns and rows, without a question to the terminal.
pub(super) fn size_of(fd: impl AsFd) -> Size {
    let from_env = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    match rustix::termios::tcgetwinsize(fd) {
        Ok(size) if size.ws_col > 0 && size.ws_row > 0 => Size::new(size.ws_col, size.ws_row),
        _ => Size::new(from_env("COLUMNS").unwrap_or(80), from_env("LINES").unwrap_or(24)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::event::{Timespec, poll};
    use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};

    /// A terminal: who shows it, and who writes to it without waiting.
    fn terminal() -> (OwnedFd, OwnedFd) {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let shows = openpt(flags).unwrap();
        grantpt(&shows).unwrap();
        unlockpt(&shows).unwrap();
        let writes = ioctl_tiocgptpeer(&shows, flags).unwrap();
        rustix::io::ioctl_fionbio(&writes, true).unwrap();
        (shows, writes)
    }

    /// Writes until it takes nothing; how much it took.
    fn fill(writes: &OwnedFd) -> usize {
        let mut filled = 0;
        while let Ok(count) = rustix::io::write(writes, &[b'.'; 256]) {
            filled += count;
        }
        filled
    }

    #[test]
    fn a_full_terminal_that_takes_again_gets_the_bytes_and_all_of_them() {
        let (shows, writes) = terminal();
        let filled = fill(&writes);
        assert!(filled > 0);
        let reader = std::thread::spawn(move || {
            // The writer has met a full terminal by then.
            let moment = Timespec { tv_sec: 0, tv_nsec: 4_000_000 };
            let _ = poll(&mut [], Some(&moment));
            let (mut all, mut piece) = (Vec::new(), [0; 1_000]);
            while !all.ends_with(b"wanted") {
                let count = rustix::io::read(&shows, &mut piece).unwrap();
                all.extend_from_slice(&piece[..count]);
            }
            all.len()
        });
        write_patiently(&writes, b"wanted");
        drop(writes);
        assert_eq!(reader.join().unwrap(), filled + "wanted".len());
    }

    #[test]
    fn another_writer_in_the_middle_of_its_text_does_not_cost_the_bytes() {
        let (shows, writes) = terminal();
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let other = ioctl_tiocgptpeer(&shows, flags).unwrap();
        let text = vec![b'.'; 200_000];
        let whole = text.len();
        let (begun, begins) = std::sync::mpsc::channel();
        let writer = std::thread::spawn(move || {
            begun.send(()).unwrap();
            rustix::io::write(&other, &text).unwrap()
        });
        begins.recv().unwrap();
        let reader = std::thread::spawn(move || {
            let (mut all, mut piece) = (Vec::new(), [0; 1_000]);
            while all.len() < whole + "wanted".len() {
                let count = rustix::io::read(&shows, &mut piece).unwrap();
                all.extend_from_slice(&piece[..count]);
            }
            String::from_utf8(all).unwrap().contains("wanted")
        });
        write_patiently(&writes, b"wanted");
        assert_eq!(writer.join().unwrap(), whole);
        drop(writes);
        assert!(reader.join().unwrap());
    }

    #[test]
    fn one_that_takes_nothing_holds_nobody_up_for_good() {
        let (shows, writes) = terminal();
        fill(&writes);
        write_patiently(&writes, b"wanted");
        drop(shows);
        write_patiently(&writes, b"wanted");
    }
}
