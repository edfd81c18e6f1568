//! Names for who types an expression: from what is scraped, or from the metrics
//! server, whose lists are kept for a while.

use super::World;
use crate::domain::labels::METRIC_NAME;
use crate::domain::{EngineKind, harmless_within};
use crate::metrics::{MatchOp, Matcher, Memory};
use crate::runtime::clock;
use crate::sources::prometheus::Prometheus;
use crate::store::{
    AskError, Complete, Completed, MOST_NAMES, Msg, Named, Names, SeriesOf, Sought,
};
use crate::ui::fuzzy;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A list of a server's names is asked again after this time.
const KEPT: Duration = Duration::from_mins(1);
/// So many lists are kept.
const LISTS: usize = 32;
/// What pages say of metrics is asked again after this time; it hardly ever changes.
const DESCRIPTIONS_KEPT: Duration = Duration::from_mins(10);
/// Longer descriptions are cut off.
const LONGEST_HELP: usize = 300;

type List = Arc<[String]>;
type Descriptions = Arc<HashMap<String, (String, String)>>;

/// What was asked last, and what a server has told.
#[derive(Clone, Default)]
pub(super) struct Lookup {
    newest: Arc<AtomicU64>,
    /// One question at a time goes to the server: those who type quickly wait
    /// here, and find that they are no longer wanted, or that the list is there.
    turn: Arc<tokio::sync::Mutex<()>>,
    told: Arc<Mutex<Told>>,
}

#[derive(Default)]
struct Told {
    lists: HashMap<Sought, (tokio::time::Instant, List)>,
    descriptions: Option<(tokio::time::Instant, Descriptions)>,
}

impl Lookup {
    fn is_newest(&self, id: u64) -> bool {
        self.newest.load(Ordering::Relaxed) == id
    }

    fn told(&self) -> std::sync::MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Another server may know other names.
    pub(super) fn forget(&self) {
        *self.told() = Told::default();
    }

    fn kept(&self, sought: &Sought) -> Option<List> {
        let told = self.told();
        let (since, list) = told.lists.get(sought)?;
        (since.elapsed() < KEPT).then(|| Arc::clone(list))
    }

    fn keep(&self, sought: &Sought, list: &List) {
        let mut told = self.told();
        if told.lists.len() >= LISTS {
            told.lists.clear();
        }
        told.lists.insert(sought.clone(), (clock::instant(), Arc::clone(list)));
    }

    async fn list(&self, server: &Prometheus, sought: &Sought) -> Result<List, AskError> {
        if let Some(list) = self.kept(sought) {
            return Ok(list);
        }
        let mut names = match sought {
            Sought::Nothing => Vec::new(),
            Sought::Metrics => server.metric_names().await?,
            Sought::Labels(of) => server.label_names(selector(of).as_deref()).await?,
            Sought::Values { label, of } => {
                server.label_values_of(label, selector(of).as_deref()).await?
            }
        };
        if matches!(sought, Sought::Labels(_)) {
            // A metric's name stands before the braces.
            names.retain(|name| name != METRIC_NAME);
        }
        let list: List = names.into();
        // A server that has just started knows more in a moment.
        if !list.is_empty() {
            self.keep(sought, &list);
        }
        Ok(list)
    }

    /// What is known of metrics; a server that does not tell is not asked soon again.
    async fn descriptions(&self, server: &Prometheus) -> Descriptions {
        let kept = self.told().descriptions.clone();
        if let Some((_, kept)) = kept.filter(|(since, _)| since.elapsed() < DESCRIPTIONS_KEPT) {
            return kept;
        }
        let told = server.metadata().await.unwrap_or_default();
        let told: Descriptions =
            Arc::new(told.into_iter().map(|(name, kind, help)| (name, (kind, help))).collect());
        self.told().descriptions = Some((clock::instant(), Arc::clone(&told)));
        told
    }
}

