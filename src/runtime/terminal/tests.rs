//! What is sent to terminals; a panic in a terminal of its own.

use super::*;

#[test]
fn text_is_copied_in_base64_and_wrapped_for_tmux() {
    for (text, encoded) in
        [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("fooba", "Zm9vYmE=")]
    {
        assert_eq!(copy_sequence(text, false).unwrap(), format!("\x1b]52;c;{encoded}\x1b\\"));
    }
    assert_eq!(copy_sequence("f", true).unwrap(), "\x1bPtmux;\x1b\x1b]52;c;Zg==\x1b\x1b\\\x1b\\");
}

#[test]
fn more_than_terminals_take_is_refused_with_the_numbers() {
    assert!(copy_sequence(&"x".repeat(56_244), false).is_ok());
    let error = copy_sequence(&"x".repeat(56_248), false).unwrap_err();
    assert_eq!(error, "too much to copy: 56248 bytes, and terminals take 56244");
}

#[test]
fn leaving_undoes_all_that_entering_did() {
    for mode in ["?1049", "?2004"] {
        assert!(entering().contains(&format!("\x1b[{mode}h")));
        assert!(leaving().contains(&format!("\x1b[{mode}l")));
    }
    assert!(leaving().ends_with("\x1b[?25h"));
}

/// Set where this test binary plays a console that panics.
const PLAYS: &str = "OPSROOM_TEST_PANICS";

#[test]
#[ignore = "played in a terminal by the test after it"]
fn a_console_that_panics() {
    if std::env::var_os(PLAYS).is_none() {
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut tty = Tty::take().unwrap();
        rescue_at_panic();
        tty.draw(&mut |frame| frame.render_widget("all is well", frame.area())).unwrap();
        // A terminal on a busy machine may take nothing for a moment.
        tty.until_ready().await.unwrap();
        // What nobody has read when it panics is thrown away.
        std::io::Read::read_exact(&mut std::io::stdin(), &mut [0]).unwrap();
        let alone = crate::runtime::isolate::isolated(async { panic!("a source broke") }).await;
        assert_eq!(alone, Err::<(), _>("a source broke".to_owned()));
        panic!("the console broke");
    });
}

#[test]
fn a_panic_gives_the_terminal_back_before_it_is_reported() {
    use portable_pty::{CommandBuilder, PtySize, native_pty_system};
    use std::io::{Read, Write};
    let size = PtySize { rows: 24, cols: 80, pixel_width: 0, pixel_height: 0 };
    let pty = native_pty_system().openpty(size).unwrap();
    let mut command = CommandBuilder::new(std::env::current_exe().unwrap());
    let name = "runtime::terminal::tests::a_console_that_panics";
    command.args(["--exact", name, "--ignored", "--nocapture", "--test-threads=1"]);
    command.env(PLAYS, "1");
    command.env("TERM", "xterm");
    let mut child = pty.slave.spawn_command(command).unwrap();
    drop(pty.slave);
    let mut said = Vec::new();
    let mut reader = pty.master.try_clone_reader().unwrap();
    while !String::from_utf8_lossy(&said).contains("well") {
        let mut piece = [0; 1_000];
        let count = reader.read(&mut piece).unwrap();
        said.extend_from_slice(&piece[..count]);
    }
    pty.master.take_writer().unwrap().write_all(b"x").unwrap();
    // A terminal whose last user has gone ends with an error.
    let _ = reader.read_to_end(&mut said);
    assert!(!child.wait().unwrap().success());
    let said = String::from_utf8_lossy(&said);
    let given_back = said.find(&leaving()).unwrap();
    assert!(said[..given_back].contains("well"), "{said}");
    assert!(said[given_back..].contains("the console broke"), "{said}");
    assert!(!said.contains("a source broke"), "{said}");
    assert_eq!(said.matches(&leaving()).count(), 1, "{said}");
}
