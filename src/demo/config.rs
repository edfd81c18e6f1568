//! The config of a practice: an ordinary file, read in the ordinary way.

use super::books::{self, shell_word};
use super::log::Log;
use super::shop::Member;
use super::{backups, releases, tracker};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;

const HEAD: &str = "\
# The practice environment of `opsroom demo`. It is polled as anything would be.
# Intervals and windows are shorter than in real life, so that there is
# something to see within seconds.
environment = \"practice\"
site = \"shop\"
rules = \"rules/*.yml\"

[poll]
every = \"2s\"
timeout = \"1s\"
";

/// Beside what all services have: owner, contact, and what it depends on.
const SERVICES: [(Member, &str, &str); 5] = [
    (Member::Web, "team shopfront", "Asha, +65 5550 1201"),
    (Member::Api, "team orders", "Wang, +65 5550 1234"),
    (Member::Payments, "team payments", "Ines, +65 5550 1277"),
    (Member::Worker, "team orders", "Wang, +65 5550 1234"),
    (Member::Db, "team data", "Jonas, +65 5550 1290"),
];

/// The worker has no visitors: it is judged by its jobs.
const WORKER: &str = r#"
[service.worker.signal.jobs]
expr = 'sum(rate(jobs_processed_total{job="worker",result="done"}[10s]))'
unit = "per_second"
every = "2s"

[service.worker.signal.failed]
expr = 'sum(rate(jobs_processed_total{job="worker",result="failed"}[10s])) / sum(rate(jobs_processed_total{job="worker"}[10s]))'
unit = "ratio"
warning = "2%"
critical = "20%"
every = "2s"
"#;

/// The config of a shop whose members listen at these addresses, with their
/// logs in `folder`.
pub(super) fn text(addresses: &BTreeMap<Member, SocketAddr>, folder: &Path) -> String {
    let mut text = HEAD.to_owned();
    for (member, owner, contact) in SERVICES {
        let Some(address) = addresses.get(&member) else { continue };
        let name = member.name();
        let health = format!("http://{address}{}", member.health_path());
        let log = Log::path(folder, name);
        let logs = format!("tail -n 200 {}", shell_word(&log.to_string_lossy()));
        // Writing to a String cannot fail, here and below.
        let _ = write!(
            text,
            "\n[service.{name}]\nhealth = {}\nowner = {}\ncontact = {}\nlogs = {}\n",
            quoted(&health),
            quoted(owner),
            quoted(contact),
            quoted(&logs),
        );
        let needs: Vec<String> = member.needs().iter().map(|other| quoted(other.name())).collect();
        if member.reports() {
            let _ = writeln!(text, "sentry = {}", quoted(name));
        }
        if !needs.is_empty() {
            let _ = writeln!(text, "depends_on = [{}]", needs.join(", "));
        }
        if member == Member::Db {
            let dumps = backups::folder(folder);
            let _ = writeln!(text, "vars = {{ dumps = {} }}", quoted(&dumps.to_string_lossy()));
        }
        if member == Member::Worker {
            text.push_str(WORKER);
        } else {
            let _ = write!(text, "job = {}\nwindow = \"10s\"\nevery = \"2s\"\n", quoted(name));
        }
    }
    let scraped = addresses.iter().filter(|(member, _)| **member != Member::Tracker);
    for (member, address) in scraped {
        let _ = write!(
            text,
            "\n[scrape.{}]\ntargets = [\"{address}\"]\nevery = \"2s\"\ntimeout = \"1s\"\n",
            member.name()
        );
    }
    if let Some(address) = addresses.get(&Member::Tracker) {
        let token = format!("file:{}", tracker::token_file(folder).to_string_lossy());
        let _ = write!(
            text,
            "\n[sentry]\norg = {}\nurl = \"http://{address}\"\ntoken = {}\nserver = \"sentry\"\n\
             every = \"5s\"\ntimeout = \"2s\"\n",
            quoted(tracker::ORGANIZATION),
            quoted(&token),
        );
    }
    let dumps = |name: &str| {
        let path = backups::folder(folder).join(name);
        quoted(&path.to_string_lossy())
    };
    let _ = write!(
        text,
        "\n[backup.orders]\ndumps = {}\nrpo = \"26h\"\nrto = \"30m\"\nkeep = 14\nrestored = {}\n\
         service = \"db\"\nevery = \"30s\"\ntimeout = \"5s\"\n",
        dumps("orders-*.sql.gz"),
        quoted(&backups::restored(folder).to_string_lossy()),
    );
    // Nobody was told that these are no longer made.
    let _ = write!(
        text,
        "\n[backup.customers]\ndumps = {}\nrpo = \"26h\"\nat_most = \"warning\"\nservice = \"db\"\n\
         every = \"30s\"\ntimeout = \"5s\"\n",
        dumps("customers-*.sql"),
    );
    let _ = write!(
        text,
        "\n[release.deploys]\nfile = {}\nevery = \"2s\"\ntimeout = \"1s\"\n",
        quoted(&releases::file(folder).to_string_lossy()),
    );
    // What is practised is written down in the practice, and goes with it.
    let path = |name: &str| quoted(&folder.join(name).to_string_lossy());
    let _ = write!(
        text,
        "\n[runbooks]\nbuilt_in = false\npath = {}\ntimeout = \"1m\"\n\n[journal]\nfolder = {}\nsockets = {}\n",
        quoted(&books::tools(folder).to_string_lossy()),
        path("journal"),
        path("run"),
    );
    text.push_str("\n[hosts.here]\njob = \"host\"\nwindow = \"10s\"\nevery = \"2s\"\n");
    text
}

/// A TOML text.
fn quoted(text: &str) -> String {
    toml::Value::String(text.into()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Mistakes};
    use crate::sources::kind_keys;

    #[test]
    fn the_config_has_every_service_and_survives_odd_paths() {
        let addresses: BTreeMap<Member, SocketAddr> = Member::ALL
            .into_iter()
            .zip(21_000..)
            .filter(|(member, _)| *member != Member::Visitors)
            .map(|(member, port)| (member, SocketAddr::from(([127, 0, 0, 1], port))))
            .collect();
        let text = text(&addresses, Path::new("/tmp/it's \"odd\"\\n"));
        let root: toml::Table = text.parse().unwrap();
        assert_eq!(root["environment"].as_str(), Some("practice"));
        let services = root["service"].as_table().unwrap();
        assert_eq!(services.len(), 5);
        assert_eq!(
            services["api"]["logs"].as_str(),
            Some("tail -n 200 '/tmp/it'\\''s \"odd\"\\n/api.log'")
        );
        assert_eq!(root["scrape"].as_table().unwrap().len(), 6);
        let mut mistakes = Mistakes::default();
        let config = Config::read(&text, &kind_keys(), &mut mistakes);
        assert!(mistakes.is_empty(), "{mistakes:?}");
        assert_eq!(config.environment, "practice");
        assert_eq!(config.scrapes.len(), 6);
        assert_eq!((config.backups.len(), config.releases.len()), (2, 1));
        assert!(config.sentry.is_some());
        assert_eq!(config.rules.files, ["rules/*.yml"]);
    }
}
