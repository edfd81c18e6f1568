//! How many files and sockets this process may have open, and writing to those
//! that it shares with others.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::os::fd::AsFd;

/// Sockets and files that are open beside those of the sources.
const OTHERS: u64 = 200;

/// Lets the process have a socket open for each source and some files, as far
/// as the system's hard limit goes; many systems begin at 1,024 in all.
pub fn make_room_for(sources: usize) {
    let wanted = u64::try_from(sources).unwrap_or(u64::MAX).saturating_mul(2) + OTHERS;
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_none_or(|current| current >= wanted) {
        return;
    }
    let current = maximum.map_or(wanted, |maximum| maximum.min(wanted));
    let raised = setrlimit(Resource::Nofile, Rlimit { current: Some(current), maximum });
    if let Err(error) = raised {
        tracing::warn!(%error, wanted, "the limit of open files stays");
    }
}

/// A descriptor that refuses although it has room, since another is writing to
/// the same terminal, is tried again after this.
const MOMENT: Timespec = Timespec { tv_sec: 0, tv_nsec: 4_000_000 };
const SECOND: Timespec = Timespec { tv_sec: 1, tv_nsec: 0 };

/// Writes all of it, and waits for that, also where somebody who shares the
/// descriptor has told it not to wait: a terminal or a pipe of a shell is
/// handed on as its last user left it.
pub fn write_whole(fd: impl AsFd, bytes: &[u8]) -> std::io::Result<()> {
    write_while(&fd, bytes, || {
        // Whatever it says, the next writing says it, too.
        let _ = poll(&mut [PollFd::new(&fd, PollFlags::OUT)], Some(&SECOND));
        true
    })
}

/// Writes all of it; where the descriptor takes nothing now, `again` says
/// whether it is tried once more after a moment.
pub(super) fn write_while(
    fd: impl AsFd,
    mut bytes: &[u8],
    mut again: impl FnMut() -> bool,
) -> std::io::Result<()> {
    while !bytes.is_empty() {
        match rustix::io::write(&fd, bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) if again() => {
                let _ = poll(&mut [], Some(&MOMENT));
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    #[test]
    fn a_pipe_that_was_told_not_to_wait_gets_all_of_it() {
        let (mut reader, writer) = std::io::pipe().unwrap();
        rustix::io::ioctl_fionbio(&writer, true).unwrap();
        let bytes = vec![7; 1 << 20];
        let reading = std::thread::spawn(move || {
            let mut all = Vec::new();
            reader.read_to_end(&mut all).unwrap();
            all.len()
        });
        write_whole(&writer, &bytes).unwrap();
        drop(writer);
        assert_eq!(reading.join().unwrap(), 1 << 20);
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let gone = write_whole(&writer, b"x").unwrap_err();
        assert_eq!(gone.kind(), std::io::ErrorKind::BrokenPipe);
    }

    #[test]
    fn the_limit_is_raised_as_far_as_allowed_and_never_lowered() {
        let before = getrlimit(Resource::Nofile).current;
        make_room_for(10);
        assert!(getrlimit(Resource::Nofile).current >= before);
        make_room_for(2_000);
        let now = getrlimit(Resource::Nofile);
        assert!(now.current.is_none_or(|current| current >= 4_200 || Some(current) == now.maximum));
    }
}
