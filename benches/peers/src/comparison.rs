//! Many measurements, interleaved: round 1 runs A B C, round 2 begins elsewhere in the list. Each
//! one is a process of its own in a fresh directory, started after `sync(2)`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::roster::Entry;
use crate::sample::Sample;
use crate::workload::Workload;

/// What to run.
pub struct Comparison {
    /// Where directories are made.
    pub directory: PathBuf,
    pub rounds: usize,
    pub quick: bool,
    pub workloads: Vec<Workload>,
    /// Only those with these names; all if empty.
    pub contestants: Vec<String>,
}

impl Comparison {
    /// Runs everything and hands each sample to `seen` as soon as it is there.
    pub fn run(&self, mut seen: impl FnMut(&Sample)) -> Result<Vec<Sample>> {
        let mut samples = Vec::new();
        for workload in &self.workloads {
            let mut entries = Entry::of(*workload);
            entries.retain(|entry| {
                let names = &self.contestants;
                names.is_empty() || names.iter().any(|name| name == entry.name)
            });
            for round in 0..self.rounds {
                // A third of the list further each time, so that none always follows the same
                // process.
                let count = entries.len();
                for place in 0..count {
                    let entry = entries[(place + round * count.div_ceil(3)) % count];
                    let mut sample = one(
                        entry.name,
                        *workload,
                        workload.records(self.quick),
                        &self.directory,
                    )?;
                    sample.round = round + 1;
                    seen(&sample);
                    samples.push(sample);
                }
            }
        }
        Ok(samples)
    }
}

/// One measurement of `records` records, in processes of its own and a fresh directory.
pub fn one(contestant: &str, workload: Workload, records: u64, parent: &Path) -> Result<Sample> {
    let directory = tempfile::Builder::new()
        .prefix("beaver-peers-")
        .tempdir_in(parent)?;
    let log = directory.path().join("log");
    std::fs::create_dir(&log)?;
    if workload.reads() {
        child("fill", contestant, workload, records, &log)?;
    }
    rustix::fs::sync();
    let output = child("measure", contestant, workload, records, &log)?;
    serde_json::from_slice(&output).with_context(|| format!("{contestant} in {}", workload.name()))
}

/// This program again, for one step; what it printed.
fn child(
    step: &str,
    contestant: &str,
    workload: Workload,
    records: u64,
    directory: &Path,
) -> Result<Vec<u8>> {
    let output = Command::new(std::env::current_exe()?)
        .args(["step", step, contestant, &workload.name()])
        .arg(directory)
        .arg(records.to_string())
        .stderr(Stdio::inherit())
        .output()?;
    if !output.status.success() {
        bail!(
            "{contestant} failed in {}: {}",
            workload.name(),
            output.status
        );
    }
    Ok(output.stdout)
}
