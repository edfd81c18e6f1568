//! Prometheus and the node exporter.

use super::support::{Server, free_port, listens, now, poll, program, sources, until};
use opsroom::domain::Reading;
use opsroom::domain::reading::PollFailure;
use opsroom::metrics::Data;
use opsroom::sources::Brought;
use rustix::process::Signal;
use std::process::Command;
use std::time::Duration;

/// User `ops`, password `opspass`.
pub(super) const WEB_CONFIG: &str =
    "basic_auth_users:\n  ops: $2b$04$abcdefghijklmnopqrstuuZp.22zyFENVzeuEoe/PjVvrPBx6TKw.\n";

#[tokio::test]
async fn a_server_is_asked_and_an_exporter_scraped() {
    let (Some(prometheus), Some(exporter)) =
        (program("prometheus"), program("prometheus-node-exporter"))
    else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let (port, node) = (free_port(), free_port());
    let config = format!(
        "global: {{ scrape_interval: 1s }}\nscrape_configs:\n\
         - {{ job_name: node, static_configs: [ {{ targets: ['127.0.0.1:{node}'] }} ] }}\n"
    );
    std::fs::write(folder.path().join("p.yml"), config).unwrap();
    std::fs::write(folder.path().join("web.yml"), WEB_CONFIG).unwrap();
    let mut command = Command::new(exporter);
    let mut exporter = Server::start(command.arg(format!("--web.listen-address=127.0.0.1:{node}")));
    let mut command = Command::new(prometheus);
    let mut server = Server::start(
        command
            .arg(format!("--config.file={}", folder.path().join("p.yml").display()))
            .arg(format!("--web.config.file={}", folder.path().join("web.yml").display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .arg("--web.external-url=http://shown.example/deep/prom"),
    );
    listens(port).await;
    listens(node).await;
    let password = folder.path().join("password");
    std::fs::write(&password, "opspass\n").unwrap();
    rustix::fs::chmod(&password, rustix::fs::Mode::from_raw_mode(0o600)).unwrap();
    let auth = format!("basic = {{ user = 'ops', password = 'file:{}' }}", password.display());
    let table = |url: &str, more: &str| {
        format!(
            "[prometheus]\nurl = '{url}'\ntimeout = '3s'\n{more}\n[scrape.node]\ntargets = ['127.0.0.1:{node}']\n"
        )
    };
    let url = format!("http://127.0.0.1:{port}/deep/prom/");
    let all = sources(&table(&url, &format!("auth = {{ {auth} }}")));
    let prom = all.server.clone().unwrap();
    until("Prometheus is ready", || async { poll(&*all.all[0]).await.is_ok() }).await;
    let Ok(Brought::Reading(Reading::Server(reading))) = poll(&*all.all[0]).await else {
        panic!("no reading of a server")
    };
    assert!(reading.version.unwrap().starts_with("Prometheus "));

    // An instant, a range, text, errors with their place, names.
    until("a scrape is there", || async {
        matches!(prom.instant("up", now()).await.outcome.unwrap().data, Data::Vector(p) if !p.is_empty())
    })
    .await;
    let told = prom.instant("up{job=\"node\"} == 1", now()).await.outcome.unwrap();
    let Data::Vector(points) = told.data else { panic!("no vector") };
    assert_eq!((points.len(), points[0].value.0.to_string().as_str()), (1, "1"));
    let minute = Duration::from_mins(1);
    let range = prom.range("up", now() - minute, now(), Duration::from_secs(1)).await;
    assert!(matches!(range.outcome.unwrap().data, Data::Matrix(lines) if lines.len() == 1));
    assert_eq!(range.coarser, None);
    let month = Duration::from_hours(24 * 30);
    let range = prom.range("up", now() - month, now(), Duration::from_secs(1)).await;
    assert!(range.outcome.is_ok(), "{range:?}");
    assert!(range.coarser.unwrap() > Duration::from_secs(200));
    let error = prom.instant("sum(up{)", now()).await.outcome.unwrap_err();
    assert!(error.span.is_some(), "{error:?}");
    let error = prom.instant("up + on() up", now()).await.outcome;
    assert!(error.is_ok() || error.unwrap_err().span.is_none());
    assert!(prom.metric_names().await.unwrap().iter().any(|name| name == "node_load1"));
    assert_eq!(prom.label_values("job").await.unwrap(), ["node"]);
    let of = Some("{__name__=\"node_load1\",job=\"node\"}");
    assert_eq!(prom.label_names(of).await.unwrap(), ["__name__", "instance", "job"]);
    assert_eq!(prom.label_values_of("job", of).await.unwrap(), ["node"]);
    let none = prom.label_values_of("job", Some("{__name__=\"no_such_metric\"}")).await.unwrap();
    assert!(none.is_empty(), "{none:?}");
    let described = prom.metadata().await.unwrap();
    assert!(described.iter().any(|(name, ..)| name == "node_load1"), "{described:?}");

    // Its rules and its targets, of which there are none and one.
    let Ok(Brought::Reading(Reading::Alerts(rules))) = poll(&*all.all[1]).await else {
        panic!("no rules")
    };
    assert_eq!((rules.rules, rules.alerts.len(), rules.notes.len()), (Some(0), 0, 0));
    let Ok(Brought::Reading(Reading::Targets(targets))) = poll(&*all.all[2]).await else {
        panic!("no targets")
    };
    assert_eq!((targets.up, targets.down_count), (1, 0));

    // The exporter's page.
    let Ok(Brought::Page(page)) = poll(&*all.all[3]).await else { panic!("no page") };
    assert!(page.content_type.starts_with("text/plain"), "{}", page.content_type);
    assert!(String::from_utf8_lossy(&page.body).contains("node_cpu_seconds_total"));

    // Denied, absent, hung, dead are told apart.
    for source in &sources(&table(&url, "")).all[..3] {
        let denied = poll(&**source).await.unwrap_err();
        assert_eq!(denied.cause, PollFailure::Denied, "{denied}");
    }
    let shallow = format!("http://127.0.0.1:{port}/");
    let absent = sources(&table(&shallow, &format!("auth = {{ {auth} }}")));
    assert_eq!(poll(&*absent.all[0]).await.unwrap_err().cause, PollFailure::Absent);
    server.signal(Signal::STOP);
    let hung = poll(&*all.all[0]).await.unwrap_err();
    assert_eq!((hung.cause, hung.message.as_str()), (PollFailure::Timeout, "no answer in 3s"));
    server.kill();
    for source in &all.all[..3] {
        assert_eq!(poll(&**source).await.unwrap_err().cause, PollFailure::Refused);
    }
    exporter.kill();
    assert_eq!(poll(&*all.all[3]).await.unwrap_err().cause, PollFailure::Refused);
}
