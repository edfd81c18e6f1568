//! A home with runbooks and a service, and the program in it on a terminal.

use super::harness::{Home, Terminal};
use super::waiting::{SOON, eventually, now};
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// A step that the run's process shall carry out is seen to end within this.
pub(crate) const LONG: Duration = Duration::from_mins(1);

/// A home with a config, a service that answers, and runbooks.
pub(crate) struct Bench {
    pub(crate) home: Home,
    pub(crate) config: PathBuf,
    /// As long as it is held, the service is ok.
    _service: TcpListener,
}

impl Bench {
    pub(crate) fn new(books: &[(&str, &str)]) -> Self {
        Self::with("", books)
    }

    pub(crate) fn with(more: &str, books: &[(&str, &str)]) -> Self {
        Self::at(Home::new(), "test", more, books)
    }

    /// In a home that is there already, in an environment of this name.
    pub(crate) fn at(home: Home, environment: &str, more: &str, books: &[(&str, &str)]) -> Self {
        let service = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = service.local_addr().unwrap();
        let config = format!(
            "environment = {environment:?}\n[poll]\nevery = \"1s\"\n{more}\n\
             [service.api]\ntcp = \"{address}\"\n"
        );
        let config = home.file("config.toml", &config);
        std::fs::create_dir(home.path().join("runbooks")).unwrap();
        for (name, text) in books {
            home.file(
                &format!("runbooks/{name}.md"),
                &text.replace("HOME", &home.path().to_string_lossy()),
            );
        }
        Self { home, config, _service: service }
    }

    pub(crate) fn terminal(&self, arguments: &[&str]) -> Terminal {
        let mut all = vec!["--config", self.config.to_str().unwrap()];
        all.extend(arguments);
        Terminal::start(self.home.opsroom(&all), 120, 100)
    }

    /// The program without a terminal, to its end.
    pub(crate) fn without(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_opsroom"))
            .arg("--config")
            .arg(&self.config)
            .args(arguments)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", self.home.path())
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    /// The runs of this home.
    pub(crate) fn runs(&self) -> Vec<serde_json::Value> {
        let listed = self.without(&["runs", "--json"]);
        serde_json::from_slice(&listed.stdout).unwrap()
    }

    /// The name of the only run.
    pub(crate) fn run(&self) -> String {
        let runs = self.runs();
        assert_eq!(runs.len(), 1, "{runs:#?}");
        runs[0]["run"].as_str().unwrap().to_owned()
    }

    pub(crate) fn exists(&self, name: &str) -> bool {
        self.home.path().join(name).exists()
    }

    /// Kills the processes that carry out its runs; says how many there were.
    pub(crate) fn kill_runs(&self) -> usize {
        let config = self.config.to_string_lossy().into_owned();
        let conducts = |pid: &Pid| {
            let pid = pid.as_raw_nonzero();
            let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line);
            line.contains(&config) && line.contains("conduct")
        };
        let entries = std::fs::read_dir("/proc").unwrap().flatten();
        let pids = entries.filter_map(|entry| entry.file_name().to_string_lossy().parse().ok());
        let ours: Vec<Pid> = pids.filter_map(Pid::from_raw).filter(conducts).collect();
        ours.iter().filter(|pid| kill_process(**pid, Signal::KILL).is_ok()).count()
    }
}

impl Drop for Bench {
    /// Ends the processes of runs that wait for a person.
    fn drop(&mut self) {
        self.kill_runs();
    }
}

pub(crate) fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// Nothing is typed until the question takes an answer.
pub(crate) fn wait_for_half_a_second() {
    let until = now() + Duration::from_millis(900);
    eventually("half a second", SOON, || now() >= until);
}

/// A service that says over HTTP how it is: well unless a file lies there, and
/// for as long as this is held. Its metrics count one error with each request.
pub(crate) struct Web {
    pub(crate) address: String,
    pub(crate) url: String,
    stop: Arc<AtomicBool>,
}

impl Web {
    pub(crate) fn ill_while(file: &Path) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let url = format!("http://{address}/healthz");
        let stop = Arc::<AtomicBool>::default();
        let (stopped, file) = (Arc::clone(&stop), file.to_path_buf());
        std::thread::spawn(move || {
            let mut errors = 0;
            for mut stream in listener.incoming().flatten() {
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                let _ = stream.set_read_timeout(Some(Duration::from_secs(2)));
                let mut lines = BufReader::new(&stream).lines().map_while(Result::ok);
                let asked = lines.next().unwrap_or_default();
                while lines.next().is_some_and(|line| !line.is_empty()) {}
                errors += 1;
                let (status, body) = if asked.starts_with("GET /metrics") {
                    ("200 OK", format!("errors_total {errors}\nfaults_total 0\n"))
                } else if file.exists() {
                    ("503 Ill", "ill\n".to_owned())
                } else {
                    ("200 OK", "ok\n".to_owned())
                };
                let length = body.len();
                // Who has gone is answered nothing.
                let _ = write!(
                    stream,
                    "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
                );
            }
        });
        Self { address, url, stop }
    }
}

impl Drop for Web {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // Its thread looks up.
        let _ = std::net::TcpStream::connect(&self.address);
    }
}
