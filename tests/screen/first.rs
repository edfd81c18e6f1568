//! The first frame, from the config alone, and other sizes.

use super::harness::{Home, Terminal};
use super::waiting::{SOON, eventually};

/// Nobody listens on this port: the first frame is there before that is known.
const CONFIG: &str = r#"
environment = "lab"
site = "shop"
[service.web]
health = "http://127.0.0.1:9/healthz"
depends_on = ["api"]
job = "shop"
[service.api]
health = "http://127.0.0.1:9/healthz"
[service.mail]
tcp = "127.0.0.1:9"
[scrape.shop]
targets = ["127.0.0.1:9"]
"#;

/// The end of a frame that is shown at once.
const FRAME_ENDS: &[u8] = b"\x1b[?2026l";

fn console(width: u16, height: u16) -> Terminal {
    let home = Home::new();
    let config = home.file("config.toml", CONFIG);
    let arguments = ["--config", config.to_str().unwrap()];
    let terminal = Terminal::start(home.opsroom(&arguments), width, height);
    terminal.see("a frame", |text| !text.trim().is_empty());
    terminal
}

/// The first frame without its first row, which names this host and the time.
fn first_frame(width: u16, height: u16) -> String {
    let terminal = console(width, height);
    let mut ends = None;
    eventually("a frame has ended", SOON, || {
        let raw = terminal.raw();
        ends = raw.windows(FRAME_ENDS.len()).position(|window| window == FRAME_ENDS);
        ends.is_some()
    });
    let raw = &terminal.raw()[..ends.unwrap()];
    let mut parser = vt100::Parser::new(height, width, 0);
    parser.process(raw);
    let rows: Vec<String> =
        parser.screen().rows(0, width).map(|row| row.trim_end().to_owned()).collect();
    assert!(rows[0].starts_with(" LAB  shop"), "{}", rows[0]);
    rows[1..].join("\n")
}

#[test]
fn the_first_frame_is_whole_on_the_smallest_screen() {
    insta::assert_snapshot!(first_frame(80, 24));
}

#[test]
fn the_first_frame_is_whole_on_a_larger_screen() {
    insta::assert_snapshot!(first_frame(120, 40));
}

#[test]
fn a_screen_that_is_too_small_says_so_and_comes_back_when_it_grows() {
    let mut terminal = console(80, 24);
    terminal.see_text("mail");
    terminal.resize(60, 20);
    terminal.see("one plain sentence", |text| text.contains("80") && !text.contains("SERVICES"));
    terminal.resize(200, 50);
    terminal.see("all of it", |text| text.contains("SERVICES") && text.contains("mail"));
    terminal.press("q");
    assert!(terminal.end(SOON).success());
}
