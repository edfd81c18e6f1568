//! What is known in a few lines: for `glance`, scripts and prompts.

use super::{Known, Online, Watch, WatchKind};
use crate::domain::{Counts, Mark, Standing, Status, Timestamp, harmless, units};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::Duration;

/// A summary that is older than this says nothing of now.
const TRUSTED_FOR: Duration = Duration::from_mins(1);
/// So many of those that are folded into one line are named on it.
const NAMED: usize = 20;

/// A summary of what is known: plain data that a console writes and a glance reads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Glance {
    /// The moment it is about.
    pub taken: Timestamp,
    /// The environment's name.
    pub environment: String,
    /// What runs there; may be empty.
    pub site: String,
    /// The worst of all that is counted.
    pub verdict: Status,
    /// How many services, hosts and sources have each status.
    pub counts: Counts,
    /// Whether this host has a network.
    pub online: Online,
    /// All that is not ok, worst first, then longest first.
    pub problems: Vec<Problem>,
    /// What keeps the watching itself from being whole, worst first.
    #[serde(default)]
    pub watch: Vec<Watch>,
    /// How the backups that count stand, by their name: a look need not ask
    /// again what a console has asked.
    #[serde(default)]
    pub backups: BTreeMap<String, Standing>,
}

/// Something that is not ok.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Problem {
    /// What it is.
    pub kind: ProblemKind,
    /// Its name: `api`, `db-1:9100`, `prometheus`.
    pub name: String,
    /// How it stands.
    pub standing: Standing,
    /// The service that explains it, where one does.
    #[serde(default)]
    pub explained_by: Option<String>,
}

/// What a problem is a problem of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProblemKind {
    /// A service.
    Service,
    /// A host, or a group of hosts of which nothing was seen.
    Host,
    /// A metrics server, a scraped target, or another source that tells of things.
    Source,
    /// The backups of a data set.
    Backup,
    /// An alert that others raise and that belongs to no service.
    Alert,
    /// The summary itself is old.
    Console,
}

impl ProblemKind {
    fn word(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::Alert => "alert",
            Self::Host => "host",
            Self::Source => "source",
            Self::Backup => "backup",
            Self::Console => "console",
        }
    }
}

/// Worst first, then longest first.
fn worst_first(problems: &mut [Problem]) {
    problems.sort_by(|a, b| {
        let worse = b.standing.status.cmp(&a.standing.status);
        worse.then(a.standing.since.cmp(&b.standing.since)).then(a.kind.cmp(&b.kind))
    });
}

impl Glance {
    /// The summary of what is known now.
    pub fn of(known: &Known) -> Self {
        let mut problems = Vec::new();
        let mut add = |kind: ProblemKind, name: &str, standing: &Standing| {
            if standing.status != Status::Ok {
                let (name, standing) = (name.to_owned(), standing.clone());
                problems.push(Problem { kind, name, standing, explained_by: None });
            }
        };
        for (name, service) in &known.services {
            add(ProblemKind::Service, name.as_str(), &service.standing);
        }
        for (group, hosts) in &known.hosts {
            if hosts.is_empty() {
                let standing = Standing::unknown("no host was seen yet", known.started, None);
                add(ProblemKind::Host, group, &standing);
            }
            for (instance, host) in hosts {
                add(ProblemKind::Host, instance, &host.standing);
            }
        }
        for (info, source) in known.lone_sources() {
            add(ProblemKind::Source, &info.label, &source.standing);
        }
        for (info, backup) in known.backups_that_count() {
            add(ProblemKind::Backup, &info.label, &backup.standing);
        }
        for (alert, standing) in known.lone_alerts() {
            add(ProblemKind::Alert, alert.name(), &standing);
        }
        let services = problems.iter_mut().filter(|of| of.kind == ProblemKind::Service);
        for problem in services {
            let root = known.explained().root_of(&problem.name.as_str().into());
            problem.explained_by = root.map(ToString::to_string);
        }
        worst_first(&mut problems);
        let counts = known.counts();
        Self {
            taken: known.now,
            environment: known.inventory.environment.clone(),
            site: known.inventory.site.clone(),
            verdict: counts.verdict(),
            counts,
            online: known.online,
            problems,
            watch: known.watch(),
            backups: known
                .backups_that_count()
                .map(|(info, backup)| (info.label.clone(), backup.standing.clone()))
                .collect(),
        }
    }

