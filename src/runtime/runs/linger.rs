//! Whether what a user starts goes on when they log out: logind ends a session's
//! processes where it is told to (`KillUserProcesses`, logind.conf(5)).

use super::process::user_name;
use std::fs;
use std::path::Path;

/// Where drop-ins for logind lie, those named later count more (logind.conf(5)).
const FOLDERS: [&str; 4] = [
    "/usr/lib/systemd/logind.conf.d",
    "/usr/local/lib/systemd/logind.conf.d",
    "/run/systemd/logind.conf.d",
    "/etc/systemd/logind.conf.d",
];
/// The main file; the first that is there counts, and less than any drop-in.
const FILES: [&str; 3] =
    ["/etc/systemd/logind.conf", "/run/systemd/logind.conf", "/usr/lib/systemd/logind.conf"];

/// Whether a run that is started here outlives the login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Survives {
    /// It does.
    Yes,
    /// It does in a scope of its own: this before the command starts it in one.
    InScope(Vec<String>),
    /// It does not, and nothing here can change that. In words.
    No(String),
}

/// What is known about logind and this login.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a question of its own")]
struct Seen {
    /// The process is part of a session (its cgroup is `session-N.scope`).
    in_session: bool,
    /// logind ends what a session leaves behind.
    kills: bool,
    /// `systemd-run` is there, and the user's own manager answers.
    manager: bool,
    /// This user's manager goes on without a login.
    lingers: bool,
}

/// Looks whether a run that this process starts outlives the login.
pub fn survives_logout() -> Survives {
    let uid = rustix::process::getuid().as_raw();
    let user = user_name(uid).unwrap_or_default();
    let cgroup = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let in_session = Path::new("/run/systemd/seats").is_dir() && is_in_session(&cgroup);
    let is_program = |name: &str| {
        std::env::var_os("PATH").is_some_and(|path| {
            std::env::split_paths(&path).any(|folder| folder.join(name).is_file())
        })
    };
    let runtime = format!("/run/user/{uid}");
    judged(&Seen {
        in_session,
        kills: in_session && kills(&settings(), &user, uid),
        manager: Path::new(&runtime).join("systemd/private").exists() && is_program("systemd-run"),
        lingers: Path::new("/var/lib/systemd/linger").join(&user).exists(),
    })
}

fn judged(seen: &Seen) -> Survives {
    if !seen.in_session || !seen.kills {
        return Survives::Yes;
    }
    let why = "logind ends this user's processes at logout (KillUserProcesses)";
    if !seen.lingers {
        // The user's manager, and every scope in it, ends with the last session.
        return Survives::No(format!(
            "{why}, and the user's services with them: `loginctl enable-linger` keeps them"
        ));
    }
    if !seen.manager {
        return Survives::No(format!("{why}, and there is no `systemd-run --user` to go on in"));
    }
    let words = ["systemd-run", "--user", "--scope", "--quiet", "--collect", "--"];
    Survives::InScope(words.map(str::to_owned).to_vec())
}

/// Whether a line of `/proc/PID/cgroup` puts a process into a login session
/// (cgroups(7): `0::/user.slice/user-1000.slice/session-3.scope`).
fn is_in_session(cgroup: &str) -> bool {
    cgroup.lines().any(|line| {
        let path = line.splitn(3, ':').nth(2).unwrap_or_default();
        path.split('/').any(|part| {
            part.strip_prefix("session-").is_some_and(|rest| rest.strip_suffix(".scope").is_some())
        })
    })
}

/// The texts of logind's settings, in the order in which they count.
fn settings() -> Vec<String> {
    let main = FILES.iter().find_map(|file| fs::read_to_string(file).ok());
    let mut named: Vec<(String, String)> = Vec::new();
    for folder in FOLDERS {
        for file in fs::read_dir(folder).into_iter().flatten().flatten() {
            let name = file.file_name().to_string_lossy().into_owned();
            let Ok(text) = fs::read_to_string(file.path()) else { continue };
            if Path::new(&name).extension().is_some_and(|ending| ending == "conf") {
                // One of the same name in a later folder stands in its place.
                named.retain(|(other, _)| *other != name);
                named.push((name, text));
            }
        }
    }
    named.sort();
    main.into_iter().chain(named.into_iter().map(|(_, text)| text)).collect()
}

