//! Who a process is: told apart from a later one with the same number, and
//! from another person's with the same user.

use crate::domain::runs::{ProcessId, Who};
use std::fs;
use std::io;
use std::sync::Arc;

/// The process of this number, if there is one.
pub fn process_id(pid: u32) -> Option<ProcessId> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, start) = state_and_start(&stat)?;
    Some(ProcessId { pid, start, boot: boot_id().ok()? })
}

/// This process.
pub fn own() -> io::Result<ProcessId> {
    process_id(std::process::id())
        .ok_or_else(|| io::Error::other("/proc does not tell about this process"))
}

/// Whether that very process still lives. A zombie has ended.
pub fn is_alive(process: &ProcessId) -> bool {
    let Ok(stat) = fs::read_to_string(format!("/proc/{}/stat", process.pid)) else { return false };
    state_and_start(&stat)
        .is_some_and(|(state, start)| start == process.start && !matches!(state, 'Z' | 'X'))
        && boot_id().is_ok_and(|boot| boot == process.boot)
}

/// The boot that this host is in, as the kernel names it.
pub fn boot_id() -> io::Result<Arc<str>> {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
    Ok(id.trim().into())
}

/// State and start time of a line of `/proc/PID/stat`: fields 3 and 22 (proc(5)).
/// The name before them may hold blanks and brackets.
fn state_and_start(stat: &str) -> Option<(char, u64)> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace();
    let state = fields.next()?.chars().next()?;
    Some((state, fields.nth(18)?.parse().ok()?))
}

/// Who runs this process: user, login, host, and where they came from.
pub fn who() -> Who {
    let uid = rustix::process::getuid().as_raw();
    Who {
        user: user_name(uid).unwrap_or_else(|| uid.to_string()),
        uid,
        login: login_of("self"),
        host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
        from: std::env::var("SSH_CONNECTION")
            .ok()
            .and_then(|it| it.split(' ').next().map(str::to_owned))
            .filter(|it| !it.is_empty()),
    }
}

/// The login uid of a process (`/proc/PID/loginuid`); none where it was never set.
pub fn login_of(pid: &str) -> Option<u32> {
    let text = fs::read_to_string(format!("/proc/{pid}/loginuid")).ok()?;
    text.trim().parse().ok().filter(|uid| *uid != u32::MAX)
}

/// The name of a user, as `/etc/passwd` has it.
pub fn user_name(uid: u32) -> Option<String> {
    let passwd = fs::read_to_string("/etc/passwd").ok()?;
    user_of(uid, &passwd).map(str::to_owned)
}

/// The name of a user in the text of passwd(5). It tells who one really is,
/// which `$USER` does not after `sudo -E`.
fn user_of(uid: u32, passwd: &str) -> Option<&str> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_itself_and_no_later_one() {
        let own = own().unwrap();
        assert!(is_alive(&own));
        assert!(!is_alive(&ProcessId { start: own.start + 1, ..own.clone() }));
        assert!(!is_alive(&ProcessId { boot: "another".into(), ..own }));
    }

    #[test]
    fn odd_names_of_programs_do_not_confuse() {
        let stat = "7 (a) b (c) R 1 7 7 0 -1 0 1 2 3 4 5 6 7 8 9 10 11 12 4242 5 6";
        assert_eq!(state_and_start(stat), Some(('R', 4242)));
        assert_eq!(state_and_start("7 (x"), None);
    }

    #[test]
    fn somebody_runs_this() {
        let who = who();
        assert_eq!(who.uid, rustix::process::getuid().as_raw());
        assert!(!who.host.is_empty());
    }

    #[test]
    fn a_user_is_found_by_number() {
        let passwd =
            "root:x:0:0:root:/root:/bin/bash\n\nbroken\nli:x:1000:1000::/home/li:/bin/sh\n";
        assert_eq!(user_of(0, passwd), Some("root"));
        assert_eq!(user_of(1000, passwd), Some("li"));
        assert_eq!(user_of(7, passwd), None);
    }
}
