//! The `systemd` check against a real systemd: a user's manager in a mount
//! namespace and a control group of its own, which needs root.

use super::support::{Server, reading, sources, until};
use opsroom::domain::Status;
use opsroom::sources::Source;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

/// A user's manager starts only where `/run/systemd/system` is, so it gets a
/// `/run/systemd` of its own.
const SCRIPT: &str = r#"
for root in /sys/fs/cgroup/systemd /sys/fs/cgroup/unified /sys/fs/cgroup; do
  [ -f $root/cgroup.procs ] && mkdir -p $root/$2 2>/dev/null &&
    echo $$ 2>/dev/null > $root/$2/cgroup.procs
done
mount -t tmpfs tmpfs /run/systemd && mkdir -p /run/systemd/system || exit 1
echo $$ > "$1/sd.pid"
exec /lib/systemd/systemd --user --log-target=null
"#;

const UNITS: &[(&str, &str)] = &[
    (
        "web",
        "ExecStart=/bin/sleep 1000\nRestart=always\nRestartSec=100ms\nEnvironment=TOKEN=swordfish",
    ),
    ("crashy", "ExecStart=/bin/sh -c 'sleep 0.1; exit 3'\nRestart=on-failure\nRestartSec=50ms"),
    ("slowly", "ExecStart=/bin/sh -c 'exit 4'\nRestart=always\nRestartSec=1000"),
    ("nobin", "ExecStart=/no/such/bin"),
    ("job", "Type=oneshot\nExecStart=/bin/true"),
];

/// A manager that ends with this, and all that it started.
pub(crate) struct Manager {
    folder: PathBuf,
    group: String,
    pid: String,
    _server: Server,
}

impl Manager {
    /// None, with words, where that cannot be.
    pub(crate) async fn start(folder: &Path, all: &[(&str, &str)]) -> Option<Self> {
        if !rustix::process::getuid().is_root() || !Path::new("/lib/systemd/systemd").is_file() {
            println!("skipped: a systemd of one's own needs root and systemd");
            return None;
        }
        let units = folder.join("home/.config/systemd/user");
        std::fs::create_dir_all(&units).unwrap();
        std::fs::create_dir_all(folder.join("xdg")).unwrap();
        for (name, lines) in all {
            let limit = if *name == "crashy" {
                "[Unit]\nStartLimitBurst=3\nStartLimitIntervalSec=30\n"
            } else {
                ""
            };
            std::fs::write(
                units.join(format!("{name}.service")),
                format!("{limit}[Service]\n{lines}\n"),
            )
            .unwrap();
        }
        let name = folder.file_name().unwrap().to_string_lossy();
        let group = format!("opsroom-test-{}-{name}", std::process::id());
        let mut command = Command::new("unshare");
        command.args(["-m", "/bin/sh", "-c", SCRIPT, "sh"]).arg(folder).arg(&group);
        command.env("XDG_RUNTIME_DIR", folder.join("xdg")).env("HOME", folder.join("home"));
        let server = Server::start(&mut command);
        let folder = folder.to_owned();
        Self { folder, group, pid: String::new(), _server: server }.wait().await
    }

    /// Ten seconds are given it to answer.
    async fn wait(mut self) -> Option<Self> {
        for _ in 0..100 {
            tokio::time::sleep(Duration::from_millis(100)).await;
            let pid = std::fs::read_to_string(self.folder.join("sd.pid")).unwrap_or_default();
            self.pid = pid.trim().into();
            if !self.pid.is_empty() && self.control(&["show", "-p", "Version"]) {
                return Some(self);
            }
        }
        println!(
            "skipped: no systemd of one's own can be started here (namespaces, control groups)"
        );
        None
    }

    pub(crate) fn via(&self) -> Vec<String> {
        let at = self.folder.display();
        let words = ["nsenter", "-t", &self.pid, "-m", "env"].map(String::from);
        let env = [format!("XDG_RUNTIME_DIR={at}/xdg"), format!("HOME={at}/home")];
        words.into_iter().chain(env).collect()
    }

    pub(crate) fn control(&self, words: &[&str]) -> bool {
        let via = self.via();
        let mut command = Command::new(&via[0]);
        command.args(&via[1..]).args(["systemctl", "--user", "--no-pager"]).args(words);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().unwrap().success()
    }

    fn check(&self, units: &str) -> Arc<dyn Source> {
        let via = format!("{:?}", self.via());
        let text = format!(
            "[service.x.check.y]\ntimeout = '20s'\nuser = true\nsystemd = {units}\nvia = {via}"
        );
        Arc::clone(&sources(&text).all[0])
    }
}

impl Drop for Manager {
    fn drop(&mut self) {
        if !self.pid.is_empty() {
            self.control(&["exit"]);
        }
        let line = "for root in /sys/fs/cgroup/systemd /sys/fs/cgroup/unified /sys/fs/cgroup; do \
                    find $root/$1 -name cgroup.procs -exec cat {} + 2>/dev/null; done | sort -u | \
                    xargs -r kill -9 2>/dev/null; sleep 0.3; \
                    for root in /sys/fs/cgroup/systemd /sys/fs/cgroup/unified /sys/fs/cgroup; do \
                    find $root/$1 -depth -type d -exec rmdir {} + 2>/dev/null; done";
        let _ = Command::new("/bin/sh").args(["-c", line, "sh", &self.group]).status();
    }
}

async fn until_it_says(source: &dyn Source, words: &str) {
    until(words, || async { reading(source).await.summary.starts_with(words) }).await;
}

#[tokio::test]
async fn every_fault_has_its_word() {
    let folder = tempfile::tempdir().unwrap();
    let Some(manager) = Manager::start(folder.path(), UNITS).await else { return };
    manager.control(&["start", "web", "crashy", "slowly", "nobin"]);
    let web = manager.check("'web.service'");
    until_it_says(&*web, "active (running)").await;
    let answer = reading(&*web).await;
    assert_eq!(answer.status, Status::Ok, "{answer:?}");
    assert!(!format!("{answer:?}").contains("swordfish"));
    until_it_says(&*manager.check("'crashy.service'"), "failed, given up").await;
    until_it_says(&*manager.check("'slowly.service'"), "waits to be restarted: exit code 4").await;
    until_it_says(&*manager.check("'nobin.service'"), "failed").await;
    let answer = reading(&*manager.check("['nobin.service', 'nope.service', 'job.service']")).await;
    let told: Vec<&str> = answer.components.iter().map(|part| part.detail.as_str()).collect();
    assert!(told[0].ends_with("exit code 203: its program cannot be run"), "{told:?}");
    assert_eq!(told[1..], ["no such unit", "a job that has not run yet"]);
    manager.control(&["kill", "--signal=KILL", "web"]);
    until_it_says(&*web, "came back by itself, running").await;
    assert_eq!(reading(&*web).await.status, Status::Warning);
    manager.control(&["stop", "web"]);
    until_it_says(&*web, "stopped").await;
}
