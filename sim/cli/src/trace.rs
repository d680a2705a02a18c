//! `beaver trace`: records a program, and says what it did.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use beaver_trace::{Guard, ProgramEnd, RecordOptions, Recorded, Summary, escaped};
use serde::Serialize;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use super::args::{Format, RunWatchedArgs, TraceArgs};
use super::determinism::this_program;
use super::exit::{CliError, Exit};
use super::output::Output;

/// What `--format json` prints.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Document<'a> {
    log: &'a Path,
    ended: ProgramEnd,
    summary: &'a Summary,
    warnings: &'a [String],
}

pub(crate) fn trace(args: &TraceArgs, out: &mut Output) -> Result<Exit, CliError> {
    let stop = stop_flag()?;
    beaver_trace::check_recorder().map_err(CliError::new)?;
    let options = RecordOptions {
        program: args.program.clone(),
        setup: args.setup.clone(),
        log: args.out.clone(),
        faults: args.faults.clone(),
        guard: Some(start_guard()?),
        watch: Some(this_program_as("run-watched")?),
        terminal: args.pty,
        stop: Some(&stop),
    };
    let said: Box<dyn Write + Send> = match args.format {
        Format::Text => Box::new(io::stdout()),
        // Standard output has the document and nothing else.
        Format::Json => Box::new(io::stderr()),
    };
    let recorded = beaver_trace::record(&options, said).map_err(CliError::new)?;
    match args.format {
        Format::Text => print(args, &recorded, out),
        Format::Json => out.json(&Document {
            log: &args.out,
            ended: recorded.ended,
            summary: &recorded.summary,
            warnings: &recorded.warnings,
        })?,
    }
    Ok(match recorded.ended {
        ProgramEnd::Stopped => Exit::INTERRUPTED,
        ProgramEnd::With { .. } | ProgramEnd::Killed { .. } | ProgramEnd::PowerCut => Exit::HELD,
    })
}

/// Takes away what another process leaves when it is killed.
pub(crate) fn stand_guard() -> Result<Exit, CliError> {
    beaver_trace::stand_guard().map_err(CliError::new)?;
    Ok(Exit::HELD)
}

/// A guard of what this process makes.
///
/// # Errors
/// It cannot be started.
pub(crate) fn start_guard() -> Result<Guard, CliError> {
    let guard = Guard::start(&this_program_as("stand-guard")?);
    guard.map_err(|error| CliError::at("cannot start the guard", error))
}

/// Becomes the program that is recorded. Returns only if it cannot.
pub(crate) fn run_watched(args: &RunWatchedArgs) -> Result<Exit, CliError> {
    let told = beaver_trace::run_watched(&args.socket, &args.program);
    told.map_err(|error| CliError::at(args.socket.display(), error))?;
    // Who watches says why.
    Ok(Exit::Usage)
}

/// This program, with one of its hidden commands.
///
/// # Errors
/// The operating system does not tell which program it is.
pub(crate) fn this_program_as(command: &str) -> Result<Vec<OsString>, CliError> {
    Ok(vec![this_program()?.into(), command.into()])
}

/// The flag that Ctrl-C, SIGTERM and SIGHUP set.
///
/// # Errors
/// The operating system refused the handler.
pub(crate) fn stop_flag() -> Result<Arc<AtomicBool>, CliError> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register(signal, stop.clone())
            .map_err(|error| CliError::at("cannot listen for signals", error))?;
    }
    Ok(stop)
}

fn print(args: &TraceArgs, recorded: &Recorded, out: &mut Output) {
    let summary = &recorded.summary;
    out.line(format_args!(
        "{} {}",
        args.program.join(" "),
        recorded.ended
    ));
    out.line(format_args!("recorded in {}\n", args.out.display()));
    for (word, count) in &summary.calls {
        out.line(format_args!(
            "  {word:<10} {count:>10}{}",
            more(word, summary)
        ));
    }
    out.line(format_args!("  {:<10} {:>10}", "acks", summary.acks));
    if summary.faults > 0 {
        out.line(format_args!("  {:<10} {:>10}", "faults", summary.faults));
    }
    list(
        "names never synced: their directory was not, after they got there",
        &summary.names_never_synced,
        out,
    );
    list(
        "files never synced after their last change",
        &summary.files_never_synced,
        out,
    );
    list("warnings", &recorded.warnings, out);
}

/// What else there is to say of a kind of call.
fn more(word: &str, summary: &Summary) -> String {
    match (word, summary.mapped_writes) {
        ("write", 0) => format!("   {} bytes", summary.bytes),
        ("write", mapped) => format!("   {} bytes; {mapped} from mappings", summary.bytes),
        _ => String::new(),
    }
}

/// How many entries of a list are shown.
const SHOWN: usize = 20;

fn list(title: &str, entries: &[String], out: &mut Output) {
    if entries.is_empty() {
        return;
    }
    out.line(format_args!("\n{title}:"));
    for entry in entries.iter().take(SHOWN) {
        out.line(format_args!("  {}", escaped(entry)));
    }
    if entries.len() > SHOWN {
        out.line(format_args!("  and {} more", entries.len() - SHOWN));
    }
}
