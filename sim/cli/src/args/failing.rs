//! The commands that look for injected bugs, and those that run a saved failure again.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Args;

use super::{Format, jobs};
use crate::exit;

const ZOO_HELP: &str = "\
The zoo holds bugs that other logs and job queues shipped (B01 to B42), rules of the queue (Q01 to Q07), \
steps of the protocol left out (S01 to S13, S20), and bugs that no run had looked for (U01 to U12). Each is \
injected outside the library: around it, between it and its disk, or in a plain store of its own. It is \
looked for with the seeds of a scenario in which the library holds, and \
caught if the invariant breaks for which it is kept here.

Examples:
  beaver zoo                                   every bug
  beaver zoo B13 S05                           two of them
  beaver zoo --out zoo --report zoo.html       a folder for each, and a page over all
  beaver zoo --explore --format json           with the explorer too, for a program";

#[derive(Debug, Args)]
#[command(after_help = format!("{ZOO_HELP}\n\n{}", exit::HELP))]
pub(crate) struct ZooArgs {
    /// The bugs, by number; B05 is both B05a and B05b [default: all]
    #[arg(value_name = "ID")]
    pub(crate) ids: Vec<String>,
    /// How many seeds each bug is looked for with, at most
    #[arg(long, value_name = "N", default_value_t = 3000, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) seeds: u64,
    /// Let the explorer look for each bug too, not only for those that no seed finds
    #[arg(long)]
    pub(crate) explore: bool,
    /// Bugs that are looked for at the same time; the result does not depend on it [default: all cores]
    #[arg(long, value_name = "N", value_parser = jobs, allow_negative_numbers = true)]
    pub(crate) jobs: Option<NonZeroUsize>,
    /// How the result is written
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
    /// Save the shrunk failure of each bug in a folder DIR/ID, with scenario, plan, calls, files and report
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Write a page about it: one HTML file that needs no network
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    /// A folder in which `beaver run` or `beaver explore` saved a failure, or the scenario.json in it
    pub(crate) file: PathBuf,
    /// How the result is written
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
    /// Write a page about it: one HTML file that needs no network
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Option<PathBuf>,
    /// Inject this bug of the zoo first, or `none` [default: the one that the folder of FILE names]
    #[arg(long, value_name = "ID")]
    pub(crate) bug: Option<String>,
}

const SHRINK_HELP: &str = "\
Commands, faults, crashes and what survived a power cut are taken out one by one, and made plainer, \
as long as the same invariant breaks in the same place. What is left is written out as a scenario \
that `beaver replay` runs.

Example:
  beaver shrink failures/swarm-durability-1c0ffee1 --seconds 60";

#[derive(Debug, Args)]
#[command(after_help = format!("{SHRINK_HELP}\n\n{}", exit::HELP))]
pub(crate) struct ShrinkArgs {
    /// A folder in which a failure was saved, or the scenario.json in it
    #[arg(value_name = "FAILURE")]
    pub(crate) file: PathBuf,
    /// Where the smaller failure is written [default: the file that replays FAILURE, with `-shrunk` in its name]
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// How many candidates are run at most
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    pub(crate) runs: u64,
    /// How long it may take at most
    #[arg(long, value_name = "N", default_value_t = 60)]
    pub(crate) seconds: u64,
    /// Inject this bug of the zoo first, or `none` [default: the one that the folder of FAILURE names]
    #[arg(long, value_name = "ID")]
    pub(crate) bug: Option<String>,
    /// How the result is written
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
}
