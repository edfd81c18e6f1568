//! How the program ends, stops and stalls: the terminal is always given back,
//! and a terminal that takes nothing holds nothing up.

use super::harness::{Home, Terminal};
use super::waiting::{SOON, eventually};
use portable_pty::CommandBuilder;
use rustix::process::Signal;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// A service that is always well and counts how often it was asked.
struct Served {
    address: SocketAddr,
    asked: Arc<AtomicUsize>,
}

fn serve() -> Served {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            count.fetch_add(1, Ordering::SeqCst);
            let _ = stream.read(&mut [0; 2048]);
            let answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    Served { address, asked }
}

impl Served {
    fn config(&self, home: &Home) -> String {
        let text = format!(
            "environment = \"lab\"\n[poll]\nevery = \"200ms\"\n\
             [service.till]\nhealth = \"http://{}/healthz\"\n",
            self.address
        );
        home.file("config.toml", &text).to_str().unwrap().to_owned()
    }
}

/// The console on one service that is well, seen to be so.
fn console(home: &Home, served: &Served) -> (Terminal, String) {
    let config = served.config(home);
    // What the line is set to before anything runs in it.
    let idle = Terminal::start(CommandBuilder::new("true"), 80, 24);
    let settings = idle.line_settings();
    let terminal = Terminal::start(home.opsroom(&["--config", &config]), 80, 24);
    terminal.see("the till is ok", |text| {
        text.lines().any(|line| line.contains("ok") && line.contains("till"))
    });
    (terminal, settings)
}

#[test]
fn each_exit_gives_the_terminal_back() {
    type Exit = fn(&mut Terminal);
    let exits: [(&str, Exit); 5] = [
        ("q", |terminal| terminal.press("q")),
        ("ctrl-c", |terminal| terminal.press("\x03")),
        ("TERM", |terminal| terminal.signal(Signal::TERM)),
        ("HUP", |terminal| terminal.signal(Signal::HUP)),
        ("INT", |terminal| terminal.signal(Signal::INT)),
    ];
    let served = serve();
    for (name, exit) in exits {
        let home = Home::new();
        let (mut terminal, settings) = console(&home, &served);
        assert_ne!(terminal.line_settings(), settings, "{name}: not taken over");
        exit(&mut terminal);
        let status = terminal.end(SOON);
        if name == "q" || name == "ctrl-c" {
            assert!(status.success(), "{name}: {status}");
        }
        terminal.see_until_given_back(name);
        terminal.assert_given_back(&settings);
    }
}

#[test]
fn a_lost_connection_ends_the_program() {
    let served = serve();
    let home = Home::new();
    let (mut terminal, _) = console(&home, &served);
    terminal.hang_up();
    terminal.end(Duration::from_secs(5));
}

#[test]
fn a_terminal_that_takes_nothing_stops_neither_polls_nor_keys() {
    let served = serve();
    let home = Home::new();
    let (mut terminal, _) = console(&home, &served);
    terminal.stall(true);
    // Far more than a terminal takes without a reader.
    for _ in 0..20 {
        terminal.press("\x0c");
        let before = served.asked.load(Ordering::SeqCst);
        eventually("polls go on", SOON, || served.asked.load(Ordering::SeqCst) > before);
    }
    assert!(!terminal.has_ended());
    // It is read again: the screen is whole and the next key counts.
    terminal.stall(false);
    terminal.press("?");
    terminal.see_text("KEYS");
    // Once more, and this time nobody reads until the end.
    terminal.press("\x1b");
    terminal.see("the list again", |text| !text.contains("KEYS"));
    terminal.stall(true);
    for _ in 0..20 {
        terminal.press("\x0c");
        let before = served.asked.load(Ordering::SeqCst);
        eventually("polls go on", SOON, || served.asked.load(Ordering::SeqCst) > before);
    }
    terminal.press("q");
    assert!(terminal.end(SOON).success());
}

#[test]
fn ctrl_z_stops_the_console_and_fg_brings_it_back() {
    let served = serve();
    let home = Home::new();
    let config = served.config(&home);
    let mut shell = CommandBuilder::new("bash");
    shell.args(["--norc", "--noprofile", "-i"]);
    home.furnish(&mut shell);
    shell.env("PS1", "prompt> ");
    let mut terminal = Terminal::start(shell, 80, 24);
    terminal.see_text("prompt>");
    terminal.press(&format!("{} --config {config}\r", env!("CARGO_BIN_EXE_opsroom")));
    terminal.see("the till is ok", |text| text.contains("LAB") && text.contains("till"));
    terminal.press("\x1a");
    terminal.see("the shell", |text| text.contains("Stopped") && !text.contains("LAB"));
    terminal.press("echo he''re\r");
    terminal.see_text("here");
    terminal.press("fg\r");
    terminal.see("the console", |text| text.contains("LAB") && text.contains("till"));
    terminal.press("q");
    terminal.see("the shell", |text| !text.contains("LAB") && text.contains("prompt>"));
    terminal.press("exit\r");
    terminal.end(SOON);
}

#[test]
fn a_terminal_that_cannot_show_a_console_is_told_of_glance() {
    let served = serve();
    let home = Home::new();
    let config = served.config(&home);
    let mut command = home.opsroom(&["--config", &config]);
    command.env("TERM", "dumb");
    let mut terminal = Terminal::start(command, 80, 24);
    assert!(!terminal.end(SOON).success());
    terminal.see_text("opsroom glance");
    assert!(!terminal.raw().contains(&0x1b), "no escape sequences: {:?}", terminal.text());
}
