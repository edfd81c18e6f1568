//! From a fault to the alert on the screen: 40 services at a 10 s interval, one
//! after the other begins to answer 503; and from the last poll's answer to the
//! screen. The release binary runs in a terminal.
//!
//! `cargo build --release && cargo bench --bench notice`; takes about 40 s.

#![expect(clippy::unwrap_used, reason = "a benchmark may stop at the first surprise")]
#![expect(clippy::print_stdout, reason = "the figures are what it is run for")]

use opsroom::runtime::clock::instant;
use portable_pty::{CommandBuilder, PtySize, native_pty_system};
use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::Instant;

const SERVICES: usize = 40;
const EVERY: Duration = Duration::from_secs(10);

/// What happened to one service.
#[derive(Clone, Copy, Default)]
struct Story {
    broken: Option<Instant>,
    /// The last time it answered 503.
    refused: Option<Instant>,
    seen: Option<Instant>,
    /// When the answer that decided was given.
    decided: Option<Instant>,
}

type Stories = Arc<Mutex<Vec<Story>>>;

fn answer(mut stream: TcpStream, stories: &Stories) {
    let mut request = [0; 2048];
    while let Ok(count) = stream.read(&mut request) {
        if count == 0 {
            return;
        }
        let text = String::from_utf8_lossy(&request[..count]).into_owned();
        let path = text.split_whitespace().nth(1).unwrap_or("/");
        let Ok(index) = path.trim_start_matches('/').parse::<usize>() else { return };
        let story = &mut stories.lock().unwrap()[index];
        let reply = if story.broken.is_some() {
            story.refused = Some(instant());
            "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\ndown"
        } else {
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
        };
        if stream.write_all(reply.as_bytes()).is_err() {
            return;
        }
    }
}

fn serve(stories: Stories) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let stories = stories.clone();
            std::thread::spawn(move || answer(stream, &stories));
        }
    });
    address
}

/// Marks the services that the screen shows as critical.
fn watch(mut screen: Box<dyn Read + Send>, stories: &Stories) {
    let mut parser = vt100::Parser::new(70, 120, 0);
    let mut bytes = vec![0; 65_536];
    while let Ok(count) = screen.read(&mut bytes) {
        if count == 0 {
            return;
        }
        let came = instant();
        parser.process(&bytes[..count]);
        let mut stories = stories.lock().unwrap();
        for row in parser.screen().rows(0, 120).filter(|row| row.contains("CRIT")) {
            for word in row.split_whitespace() {
                let index = word.strip_prefix("till").and_then(|digits| digits.parse().ok());
                if let Some(story) = index.and_then(|index: usize| stories.get_mut(index))
                    && story.broken.is_some()
                    && story.seen.is_none()
                {
                    story.seen = Some(came);
                    story.decided = story.refused;
                }
            }
        }
    }
}

fn main() {
    let stories: Stories = Arc::new(Mutex::new(vec![Story::default(); SERVICES]));
    let address = serve(stories.clone());
    let home = tempfile::tempdir().unwrap();
    let mut text = String::from("environment = \"bench\"\n[poll]\nevery = \"10s\"\n");
    for i in 0..SERVICES {
        writeln!(text, "[service.till{i:02}]\nhealth = \"http://{address}/{i}\"").unwrap();
    }
    let config = home.path().join("config.toml");
    std::fs::write(&config, text).unwrap();
    std::fs::set_permissions(&config, std::fs::Permissions::from_mode(0o600)).unwrap();

    let program = std::env::var("OPSROOM").unwrap_or_else(|_| env!("CARGO_BIN_EXE_opsroom").into());
    let mut command = CommandBuilder::new(program);
    command.arg("--config");
    command.arg(&config);
    command.env("HOME", home.path());
    command.env("TERM", "xterm-256color");
    let size = PtySize { rows: 70, cols: 120, pixel_width: 0, pixel_height: 0 };
    let pair = native_pty_system().openpty(size).unwrap();
    let mut child = pair.slave.spawn_command(command).unwrap();
    let mut keys = pair.master.take_writer().unwrap();
    let screen = pair.master.try_clone_reader().unwrap();
    let watched = stories.clone();
    std::thread::spawn(move || watch(screen, &watched));
    // The page of services has a row for each.
    keys.write_all(b"2").unwrap();

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        tokio::time::sleep(Duration::from_secs(12)).await;
        let step = EVERY / u32::try_from(SERVICES).unwrap();
        for i in 0..SERVICES {
            // Not in the order in which they are polled.
            stories.lock().unwrap()[i * 17 % SERVICES].broken = Some(instant());
            tokio::time::sleep(step).await;
        }
        tokio::time::sleep(EVERY + Duration::from_secs(6)).await;
    });
    let _ = keys.write_all(b"q");
    let _ = child.kill();
    let _ = child.wait();

    let stories = stories.lock().unwrap();
    let mut noticed: Vec<Duration> =
        stories.iter().filter_map(|story| Some(story.seen? - story.broken?)).collect();
    let mut drawn: Vec<Duration> =
        stories.iter().filter_map(|story| Some(story.seen? - story.decided?)).collect();
    noticed.sort();
    drawn.sort();
    println!("{} of {SERVICES} faults were noticed", noticed.len());
    if let (Some(worst), Some(slowest)) = (noticed.last(), drawn.last()) {
        let mean = noticed.iter().sum::<Duration>() / u32::try_from(noticed.len()).unwrap();
        println!("  fault to confirmed alert    mean {mean:.1?}, worst {worst:.1?}");
        let middle = drawn[drawn.len() / 2];
        println!("  last answer to screen       median {middle:.1?}, slowest {slowest:.1?}");
    }
}
