//! The command line: what was asked for is done and answered with an exit code.

mod args;
mod determinism;
pub mod diagnose;
mod exit;
mod explore;
mod failure_saver;
mod findings;
mod images;
mod interrupt;
mod lists;
mod output;
pub mod page;
mod page_file;
mod progress;
mod replay;
pub mod report;
mod reporter;
mod run;
mod run_plan;
mod scenario_files;
mod schema;
mod seed;
mod shrink;
mod stopwatch;
mod trace;
mod wal;
mod zoo;

use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use clap::Parser;

use args::{Cli, Command, RunArgs};
use exit::{CommandError, Exit};
use output::Output;

/// Reads the command line, does what it says, and maps how it ended to the exit code. Wrong usage ends with 2 inside `clap`.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let mut out = Output::standard();
    let done = dispatch(cli, &mut out);
    let written = out
        .finish()
        .map_err(|error| CommandError::at("standard output", error));
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

fn dispatch(cli: Cli, out: &mut Output) -> Result<Exit, CommandError> {
    let run_all = RunArgs {
        scenarios: Vec::new(),
        options: cli.run,
    };
    match cli.command.unwrap_or(Command::Run(run_all)) {
        Command::Run(args) => run::run(&args, out),
        Command::Explore(args) => explore::explore(&args, out),
        Command::Zoo(args) => zoo::zoo(&args, out),
        Command::Replay(args) => replay::replay(&args, out),
        Command::Shrink(args) => shrink::shrink(&args, out),
        Command::Images(args) => images::images(&args, out),
        Command::Wal { command } => wal::wal(&command, out),
        Command::Faults(args) => lists::faults(args.format, out),
        Command::Profiles(args) => lists::profiles(args.format, out),
        Command::Schema => schema::schema(out),
        Command::Trace(args) => trace::trace(&args, out),
    }
}
