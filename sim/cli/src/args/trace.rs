//! The commands that record a program, and one that compares recordings of this one.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use beaver_sim::scenario::Seeds;
use beaver_trace::TraceFault;
use clap::Args;

use super::Format;

const TRACE_HELP: &str = "\
The program runs unchanged, in any language, on a directory that is served from a simulated disk. `{dir}` in \
its arguments stands for that directory, which is BEAVER_DIR in its environment too. Each line that it prints on \
its standard output counts as a promise: what it says is done must survive a power cut from there on. The \
recording has its calls, writes to mappings, syncs and promises in one order. A program that keeps its output \
back makes its promises late, which is safe and finds less: try `--pty`, which makes it a terminal.

Faults, counted from the end of the setup on:
  eio-at-fsync:N       the Nth sync of a file fails, and its pages count as clean, as on Linux
  eio-at-write:N       the Nth write fails
  full-disk:BYTES      there is no more room than this for all files together: 64k, 10M
  power-cut-at:N       the program is killed after the Nth change

Refused: extended attributes, O_TMPFILE, exchanging renames, holes. Sockets and FIFOs work and are not recorded.

Examples:
  beaver trace --out log -- python3 save.py {dir}/data.json
  beaver trace --out log --setup 'sqlite3 {dir}/db \"create table t(x)\"' -- ./workload {dir}/db
  beaver trace --out log --fault eio-at-fsync:3 -- ./my-server --data {dir}
  unshare -Urm beaver trace --out log -- ./workload {dir}      without root and without fusermount3

Exit codes:
  0    the program was recorded, however it ended
  2    wrong usage, or it could not be recorded
  130  stopped by Ctrl-C or SIGTERM; what was recorded until then is there";

#[derive(Debug, Args)]
#[command(after_help = TRACE_HELP)]
pub(crate) struct TraceArgs {
    /// A shell command that prepares the directory first; all that it does counts as durable
    #[arg(long, value_name = "COMMAND")]
    pub(crate) setup: Option<String>,
    /// The folder of the recording, which is not there yet
    #[arg(long, value_name = "LOG")]
    pub(crate) out: PathBuf,
    /// Let something go wrong; may be given more than once
    #[arg(long = "fault", value_name = "FAULT")]
    pub(crate) faults: Vec<TraceFault>,
    /// Make the program's standard output a terminal, so that what it prints comes line by line
    #[arg(long)]
    pub(crate) pty: bool,
    /// How the summary is written; with json the program's standard output goes to standard error
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
    /// The program and its arguments
    #[arg(last = true, required = true, value_name = "PROGRAM")]
    pub(crate) program: Vec<String>,
}

/// A program that is watched.
#[derive(Debug, Args)]
pub(crate) struct RunWatchedArgs {
    /// Where the one listens that watches
    pub(crate) socket: PathBuf,
    /// The program and its arguments
    #[arg(last = true, required = true)]
    pub(crate) program: Vec<String>,
}

/// One side of the determinism check.
#[derive(Debug, Args)]
pub(crate) struct TraceHashesArgs {
    /// The scenario
    pub(crate) scenario: PathBuf,
    /// The seeds
    #[arg(long, value_name = "A..B")]
    pub(crate) seeds: Seeds,
    /// The crash profile, in place of the scenario's own
    #[arg(long, value_name = "PROFILE")]
    pub(crate) fs: Option<String>,
    /// Seeds that run at the same time
    #[arg(long, value_name = "N")]
    pub(crate) jobs: Option<NonZeroUsize>,
    /// Print a line for each seed, one after the other
    #[arg(long)]
    pub(crate) each: bool,
    /// From the last seed to the first: what one run leaves behind for the next would show
    #[arg(long)]
    pub(crate) backwards: bool,
    /// Print every storage call of this seed instead, and stop after it
    #[arg(long, value_name = "N")]
    pub(crate) calls_of: Option<u64>,
}