impl World {
    /// Looks for names; a newer question lets an older one go.
    pub(super) fn complete(&self, ask: Complete) {
        let lookup = self.0.names.clone();
        lookup.newest.store(ask.id, Ordering::Relaxed);
        match ask.engine {
            EngineKind::Embedded => {
                let out = self.0.out.clone();
                self.0.engine.with_memory(move |memory| {
                    if lookup.is_newest(ask.id) {
                        let outcome = Ok(of_memory(memory, &ask));
                        let completed = Completed { id: ask.id, outcome };
                        // Nobody listens any more when the program is ending.
                        let _ = out.blocking_send(Msg::Completed(completed));
                    }
                });
            }
            EngineKind::Server => super::alone(self.clone().complete_by_server(lookup, ask)),
        }
    }

    async fn complete_by_server(self, lookup: Lookup, ask: Complete) {
        let id = ask.id;
        let turn = lookup.turn.clone();
        let _turn = turn.lock().await;
        if !lookup.is_newest(id) {
            return;
        }
        let server = self.made().server.clone();
        let outcome = match server {
            Some(server) => of_server(&lookup, &server, ask).await,
            None => Err("no metrics server is set".to_owned()),
        };
        if lookup.is_newest(id) {
            self.tell(Msg::Completed(Completed { id, outcome })).await;
        }
    }
}

async fn of_server(lookup: &Lookup, server: &Prometheus, ask: Complete) -> Result<Names, String> {
    let list = lookup.list(server, &ask.sought).await;
    let list = list.map_err(|error| harmless_within(&error.message, 200))?;
    let descriptions = if ask.sought == Sought::Metrics || ask.about.is_some() {
        lookup.descriptions(server).await
    } else {
        Descriptions::default()
    };
    let is_metric = ask.sought == Sought::Metrics;
    let found = tokio::task::spawn_blocking(move || {
        let (best, of) = fuzzy::best(&ask.typed, list.iter().map(String::as_str), MOST_NAMES);
        let describe = |name: &str| {
            let (kind, help) = described(&descriptions, name).cloned().unwrap_or_default();
            Named { name: name.to_owned(), kind, help }
        };
        let plain = |name: &str| Named { name: name.to_owned(), ..Named::default() };
        let best =
            best.into_iter().map(|name| if is_metric { describe(name) } else { plain(name) });
        let best = best.collect();
        let about = ask.about.as_deref().map(describe).filter(|about| *about != plain(&about.name));
        Names { best, of, about }
    });
    found.await.map_err(|error| error.to_string())
}

/// What a server says of a metric: it may name only the family that it belongs to.
fn described<'d>(told: &'d Descriptions, metric: &str) -> Option<&'d (String, String)> {
    const ENDINGS: [&str; 6] = ["_total", "_bucket", "_sum", "_count", "_created", "_info"];
    let family = || ENDINGS.iter().find_map(|end| told.get(metric.strip_suffix(end)?));
    told.get(metric).or_else(family)
}

/// `metric{a="b"}`, where there is anything to select by.
fn selector(of: &SeriesOf) -> Option<String> {
    let metric = of.metric.as_ref().map(|name| (METRIC_NAME, name.as_str()));
    let given = of.given.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let conditions: Vec<String> = metric
        .into_iter()
        .chain(given)
        .map(|(name, value)| {
            let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
            if plain { format!("{name}=\"{value}\"") } else { format!("{name:?}=\"{value}\"") }
        })
        .collect();
    (!conditions.is_empty()).then(|| format!("{{{}}}", conditions.join(",")))
}

/// The same as matchers.
fn matchers(of: &SeriesOf) -> Vec<Matcher> {
    let metric = of.metric.iter().map(|name| (METRIC_NAME.to_owned(), name.clone()));
    let all = metric.chain(of.given.iter().cloned());
    all.map(|(name, value)| Matcher { name, op: MatchOp::Equal(value) }).collect()
}

