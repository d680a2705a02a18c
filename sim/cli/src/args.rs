//! The command line as `clap` reads it: names, flags and the help that teaches them. No behaviour.

mod cluster;
mod crash;
mod failing;
mod trace;

use std::num::NonZeroUsize;
use std::path::PathBuf;

use beaver::Position;
use beaver_sim::scenario::Seeds;
use clap::{Args, Parser, Subcommand, ValueEnum};

use super::exit;
use super::seed::Seed;
pub(crate) use cluster::ClusterArgs;
pub(crate) use crash::{Acks, CrashArgs};
pub(crate) use failing::{ReplayArgs, ShrinkArgs, ZooArgs};
pub(crate) use trace::{RunWatchedArgs, TraceArgs, TraceHashesArgs};

const EXAMPLES: &str = "\
Examples:
  beaver                                       every scenario in scenarios/, over its own seeds
  beaver run swarm --seed 7                    one run; the same seed gives the same run, always
  beaver run --seeds 0..100000 --fs alice      more seeds, and a worse disk
  beaver run --format json | jq .verdict       for a program
  beaver run --report run.html                 a page with pictures of what failed
  beaver replay failures/swarm-durability-1c0ffee1
                                               a saved failure again, call by call
  beaver crash log --check './verify {dir} {acks}'
                                               crash any program, and name the sync that it lacks
  beaver cluster --seeds 0..1000               a Raft cluster: nodes crash, forget and are cut off
  beaver images 'f=A; create t; write t 0 B; sync t; rename t f'
                                               what may a power cut leave?
  beaver wal validate /var/lib/queue           is my log whole?
";

/// Crashes a write-ahead log everywhere, recovers it, and checks that no promise was broken.
///
/// Without a command, `beaver` runs every scenario in scenarios/.
#[derive(Debug, Parser)]
#[command(
    name = "beaver",
    version,
    args_conflicts_with_subcommands = true,
    after_help = format!("{EXAMPLES}\n{}", exit::HELP),
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<CliCommand>,
    #[command(flatten)]
    pub(crate) run: RunOptions,
}

/// How many threads work.
fn jobs(text: &str) -> Result<NonZeroUsize, String> {
    text.parse()
        .map_err(|_| format!("`{text}` is no number of threads: write 1 or more"))
}

/// What `beaver` can be asked to do.
#[derive(Debug, Subcommand)]
pub(crate) enum CliCommand {
    /// Run scenarios: seeded random workloads, faults and crashes, judged after every recovery
    Run(RunArgs),
    /// Explore scenarios and small workloads: every crash point, every image, recovery crashed again
    Explore(ExploreArgs),
    /// Crash any program: all images that a power cut could have left, your check on each, the missing sync named
    Crash(CrashArgs),
    /// Run a Raft cluster on simulated disks, network and clocks: crashes, partitions and failing disks from a seed
    Cluster(ClusterArgs),
    /// Inject every known crash bug, catch it, and shrink the history that shows it
    Zoo(ZooArgs),
    /// Run a saved failure again, call by call, from data alone: no random numbers
    Replay(ReplayArgs),
    /// Go on shrinking a saved failure: fewer commands, crashes and faults that fail alike
    Shrink(ShrinkArgs),
    /// List every image of the files that a power cut may leave after a history
    Images(ImagesArgs),
    /// Inspect and repair logs on real disks; what changes anything writes a copy
    Wal {
        #[command(subcommand)]
        command: WalCommand,
    },
    /// Write a first scenario and a first crash test, to be changed
    Init(InitArgs),
    /// List the faults that can be injected
    Faults(ListArgs),
    /// List the crash profiles
    Profiles(ListArgs),
    /// List the invariants that are checked, and what each of them promises
    Invariants(ListArgs),
    /// Print the JSON schema of a scenario file
    Schema,
    /// Record what any program does to its files, down to the last write and sync (Linux)
    Trace(TraceArgs),
    /// One side of `run --check-determinism`: prints a line for each seed
    #[command(hide = true)]
    TraceHashes(TraceHashesArgs),
    /// Ends and removes what `beaver` leaves when it is killed
    #[command(hide = true)]
    StandGuard,
    /// Becomes the program that is recorded, once its calls of sync(2) are heard of
    #[command(hide = true)]
    RunWatched(RunWatchedArgs),
}

/// How results are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    #[default]
    Text,
    /// For programs: standard output has JSON and nothing else
    Json,
}

