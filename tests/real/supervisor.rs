//! The `supervisor` check against a real supervisord, and the `kubernetes` and
//! `docker` checks against tools whose servers are not there.

use super::support::{Server, check_source, program, reading, sources, supervisor_conf, until};
use opsroom::domain::{Cause, Status};
use opsroom::sources::Source;
use rustix::process::Signal;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

const LOGIN: &str = "username=ops\npassword=swordfish\n";
const PROGRAMS: &str = "
[program:web]
command=/bin/sleep 1000
startsecs=0
[program:worker]
command=/bin/sleep 1000
process_name=%(program_name)s_%(process_num)02d
numprocs=2
startsecs=0
[program:bad]
command=/bin/sh -c 'exit 3'
startsecs=1
startretries=0
autostart=false
[program:job]
command=/bin/sh -c 'exit 3'
startsecs=0
autorestart=false
autostart=false
";

fn start(folder: &Path) -> Option<Server> {
    let supervisord = program("supervisord")?;
    let config = supervisor_conf(folder, LOGIN, PROGRAMS);
    Some(Server::start(Command::new(supervisord).arg("-n").arg("-c").arg(config)))
}

/// A check with time enough for a busy machine.
fn patient(table: &str) -> Arc<dyn Source> {
    let all = sources(&format!("[service.x.check.y]\ntimeout = '20s'\n{table}"));
    Arc::clone(&all.all[0])
}

fn control(folder: &Path, words: &[&str]) {
    let mut command = Command::new("supervisorctl");
    command.arg("-c").arg(folder.join("s.conf")).args(words).output().unwrap();
}

async fn until_it_says(source: &dyn Source, part: &str, words: &str) {
    until(words, || async {
        let reading = reading(source).await;
        let mut parts = reading.components.iter().filter(|is| is.name == part);
        parts.any(|is| is.detail.starts_with(words))
    })
    .await;
}

#[tokio::test]
async fn every_fault_has_its_word_over_the_socket_and_through_the_tool() {
    let folder = tempfile::tempdir().unwrap();
    let Some(mut server) = start(folder.path()) else { return };
    let at = folder.path().display();
    let auth = "auth = { basic = { user = 'ops', password = 'swordfish' } }";
    let over_socket =
        format!("supervisor = '*'\nserver = {{ url = 'unix://{at}/s.sock', {auth} }}");
    let with_tool = format!("supervisor = '*'\nconfig = '{at}/s.conf'");
    let (rpc, tool) = (patient(&over_socket), patient(&with_tool));
    for source in [&rpc, &tool] {
        until_it_says(&**source, "web", "running").await;
        let reading = reading(&**source).await;
        assert_eq!(reading.status, Status::Ok, "{reading:?}");
        assert_eq!(reading.components.len(), 5);
        assert!(!format!("{reading:?}{:?}", source.info()).contains("swordfish"));
    }
    control(folder.path(), &["start", "bad", "job"]);
    control(folder.path(), &["stop", "worker:worker_00"]);
    for source in [&rpc, &tool] {
        until_it_says(&**source, "bad", "FATAL, given up: ").await;
        until_it_says(&**source, "worker:worker_00", "stopped").await;
    }
    until_it_says(&*rpc, "job", "exited").await;
    let named = patient(&format!(
        "supervisor = ['web', 'worker:*', 'nope']\nserver = {{ url = '{at}/s.sock', {auth} }}"
    ));
    let answer = reading(&*named).await;
    assert_eq!(answer.components.len(), 4, "{answer:?}");
    assert_eq!(answer.components[3].detail, "supervisord knows no such process");
    let denied = patient(&format!("supervisor = '*'\nserver = '{at}/s.sock'"));
    let answer = reading(&*denied).await;
    assert_eq!(answer.summary, "supervisord refuses the credentials");
    assert_eq!(answer.status, Status::Unknown);

    server.signal(Signal::STOP);
    for table in [&over_socket, &with_tool] {
        let answer = reading(&*check_source(table)).await;
        assert_eq!((answer.status, answer.cause), (Status::Critical, Some(Cause::Timeout)));
        assert!(answer.summary.contains("no answer in 2s"), "{}", answer.summary);
    }
    server.signal(Signal::CONT);
    server.kill();
    for source in [&rpc, &tool] {
        let answer = reading(&**source).await;
        assert_eq!((answer.status, answer.cause), (Status::Critical, Some(Cause::Refused)));
        assert!(answer.summary.starts_with("supervisord does not run"), "{}", answer.summary);
    }
}

#[tokio::test]
async fn a_cluster_or_a_daemon_that_is_not_there_is_told_in_words() {
    let port = super::support::free_port();
    if Path::new("/usr/bin/kubectl").is_file() {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("config");
        let text = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: x\ncontexts: [{{name: x, context: \
             {{cluster: x, user: x}}}}]\nclusters: [{{name: x, cluster: {{server: \
             'http://127.0.0.1:{port}'}}}}]\nusers: [{{name: x, user: {{}}}}]\n"
        );
        std::fs::write(&config, text).unwrap();
        let at = config.display();
        let ask = async |more: &str| {
            let table = format!("kubernetes = 'deployment/api'\nkubeconfig = '{at}'\n{more}");
            reading(&*patient(&table)).await
        };
        let answer = ask("").await;
        assert_eq!((answer.status, answer.cause), (Status::Unknown, Some(Cause::Refused)));
        assert!(answer.summary.contains("was refused"), "{}", answer.summary);
        let answer = ask("context = 'nope'").await;
        assert_eq!((answer.status, answer.cause), (Status::Unknown, Some(Cause::Check)));
        assert!(answer.summary.contains("nope"), "{}", answer.summary);
    }
    if ["/usr/local/bin/docker", "/usr/bin/docker"].iter().any(|path| Path::new(path).is_file()) {
        let host = format!("['docker', '--host', 'tcp://127.0.0.1:{port}']");
        let answer = reading(&*patient(&format!("docker = 'api'\nprogram = {host}"))).await;
        assert_eq!((answer.status, answer.cause), (Status::Critical, Some(Cause::Refused)));
        assert_eq!(answer.summary, "the docker daemon does not run");
    }
    let absent = reading(&*check_source("docker = 'api'\nprogram = '/no/such/docker'")).await;
    assert_eq!(absent.summary, "/no/such/docker: no such program");
}
