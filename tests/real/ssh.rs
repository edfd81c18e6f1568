//! A run that was started over a real sshd: the line drops, the run goes on to its
//! next question, and whoever logs in again sees all of it.

use super::bench::{Bench, LONG, text, wait_for_half_a_second};
use super::harness::{Home, Terminal};
use super::support::{Server, free_port, program};
use super::waiting::eventually;
use opsroom::runtime::runs::process;
use portable_pty::CommandBuilder;
use rustix::process::Signal;
use std::path::PathBuf;
use std::process::Command;

/// An sshd for one key, which ends with this.
struct Sshd {
    folder: tempfile::TempDir,
    port: u16,
    ssh: PathBuf,
    _server: Server,
}

impl Sshd {
    fn start() -> Option<Self> {
        let (sshd, ssh, keygen) = (program("sshd")?, program("ssh")?, program("ssh-keygen")?);
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path().display();
        for name in ["host", "key"] {
            let mut made = Command::new(&keygen);
            made.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(folder.path().join(name));
            assert!(made.status().unwrap().success());
        }
        let port = free_port();
        let config = format!(
            "ListenAddress 127.0.0.1\nPort {port}\nHostKey {at}/host\nPidFile none\n\
             AuthorizedKeysFile {at}/key.pub\nStrictModes no\nPermitRootLogin yes\n\
             PasswordAuthentication no\nKbdInteractiveAuthentication no\nUsePAM no\n"
        );
        std::fs::write(folder.path().join("config"), config).unwrap();
        if rustix::process::geteuid().is_root() {
            // Where a package has not been started yet, it is not there.
            std::fs::create_dir_all("/run/sshd").unwrap();
        }
        let mut command = Command::new(sshd);
        command.arg("-D").arg("-f").arg(folder.path().join("config"));
        let server = Server::start(&mut command);
        let listens = || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok();
        eventually("sshd listens", LONG, listens);
        Some(Self { folder, port, ssh, _server: server })
    }

    /// The program over ssh, on a terminal there.
    fn opsroom(&self, bench: &Bench, arguments: &str) -> Terminal {
        let at = self.folder.path().display();
        let home = bench.home.path().display();
        let mut command = CommandBuilder::new(&self.ssh);
        command.args(["-F", "none", "-tt", "-p", &self.port.to_string()]);
        command.args(["-i", &format!("{at}/key"), "-o", "StrictHostKeyChecking=no"]);
        command.args(["-o", &format!("UserKnownHostsFile={at}/known"), "-o", "BatchMode=yes"]);
        command.arg(format!("{}@127.0.0.1", process::who().user));
        let program = env!("CARGO_BIN_EXE_opsroom");
        command.arg(format!("HOME={home} {program} --config {home}/config.toml {arguments}"));
        bench.home.furnish(&mut command);
        Terminal::start(command, 120, 100)
    }
}

const BOOK: &str = "# Two\n```bash {name=one reads}\necho one says hello\n\
    until test -e HOME/go; do sleep 0.1; done\necho one says bye\n```\n\
    ```bash {name=two reads}\necho two says hello\n```\n- [ ] look\n";

#[test]
fn a_line_that_drops_ends_nothing_and_a_new_login_sees_all_of_it() {
    let Some(sshd) = Sshd::start() else { return };
    let bench = Bench::at(Home::new(), "test", "", &[("two", BOOK)]);
    let mut terminal = sshd.opsroom(&bench, "run two");
    terminal.see_within("the plan", LONG, |shown| shown.contains("type start to start it"));
    wait_for_half_a_second();
    terminal.press("start\r");
    terminal.see_within("its first words", LONG, |shown| shown.contains("\none says hello"));
    // The client is gone at once; sshd hangs up on what it had started.
    terminal.signal(Signal::KILL);
    terminal.end(LONG);
    bench.home.file("go", "");
    let run = bench.run();
    eventually("it waits for a person", LONG, || {
        text(&bench.without(&["attach", &run])).contains("waits for a person")
    });
    let mut again = sshd.opsroom(&bench, &format!("attach {run}"));
    let shown = again.see_within("the question", LONG, |shown| shown.contains("type done"));
    for words in ["one says hello", "one says bye", "two says hello"] {
        assert!(shown.lines().any(|line| line == words), "{words}\n{shown}");
    }
    wait_for_half_a_second();
    again.press("done\r");
    assert_eq!(again.end(LONG).exit_code(), 11);
    assert_eq!(bench.runs()[0]["outcome"], "unproved");
}