/// The names that the memory has.
fn of_memory(memory: &Memory, ask: &Complete) -> Names {
    let describe = |name: &str| {
        let known = memory.metadata(name);
        Named {
            name: name.to_owned(),
            kind: known.map_or("", |known| known.kind.word()).to_owned(),
            help: known.map_or(String::new(), |known| harmless_within(&known.help, LONGEST_HELP)),
        }
    };
    let mut all: Vec<&str> = match &ask.sought {
        Sought::Nothing => Vec::new(),
        Sought::Metrics => memory.metric_names(),
        Sought::Labels(of) if *of == SeriesOf::default() => memory.label_names(),
        Sought::Values { label, of } if *of == SeriesOf::default() => memory.label_values(label),
        Sought::Labels(of) => memory.label_names_of(&matchers(of)),
        Sought::Values { label, of } => memory.label_values_of(label, &matchers(of)),
    };
    let is_metric = ask.sought == Sought::Metrics;
    if matches!(ask.sought, Sought::Labels(_)) {
        all.retain(|name| *name != METRIC_NAME);
    }
    let (best, of) = fuzzy::best(&ask.typed, all, MOST_NAMES);
    let plain = |name: &str| Named { name: name.to_owned(), ..Named::default() };
    let best = best.into_iter().map(|name| if is_metric { describe(name) } else { plain(name) });
    let best = best.collect();
    let known = ask.about.as_deref().filter(|name| memory.metadata(name).is_some());
    Names { best, of, about: known.map(describe) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Timestamp;
    use crate::metrics::{Limits, Target};

    fn memory() -> Memory {
        let mut memory = Memory::new(Limits::default());
        let target = Target::new("api", "10.0.0.7:9100", [("env", "x")]);
        let page = "# HELP http_requests_total Requests that came.\n\
            # TYPE http_requests_total counter\n\
            http_requests_total{code=\"200\",path=\"a\\\"b\\\\c\"} 5\n\
            http_requests_total{code=\"500\",path=\"/\"} 1\n\
            other{zone=\"x\"} 1\n";
        let at = Timestamp::from_millis(1_000);
        memory.take_page(&target, "", page.as_bytes(), Duration::ZERO, at).unwrap();
        memory
    }

    fn ask(sought: Sought, typed: &str) -> Complete {
        Complete { id: 1, engine: EngineKind::Embedded, sought, typed: typed.into(), about: None }
    }

    fn names(sought: Sought, typed: &str) -> Vec<String> {
        let found = of_memory(&memory(), &ask(sought, typed));
        found.best.into_iter().map(|named| named.name).collect()
    }

    fn of(metric: &str, given: &[(&str, &str)]) -> SeriesOf {
        let given = given.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        SeriesOf { metric: Some(metric.into()), given }
    }

    #[test]
    fn metrics_come_with_what_pages_say_of_them() {
        let found = of_memory(&memory(), &ask(Sought::Metrics, "htt"));
        let total = &found.best[0];
        assert_eq!((total.name.as_str(), total.kind.as_str()), ("http_requests_total", "counter"));
        assert_eq!(total.help, "Requests that came.");
        let about =
            Complete { about: Some("http_requests_total".into()), ..ask(Sought::Nothing, "") };
        assert_eq!(of_memory(&memory(), &about).about.unwrap().kind, "counter");
        assert!(names(Sought::Metrics, "").contains(&"up".to_owned()));
    }

    #[test]
    fn labels_and_values_are_those_of_the_series_before_the_cursor() {
        let labels = names(Sought::Labels(of("http_requests_total", &[])), "");
        assert_eq!(labels, ["code", "env", "instance", "job", "path"]);
        let values = |given: &[(&str, &str)], typed| {
            let of = of("http_requests_total", given);
            names(Sought::Values { label: "path".into(), of }, typed)
        };
        assert_eq!(values(&[], ""), ["/", "a\"b\\c"]);
        assert_eq!(values(&[("code", "500")], ""), ["/"]);
        assert_eq!(values(&[], "\"b"), ["a\"b\\c"]);
        let any = Sought::Values { label: "zone".into(), of: SeriesOf::default() };
        assert_eq!(names(any, ""), ["x"]);
    }

    #[test]
    fn a_server_is_asked_with_a_selector_that_it_can_read() {
        assert_eq!(selector(&SeriesOf::default()), None);
        let of = of("my.metric", &[("path", "a\"b\\c"), ("http.code", "1")]);
        let text = selector(&of).unwrap();
        assert!(crate::metrics::promql::parse(&text).is_ok(), "{text}");
        assert!(text.starts_with("{__name__=\"my.metric\",path=\"a\\\"b\\\\c\""), "{text}");
    }
}
