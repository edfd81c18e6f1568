//! `[sentry]`: the error tracker of an organization.

use super::client::{Auth, CLIENT, Client, TRUST};
use super::keys::{Keys, Shape, key};
use super::mistakes::Mistakes;
use super::table::Table;
use crate::domain::{IssueRules, Thresholds, Trend};
use std::time::Duration;

/// `[sentry]`
pub const SENTRY: Keys = &[
    &[
        key("org", Shape::Name, "Slug of the organization. Bugsink has none.").like("shop"),
        key("url", Shape::Url, "Base URL of the server.").or("https://sentry.io"),
        key(
            "token",
            Shape::Secret,
            "An auth token that may read events, projects, releases and the organization, as a reference.",
        )
        .like("file:/etc/opsroom/sentry.token"),
        key(
            "server",
            Shape::OneOf(&["auto", "sentry", "glitchtip", "bugsink"]),
            "What answers there; `auto` finds out.",
        )
        .or("auto"),
        key("environment", Shape::Name, "Issues of this environment only. Bugsink does not tell them apart.")
            .like("production"),
        key(
            "projects",
            Shape::OneOrMore(&Shape::Name),
            "Slugs of the projects to read. Left out: those that services name, or all.",
        )
        .like(r#"["api", "web"]"#),
        key(
            "warning",
            Shape::OneOrMore(&Shape::OneOf(&["new", "regressed", "escalating"])),
            "Issues that go one of these ways make their service a warning. Left out, issues are worth knowing only.",
        )
        .like(r#"["regressed", "escalating"]"#),
        key(
            "crash_free",
            Shape::Table(CRASH_FREE),
            "Share of sessions that did not crash, over 24 hours. Left out, it is worth knowing only.",
        ),
        key("every", Shape::EVERY, "From the start of one poll to the start of the next.")
            .or("60s"),
        key("timeout", Shape::TIMEOUT, "Time for the whole of one poll.").or("15s"),
    ],
    // All but `auth`: the token is one's credentials.
    CLIENT.split_at(1).1,
    TRUST,
];

const CRASH_FREE: Keys = &[&[
    key("warning", Shape::Ratio, "Below this it is a warning.").like("99%"),
    key("critical", Shape::Ratio, "Below this it is critical.").like("95%"),
]];

/// The error tracker of an organization.
#[derive(Clone, Debug, PartialEq)]
pub struct Tracker {
    /// Slug of the organization; empty for Bugsink.
    pub org: String,
    /// Base URL.
    pub url: String,
    /// What answers there; none where that is to be found out.
    pub kind: Option<TrackerKind>,
    /// Issues of this environment only.
    pub environment: Option<String>,
    /// Slugs of the projects to read; empty where services say it.
    pub projects: Vec<String>,
    /// What issues count for.
    pub rules: IssueRules,
    /// From the start of one poll to the start of the next.
    pub every: Duration,
    /// For the whole of one poll.
    pub timeout: Duration,
    /// The token and trust.
    pub client: Client,
}

/// Whose API an error tracker has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrackerKind {
    /// sentry.io, or Sentry on one's own host.
    Sentry,
    /// GlitchTip: the older paths of Sentry.
    GlitchTip,
    /// Bugsink: an API of its own.
    Bugsink,
}

pub(super) fn tracker(table: &Table, mistakes: &mut Mistakes) -> Tracker {
    let mut client = Client::read(table, mistakes);
    match table.secret("token") {
        Some(token) => client.auth = Some(Auth::Bearer(token)),
        None if client.headers.is_empty() => {
            let help = "give it `token`, such as \"file:/etc/opsroom/sentry.token\"";
            mistakes.wrong_but(table.span(), "there is no token", help);
        }
        None => {}
    }
    let kind = match table.text("server").as_str() {
        "sentry" => Some(TrackerKind::Sentry),
        "glitchtip" => Some(TrackerKind::GlitchTip),
        "bugsink" => Some(TrackerKind::Bugsink),
        _ => None,
    };
    let org = table.text("org");
    if org.is_empty() && kind != Some(TrackerKind::Bugsink) {
        let help = "give it `org`; only a `server = \"bugsink\"` has none";
        mistakes.wrong_but(table.span(), "there is no organization", help);
    }
    Tracker {
        org,
        url: table.text("url"),
        kind,
        environment: table.optional_text("environment"),
        projects: table.texts("projects"),
        rules: rules(table, mistakes),
        every: table.duration("every"),
        timeout: table.duration("timeout"),
        client,
    }
}

fn rules(table: &Table, mistakes: &mut Mistakes) -> IssueRules {
    let mut crash_free = Thresholds { below: true, ..Thresholds::default() };
    if let Some(limits) = table.table("crash_free") {
        crash_free.warning = limits.optional_number("warning");
        crash_free.critical = limits.optional_number("critical");
        if let (Some(warning), Some(critical)) = (crash_free.warning, crash_free.critical)
            && warning < critical
        {
            let help = "less is worse here: `critical` is the smaller one";
            mistakes.wrong_but(limits.span_of("critical"), "critical begins before warning", help);
        }
    }
    let warning = table.texts("warning").iter().filter_map(|word| Trend::of(word)).collect();
    IssueRules { warning, crash_free }
}

/// Projects belong to one service each, and to a tracker.
pub(super) fn check_projects(root: &Table, mistakes: &mut Mistakes) {
    let tracker = root.table("sentry");
    let wanted = tracker.map(|tracker| tracker.texts("projects")).unwrap_or_default();
    let mut seen: Vec<String> = Vec::new();
    for project in root.named("service").iter().flat_map(|service| service.placed_texts("sentry")) {
        if tracker.is_none() {
            let help = "add a `[sentry]` table, with `org` and `token`";
            mistakes.wrong_but(project.span, "there is no error tracker", help);
        } else if !wanted.is_empty() && !wanted.contains(&project.it) {
            let help = "add it to `projects` of `[sentry]`";
            mistakes.wrong_but(project.span, "this project is not read", help);
        } else if seen.contains(&project.it) {
            let help = "an issue counts for one service";
            mistakes.wrong_but(project.span, "this project has a service already", help);
        }
        seen.push(project.it);
    }
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::*;
    use crate::config::Secret;

    fn read(text: &str) -> (Config, Vec<String>) {
        let mut mistakes = Mistakes::default();
        let config = Config::read(text, &[], &mut mistakes);
        let told = mistakes.in_order().iter().map(|mistake| mistake.message.clone()).collect();
        (config, told)
    }

    #[test]
    fn a_tracker_is_read_with_its_defaults_and_services_say_their_projects() {
        let (config, mistakes) = read(
            "[sentry]\norg = 'shop'\ntoken = 'env:T'\n\
             warning = 'regressed'\ncrash_free = { warning = '99%', critical = '95%' }\n\
             [service.api]\nsentry = ['api', 'api-jobs']\ntcp = 'h:1'",
        );
        assert!(mistakes.is_empty(), "{mistakes:?}");
        let tracker = config.sentry.as_ref().unwrap();
        assert_eq!((tracker.url.as_str(), tracker.kind), ("https://sentry.io", None));
        assert_eq!(tracker.client.auth, Some(Auth::Bearer(Secret::parse("env:T"))));
        assert_eq!((tracker.every.as_secs(), tracker.timeout.as_secs()), (60, 15));
        let inventory = config.inventory();
        assert_eq!(inventory.services[0].projects, ["api", "api-jobs"]);
        assert_eq!(inventory.issues.warning, [Trend::Regressed]);
        assert_eq!(inventory.issues.crash_free.critical, Some(0.95));
        assert!(inventory.issues.count());
    }

    #[test]
    fn what_cannot_be_asked_is_a_mistake() {
        let (_, mistakes) = read("[service.api]\nsentry = 'api'\ntcp = 'h:1'");
        assert_eq!(mistakes, ["there is no error tracker"]);
        let (_, mistakes) = read("[sentry]\nserver = 'sentry'");
        assert_eq!(mistakes, ["there is no token", "there is no organization"]);
        let (_, mistakes) = read("[sentry]\nserver = 'bugsink'\nurl = 'http://b'\ntoken = 'env:T'");
        assert!(mistakes.is_empty(), "{mistakes:?}");
        let (_, mistakes) = read(
            "[sentry]\norg = 'a'\ntoken = 'env:T'\nprojects = 'a'\n\
             crash_free = { warning = 0.9, critical = 0.99 }\n\
             [service.a]\nsentry = ['a', 'b']\ntcp = 'h:1'\n[service.b]\nsentry = 'a'\ntcp = 'h:1'",
        );
        assert_eq!(
            mistakes,
            [
                "critical begins before warning",
                "this project is not read",
                "this project has a service already",
            ]
        );
    }
}