/// Whether these settings end what this user leaves behind. Without any, logind
/// ends nothing in Debian, Ubuntu and Fedora; the program's own default is yes
/// where it was built so, which their files then say.
fn kills(settings: &[String], user: &str, uid: u32) -> bool {
    let (mut kills, mut only, mut exclude) = (false, Vec::new(), vec!["root".to_owned()]);
    for line in settings.iter().flat_map(|text| text.lines()) {
        let Some((key, value)) = line.split_once('=') else { continue };
        let value = value.trim();
        let names = || value.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        match key.trim() {
            "KillUserProcesses" => {
                kills = matches!(
                    value.to_ascii_lowercase().as_str(),
                    "1" | "yes" | "y" | "true" | "t" | "on"
                );
            }
            "KillOnlyUsers" => only = names(),
            "KillExcludeUsers" => exclude = names(),
            _ => {}
        }
    }
    let uid = uid.to_string();
    let named = |list: &[String]| list.iter().any(|it| it == user || *it == uid);
    kills && !named(&exclude) && (only.is_empty() || named(&only))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(texts: &[&str], user: &str, uid: u32) -> bool {
        let texts: Vec<String> = texts.iter().map(|&it| it.to_owned()).collect();
        kills(&texts, user, uid)
    }

    #[test]
    fn settings_are_read_as_logind_reads_them() {
        let debian = "[Login]\n#KillUserProcesses=no\n#KillExcludeUsers=root\n";
        assert!(!of(&[], "li", 1000));
        assert!(!of(&[debian], "li", 1000));
        assert!(of(&["[Login]\nKillUserProcesses=yes"], "li", 1000));
        assert!(of(&["KillUserProcesses = TRUE "], "li", 1000));
        // A later file counts more.
        assert!(!of(&["KillUserProcesses=yes", "KillUserProcesses=no"], "li", 1000));
        assert!(of(&[debian, "[Login]\nKillUserProcesses=on"], "li", 1000));
        // root is left alone, unless the list says otherwise.
        assert!(!of(&["KillUserProcesses=yes"], "root", 0));
        assert!(of(&["KillUserProcesses=yes\nKillExcludeUsers=li"], "root", 0));
        assert!(!of(&["KillUserProcesses=yes\nKillExcludeUsers=wang 1000"], "li", 1000));
        assert!(!of(&["KillUserProcesses=yes\nKillOnlyUsers=wang"], "li", 1000));
        assert!(of(&["KillUserProcesses=yes\nKillOnlyUsers=wang li"], "li", 1000));
    }

    #[test]
    fn a_session_is_told_apart_from_a_service() {
        assert!(is_in_session("0::/user.slice/user-1000.slice/session-3.scope\n"));
        assert!(is_in_session("1:name=systemd:/user.slice/user-0.slice/session-c1.scope\n0::/x"));
        for cgroup in [
            "0::/system.slice/opsroom.service\n",
            "0::/user.slice/user-1000.slice/user@1000.service/app.slice/run-1.scope\n",
            "0::/\n",
            "",
            "odd",
        ] {
            assert!(!is_in_session(cgroup), "{cgroup}");
        }
    }

    #[test]
    fn a_run_goes_on_by_itself_in_a_scope_or_not_at_all() {
        let all = Seen { in_session: true, kills: true, manager: true, lingers: true };
        assert_eq!(judged(&Seen { kills: false, ..all.clone() }), Survives::Yes);
        assert_eq!(judged(&Seen { in_session: false, ..all.clone() }), Survives::Yes);
        let Survives::InScope(words) = judged(&all) else { panic!("{:?}", judged(&all)) };
        assert_eq!(words[..3], ["systemd-run", "--user", "--scope"]);
        let Survives::No(why) = judged(&Seen { lingers: false, ..all.clone() }) else { panic!() };
        assert!(why.ends_with("`loginctl enable-linger` keeps them"), "{why}");
        let Survives::No(why) = judged(&Seen { manager: false, ..all }) else { panic!() };
        assert!(why.contains("no `systemd-run --user`"), "{why}");
    }

    #[test]
    fn this_host_gives_an_answer() {
        // Whatever it is: it is no panic, and what is in no session survives.
        let cgroup = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        assert!(is_in_session(&cgroup) || survives_logout() == Survives::Yes);
    }
}
