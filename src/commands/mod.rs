//! One file per subcommand.

mod adopt;
mod approve;
mod arm;
mod attach;
mod audit;
mod columns;
mod completions;
mod conduct;
mod console;
mod demo;
mod firing;
mod following;
mod glance;
mod info;
mod ledger;
mod man;
mod practice_service;
mod practice_tool;
mod query;
mod rehearse;
mod rules;
mod run;
mod runbooks;
mod runs;
mod schema;
mod validate;
mod watch;

use crate::cli::{Cli, Command, QueryForm, Rules, UNKNOWN};
use crate::config::discover::{self, DiscoverError, Found};
use crate::demo::Part;
use crate::runtime::clock::Clock;
use crate::runtime::descriptors::write_whole;
use crate::store::AskRange;
use color_eyre::Result;
use color_eyre::eyre::eyre;
use std::io::IsTerminal;
use std::io::{self, ErrorKind};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::ExitCode;

/// Something went wrong that is not the command line's fault.
const FAILED: u8 = 1;
/// The program failed; its panic has been reported. As Rust itself ends.
const PANICKED: u8 = 101;

/// Carries the command out and says with which code to end.
pub fn run(cli: &Cli) -> ExitCode {
    let is_glance = matches!(cli.command, Some(Command::Glance { .. }));
    // A glance that fails in any way must not look like `ok` or `warning`.
    let done = catch_unwind(AssertUnwindSafe(|| dispatch(cli)));
    match done {
        Ok(Ok(code)) => code,
        Err(_) => ExitCode::from(if is_glance { UNKNOWN } else { PANICKED }),
        Ok(Err(failed)) => {
            complain(&format!("opsroom: {failed:#}"));
            if let Some(Command::Glance { json, .. }) = cli.command {
                // What calls plugins reads standard output alone.
                let _ = print(&glance::unknown(&failed, json));
                return ExitCode::from(UNKNOWN);
            }
            ExitCode::from(FAILED)
        }
    }
}

fn dispatch(cli: &Cli) -> Result<ExitCode> {
    let config = cli.config.as_deref();
    match &cli.command {
        None => console::run(config),
        Some(Command::Demo { seed }) => demo::run(*seed),
        Some(Command::Watch) => watch::run(config),
        Some(Command::Schema) => schema::run(),
        Some(Command::Validate { live }) => validate::run(config, *live),
        Some(Command::Glance { json, cached, deadline }) => {
            glance::run(config, *json, *cached, *deadline)
        }
        Some(Command::Rules { what: Rules::List { rules, json, deadline } }) => {
            rules::list::run(config, rules, *json, *deadline)
        }
        Some(Command::Rules { what: Rules::Check { files } }) => rules::run_check(files),
        Some(Command::Rules { what: Rules::Test { files } }) => rules::run_test(files),
        Some(Command::Query { expr, range, step, at, json, csv, chart }) => {
            let range = range.map(|length| AskRange { length, step: *step });
            let form = match (json, csv, chart) {
                (true, ..) => QueryForm::Json,
                (_, true, _) => QueryForm::Csv,
                (.., true) => QueryForm::Chart,
                _ => QueryForm::Table,
            };
            query::run(config, expr, range, *at, form)
        }
        Some(Command::Run { book, service, alert, set, dry_run, yes, no_wait, json }) => run::run(
            config,
            &run::Asked {
                book,
                service: service.as_deref(),
                alert: alert.as_deref(),
                set,
                dry_run: *dry_run,
                yes: *yes,
                no_wait: *no_wait,
                json: *json,
            },
        ),
        Some(Command::Attach { run, watch }) => attach::run(config, run.as_deref(), *watch),
        Some(Command::Runs { most, json }) => runs::run(config, *most, *json),
        Some(Command::Approve { run, no }) => approve::run(config, run.as_deref(), *no),
        Some(Command::Runbooks { what }) => runbooks::run(config, what),
        Some(Command::Rehearse { books, json }) => rehearse::run(config, books, *json),
        Some(Command::Audit { what }) => audit::run(config, what),
        Some(Command::Arm { time, reason }) => arm::run(config, Some((*time, reason))),
        Some(Command::Disarm) => arm::run(config, None),
        Some(Command::Conduct) => conduct::run(config),
        Some(Command::Info) => info::run(config),
        Some(Command::Completions { shell }) => completions::run(*shell),
        Some(Command::Man) => man::run(),
        Some(Command::PracticeService {
            name,
            folder,
            seed,
            release_after,
            peers,
            release,
            deployed_by,
        }) => practice_service::run(&Part {
            name: name.clone(),
            folder: folder.clone(),
            seed: *seed,
            release_after: *release_after,
            release: release.clone(),
            deployed_by: deployed_by.clone(),
            peers: peers.clone(),
            now: || Clock::Wall.now(),
        }),
        Some(Command::PracticeTool { folder, words }) => practice_tool::run(folder, words),
    }
}

/// Writes data to standard output. A reader that has gone away is no error:
/// it has what it wanted.
pub(crate) fn print(text: &str) -> io::Result<()> {
    match write_whole(io::stdout().lock(), text.as_bytes()) {
        Err(gone) if gone.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// Writes data to standard output as the last thing that the program does.
pub fn print_to_end(text: &str) -> ExitCode {
    match print(text) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failed) => {
            complain(&format!("opsroom: cannot write to standard output: {failed}"));
            ExitCode::from(FAILED)
        }
    }
}

/// Writes a message to standard error. Where even that fails there is nobody to tell.
pub fn complain(text: &str) {
    let _ = write_whole(io::stderr().lock(), format!("{text}\n").as_bytes());
}

/// Finds the config. Where there is none at all, the error says how to begin.
fn discover(given: Option<&Path>) -> Result<Found> {
    discover::discover(given).map_err(|error| match error {
        DiscoverError::Nowhere { .. } => eyre!(
            "{error}\n\n  \
             opsroom demo            shows a practice environment that needs nothing else\n  \
             opsroom --config FILE   opens a config of your own\n\n\
             A config can be two lines:\n\n  \
             [service.api]\n  \
             health = \"https://api.example.com/healthz\""
        ),
        other => other.into(),
    })
}

/// Whether messages may be in colour.
pub fn colored() -> bool {
    io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|set| set.is_empty())
}
