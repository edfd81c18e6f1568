//! The command line, as clap reads it and as help, man page and completions show it.

use crate::domain::Timestamp;
use clap::{Parser, Subcommand};
use clap_complete::Shell;
use std::path::PathBuf;
use std::time::Duration;

/// A wrong command line (`EX_USAGE` of sysexits.h).
pub const USAGE: u8 = 64;
/// What `glance` ends with where it can't tell, as a Nagios plugin does.
pub const UNKNOWN: u8 = 3;

/// A terminal operations console for people on call.
///
/// Without a command it opens the console on the config that it finds: --config,
/// $OPSROOM_CONFIG, the user's config folder, /etc/opsroom/config.toml.
#[derive(Debug, Parser)]
#[command(name = "opsroom", version, max_term_width = 100)]
pub struct Cli {
    /// The config file.
    #[arg(long, short, global = true, env = "OPSROOM_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// What to do; without one: the console.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Open the console on a practice environment that needs nothing else.
    ///
    /// Five small services run on this machine's loopback until you leave; a fault
    /// appears after about twenty seconds. Nothing outside is touched.
    Demo {
        /// Play the traffic of this seed.
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Poll, evaluate and keep history without a screen, until told to end.
    ///
    /// Consoles, `glance`, `query` and runs of the same config read what it has seen.
    /// Prints a line for all that changes; systemd is told how it stands.
    Watch,
    /// Say in a few lines what is wrong, for scripts and prompts.
    ///
    /// The worst problem is on line one. Ends with 0 ok, 1 warning, 2 critical, 3 unknown,
    /// as a Nagios plugin does.
    Glance {
        /// Print JSON.
        #[arg(long)]
        json: bool,
        /// Print what a running console last wrote, with its age, and ask nothing.
        #[arg(long)]
        cached: bool,
        /// Answer after this time at the latest; what has not answered by then is unknown.
        #[arg(long, default_value = "10s", value_name = "TIME", value_parser = time)]
        deadline: Duration,
    },
    /// Check the config and say everything that is wrong with it.
    Validate {
        /// Ask every source once, too.
        #[arg(long)]
        live: bool,
    },
    /// Say how rules stand; check and test Prometheus rule files.
    Rules {
        /// What to do with them.
        #[command(subcommand)]
        what: Rules,
    },
    /// Ask a PromQL expression, on the metrics server or over the scraped targets.
    Query {
        /// The expression.
        expr: String,
        /// Over this long until now, instead of now alone.
        #[arg(long, value_name = "TIME", value_parser = time)]
        range: Option<Duration>,
        /// From point to point of the range.
        #[arg(long, default_value = "15s", value_name = "TIME", value_parser = time, requires = "range")]
        step: Duration,
        /// At this moment instead of now: 2025-11-20T03:07:00+01:00, seconds since
        /// 1970, or how long ago: -10m.
        #[arg(long, value_name = "MOMENT", value_parser = moment, allow_hyphen_values = true)]
        at: Option<QueryAt>,
        /// Print JSON, as the API of Prometheus has it.
        #[arg(long, conflicts_with_all = ["csv", "chart"])]
        json: bool,
        /// Print CSV (RFC 4180).
        #[arg(long, conflicts_with = "chart")]
        csv: bool,
        /// Draw the series over the range.
        #[arg(long, requires = "range")]
        chart: bool,
    },
    /// Run a runbook: plan, questions, output and proof on this terminal.
    ///
    /// The run has a process of its own: it goes on when this terminal is gone, to its
    /// next question, and `opsroom attach` takes it up. Ends with 0 proved, 10 failed,
    /// 11 unproved, 12 refused, 13 outcome unknown, 14 waiting for a person, 64 usage.
    Run {
        /// The runbook: its name, or a Markdown file.
        book: String,
        /// The service that it is about.
        #[arg(long)]
        service: Option<String>,
        /// The alert that it is about: its name, or its name with labels,
        /// 'HighErrorRate{service="api"}'.
        #[arg(long)]
        alert: Option<String>,
        /// A parameter: RELEASE=v141.
        #[arg(long = "set", short, value_name = "NAME=VALUE", value_parser = assignment)]
        set: Vec<(String, String)>,
        /// Print what would be run, and end.
        #[arg(long)]
        dry_run: bool,
        /// Start and go on without asking, as far as that is allowed: never past a
        /// `confirm` or an approval, unless the config names the runbook for it.
        #[arg(long)]
        yes: bool,
        /// End with 14 at the first question to a person, instead of asking it.
        #[arg(long)]
        no_wait: bool,
        /// Print JSON: the plan, or one record a line.
        #[arg(long)]
        json: bool,
    },
    /// Follow a run, answer its questions, take it up after a crash.
    Attach {
        /// The run; without one: the only one that goes on.
        run: Option<String>,
        /// Only watch.
        #[arg(long)]
        watch: bool,
    },
    /// List the runs of this host.
    Runs {
        /// How many.
        #[arg(long, short = 'n', default_value_t = 20)]
        most: usize,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Approve a step of another person's run, or say no.
    Approve {
        /// The run; without one: list what waits for approval.
        run: Option<String>,
        /// Say no.
        #[arg(long)]
        no: bool,
    },
    /// List, show, begin and take over runbooks.
    Runbooks {
        /// What to do.
        #[command(subcommand)]
        what: Runbooks,
    },
    /// Try runbooks out without changing anything: check them, run their reads,
    /// plan the rest, and say which are broken. Ends with 10 where one is.
    Rehearse {
        /// Which ones; without: all.
        books: Vec<String>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Allow changes in production for a while; it ends by itself.
    Arm {
        /// For how long: 15m, at most 4h.
        #[arg(value_parser = time)]
        time: Duration,
        /// Why.
        #[arg(long, short)]
        reason: String,
    },
    /// Allow no more changes.
    Disarm,
    /// Read and check the journal.
    Audit {
        /// What to do.
        #[command(subcommand)]
        what: Audit,
    },
    /// The process of a run; started by others.
    #[command(hide = true)]
    Conduct,
    /// Print the JSON Schema of the config.
    Schema,
    /// Say where config, state and log are.
    Info,
    /// Print completions for a shell.
    Completions {
        /// The shell.
        shell: Shell,
    },
    /// Print the manual page.
    Man,
    /// One service of the practice environment; started by `demo`.
    #[command(hide = true)]
    PracticeService {
        /// Who it is.
        name: String,
        /// The folder of its practice.
        #[arg(long)]
        folder: PathBuf,
        /// The seed of all chance.
        #[arg(long)]
        seed: u64,
        /// After how many seconds the bad release comes by itself.
        #[arg(long)]
        release_after: Option<u64>,
        /// Where another one listens: db=127.0.0.1:21000.
        #[arg(long = "peer")]
        peers: Vec<String>,
        /// The release that runs.
        #[arg(long)]
        release: Option<String>,
        /// Who has just deployed it.
        #[arg(long)]
        deployed_by: Option<String>,
    },
    /// A tool of the practice environment; called by `shopctl` and `deployctl` in its `bin`.
    #[command(hide = true)]
    PracticeTool {
        /// The folder of its practice.
        #[arg(long)]
        folder: PathBuf,
        /// The tool, and what it is called with.
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        words: Vec<String>,
    },
}

/// What is done with rule files.
#[derive(Debug, Subcommand)]
pub enum Rules {
    /// Say how each rule stands, those of the metrics server, too.
    ///
    /// When each was last evaluated, how long that took, what it fires, why it is
    /// broken, or how much of what it looks at was seen.
    List {
        /// These alone, by name.
        #[arg(value_name = "RULE")]
        rules: Vec<String>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
        /// Answer after this time at the latest.
        #[arg(long, default_value = "10s", value_name = "TIME", value_parser = time)]
        deadline: Duration,
    },
    /// Say all that is wrong with rule files, as Prometheus would refuse them.
    Check {
        /// The rule files.
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Run unit tests of rules, files as `promtool test rules` takes them.
    Test {
        /// The files of tests.
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
}

/// What is done with runbooks.
#[derive(Debug, Subcommand)]
pub enum Runbooks {
    /// List all runbooks, with what they are for and when each was last run.
    List {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Show one: its text, its steps, what is wrong with it.
    Show {
        /// Its name, or a Markdown file.
        book: String,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Begin one: print a runbook to start from, or write it to a file.
    New {
        /// The file.
        file: Option<PathBuf>,
        /// The alert that it is for.
        #[arg(long)]
        alert: Option<String>,
    },
    /// Take a page over: fetch it, show it, save it. Until then it is prose.
    Adopt {
        /// Its address; it must begin with a prefix that the config lists.
        url: String,
        /// Save it without asking.
        #[arg(long)]
        yes: bool,
    },
}

/// What is done with the journal.
#[derive(Debug, Subcommand)]
pub enum Audit {
    /// Print its newest records.
    Show {
        /// Of this run alone.
        #[arg(long)]
        run: Option<String>,
        /// How many.
        #[arg(long, short = 'n', default_value_t = 50)]
        most: usize,
        /// Print JSON, one record a line.
        #[arg(long)]
        json: bool,
    },
    /// Check every chain against its heads. Ends with 10 where something was changed
    /// or is missing, 11 where the tail cannot be proved.
    Verify {
        /// Heads that were kept elsewhere, as syslog or `audit verify --heads` printed them.
        #[arg(long, value_name = "FILE")]
        against: Option<PathBuf>,
        /// Print the heads, to be kept elsewhere.
        #[arg(long)]
        heads: bool,
    },
    /// Print the whole journal, or one run.
    Export {
        /// JSON, one record a line.
        #[arg(long, conflicts_with = "markdown")]
        json: bool,
        /// Markdown, to be read.
        #[arg(long)]
        markdown: bool,
        /// This run alone.
        #[arg(long)]
        run: Option<String>,
    },
}

/// NAME=VALUE
fn assignment(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write NAME=VALUE".into()),
    }
}

/// A time with its unit, as in the config.
/// Which moment a query is about.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum QueryAt {
    /// This one.
    Moment(Timestamp),
    /// So long ago.
    Ago(Duration),
}

/// How an answer is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueryForm {
    /// For a person to read.
    Table,
    /// As the API of Prometheus has it.
    Json,
    /// RFC 4180.
    Csv,
    /// A drawing over time.
    Chart,
}

fn moment(text: &str) -> Result<QueryAt, String> {
    let text = text.trim();
    if let Some(ago) = text.strip_prefix('-') {
        return time(ago).map(QueryAt::Ago);
    }
    // The years that RFC 3339 can write.
    if let Ok(seconds) = text.parse::<f64>()
        && (0.0..253_402_300_800.0).contains(&seconds)
    {
        #[expect(clippy::cast_possible_truncation, reason = "within bounds that were checked")]
        let millis = (seconds * 1_000.0).round() as i64;
        return Ok(QueryAt::Moment(Timestamp::from_millis(millis)));
    }
    match chrono::DateTime::parse_from_rfc3339(text) {
        Ok(moment) => Ok(QueryAt::Moment(Timestamp::from_millis(moment.timestamp_millis()))),
        Err(_) => Err(
            "write 2025-11-20T03:07:00Z (or an offset, +01:00), seconds since 1970, or how long ago: -10m"
                .into(),
        ),
    }
}

fn time(text: &str) -> Result<Duration, String> {
    match crate::config::units::duration(text) {
        Some(time) if !time.is_zero() => Ok(time),
        _ => Err("write a time with its unit, such as 10s, 5m or 1h30m".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn a_moment_is_a_date_with_its_zone_seconds_or_a_time_ago() {
        let at = |text: &str| moment(text).ok();
        let of = |millis| Some(QueryAt::Moment(Timestamp::from_millis(millis)));
        assert_eq!(at("1970-01-01T01:00:01.5+01:00"), of(1_500));
        assert_eq!(at("1763664000.25"), of(1_763_664_000_250));
        assert_eq!(at("-10m"), Some(QueryAt::Ago(Duration::from_mins(10))));
        for wrong in ["", "-", "2025-11-20T03:07:00", "yesterday", "1e300", "NaN", "-5", "inf"] {
            assert_eq!(at(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_definitions_hold_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_time_needs_its_unit() {
        assert_eq!(time("1m30s"), Ok(Duration::from_secs(90)));
        assert!(time("10").is_err());
        assert!(time("0s").is_err());
        assert!(time("soon").is_err());
    }
}