    /// The names of the data sets whose backups need not be looked at: whoever
    /// wrote this has done so, and looks again when it is time. An old summary
    /// says nothing.
    pub fn spares(&self, environment: &str, now: Timestamp) -> BTreeSet<String> {
        let known = self.backups.iter().filter(|(_, standing)| !standing.is_waiting());
        let trusted = self.is_of(environment, now);
        known.filter(|_| trusted).map(|(name, _)| name.clone()).collect()
    }

    /// Whether it is of this environment and of about this moment.
    fn is_of(&self, environment: &str, moment: Timestamp) -> bool {
        let apart = self.taken.since(moment).max(moment.since(self.taken));
        apart <= TRUSTED_FOR && self.environment == environment
    }

    /// With what a running console saw: the backups that were not looked at for
    /// that, and beginnings, since a look that starts from nothing cannot know
    /// since when a problem stands. `kept` is the console's summary of the same
    /// config; an old one says nothing.
    #[must_use]
    pub fn with_kept(mut self, kept: &Self) -> Self {
        if !kept.is_of(&self.environment, self.taken) {
            return self;
        }
        for (name, standing) in self.backups.iter_mut().filter(|(_, known)| known.is_waiting()) {
            let Some(known) = kept.backups.get(name) else { continue };
            standing.clone_from(known);
            self.counts.replace(Status::Unknown, known.status);
            let of =
                |problem: &Problem| problem.kind == ProblemKind::Backup && problem.name == *name;
            if known.status == Status::Ok {
                self.problems.retain(|problem| !of(problem));
            } else if let Some(problem) = self.problems.iter_mut().find(|problem| of(problem)) {
                problem.standing.clone_from(known);
            }
        }
        self.verdict = self.counts.verdict();
        // Whoever raised an alert tells since when; several may have one name.
        let own = |problem: &&mut Problem| problem.kind != ProblemKind::Alert;
        for problem in self.problems.iter_mut().filter(own) {
            let same = |known: &&Problem| {
                (known.kind, &known.name, known.standing.status)
                    == (problem.kind, &problem.name, problem.standing.status)
            };
            let Some(known) = kept.problems.iter().find(same) else { continue };
            if known.standing.since < problem.standing.since {
                problem.standing.since = known.standing.since;
                problem.standing.since_at_least = known.standing.since_at_least;
            }
        }
        worst_first(&mut self.problems);
        self
    }

    /// The same as it has to be read at `now`: when it is older than a minute
    /// nobody knows what has happened since, and only a critical is kept.
    #[must_use]
    pub fn read_at(mut self, now: Timestamp) -> Self {
        let age = now.since(self.taken);
        if age <= TRUSTED_FOR && self.taken <= now + TRUSTED_FOR {
            return self;
        }
        let reason = if self.taken > now {
            "the last summary is from the future".to_owned()
        } else {
            format!("the last summary is {} old", units::age(age))
        };
        let standing = Standing {
            seen: Some(self.taken),
            ..Standing::unknown(reason, self.taken, Some(Mark::Stale))
        };
        let (kind, name) = (ProblemKind::Console, "console".into());
        let problem = Problem { kind, name, standing, explained_by: None };
        let critical = self.problems.iter().filter(|p| p.standing.status == Status::Critical);
        self.problems.insert(critical.count(), problem);
        if self.verdict != Status::Critical {
            self.verdict = Status::Unknown;
        }
        self
    }

