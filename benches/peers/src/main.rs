//! Beaver's log beside other logs and beside the limits of the machine, in one run.
//!
//! ```text
//! cargo run --release                      everything; about half an hour
//! cargo run --release -- --quick           a smoke run: that it works, not how fast
//! cargo run --release -- --only append-64 --rounds 15
//! cargo run --release -- --json raw.json --html picture.html
//! cargo run --release -- syncs             who syncs before it returns, by strace
//! cargo run --release -- scale             Beaver alone, from 10^4 to 10^7 events
//! ```

mod comparison;
mod contestant;
mod contestants;
mod drive;
mod picture;
mod record;
mod roster;
mod sample;
mod scale;
mod summary;
mod syncs;
mod table;
mod workload;

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::{Parser, Subcommand};

use crate::comparison::Comparison;
use crate::roster::Entry;
use crate::sample::Sample;
use crate::workload::Workload;

/// Measures Beaver's log beside other logs and beside raw system calls.
#[derive(Parser)]
#[command(args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Step>,
    /// A smoke run: small amounts and one round.
    #[arg(long)]
    quick: bool,
    /// How often each one is measured in each workload.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Only these workloads.
    #[arg(long, value_delimiter = ',')]
    only: Vec<Workload>,
    /// Only these contestants.
    #[arg(long, value_delimiter = ',')]
    who: Vec<String>,
    /// Where the logs are made; on the disk that is to be measured.
    #[arg(long, value_name = "PATH")]
    dir: Option<PathBuf>,
    /// Writes every sample.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Writes a picture that needs nothing else.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Makes table and picture again from samples that were written, and measures nothing. Several
    /// files are put together.
    #[arg(long, value_name = "FILE", value_delimiter = ',')]
    from: Vec<PathBuf>,
}

#[derive(Subcommand)]
enum Step {
    /// Counts the sync calls of one append with strace.
    Syncs {
        #[arg(long, value_name = "PATH")]
        dir: Option<PathBuf>,
    },
    /// Append, replay and recovery of Beaver alone, for growing logs.
    Scale {
        /// The largest log has ten to the power of this many events.
        #[arg(long, default_value_t = 7)]
        powers: u32,
        #[arg(long, value_name = "PATH")]
        dir: Option<PathBuf>,
    },
    /// One step in a process of its own; what the program starts itself with.
    #[command(hide = true)]
    Step {
        step: String,
        contestant: String,
        workload: Workload,
        directory: PathBuf,
        records: u64,
    },
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    match &arguments.command {
        None => compare(&arguments),
        Some(Step::Syncs { dir }) => {
            print!("{}", syncs::table(&directory(dir.as_ref()))?);
            Ok(())
        }
        Some(Step::Scale { powers, dir }) => scale::run(*powers, &directory(dir.as_ref())),
        Some(Step::Step {
            step,
            contestant,
            workload,
            directory,
            records,
        }) => {
            let entry = Entry::find(contestant);
            let entry = entry.with_context(|| format!("no contestant is called {contestant}"))?;
            match step.as_str() {
                "fill" => entry.fill(*workload, *records, directory)?,
                "measure" => {
                    let sample = entry.measure(*workload, *records, directory)?;
                    println!("{}", serde_json::to_string(&sample)?);
                }
                other => bail!("no step is called {other}"),
            }
            Ok(())
        }
    }
}

fn directory(given: Option<&PathBuf>) -> PathBuf {
    given.cloned().unwrap_or_else(std::env::temp_dir)
}

fn compare(arguments: &Arguments) -> Result<()> {
    let samples = match arguments.from.as_slice() {
        [] => run(arguments)?,
        files => read(files)?,
    };
    for workload in Workload::ALL {
        print!("{}", table::table(workload, &samples));
    }
    if let Some(path) = &arguments.json {
        let lines: Result<Vec<String>, _> = samples.iter().map(serde_json::to_string).collect();
        std::fs::write(path, lines?.join("\n") + "\n")?;
    }
    if let Some(path) = &arguments.html {
        std::fs::write(path, picture::page(&samples))?;
    }
    Ok(())
}

fn run(arguments: &Arguments) -> Result<Vec<Sample>> {
    let comparison = Comparison {
        directory: directory(arguments.dir.as_ref()),
        rounds: if arguments.quick { 1 } else { arguments.rounds },
        quick: arguments.quick,
        workloads: match arguments.only.as_slice() {
            [] => Workload::ALL.to_vec(),
            some => some.to_vec(),
        },
        contestants: arguments.who.clone(),
    };
    if let Some(name) = arguments
        .who
        .iter()
        .find(|name| Entry::find(name).is_none())
    {
        bail!("no contestant is called {name}");
    }
    comparison.run(|sample| {
        eprintln!(
            "{} {} round {}: {:.3} s, {:.0} /s",
            sample.workload.name(),
            sample.contestant,
            sample.round,
            sample.seconds,
            sample.rate()
        );
    })
}

/// Samples that were written, one on a line. Rounds of a later file follow those of the file before.
fn read(files: &[PathBuf]) -> Result<Vec<Sample>> {
    let mut samples: Vec<Sample> = Vec::new();
    for path in files {
        let before = samples.iter().map(|sample| sample.round).max().unwrap_or(0);
        for line in std::fs::read_to_string(path)?.lines() {
            let mut sample: Sample = serde_json::from_str(line)?;
            sample.round += before;
            samples.push(sample);
        }
    }
    Ok(samples)
}
