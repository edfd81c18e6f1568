//! nginx with the answers that services in trouble give.

use super::support::{Server, check, check_source, free_port, listens, program, reading};
use opsroom::domain::{Cause, Status};
use rustix::process::Signal;
use std::process::Command;
use tempfile::TempDir;

struct Nginx {
    server: Server,
    port: u16,
    _folder: TempDir,
}

/// nginx with `locations` in its only server.
async fn nginx(locations: &str) -> Option<Nginx> {
    let path = program("nginx")?;
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let here = folder.path().display();
    let config = format!(
        "daemon off; worker_processes 1; pid {here}/pid; error_log {here}/log;\n\
         events {{}}\nhttp {{ access_log off; client_body_temp_path {here}/a;\n\
         proxy_temp_path {here}/b; fastcgi_temp_path {here}/c; uwsgi_temp_path {here}/d;\n\
         scgi_temp_path {here}/e; server {{ listen 127.0.0.1:{port};\n{locations}\n}} }}\n"
    );
    std::fs::write(folder.path().join("conf"), config).unwrap();
    std::fs::write(folder.path().join("slow"), vec![b'x'; 100_000]).unwrap();
    let mut command = Command::new(path);
    command.arg("-e").arg(folder.path().join("log")).arg("-p").arg(folder.path());
    command.arg("-c").arg(folder.path().join("conf"));
    let server = Server::start(&mut command);
    listens(port).await;
    Some(Nginx { server, port, _folder: folder })
}

const LOCATIONS: &str = r#"
    location /ok { default_type application/json; add_header X-Env prod;
        return 200 '{"status":"UP","components":{"db":{"status":"UP"},"redis":{"status":"UP"}}}'; }
    location /db { default_type application/json;
        return 503 '{"status":"DOWN","components":{"db":{"status":"DOWN","details":{"error":"refused"}}}}'; }
    location /500 { return 500; }
    location /503 { return 503; }
    location /429 { add_header Retry-After 7 always; return 429; }
    location /moved { return 301 /ok; }
    location /loop { return 302 /pool; }
    location /pool { return 302 /loop; }
    location /auth { if ($http_authorization != "Bearer s3cret") { return 401; } return 200 ok; }
    location /hang { limit_rate 1; root .; rewrite ^ /slow break; }
"#;

#[tokio::test]
async fn codes_bodies_and_expectations_are_judged() {
    let Some(nginx) = nginx(LOCATIONS).await else { return };
    let url = |path: &str| format!("http = 'http://127.0.0.1:{}{path}'", nginx.port);
    let ok = check(&url("/ok")).await;
    assert_eq!((ok.status, ok.summary.as_str()), (Status::Ok, "HTTP 200"));
    assert_eq!(ok.components.len(), 2);
    let db = check(&url("/db")).await;
    assert_eq!((db.status, db.cause), (Status::Critical, Some(Cause::Answer)));
    assert_eq!(db.summary, "HTTP 503, DOWN: db refused");
    for (path, status, summary) in [
        ("/500", Status::Critical, "HTTP 500"),
        ("/503", Status::Critical, "HTTP 503"),
        ("/429", Status::Warning, "HTTP 429"),
        ("/moved", Status::Ok, "HTTP 200"),
    ] {
        let reading = check(&url(path)).await;
        assert_eq!((reading.status, reading.summary.as_str()), (status, summary), "{path}");
    }
    let moved =
        check(&format!("{}\nredirects = 0\nexpect = {{ status = 301 }}", url("/moved"))).await;
    assert_eq!(moved.status, Status::Ok, "{}", moved.summary);
    let wanted = "expect = { json = '$.components.db.status == \"UP\"', header = { X-Env = 'prod' }, body = 'redis' }";
    assert_eq!(check(&format!("{}\n{wanted}", url("/ok"))).await.status, Status::Ok);
    let wanted =
        "expect = { json = '$.components.db.status == DOWN', header = { X-Env = '~ ^test' } }";
    let wrong = check(&format!("{}\n{wanted}", url("/ok"))).await;
    assert_eq!(wrong.status, Status::Critical);
    assert!(wrong.summary.contains("header X-Env is prod"), "{}", wrong.summary);
}

