//! `[alertmanager]`: who is told of alerts, and what keeps them quiet.

use super::client::{CLIENT, Client, TRUST};
use super::keys::{Keys, Shape, key};
use super::mistakes::Mistakes;
use super::table::Table;
use std::time::Duration;

/// `[alertmanager]`
pub const ALERTMANAGER: Keys = &[
    &[
        key("url", Shape::OneOrMore(&Shape::Url), "Base URL, with its path where it has one; of a cluster all members: the next is asked when one does not answer.")
            .like(r#"["http://alertmanager-1:9093", "http://alertmanager-2:9093"]"#)
            .needed(),
        key("receiver", Shape::Regex, "Alerts for receivers whose whole name matches this only.")
            .like("team-shop.*"),
        key("filter", Shape::OneOrMore(&Shape::Name), "Alerts with these labels only, as in Alertmanager.")
            .like(r#"['team="shop"']"#),
        key("watchdog", Shape::Name, "Name of an alert that must always fire: where it does not, alerts may not arrive. Left out, `Watchdog` or `DeadMansSwitch` is expected once it was seen.")
            .like("Watchdog"),
        key("every", Shape::EVERY, "From the start of one poll to the start of the next.").or("10s"),
        key("timeout", Shape::TIMEOUT, "Time for the whole of one poll, shared by the members of a cluster.")
            .or("5s"),
    ],
    CLIENT,
    TRUST,
];

/// An Alertmanager, or the members of a cluster of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Alertmanager {
    /// Base URLs; one at least.
    pub urls: Vec<String>,
    /// Alerts for these receivers only.
    pub receiver: Option<String>,
    /// Alerts with these labels only.
    pub filter: Vec<String>,
    /// The alert that must always fire.
    pub watchdog: Option<String>,
    /// From the start of one poll to the start of the next.
    pub every: Duration,
    /// For the whole of one poll.
    pub timeout: Duration,
    /// Credentials and trust.
    pub client: Client,
}

pub(super) fn alertmanager(table: &Table, mistakes: &mut Mistakes) -> Alertmanager {
    if table.has("url") && table.texts("url").is_empty() {
        let help = "give it the base URL of one member at least";
        mistakes.wrong_but(table.span_of("url"), "`alertmanager.url` is empty", help);
    }
    Alertmanager {
        urls: table.texts("url"),
        receiver: table.regex("receiver").map(|regex| regex.as_str().to_owned()),
        filter: table.texts("filter"),
        watchdog: table.optional_text("watchdog"),
        every: table.duration("every"),
        timeout: table.duration("timeout"),
        client: Client::read(table, mistakes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn read(text: &str) -> (Option<Alertmanager>, Vec<String>) {
        let mut mistakes = Mistakes::default();
        let config = Config::read(text, &[], &mut mistakes);
        let told = mistakes.in_order().iter().map(|mistake| mistake.message.clone()).collect();
        (config.alertmanager, told)
    }

    #[test]
    fn a_url_alone_says_it_all() {
        let (one, mistakes) = read("alertmanager = 'http://am:9093/base'");
        let one = one.unwrap();
        assert!(mistakes.is_empty(), "{mistakes:?}");
        assert_eq!(one.urls, ["http://am:9093/base"]);
        assert_eq!((one.every, one.watchdog), (Duration::from_secs(10), None));
        let (several, mistakes) = read("alertmanager = ['http://a:9093', 'http://b:9093']");
        assert!(mistakes.is_empty(), "{mistakes:?}");
        assert_eq!(several.unwrap().urls.len(), 2);
    }

    #[test]
    fn a_cluster_names_its_members() {
        let (cluster, mistakes) = read(
            "[alertmanager]\nurl = ['http://a:9093', 'http://b:9093']\nreceiver = 'shop.*'\n\
             filter = 'team=\"shop\"'\nwatchdog = 'AlwaysFiring'",
        );
        let cluster = cluster.unwrap();
        assert!(mistakes.is_empty(), "{mistakes:?}");
        assert_eq!((cluster.urls.len(), cluster.filter.len()), (2, 1));
        assert_eq!(cluster.receiver.as_deref(), Some("shop.*"));
        assert_eq!(cluster.watchdog.as_deref(), Some("AlwaysFiring"));
    }

    #[test]
    fn nobody_to_ask_is_a_mistake() {
        assert_eq!(read("[alertmanager]\nurl = []").1, ["`alertmanager.url` is empty"]);
        assert!(read("[alertmanager]\nevery = '5s'").1[0].contains("`url` is missing"));
        assert!(read("alertmanager = 'am:9093'").1[0].contains("neither http nor https"));
    }
}
