//! Servers that end with their test, free ports, and one poll of one config.

use opsroom::config::{Config, Mistakes};
use opsroom::domain::{CheckReading, PollError, Reading, Timestamp};
use opsroom::sources::{Brought, Shared, Source, Sources, kind_keys};
use rustix::process::{Pid, Signal, kill_process_group};
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant, SystemTime};

#[expect(clippy::disallowed_methods, reason = "this stands in for the program's clock")]
static BEGUN: LazyLock<Instant> = LazyLock::new(Instant::now);

/// The time since the test began.
pub(crate) fn monotonic() -> Duration {
    BEGUN.elapsed()
}

/// The present moment.
#[expect(clippy::disallowed_methods, reason = "this stands in for the program's clock")]
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap())
}

/// A program's path, or `None` with a printed reason.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    let folders =
        "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin:/usr/lib/nagios/plugins";
    let found = folders.split(':').map(|folder| Path::new(folder).join(name)).find(|p| p.is_file());
    if found.is_none() {
        let all = std::env::var_os("OPSROOM_REAL").is_some_and(|value| value == "all");
        assert!(!all, "{name} is not installed");
        println!("skipped: {name} is not installed");
    }
    found
}

/// A port that nobody listens on.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A server in a process group of its own, which ends with this.
pub(crate) struct Server {
    child: Child,
}

impl Server {
    pub(crate) fn start(command: &mut Command) -> Self {
        Self::telling(command, Stdio::null())
    }

    /// The same, and what it prints goes there.
    pub(crate) fn telling(command: &mut Command, stdout: impl Into<Stdio>) -> Self {
        let quiet = command.stdin(Stdio::null()).stdout(stdout).stderr(Stdio::null());
        Self { child: quiet.process_group(0).spawn().unwrap() }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        let _ = kill_process_group(pid, signal);
        if signal == Signal::STOP {
            self.until_stopped();
        }
    }

    /// A signal is sent before it is obeyed: on a busy machine a thread may
    /// answer once more.
    fn until_stopped(&self) {
        let stopped = |stat: String| stat.rsplit(") ").next().is_some_and(|s| s.starts_with('T'));
        let tasks = format!("/proc/{}/task", self.child.id());
        let all_stopped = || {
            std::fs::read_dir(&tasks).unwrap().all(|task| {
                std::fs::read_to_string(task.unwrap().path().join("stat")).map_or(true, stopped)
            })
        };
        for _ in 0..50_000 {
            if all_stopped() {
                return;
            }
            std::thread::yield_now();
        }
        assert!(all_stopped(), "the server does not stop");
    }

    /// Ends it as a crash does.
    pub(crate) fn kill(&mut self) {
        self.signal(Signal::KILL);
        let _ = self.child.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Waits until somebody listens on a port.
pub(crate) async fn listens(port: u16) {
    until("the port listens", || async move {
        tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok()
    })
    .await;
}

/// Waits until something holds, half a minute at most.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, holds: impl Fn() -> F) {
    let all = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(30), all).await.is_ok(), "{what}: never");
}

/// All sources of a config without mistakes.
pub(crate) fn sources(text: &str) -> Sources {
    let mut mistakes = Mistakes::default();
    let config = Config::read(text, &kind_keys(), &mut mistakes);
    let sources = Sources::of(&config, &Shared::new(monotonic, 10), &mut mistakes);
    assert!(mistakes.is_empty(), "{:?}", mistakes.in_order());
    sources
}

/// The only check of a config; `check` is what stands in its table.
pub(crate) fn check_source(check: &str) -> Arc<dyn Source> {
    let sources = sources(&format!("[service.x.check.y]\ntimeout = '2s'\n{check}"));
    Arc::clone(&sources.all[0])
}

pub(crate) async fn reading(source: &dyn Source) -> CheckReading {
    match source.poll(now()).await {
        Ok(Brought::Reading(Reading::Check(reading))) => reading,
        other => panic!("no answer of a check: {other:?}"),
    }
}

/// One poll of one check.
pub(crate) async fn check(table: &str) -> CheckReading {
    reading(&*check_source(table)).await
}

/// One poll of one source that brings a page or a server's reading.
pub(crate) async fn poll(source: &dyn Source) -> Result<Brought, PollError> {
    source.poll(now()).await
}

/// Writes supervisord's config into this folder: for these programs, in whose
/// words DIR is the folder; with the lines of a login, where one is wanted.
pub(crate) fn supervisor_conf(folder: &Path, login: &str, programs: &str) -> PathBuf {
    let dir = folder.to_str().unwrap();
    let config = format!(
        "[unix_http_server]\nfile=DIR/s.sock\n{login}[supervisord]\nlogfile=DIR/s.log\n\
         pidfile=DIR/s.pid\nnodaemon=true\nchildlogdir=DIR\n[rpcinterface:supervisor]\n\
         supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface\n\
         [supervisorctl]\nserverurl=unix://DIR/s.sock\n{login}{programs}"
    );
    let path = folder.join("s.conf");
    std::fs::write(&path, config.replace("DIR", dir)).unwrap();
    path
}