    /// For people and prompts: the worst problem on line one with all counts,
    /// then one line for each problem. Ends with a line end.
    pub fn text(&self, now: Timestamp) -> String {
        let Counts { critical, warning, unknown, ok } = self.counts;
        let mut counts =
            format!("{critical} critical, {warning} warning, {unknown} unknown, {ok} ok");
        let age = now.since(self.taken);
        let told = self.problems.iter().any(|problem| problem.kind == ProblemKind::Console);
        if age >= Duration::from_secs(1) && !told {
            let _ = write!(counts, ", {} ago", units::age(age));
        }
        let told_apart = || self.problems.iter().filter(|problem| problem.explained_by.is_none());
        let mut lines = vec![match told_apart().next().or(self.problems.first()) {
            Some(worst) => {
                let said = worst.standing.words(now);
                format!("{}: {} {said} ({counts})", self.verdict, worst.name)
            }
            None if self.counts == Counts::default() => {
                format!("{}: nothing is watched", self.verdict)
            }
            None => format!("{}: {counts}", self.verdict),
        }];
        if let Online::No { since } = self.online {
            lines.push(format!(
                "{:<8}  this host is offline for {}",
                "note",
                units::age(now.since(since))
            ));
        }
        // What is down is among the problems.
        let watched = self.watch.iter().filter(|of| of.kind != WatchKind::Source);
        for watch in watched.filter(|of| of.status >= Status::Warning) {
            lines.push(format!("{:<8}  {}", "note", watch.words));
        }
        let width = |text: &str| text.chars().count();
        let widest = self.problems.iter().map(|problem| width(&problem.name)).max().unwrap_or(0);
        for Problem { kind, name, standing, .. } in told_apart() {
            let said = standing.words(now);
            let pad = " ".repeat(widest.min(32).saturating_sub(width(name)));
            lines.push(format!("{:<8}  {:<7}  {name}{pad}  {said}", standing.status, kind.word()));
            if *kind == ProblemKind::Service
                && let Some(folded) = self.folded_under(name)
            {
                lines.push(format!("{:<8}  {folded}", ""));
            }
        }
        let mut text = String::new();
        for line in lines {
            text.push_str(&harmless(&line));
            text.push('\n');
        }
        text
    }

    /// `+29 explained by db: api, web`, where this explains any.
    fn folded_under(&self, root: &str) -> Option<String> {
        let of_root = |problem: &&Problem| problem.explained_by.as_deref() == Some(root);
        let names: Vec<&str> =
            self.problems.iter().filter(of_root).map(|problem| problem.name.as_str()).collect();
        let more = if names.len() > NAMED { ", ..." } else { "" };
        let listed = names.get(..NAMED).unwrap_or(&names).join(", ");
        (!names.is_empty()).then(|| format!("+{} explained by {root}: {listed}{more}", names.len()))
    }