#[derive(Debug, Args)]
#[command(after_help = exit::HELP)]
pub(crate) struct RunArgs {
    /// Scenario files, directories of them, or names in scenarios/ [default: all in scenarios/]
    #[arg(value_name = "SCENARIO")]
    pub(crate) scenarios: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) options: RunOptions,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct RunOptions {
    /// Run this seed only, decimal or 0x… [fallback: the environment variable BEAVER_SEED]
    #[arg(
        long,
        value_name = "N",
        conflicts_with = "seeds",
        allow_negative_numbers = true
    )]
    pub(crate) seed: Option<Seed>,
    /// Run these seeds, B excluded, in place of the scenario's own
    #[arg(long, value_name = "A..B")]
    pub(crate) seeds: Option<Seeds>,
    #[command(flatten)]
    pub(crate) search: SearchOptions,
    /// Run each seed in two processes and show the first storage call where they differ
    #[arg(long)]
    pub(crate) check_determinism: bool,
    /// The program of the second process: another build of beaver [default: this one]
    #[arg(
        long,
        value_name = "PROGRAM",
        hide = true,
        requires = "check_determinism"
    )]
    pub(crate) second: Option<PathBuf>,
}

/// What running and exploring have in common.
#[derive(Clone, Debug, Args)]
pub(crate) struct SearchOptions {
    /// How much runs at the same time; the result does not depend on it [default: all cores]
    #[arg(long, value_name = "N", value_parser = jobs, allow_negative_numbers = true)]
    pub(crate) jobs: Option<NonZeroUsize>,
    /// The crash profile, in place of the scenario's own; `beaver profiles` lists them
    #[arg(long, value_name = "PROFILE")]
    pub(crate) fs: Option<String>,
    /// How results are written
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
    /// Print no plan and no row of what passes: what is wrong, and the last line
    #[arg(short, long)]
    pub(crate) quiet: bool,
    /// Also print what each scenario claims, and over which seeds and under which profile it runs
    #[arg(short, long, conflicts_with = "quiet")]
    pub(crate) verbose: bool,
    /// Also print which storage calls, on which files, were crashed and hit by faults
    #[arg(long)]
    pub(crate) coverage: bool,
    /// Where failures are saved: a folder for each, with scenario, plan, calls, files and report
    #[arg(long, value_name = "DIR", default_value = "failures")]
    pub(crate) out: PathBuf,
    /// Save failures as they were found; otherwise each is first made as small as a few seconds allow
    #[arg(long)]
    pub(crate) no_shrink: bool,
    /// Write a page about it: one HTML file that needs no network
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Option<PathBuf>,
}

const EXPLORE_HELP: &str = "\
A scenario is run once, without the crashes that it draws itself, and crashed before, inside and \
after each storage call. Every disk that a crash may leave under the profile is recovered by the \
real controller and judged: each page that was not synced is old or new, or one of them is torn at \
a boundary of 512 bytes; what was lost is zeros, under alice garbage too.

With --ops every sequence of up to N commands is explored: enqueue, a batch of two, dispatch, ack, \
fail, tick, checkpoint, reopen; from an empty store, from prepared ones with an old snapshot, with \
preallocated space and with small batches, and with syncs that fail.

Examples:
  beaver explore --ops 3                       every workload of up to three commands
  beaver explore swarm --seeds 0..20           twenty workloads of one scenario
  beaver explore --ops 2 --depth 3 --fs alice  deeper, on a worse disk";

#[derive(Debug, Args)]
#[command(after_help = format!("{EXPLORE_HELP}\n\n{}", exit::HELP))]
pub(crate) struct ExploreArgs {
    /// Scenario files, directories of them, or names in scenarios/ [default: all in scenarios/, none with --ops]
    #[arg(value_name = "SCENARIO")]
    pub(crate) scenarios: Vec<PathBuf>,
    /// Explore every sequence of up to N commands
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=6))]
    pub(crate) ops: Option<u8>,
    /// How many callers the sequences of --ops have: 2 also share syncs, wait while the store is closed, and go on while a
    /// checkpoint is under way
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=2))]
    pub(crate) callers: u32,
    /// Crashes in a row: 1 crashes the workload, 2 the recovery after that too
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=4))]
    pub(crate) depth: u32,
    /// Images of one power cut with whole pages that are judged at most; of more, corners and samples
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) cap: u64,
    /// Images of one power cut with a torn page, or with garbage, that are judged at most besides; of more, samples; 0: none
    #[arg(long, value_name = "N", default_value_t = 2048)]
    pub(crate) torn_cap: u64,
    /// The seed of the scenarios' workloads, decimal or 0x… [default: the first of each scenario]
    #[arg(
        long,
        value_name = "N",
        conflicts_with = "seeds",
        allow_negative_numbers = true
    )]
    pub(crate) seed: Option<Seed>,
    /// The seeds of the scenarios' workloads, B excluded
    #[arg(long, value_name = "A..B")]
    pub(crate) seeds: Option<Seeds>,
    #[command(flatten)]
    pub(crate) search: SearchOptions,
}

