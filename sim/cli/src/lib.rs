//! The command line: what was asked for is done and answered with an exit code.

mod args;
mod built_in;
mod cluster;
mod cluster_zoo;
mod crash;
mod determinism;
pub mod diagnose;
mod exit;
mod explore;
mod failure_saver;
mod findings;
mod images;
mod init;
mod injected;
mod interrupt;
mod lists;
mod must_reach_file;
mod output;
pub mod page;
mod page_file;
mod progress;
mod recorded_crash;
mod replay;
pub mod report;
mod reporter;
mod run;
mod run_plan;
mod scenario_files;
mod schema;
mod seed;
mod shrink;
mod timer;
mod trace;
mod trace_hashes;
mod usage;
mod wal;
mod zoo;

use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use clap::Parser;

use args::{Cli, CliCommand, RunArgs};
use exit::{CliError, Exit};
use output::Output;

/// Reads the command line, does what it says, and maps how it ended to the exit code. Wrong usage ends with 2 inside `clap`.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::try_parse().unwrap_or_else(|error| usage::explain(&error));
    let mut out = Output::standard();
    let done = dispatch(cli, &mut out);
    let written = out
        .finish()
        .map_err(|error| CliError::at("standard output", error));
    let exit = done
        .and_then(|exit| written.map(|()| exit))
        .unwrap_or_else(|failure| {
            let mut error = Output::error();
            let red = Style::new().bold().fg_color(Some(AnsiColor::Red.into()));
            error.line(format_args!("{red}error:{red:#} {failure}"));
            // Nothing more can be said when standard error cannot be written to either.
            let _ = error.finish();
            Exit::Usage
        });
    exit.into()
}

fn dispatch(cli: Cli, out: &mut Output) -> Result<Exit, CliError> {
    let run_all = RunArgs {
        scenarios: Vec::new(),
        options: cli.run,
    };
    match cli.command.unwrap_or(CliCommand::Run(run_all)) {
        CliCommand::Run(args) => run::run(&args, out),
        CliCommand::Explore(args) => explore::explore(&args, out),
        CliCommand::Crash(args) => crash::crash(&args, out),
        CliCommand::Cluster(args) => cluster::cluster(&args, out),
        CliCommand::Zoo(args) => zoo::zoo(&args, out),
        CliCommand::Replay(args) => replay::replay(&args, out),
        CliCommand::Shrink(args) => shrink::shrink(&args, out),
        CliCommand::Images(args) => images::images(&args, out),
        CliCommand::Init(args) => init::init(&args, out),
        CliCommand::Wal { command } => wal::wal(&command, out),
        CliCommand::Faults(args) => lists::faults(args.format, out),
        CliCommand::Profiles(args) => lists::profiles(args.format, out),
        CliCommand::Invariants(args) => lists::invariants(args.format, out),
        CliCommand::Schema => schema::schema(out),
        CliCommand::Trace(args) => trace::trace(&args, out),
        CliCommand::TraceHashes(args) => trace_hashes::trace_hashes(&args, out),
        CliCommand::StandGuard => trace::stand_guard(),
        CliCommand::RunWatched(args) => trace::run_watched(&args),
    }
}
