//! The command line, as clap reads it and as help, man page and completions show it.

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
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
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
    },
}

/// A time with its unit, as in the config.
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