impl ExploreArgs {
    /// Whether seeds were chosen for the workloads of scenarios.
    pub(crate) fn has_seeds(&self) -> bool {
        self.seed.is_some() || self.seeds.is_some()
    }
}

const IMAGES_HELP: &str = "\
A history is a list of steps separated by `;`. First the files that are there and durable, then calls:
  f=AB             file f has two pages, A and B (a letter is a page of 4096 bytes, 0 is zeros)
  f=\"\"             file f is empty
  create f         remove f         rename a b
  write f 1 BC     pages B and C at page 1
  set_len f 2      two pages long
  sync f           sync_dir
Trees: paths have `/` in them, and `d/` is an empty directory.
  mkdir d          rmdir d          sync_dir d
  link f d/g       symlink f l

Examples:
  beaver images 'create f; write f 0 AB; sync f'
  beaver images --fs linux-ordered 'f=A; create t; write t 0 B; sync t; rename t f'
  beaver images 'mkdir d; create d/f; write d/f 0 A; sync d/f; sync_dir d'
  beaver images --file vectors.jsonl --format json";

#[derive(Debug, Args)]
#[command(after_help = IMAGES_HELP)]
pub(crate) struct ImagesArgs {
    /// The history
    #[arg(required_unless_present = "file", conflicts_with = "file")]
    pub(crate) history: Option<String>,
    /// The crash profile [default: posix; with --format json: all five]
    #[arg(long, value_name = "PROFILE")]
    pub(crate) fs: Option<String>,
    /// Histories from a file of JSON lines with `files` and `steps`, like vectors.jsonl
    #[arg(long, value_name = "F")]
    pub(crate) file: Option<PathBuf>,
    /// How the images are written
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
}

/// Tools for logs on real disks. They take no lock and change nothing in DIR.
#[derive(Debug, Subcommand)]
pub(crate) enum WalCommand {
    /// Count events by type, bytes, positions and damage; exit 1 if there is damage
    Stats(EventLogArgs),
    /// Check every byte and list all problems, not only the first; exit 1 if there is one
    Validate(EventLogArgs),
    /// Print every line with its place, with JSON one object a line; exit 1 if there is damage
    Dump(LogArgs),
    /// Write what survived of a damaged log into a new directory; exit 1 if anything was wrong
    Repair {
        /// The log
        dir: PathBuf,
        /// A directory that is empty or not there yet
        out: PathBuf,
    },
    /// Write a copy of the log that ends at a position
    Truncate {
        /// The log
        dir: PathBuf,
        /// The last event to keep
        #[arg(value_name = "EPOCH:SEQ")]
        position: Position,
        /// A directory that is empty or not there yet
        out: PathBuf,
    },
    /// List the differences between two logs; exit 1 if there is one
    Compare {
        /// One log
        a: PathBuf,
        /// The other
        b: PathBuf,
        /// How the differences are written
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
}

#[derive(Debug, Args)]
pub(crate) struct EventLogArgs {
    #[command(flatten)]
    pub(crate) log: LogArgs,
    /// Take any event: the log is not of the job queue but of another state machine
    #[arg(long)]
    pub(crate) any_event: bool,
}

#[derive(Debug, Args)]
pub(crate) struct LogArgs {
    /// The directory of the log
    pub(crate) dir: PathBuf,
    /// How the result is written
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    /// The folder of your package, or an empty one; no file in it is changed
    #[arg(default_value = ".")]
    pub(crate) dir: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// How the list is written
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn flags_of_run_work_without_its_name() {
        let cli = Cli::try_parse_from(["beaver", "--seed", "0x10"]).unwrap();
        assert!(cli.command.is_none());
        assert_eq!(cli.run.seed, Some(Seed(16)));
    }
}
