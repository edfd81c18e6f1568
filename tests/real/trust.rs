//! TLS ports with certificates of many kinds, served by nginx.

use super::support::{Server, check, free_port, listens, now, program};
use opsroom::domain::{Cause, CheckReading, Status};
use rcgen::{CertificateParams, Issuer, KeyPair};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const DAY: Duration = Duration::from_hours(24);

/// A certificate for `name` that began a hundred days ago and ends in `days`.
fn params(name: &str, days: i64) -> CertificateParams {
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    let millis = u64::try_from(now().millis()).unwrap();
    let at = rcgen::date_time_ymd(1970, 1, 1) + Duration::from_millis(millis);
    params.not_before = at - 100 * DAY;
    // A little more, so that a whole number of days is left.
    let little = Duration::from_mins(10);
    let span = DAY * u32::try_from(days.abs()).unwrap();
    params.not_after = if days < 0 { at - span - little } else { at + span + little };
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    params
}

/// Serves one port for each certificate; gives their ports.
async fn serve(
    folder: &Path,
    certificates: &[(&str, String, String)],
) -> Option<(Server, Vec<u16>)> {
    let nginx = program("nginx")?;
    let here = folder.display();
    let mut servers = Vec::new();
    let mut ports = Vec::new();
    for (name, cert, key) in certificates {
        std::fs::write(folder.join(format!("{name}.pem")), cert).unwrap();
        std::fs::write(folder.join(format!("{name}.key")), key).unwrap();
        let port = free_port();
        servers.push(format!(
            "server {{ listen 127.0.0.1:{port} ssl; ssl_certificate {here}/{name}.pem;\n\
             ssl_certificate_key {here}/{name}.key; return 200 ok; }}\n"
        ));
        ports.push(port);
    }
    let servers = servers.concat();
    let config = format!(
        "daemon off; worker_processes 1; pid {here}/pid; error_log {here}/log;\nevents {{}}\n\
         http {{ access_log off; client_body_temp_path {here}/a; proxy_temp_path {here}/b;\n\
         fastcgi_temp_path {here}/c; uwsgi_temp_path {here}/d; scgi_temp_path {here}/e;\n{servers} }}\n"
    );
    std::fs::write(folder.join("conf"), config).unwrap();
    let mut command = Command::new(nginx);
    command
        .arg("-e")
        .arg(folder.join("log"))
        .arg("-p")
        .arg(folder)
        .arg("-c")
        .arg(folder.join("conf"));
    let server = Server::start(&mut command);
    for port in &ports {
        listens(*port).await;
    }
    Some((server, ports))
}

fn days_left(reading: &CheckReading) -> u64 {
    let certificate = reading.certificate.as_ref().unwrap();
    certificate.not_after.since(now()).as_secs() / DAY.as_secs()
}

#[tokio::test]
async fn certificates_are_read_and_judged_also_where_they_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut ca = params("Test CA", 1_000);
    ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let ca_key = KeyPair::generate().unwrap();
    let ca_file = folder.path().join("ca.pem");
    std::fs::write(&ca_file, ca.self_signed(&ca_key).unwrap().pem()).unwrap();
    let issuer = Issuer::new(ca, ca_key);
    let signed = |file, name: &str, days| {
        let key = KeyPair::generate().unwrap();
        let cert = params(name, days).signed_by(&key, &issuer).unwrap();
        (file, cert.pem(), key.serialize_pem())
    };
    let own_key = KeyPair::generate().unwrap();
    let mut own = params("localhost", 30);
    own.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let own = ("own", own.self_signed(&own_key).unwrap().pem(), own_key.serialize_pem());
    let all = [
        signed("good", "localhost", 365),
        signed("soon", "localhost", 5),
        signed("past", "localhost", -3),
        signed("other", "other.example", 90),
        own,
    ];
    let Some((_server, ports)) = serve(folder.path(), &all).await else { return };
    let ca = format!("ca = '{}'", ca_file.display());
    let tls = |port: u16, more: &str| format!("tls = 'localhost:{port}'\n{more}");
    let http = |port: u16, more: &str| format!("http = 'https://localhost:{port}/'\n{more}");

    for (at, days) in [(0, 365), (1, 5)] {
        for table in [tls(ports[at], &ca), http(ports[at], &ca)] {
            let reading = check(&table).await;
            assert_eq!(
                (reading.status, days_left(&reading)),
                (Status::Ok, days),
                "{}",
                reading.summary
            );
        }
    }
    for (at, ca, problem) in [
        (0, "", "certificate's issuer Test CA is not trusted"),
        (2, ca.as_str(), "certificate expired 3 days ago"),
        (3, ca.as_str(), "certificate is for other.example and not for this name"),
        (4, "", "certificate is self-signed"),
    ] {
        for table in [tls(ports[at], ca), http(ports[at], ca)] {
            let reading = check(&table).await;
            assert_eq!(
                (reading.status, reading.cause),
                (Status::Critical, Some(Cause::Tls)),
                "{table}"
            );
            assert_eq!(reading.summary, format!("TLS: {problem}"), "{table}");
            let certificate = reading.certificate.unwrap();
            assert_eq!(certificate.problem.as_deref(), Some(problem));
        }
    }
    // A certificate that is named itself is trusted, as curl does it.
    let own = format!("ca = '{}'", folder.path().join("own.pem").display());
    for table in [tls(ports[4], &own), http(ports[4], &own)] {
        let reading = check(&table).await;
        assert_eq!((reading.status, days_left(&reading)), (Status::Ok, 30), "{}", reading.summary);
    }
    let named = format!("{ca}\nserver_name = 'other.example'");
    for table in [tls(ports[3], &named), http(ports[3], &named)] {
        let reading = check(&table).await;
        assert_eq!((reading.status, days_left(&reading)), (Status::Ok, 90), "{}", reading.summary);
    }
    let skipped = check(&http(ports[4], "skip_verify = true")).await;
    assert_eq!((skipped.status, days_left(&skipped)), (Status::Ok, 30), "{}", skipped.summary);
    assert_eq!(skipped.notes, ["TLS not verified"]);
    let missing = check(&http(ports[0], "ca = '/no/such.pem'")).await;
    assert_eq!((missing.status, missing.cause), (Status::Unknown, Some(Cause::Check)));
}