#[tokio::test]
async fn a_redirect_loop_ends_in_a_clear_error() {
    let Some(nginx) = nginx(LOCATIONS).await else { return };
    let reading = check(&format!("http = 'http://127.0.0.1:{}/loop'", nginx.port)).await;
    assert_eq!(reading.status, Status::Critical);
    assert!(
        reading.summary.starts_with("redirect loop at http://127.0.0.1"),
        "{}",
        reading.summary
    );
}

#[tokio::test]
async fn credentials_are_sent_and_a_missing_one_is_unknown() {
    let Some(nginx) = nginx(LOCATIONS).await else { return };
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    std::fs::write(&token, "s3cret\n").unwrap();
    rustix::fs::chmod(&token, rustix::fs::Mode::from_raw_mode(0o600)).unwrap();
    let url = format!("http = 'http://127.0.0.1:{}/auth'", nginx.port);
    assert_eq!(check(&url).await.summary, "HTTP 401");
    let auth = format!("{url}\nauth = {{ bearer = 'file:{}' }}", token.display());
    assert_eq!(check(&auth).await.status, Status::Ok);
    let missing = check(&format!("{url}\nauth = {{ bearer = 'file:/no/such' }}")).await;
    assert_eq!((missing.status, missing.cause), (Status::Unknown, Some(Cause::Check)));
    assert!(missing.summary.contains("no such file"), "{}", missing.summary);
}

#[tokio::test]
async fn a_server_that_drips_hangs_or_is_dead_is_told_apart() {
    let Some(mut nginx) = nginx(LOCATIONS).await else { return };
    let base = format!("http://127.0.0.1:{}", nginx.port);
    let drips = check(&format!("http = '{base}/hang'")).await;
    assert_eq!(drips.cause, Some(Cause::Timeout));
    assert_eq!(drips.summary, "no answer in 2s");
    let source = check_source(&format!("http = '{base}/ok'"));
    assert_eq!(reading(&*source).await.status, Status::Ok);
    nginx.server.signal(Signal::STOP);
    // The kernel still takes the connection; only one's own limit ends it.
    let hung = reading(&*source).await;
    assert_eq!((hung.status, hung.summary.as_str()), (Status::Critical, "no answer in 2s"));
    assert_eq!(hung.cause, Some(Cause::Timeout));
    nginx.server.signal(Signal::CONT);
    assert_eq!(reading(&*source).await.status, Status::Ok);
    nginx.server.kill();
    let dead = reading(&*source).await;
    assert_eq!((dead.cause, dead.summary.as_str()), (Some(Cause::Refused), "connection refused"));
    let address = format!("127.0.0.1:{}", nginx.port);
    assert_eq!(check(&format!("tcp = '{address}'")).await.cause, Some(Cause::Refused));
}

#[tokio::test]
async fn a_port_is_asked_by_hand() {
    let Some(nginx) = nginx(LOCATIONS).await else { return };
    let tcp = format!("tcp = '127.0.0.1:{}'", nginx.port);
    assert_eq!(check(&tcp).await.summary, "connected");
    let asked = format!("{tcp}\nsend = 'GET /ok HTTP/1.0\\r\\n\\r\\n'\nanswer = '\"UP\"'");
    assert_eq!(check(&asked).await.status, Status::Ok);
    let wrong = format!("{tcp}\nsend = 'HELO\\r\\n\\r\\n'\nanswer = '^220 '");
    let wrong = check(&wrong).await;
    assert!(wrong.summary.starts_with("unexpected answer: "), "{}", wrong.summary);
    let plain = check(&format!("tls = '127.0.0.1:{}'", nginx.port)).await;
    assert_eq!(
        (plain.status, plain.summary.as_str()),
        (Status::Critical, "TLS: the port does not speak TLS")
    );
    let gone = check("http = 'http://no-such-host.invalid/'").await;
    assert_eq!((gone.cause, gone.summary.as_str()), (Some(Cause::Name), "name does not resolve"));
}
