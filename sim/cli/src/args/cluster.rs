//! The command line of `beaver cluster`.

use std::path::PathBuf;

use beaver_cluster::engine_choice::EngineName;
use beaver_cluster::small_raft::PlantedBug;
use clap::Args;

use super::{RunOptions, exit};

const HELP: &str = "\
A run is a cluster of three or five nodes: each has two simulated disks, a clock of its own, and \
messages that are lost, repeated, late and cut off. Nodes crash at any storage call, lose power, run \
out of disk, are wiped, added, removed, paused; clients use registers and the job queue. Every run is \
a pure function of its scenario and its seed, and is judged by the promises of the Raft paper, by what \
disks acknowledged, and by linearizability of what clients saw.

Examples:
  beaver cluster                               every scenario in scenarios/cluster/, over its own seeds
  beaver cluster three-nodes --seed 7          one run; the same seed gives the same run, always
  beaver cluster --seeds 0..100000 --jobs 8    more seeds
  beaver cluster --bug truncation-not-logged   a bug that real engines had, planted and found
  beaver cluster --report cluster.html         a page with a lane for each node
  beaver replay failures/three-nodes-log-matching-1c0ffee1
                                               a saved failure again, without a random number";

#[derive(Debug, Args)]
#[command(after_help = format!("{HELP}\n\n{}", exit::HELP))]
pub(crate) struct ClusterArgs {
    /// Scenario files, directories of them, or names in scenarios/cluster/ [default: all in scenarios/cluster/]
    #[arg(value_name = "SCENARIO")]
    pub(crate) scenarios: Vec<PathBuf>,
    /// How many nodes there are, in place of the scenario's own number
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=9))]
    pub(crate) nodes: Option<u64>,
    /// The engine under test: `openraft`, or `small`, our own [default: openraft; with --bug: small]
    #[arg(long, value_name = "ENGINE", value_parser = engine)]
    pub(crate) engine: Option<EngineName>,
    /// Plant a bug into the small engine; a wrong name lists them
    #[arg(long, value_name = "BUG")]
    pub(crate) bug: Option<PlantedBug>,
    #[command(flatten)]
    pub(crate) options: RunOptions,
    /// One side of --check-determinism: prints a line for each seed
    #[arg(long, hide = true)]
    pub(crate) hash_each: bool,
    /// One side of --check-determinism: prints what happened in the one seed
    #[arg(long, hide = true)]
    pub(crate) events: bool,
}

fn engine(name: &str) -> Result<EngineName, String> {
    EngineName::named(name).ok_or_else(|| {
        let known = EngineName::ALL.map(EngineName::name).join(" or ");
        format!("it is {known}")
    })
}
