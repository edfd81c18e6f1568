//! Every key of the config file, table by table. A new key is one line here.

use super::alerting::ALERTMANAGER;
use super::client::{CLIENT, TRUST};
use super::keys::{Family, Key, Keys, Shape, key};
use super::rules::RULES;
use super::runbooks::{JOURNAL, ROLE, RUNBOOKS};
use super::tracker::SENTRY;

const STATUSES: Shape = Shape::OneOf(&["ok", "warning", "critical"]);

/// The top of the file.
pub const ROOT: Keys = &[&[
    key("environment", Shape::Name, "What this config watches; shown in upper case at all times. Whoever leaves it out is in production.")
        .or("production"),
    key("site", Shape::Text, "What runs there, in a word.").like("shop"),
    key("prometheus", Shape::TableOr("url", PROMETHEUS), "A metrics server: Prometheus, VictoriaMetrics, Thanos, Mimir. A URL, or a table."),
    key("alertmanager", Shape::TableOr("url", ALERTMANAGER), "Alertmanager: its alerts, silences and receivers. A URL, or a table."),
    key("sentry", Shape::Table(SENTRY), "An error tracker: Sentry, GlitchTip or Bugsink. One organization."),
    key("service", Shape::Named(SERVICE), "A service: something that users depend on. One table for each."),
    key("scrape", Shape::Named(SCRAPE), "Pages of metrics that are read without a server. The table's name is the job."),
    key("hosts", Shape::Named(HOSTS), "Hosts whose resources are shown, from a job of node exporters. One table for each group."),
    key("rules", Shape::TableOr("files", RULES), "Prometheus rule files. opsroom evaluates them over what it scrapes: recording rules, and alerts of the origin `local`."),
    key("backup", Shape::Kinds(Family::Backup, BACKUP), "Backups of a data set, and what is wanted of them. One table for each; each says by one key how they are known."),
    key("release", Shape::Kinds(Family::Release, RELEASE), "Where releases are told of: they are marked on every chart. One table for each."),
    key("runbooks", Shape::Table(RUNBOOKS), "Runbooks: where they are, and how they run."),
    key("journal", Shape::Table(JOURNAL), "Where runs and what operators do is recorded."),
    key("role", Shape::Named(ROLE), "Who may do what. Without any role everybody may do everything that the system lets them. One table for each."),
    key("self", Shape::Table(SELF), "How this host knows that its own network works."),
    key("poll", Shape::Table(POLL), "How everything is polled, unless it says otherwise itself."),
    key("memory", Shape::Table(MEMORY), "How much is kept of what was scraped."),
    key("screen", Shape::Table(SCREEN), "How the console looks."),
    key(
        "keys",
        Shape::Map(&Shape::Text),
        "Keys of your own: an action, and its keys instead of the usual ones. The help page names all actions.",
    )
    .like(r#"{ quit = "Q", reload = "ctrl-r f5" }"#),
]];

/// `[prometheus]`
pub const PROMETHEUS: Keys = &[
    &[
        key("url", Shape::Url, "Base URL, with its path where it has one.")
            .like("http://prometheus:9090")
            .needed(),
        key("every", Shape::EVERY, "How often it is asked whether it answers.").or("10s"),
        key("timeout", Shape::TIMEOUT, "Time for one answer.").or("5s"),
        key(
            "alerts",
            Shape::Bool,
            "Read its rules: alerts that fire or are pending, and rules that are broken.",
        )
        .or("true"),
        key("alerts_every", Shape::EVERY, "How often they are read.").or("15s"),
        key("targets", Shape::Bool, "Read its targets: which of them it cannot scrape.").or("true"),
        key("targets_every", Shape::EVERY, "How often they are read.").or("30s"),
    ],
    CLIENT,
    TRUST,
];

/// `[service.NAME]`
pub const SERVICE: Keys = &[
    &[
        key("health", Shape::Url, "URL of a health endpoint: short for an `http` check called `health`.")
            .like("https://api.shop.example/healthz"),
        key("tcp", Shape::Address, "A port that must accept connections: short for a check called `tcp`.")
            .like("db-1:5432"),
        key("tls", Shape::Address, "A port that must speak TLS, with a certificate that is good: short for a check called `tls`.")
            .like("mail.shop.example:993"),
        key("check", Shape::Kinds(Family::Check, CHECK), "Checks in full. Each says by one key what is asked."),
        key("owner", Shape::Text, "Who owns it.").like("team payments"),
        key("contact", Shape::Text, "Whom to call.").like("Wang, +65 5550 1234"),
        key("link", Shape::Url, "Where to read on.").like("https://wiki.shop.example/api"),
        key("logs", Shape::Name, "Command that prints its last log lines, run by /bin/sh when asked for, with PATH, HOME, USER, TZ and SSH_AUTH_SOCK and nothing else of the environment. The last 200 are shown.")
            .like("ssh app-1 journalctl -u api -n 200 --no-pager"),
        key("sentry", Shape::OneOrMore(&Shape::Name), "Its projects in the error tracker, by their slugs.").like(r#"["api"]"#),
        key("depends_on", Shape::OneOrMore(&Shape::Text), "Services that it needs.").like(r#"["db"]"#),
        key("vars", Shape::Map(&Shape::Name), "Words for its runbooks: `unit` is `$SERVICE_UNIT` in their commands. Names of lower-case letters, digits and `_`.")
            .like(r#"{ unit = "api.service", pm2 = "api" }"#),
        key("third_party", Shape::Bool, "Somebody else runs it: it warns at most.").or("false"),
    ],
    SIGNALS,
    &[
        key("errors", Shape::Table(ERRORS), "Share of requests that failed."),
        key("latency", Shape::Table(LATENCY), "Latency at the 95th percentile."),
        key("signal", Shape::Named(SIGNAL), "Signals of your own: anything that PromQL can say. One called `errors`, `latency` or `traffic` takes the place of the ready-made one."),
    ],
];

/// Where a service's requests are counted.
const SIGNALS: &[Key] = &[
    key("job", Shape::Name, "Job whose metrics tell error rate, latency and traffic; of the server, or a `[scrape.NAME]`.")
        .like("api"),
    key("preset", Shape::OneOf(PRESETS), "Whose metric names are looked for: `auto` knows Prometheus client libraries, Micrometer and OpenTelemetry.")
        .or("auto"),
    key("requests_metric", Shape::Name, "Counter of requests, where it has a name of its own.").like("shop_http_requests_total"),
    key("duration_metric", Shape::Name, "Histogram of seconds, where it has a name of its own; without `_bucket`.")
        .like("shop_http_request_duration_seconds"),
    key("status_label", Shape::Name, "Label that holds the HTTP status in `requests_metric`, where it is none of `code`, `status`, `status_code`.")
        .like("http_status"),
    key("matchers", Shape::Name, "More label matchers for all of these, as in PromQL.")
        .like(r#"route!="/healthz""#),
    key("window", Shape::SPAN, "Rates are taken over this time.").or("5m"),
    key("min_requests", Shape::Integer { min: 0, max: i64::MAX }, "With fewer requests in the window it reads `little traffic` and warns at most.")
        .or("20"),
    key("every", Shape::EVERY, "How often its signals are asked.").or("10s"),
];

/// The names of presets.
pub const PRESETS: &[&str] =
    &["auto", "prometheus", "micrometer", "opentelemetry", "opentelemetry-old", "grpc", "none"];

const AT_MOST: Key = key(
    "at_most",
    STATUSES,
    "The worst status that it may count for; `ok` makes it worth knowing only.",
);

/// Thresholds of one shape with their defaults.
const fn limits(shape: Shape, warning: &'static str, critical: &'static str) -> [Key; 3] {
    [
        key("warning", shape, "Where warning begins.").or(warning),
        key("critical", shape, "Where critical begins.").or(critical),
        AT_MOST.like("warning"),
    ]
}

const AGE: Shape = Shape::Duration { least: 0, most: 3_650 * 86_400_000 };
const ERRORS: Keys = &[&limits(Shape::Ratio, "1%", "5%")];
const LATENCY: Keys = &[&limits(Shape::PAUSE, "500ms", "2s")];
const CERTIFICATE: Keys = &[&limits(AGE, "21d", "7d")];
const CPU: Keys = &[&limits(Shape::Ratio, "70%", "80%")];
const MEMORY_USED: Keys = &[&limits(Shape::Ratio, "80%", "90%")];
const DISK: Keys = &[&limits(Shape::Ratio, "20%", "10%")];
const DISK_FULL: Keys = &[&[
    key("warning", AGE, "Where warning begins.").or("1d"),
    key("critical", AGE, "Where critical begins.").like("2h"),
    AT_MOST.like("warning"),
]];

/// `[service.NAME.signal.NAME]`
pub const SIGNAL: Keys = &[&[
    key("expr", Shape::PromQl, "PromQL. Each series of its answer is judged, and the worst counts.")
        .like(r#"sum(queue_length{job="worker"})"#)
        .needed(),
    key("unit", Shape::OneOf(&["number", "ratio", "seconds", "bytes", "bytes_per_second", "per_second"]), "Unit of its value; `number` unless its name says more.").like("number"),
    key("warning", Shape::Quantity, "Warning begins beyond this value: a number, or one with its unit.").like("100"),
    key("critical", Shape::Quantity, "Critical begins beyond this value.").like("1000"),
    key("below", Shape::Bool, "Bad is below them, not above.").or("false"),
    AT_MOST.like("warning"),
    key("label", Shape::Name, "Short name on the screen; its own name where left out.").like("queue"),
    key("engine", Shape::OneOf(&["server", "embedded"]), "Who answers. Left out: opsroom itself where the service's job, or one that the expression names, is scraped; else the server.")
        .like("server"),
    key("every", Shape::EVERY, "How often it is asked.").or("10s"),
]];

/// What all checks share, `[service.NAME.check.NAME]`.
pub const CHECK: Keys = &[&[
    key(
        "every",
        Shape::EVERY,
        "From the start of one poll to the start of the next; `[poll]` has the default.",
    )
    .like("10s"),
    key("timeout", Shape::TIMEOUT, "Time for the whole of one poll; `[poll]` has the default.")
        .like("5s"),
    key(
        "confirm",
        Shape::Integer { min: 0, max: 20 },
        "How often a change is asked again before it counts; `[poll]` has the default.",
    )
    .like("2"),
    key("confirm_after", Shape::PAUSE, "Time between those; `[poll]` has the default.").like("1s"),
    AT_MOST.like("warning"),
    key("certificate", Shape::Table(CERTIFICATE), "Time left of the server's certificate."),
]];

/// What all backups share, `[backup.NAME]`.
pub const BACKUP: Keys = &[&[
    key("rpo", AGE, "Recovery point objective: the last good backup may be this old.").or("26h"),
    key("rto", AGE, "Recovery time objective: a restore may take this long.").like("1h"),
    key("keep", Shape::Integer { min: 1, max: 100_000 }, "So many good backups must be there.")
        .like("14"),
    key("keep_for", AGE, "The oldest good backup must reach back this far.").like("30d"),
    key(
        "restore_test",
        AGE,
        "A verified restore must not be older than this. Left out, a restore that was never tried is worth knowing only.",
    )
    .like("30d"),
    key(
        "restored",
        Shape::Path,
        "File that the last verified restore leaves: its time counts, or JSON lines with `at`, `ok`, `took_s` and `bytes`.",
    )
    .like("/var/lib/restore-test/orders.jsonl"),
    key("min_free", Shape::Size, "So much must be free where it is stored.").like("20 GiB"),
    key("service", Shape::Name, "The service whose data it is.").like("api"),
    AT_MOST.like("warning"),
    key("every", Shape::EVERY, "From the start of one look to the start of the next.").or("15m"),
    key("timeout", Shape::TIMEOUT, "Time for the whole of one look.").or("2m"),
]];

/// What all sources of releases share, `[release.NAME]`.
pub const RELEASE: Keys = &[&[
    key("service", Shape::Name, "The service that is released, where the releases do not say it.")
        .like("api"),
    key("every", Shape::EVERY, "From the start of one look to the start of the next.").or("30s"),
    key("timeout", Shape::TIMEOUT, "Time for one look.").or("10s"),
]];

/// `[scrape.NAME]`
pub const SCRAPE: Keys = &[
    &[
        key("targets", Shape::OneOrMore(&Shape::Name), "Whom to ask: `host:port`, or whole URLs.")
            .like(r#"["10.0.0.1:9100", "10.0.0.2:9100"]"#)
            .needed(),
        key("path", Shape::Name, "Path of the page, for targets without one.").or("/metrics"),
        key("scheme", Shape::OneOf(&["http", "https"]), "For targets without one.").or("http"),
        key("every", Shape::EVERY, "From the start of one poll to the start of the next.")
            .or("10s"),
        key("timeout", Shape::TIMEOUT, "Time for the whole page.").or("5s"),
        key("labels", Shape::Map(&Shape::Text), "Labels that all samples get.")
            .like(r#"{ zone = "a" }"#),
    ],
    CLIENT,
    TRUST,
];

/// `[hosts.NAME]`
pub const HOSTS: Keys = &[&[
    key("job", Shape::Name, "Job of the node exporters; the table's name where left out.")
        .like("node"),
    key(
        "cpu",
        Shape::Table(CPU),
        "CPU in use. Resources warn at most unless `at_most` says otherwise.",
    ),
    key("memory", Shape::Table(MEMORY_USED), "Memory in use."),
    key("disk", Shape::Table(DISK), "Share of a disk that is free."),
    key("disk_full", Shape::Table(DISK_FULL), "Time until a disk is full at the present rate."),
    key("window", Shape::SPAN, "Rates are taken over this time.").or("5m"),
    key("every", Shape::EVERY, "How often they are asked.").or("15s"),
]];

const SELF: Keys = &[&[
    key("canary", Shape::OneOrMore(&Shape::Address), "Ports that answer whenever this host has a network. While none does, failed polls read `unknown: this host is offline`.")
        .like(r#"["1.1.1.1:443", "gateway:53"]"#),
]];

const POLL: Keys = &[&[
    key("every", Shape::EVERY, "From the start of one poll to the start of the next.").or("10s"),
    key("timeout", Shape::TIMEOUT, "Time for the whole of one poll.").or("5s"),
    key("connect_timeout", Shape::TIMEOUT, "Time to connect.").or("3s"),
    key(
        "confirm",
        Shape::Integer { min: 0, max: 20 },
        "How often a change is asked again before it counts.",
    )
    .or("2"),
    key("confirm_after", Shape::PAUSE, "Time between those.").or("1s"),
    key(
        "in_flight",
        Shape::Integer { min: 1, max: 4_096 },
        "How many polls there are at once at most, so that their timings stay true.",
    )
    .or("64"),
]];

const MEMORY: Keys = &[&[
    key("keep", Shape::SPAN, "Samples older than this are dropped.").or("2h"),
    key(
        "bytes",
        Shape::Size,
        "Beyond this the oldest samples go, and then no new series are taken.",
    )
    .or("256 MiB"),
    key(
        "series_per_target",
        Shape::Integer { min: 1, max: 100_000_000 },
        "Of a page with more series the others are left out.",
    )
    .or("100000"),
]];

const SCREEN: Keys = &[&[
    key("theme", Shape::Name, "Name of a theme, or a path to one of your own.").or("dark"),
    key("glyphs", Shape::OneOf(&["auto", "unicode", "ascii"]), "Which characters are drawn with.")
        .or("auto"),
    key(
        "colors",
        Shape::OneOf(&["auto", "none", "16", "256", "true"]),
        "How many colours; `auto` asks the environment.",
    )
    .or("auto"),
]];
