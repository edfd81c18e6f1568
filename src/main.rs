//! Arguments, hooks, dispatch, exit code.

use clap::Parser;
use color_eyre::config::{HookBuilder, Theme};
use opsroom::cli::{Cli, UNKNOWN, USAGE};
use opsroom::commands;
use std::process::ExitCode;

fn main() -> ExitCode {
    let hooks = HookBuilder::default().display_env_section(false);
    let hooks = if commands::colored() { hooks } else { hooks.theme(Theme::new()) };
    if let Err(refused) = hooks.install() {
        commands::complain(&refused.to_string());
    }
    // Each TLS client needs to know its cryptography; a second call changes nothing.
    let _ = rustls::crypto::ring::default_provider().install_default();

    match Cli::try_parse() {
        Ok(cli) => commands::run(&cli),
        Err(usage) => {
            // Help and version are answers, not mistakes.
            if !usage.use_stderr() {
                return commands::print_to_end(&usage.render().to_string());
            }
            commands::complain(usage.render().to_string().trim_end());
            let asked_for_a_glance = std::env::args_os().any(|argument| argument == "glance");
            ExitCode::from(if asked_for_a_glance { UNKNOWN } else { USAGE })
        }
    }
}
