//! Answers that no healthy server gives, from a few lines of raw sockets.

use super::support::{check, program};
use opsroom::domain::{Cause, CheckReading, Status};
use std::process::{Command, Stdio};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What the server does once it has read a request.
#[derive(Clone)]
enum Does {
    Say(Vec<u8>),
    /// Says the first and then the second for ever.
    Flood(&'static str, Vec<u8>),
    /// One byte at a time.
    Drip(&'static str),
}

async fn answer(mut stream: TcpStream, does: Does) -> std::io::Result<()> {
    let mut request = [0; 4096];
    let _ = stream.read(&mut request).await?;
    match does {
        Does::Say(all) => stream.write_all(&all).await,
        Does::Flood(head, chunk) => {
            stream.write_all(head.as_bytes()).await?;
            loop {
                stream.write_all(&chunk).await?;
            }
        }
        Does::Drip(head) => {
            stream.write_all(head.as_bytes()).await?;
            loop {
                stream.write_all(b" ").await?;
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
        }
    }
}

/// One check of a server that does this.
async fn against(does: Does, more: &str) -> CheckReading {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream, does.clone()));
        }
    });
    let reading = check(&format!("http = 'http://127.0.0.1:{port}/'\n{more}")).await;
    server.abort();
    reading
}

fn say(text: &str) -> Does {
    Does::Say(text.as_bytes().to_vec())
}

/// The most memory that this process ever had, in kB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[tokio::test]
async fn bodies_without_end_end_in_a_clear_error_and_bounded_memory() {
    let before = peak();
    let told = "HTTP/1.1 200 OK\r\nContent-Length: 10737418240\r\n\r\n";
    let big = against(Does::Flood(told, vec![b'x'; 65_536]), "").await;
    assert_eq!(
        (big.status, big.summary.as_str()),
        (Status::Critical, "the answer is larger than 4MB")
    );
    let untold = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n";
    let endless = against(Does::Flood(untold, vec![b'x'; 65_536]), "").await;
    assert_eq!(endless.summary, big.summary);
    assert!(peak() - before < 64_000, "{} kB", peak() - before);
}

#[tokio::test]
async fn a_gzip_bomb_is_measured_unpacked() {
    let Some(gzip) = program("gzip") else { return };
    let zeros =
        Command::new("head").args(["-c", "300000000", "/dev/zero"]).stdout(Stdio::piped()).spawn();
    let packed =
        Command::new(gzip).stdin(zeros.unwrap().stdout.take().unwrap()).output().unwrap().stdout;
    let before = peak();
    let length = packed.len();
    assert!(length < 1_000_000, "{length}");
    let head =
        format!("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {length}\r\n\r\n");
    let bomb = against(Does::Say([head.as_bytes(), &packed].concat()), "").await;
    assert_eq!(bomb.summary, "the answer is larger than 4MB");
    assert!(peak() - before < 64_000, "{} kB", peak() - before);
    let broken = "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nabcd";
    assert_eq!(against(say(broken), "").await.summary, "the packed answer is damaged");
}

#[tokio::test]
async fn slow_drips_end_at_the_limit() {
    let drip = Does::Drip("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
    let reading = against(drip, "").await;
    assert_eq!(reading.cause, Some(Cause::Timeout));
    assert_eq!(reading.summary, "the answer began and was not complete in 2s");
    let header = against(Does::Drip("HTTP/1.1 200 OK\r\nX: "), "").await;
    assert_eq!(header.summary, "no answer in 2s");
}

#[tokio::test]
async fn what_is_not_http_or_cut_is_told() {
    let headers = format!("HTTP/1.1 200 OK\r\nX-Long: {}\r\n\r\n", "a".repeat(1 << 20));
    let huge = against(say(&headers), "").await;
    assert_eq!(huge.summary, "the answer's headers are too large");
    assert_eq!(against(say("SSH-2.0-OpenSSH_9.2\r\n"), "").await.summary, "the answer is not HTTP");
    let empty = against(say(""), "").await;
    assert_eq!(empty.summary, "the connection was closed before the answer was complete");
    let cut =
        against(say("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"status\":\"ok"), "").await;
    assert_eq!((cut.status, cut.cause), (Status::Critical, Some(Cause::Network)));
}

#[tokio::test]
async fn hostile_text_reaches_nobody() {
    let body = "{\"status\":\"DOWN\",\"components\":{\"d\\u001b]0;x\\u0007b\":{\"status\":\"DOWN\",\"error\":\"\\u202egnp\"}}}";
    let text = format!("HTTP/1.1 503 Oops\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let reading = against(say(&text), "").await;
    assert_eq!(reading.status, Status::Critical);
    let shown = format!(
        "{}{}{}",
        reading.summary, reading.components[0].name, reading.components[0].detail
    );
    assert!(!shown.contains(['\u{1b}', '\u{202e}', '\u{7}']), "{shown:?}");
    let label = "x".repeat(1 << 20);
    let body = format!("{{\"status\":\"DOWN\",\"checks\":{{\"{label}\":\"{label}\"}}}}");
    let text = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let long = against(say(&text), "").await;
    assert!(long.summary.chars().count() <= 240 && long.components[0].name.len() < 400);
    let invalid =
        [b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n".as_slice(), b"\xff\xfe\xc0\x80"].concat();
    assert_eq!(against(Does::Say(invalid), "").await.status, Status::Ok);
}
