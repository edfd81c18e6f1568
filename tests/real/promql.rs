//! Backups that a metric tells of: the same config with a real Prometheus and
//! with opsroom's own engine; and a status file on a web server.

use super::support::{Server, free_port, listens, now, program, until};
use opsroom::config::Found;
use opsroom::domain::{SourceId, Status};
use opsroom::runtime::assemble::Assembled;
use opsroom::runtime::headless;
use opsroom::store::BackupState;
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Serves whatever the page is by now: a status line and a body; an empty one
/// closes without an answer.
pub(super) fn serve(page: &Arc<Mutex<(u16, String)>>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let page = Arc::clone(page);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            let _ = stream.set_read_timeout(Some(Duration::from_secs(2)));
            let _ = stream.read(&mut [0; 4096]);
            let (status, body) = page.lock().unwrap().clone();
            let _ = write!(
                stream,
                "HTTP/1.1 {status} X\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            );
        }
    });
    port
}

fn assembled(text: &str) -> Assembled {
    let path = std::env::temp_dir().join("opsroom-promql.toml");
    Assembled::of(&Found { path, text: text.into() }, false).map_err(|error| error.text).unwrap()
}

/// How the backups stand after one look at everything.
fn stand(text: &str) -> BackupState {
    let known =
        headless::look(assembled(text), None, Duration::from_secs(20), &BTreeSet::new()).unwrap();
    known.backups[&SourceId::from("backup/orders")].clone()
}

const BACKUP: &str = "[backup.orders]\npromql = 'backup_done{job=\"app\"}'\n\
                      size = 'backup_bytes{job=\"app\"}'\n";

fn metrics(ages_h: [i64; 2]) -> (u16, String) {
    let at = |hours: i64| now().millis() / 1_000 - hours * 3_600;
    let [a, b] = ages_h.map(at);
    let page = format!(
        "backup_done{{part=\"a\"}} {a}\nbackup_done{{part=\"b\"}} {b}\n\
         backup_bytes{{part=\"a\"}} 3e6\nbackup_bytes{{part=\"b\"}} 1e6\n"
    );
    (200, page)
}

fn said(state: &BackupState) -> (Status, &str) {
    (state.standing.status, state.standing.reason.as_str())
}

#[test]
fn a_metric_tells_the_same_with_a_server_and_without() {
    let Some(prometheus) = program("prometheus") else { return };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let page = Arc::new(Mutex::new(metrics([1, 2])));
    let target = serve(&page);
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let config = format!(
        "global: {{ scrape_interval: 1s, scrape_timeout: 1s }}\nscrape_configs:\n\
         - {{ job_name: app, static_configs: [ {{ targets: ['127.0.0.1:{target}'] }} ] }}\n"
    );
    std::fs::write(folder.path().join("p.yml"), config).unwrap();
    let mut command = Command::new(prometheus);
    let mut server = Server::start(
        command
            .arg(format!("--config.file={}", folder.path().join("p.yml").display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}")),
    );
    runtime.block_on(listens(port));
    let with_server = format!("prometheus = 'http://127.0.0.1:{port}'\n{BACKUP}");
    let without = format!("{BACKUP}[scrape.app]\ntargets = ['127.0.0.1:{target}']\n");
    let is = |state: &BackupState, status: Status, reason: &str| {
        state.standing.status == status && state.standing.reason.starts_with(reason)
    };
    let until_server_says = |status: Status, reason: &str| {
        // Prometheus scrapes each second.
        runtime.block_on(until(reason, || {
            let text = with_server.clone();
            async move {
                let state = tokio::task::spawn_blocking(move || stand(&text)).await.unwrap();
                is(&state, status, reason)
            }
        }));
    };
    let both = |status: Status, reason: &str| {
        until_server_says(status, reason);
        let state = stand(&without);
        assert!(is(&state, status, reason), "{reason}: {state:#?}");
        state
    };

    let good = both(Status::Ok, "2h");
    let last = good.last.as_ref().unwrap();
    assert_eq!(last.snapshots[0].size, Some(4_000_000));
    assert!(last.notes[0].starts_with("the oldest of 2 series counts: "), "{last:?}");
    let ends = headless::poll_once(&assembled(&without), Duration::from_secs(20)).unwrap();
    assert!(ends.iter().all(|end| end.outcome.is_ok()), "{ends:?}");

    *page.lock().unwrap() = metrics([1, 40]);
    both(Status::Critical, "40h");
    *page.lock().unwrap() = (200, "other 1\n".into());
    both(Status::Critical, "absent: no series matches");
    // A target that fails says nothing about the backup.
    *page.lock().unwrap() = (500, String::new());
    until_server_says(Status::Unknown, "no series matches, and 1 target down");
    let state = stand(&without);
    assert_eq!(said(&state), (Status::Unknown, "busy: nothing has been scraped yet"));
    server.kill();
    assert_eq!(said(&stand(&with_server)), (Status::Unknown, "connection refused"));
}

#[test]
fn a_status_file_of_a_web_server_is_read_and_its_refusals_are_told_apart() {
    let at = now().millis() / 1_000 - 3 * 3_600;
    let good = (200, format!("{{\"at\":{at},\"ok\":true,\"bytes\":4096,\"took_s\":5}}\n"));
    let page = Arc::new(Mutex::new(good));
    let port = serve(&page);
    let text =
        format!("[backup.orders]\nstatus = 'http://127.0.0.1:{port}/s.json?token=swordfish'\n");
    let put = |status: u16, body: &str| *page.lock().unwrap() = (status, body.to_owned());
    assert_eq!(said(&stand(&text)), (Status::Ok, "3h old, 26h allowed"));
    let old = at - 30 * 3_600;
    put(200, &format!("{{\"at\":{old},\"ok\":true}}"));
    assert_eq!(said(&stand(&text)), (Status::Critical, "33h old, 26h allowed"));
    put(200, &format!("{{\"at\":{at},\"ok\":false,\"error\":\"exit code 2\"}}"));
    let reason = "no good backup: newest is exit code 2";
    assert_eq!(said(&stand(&text)), (Status::Critical, reason));
    put(200, &format!("{{\"at\":{old},\"ok\":true}}\n{{\"at\":{at},\"running\":true}}\n"));
    let running = stand(&text);
    assert!(running.last.unwrap().running.is_some());
    for (status, body, expected, words) in [
        (404, "", Status::Critical, "absent: HTTP 404"),
        (403, "", Status::Unknown, "denied: HTTP 403"),
        (500, "", Status::Unknown, "HTTP 500"),
        (503, "", Status::Unknown, "busy: HTTP 503"),
        (200, "<html>log in</html>", Status::Critical, "broken: it is no whole JSON"),
        (200, "", Status::Critical, "broken: it is empty"),
    ] {
        put(status, body);
        let state = stand(&text);
        assert_eq!(state.standing.status, expected, "{status} {body}: {state:#?}");
        assert!(state.standing.reason.starts_with(words), "{words}: {}", state.standing.reason);
        assert!(!format!("{state:?}").contains("swordfish"));
    }
    put(200, &"x".repeat(2 << 20));
    let large = stand(&text);
    assert_eq!(large.standing.status, Status::Unknown, "{large:#?}");
}