    /// For scripts: one JSON object with times in RFC 3339 and ages in seconds.
    pub fn json(&self, now: Timestamp) -> serde_json::Value {
        let problems =
            self.problems.iter().map(|Problem { kind, name, standing, explained_by }| {
                json!({
                    "kind": kind,
                    "name": name,
                    "status": standing.status,
                    "reason": standing.reason,
                    "since": standing.since.to_string(),
                    "since_at_least": standing.since_at_least,
                    "for_s": now.since(standing.since).as_secs(),
                    "seen_s": standing.seen.map(|seen| now.since(seen).as_secs()),
                    "stale": standing.mark == Some(Mark::Stale),
                    "explained_by": explained_by,
                })
            });
        json!({
            "status": self.verdict,
            "exit_code": self.verdict.exit_code(),
            "environment": self.environment,
            "site": self.site,
            "taken": self.taken.to_string(),
            "age_s": now.since(self.taken).as_secs(),
            "offline": matches!(self.online, Online::No { .. }),
            "counts": self.counts,
            "problems": problems.collect::<Vec<_>>(),
            "watch": self.watch,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(name: &str, status: Status, reason: &str, since_s: u64) -> Problem {
        let since = Timestamp::from_millis(0) + Duration::from_secs(since_s);
        let standing = Standing {
            status,
            reason: reason.into(),
            since,
            seen: Some(since),
            ..Standing::default()
        };
        let kind = ProblemKind::Service;
        Problem { kind, name: name.into(), standing, explained_by: None }
    }

    fn glance() -> Glance {
        Glance {
            taken: Timestamp::from_millis(134_000),
            environment: "production".into(),
            site: "shop".into(),
            verdict: Status::Critical,
            counts: Counts { critical: 1, warning: 1, unknown: 0, ok: 3 },
            online: Online::Yes,
            problems: vec![
                problem("api", Status::Critical, "HTTP 503", 0),
                problem("payments", Status::Warning, "p95 810ms > 500ms", 100),
            ],
            watch: Vec::new(),
            backups: BTreeMap::new(),
        }
    }

    #[test]
    fn the_worst_is_on_line_one_and_each_problem_on_its_own() {
        insta::assert_snapshot!(glance().text(Timestamp::from_millis(134_000)), @r"
        critical: api HTTP 503 for 2m14s (1 critical, 1 warning, 0 unknown, 3 ok)
        critical  service  api       HTTP 503 for 2m14s
        warning   service  payments  p95 810ms > 500ms for 34s
        ");
    }

    #[test]
    fn what_is_explained_is_one_line_under_its_root_and_whole_in_json() {
        let mut glance = glance();
        glance.problems.insert(0, problem("web", Status::Critical, "no answer in 5s", 0));
        glance.problems[0].explained_by = Some("api".into());
        insta::assert_snapshot!(glance.text(Timestamp::from_millis(134_000)), @r"
        critical: api HTTP 503 for 2m14s (1 critical, 1 warning, 0 unknown, 3 ok)
        critical  service  api       HTTP 503 for 2m14s
                  +1 explained by api: web
        warning   service  payments  p95 810ms > 500ms for 34s
        ");
        let json = glance.json(Timestamp::from_millis(134_000));
        assert_eq!(json["problems"].as_array().unwrap().len(), 3);
        assert_eq!(json["problems"][0]["explained_by"], "api");
        assert_eq!(json["problems"][1]["explained_by"], serde_json::Value::Null);
    }

    #[test]
    fn a_summary_that_was_kept_says_its_age() {
        let fine = Glance {
            verdict: Status::Ok,
            counts: Counts { ok: 3, ..Counts::default() },
            problems: Vec::new(),
            ..glance()
        };
        let later = fine.taken + Duration::from_secs(12);
        let text = fine.read_at(later).text(later);
        assert_eq!(text, "ok: 0 critical, 0 warning, 0 unknown, 3 ok, 12s ago\n");
    }

    #[test]
    fn an_old_summary_keeps_only_what_was_critical() {
        let later = Timestamp::from_millis(134_000 + 61_000);
        assert_eq!(glance().read_at(later).verdict, Status::Critical);
        let fine = Glance {
            verdict: Status::Ok,
            counts: Counts { ok: 3, ..Counts::default() },
            problems: Vec::new(),
            ..glance()
        };
        assert_eq!(fine.clone().read_at(fine.taken).verdict, Status::Ok);
        let old = fine.clone().read_at(later);
        assert_eq!(old.verdict, Status::Unknown);
        assert!(old.text(later).starts_with("unknown: console the last summary is 1m01s old"));
        let early = Timestamp::from_millis(0);
        assert_eq!(fine.read_at(early).verdict, Status::Unknown, "a future one is no better");
    }

    #[test]
    fn a_fresh_look_takes_over_since_when_a_running_console_saw_a_problem() {
        let mut fresh = glance();
        for problem in &mut fresh.problems {
            problem.standing.since = fresh.taken;
            problem.standing.since_at_least = true;
        }
        let mut kept = glance();
        kept.taken = fresh.taken - Duration::from_secs(10);
        let begun: Vec<Timestamp> = kept.problems.iter().map(|p| p.standing.since).collect();
        let told = fresh.clone().with_kept(&kept);
        let since = |glance: &Glance| -> Vec<_> {
            glance.problems.iter().map(|p| p.standing.since).collect()
        };
        assert_eq!(since(&told), begun);
        let text = told.text(told.taken);
        assert!(text.contains("payments  p95 810ms > 500ms for 34s"), "{text}");
        assert_eq!(told.json(told.taken)["problems"][0]["for_s"], 134);

        // Another status is another problem, and what is old says nothing.
        kept.problems[0].standing.status = Status::Warning;
        let told = fresh.clone().with_kept(&kept);
        assert_eq!(since(&told), [fresh.taken, begun[1]]);
        kept.taken = fresh.taken - Duration::from_secs(61);
        assert_eq!(fresh.clone().with_kept(&kept), fresh);
        let later = Glance { taken: fresh.taken + Duration::from_secs(61), ..kept.clone() };
        assert_eq!(fresh.clone().with_kept(&later), fresh);
        let other = Glance { environment: "staging".into(), taken: fresh.taken, ..kept };
        assert_eq!(fresh.clone().with_kept(&other), fresh);
    }

    #[test]
    fn backups_that_a_console_looked_at_are_told_as_it_saw_them() {
        let waiting = Standing::waiting(Timestamp::from_millis(134_000));
        let backup = |name: &str, standing: &Standing| Problem {
            kind: ProblemKind::Backup,
            name: name.into(),
            standing: standing.clone(),
            explained_by: None,
        };
        let mut fresh = glance();
        for name in ["late", "orders", "unseen"] {
            fresh.backups.insert(name.into(), waiting.clone());
            fresh.problems.push(backup(name, &waiting));
            fresh.counts.add(Status::Unknown);
        }
        let late = problem("late", Status::Critical, "27h old, 26h allowed", 0).standing;
        let fine = Standing { status: Status::Ok, ..late.clone() };
        let mut kept = glance();
        kept.backups.insert("late".into(), late);
        kept.backups.insert("orders".into(), fine);
        kept.backups.insert("unseen".into(), waiting);
        let spared = kept.spares("production", fresh.taken);
        assert_eq!(spared, BTreeSet::from(["late".into(), "orders".into()]));
        let told = fresh.clone().with_kept(&kept);
        assert_eq!(told.counts, Counts { critical: 2, warning: 1, unknown: 1, ok: 4 });
        let words = told.text(told.taken);
        assert!(words.contains("critical  backup   late      27h old"), "{words}");
        assert!(!words.contains("orders"), "{words}");
        assert!(words.contains("unknown   backup   unseen    nothing has answered yet"), "{words}");

        // What is old, or of another environment, spares nothing and tells nothing.
        assert!(kept.spares("staging", fresh.taken).is_empty());
        kept.taken = fresh.taken - Duration::from_secs(61);
        assert!(kept.spares("production", fresh.taken).is_empty());
        assert_eq!(fresh.clone().with_kept(&kept), fresh);
    }

    #[test]
    fn nothing_watched_is_unknown_and_says_so() {
        let empty = Known::new(std::sync::Arc::default(), Timestamp::from_millis(0));
        let glance = Glance::of(&empty);
        assert_eq!(glance.text(empty.now), "unknown: nothing is watched\n");
        assert_eq!(glance.json(empty.now)["exit_code"], 3);
    }

    #[test]
    fn a_hostile_reason_stays_on_its_line() {
        let mut glance = glance();
        glance.problems[0].standing.reason = "a\u{1b}[2Jb\nok: all is well".into();
        let text = glance.text(glance.taken);
        assert_eq!(text.lines().count(), 3);
        assert!(!text.contains('\u{1b}'));
    }
}
