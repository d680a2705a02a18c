//! Measuring one workload with one contestant, in this process.

use std::path::Path;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};

use crate::contestant::{Contestant, Plan};
use crate::record::Tally;
use crate::sample::{Sample, cpu_seconds, disk_mib, peak_mib};
use crate::workload::Workload;

/// How many records are made ahead while the clock stands still.
const AHEAD: u64 = 4096;

/// The time that something took, and how long each call took where that was noted.
struct Timed {
    whole: Duration,
    cpu: f64,
    calls: Vec<Duration>,
}

/// What a log is made for.
pub fn plan(workload: Workload, records: u64) -> Plan {
    Plan {
        callers: workload.callers(),
        records,
        form: workload.form(),
        unsynced: workload == Workload::Unsynced,
    }
}

/// Measures `workload` in `directory`: empty, or filled if the workload reads. What was written is
/// read back and counted.
pub fn measure<C: Contestant>(
    name: &str,
    workload: Workload,
    records: u64,
    directory: &Path,
) -> Result<Sample> {
    let timed = if workload.reads() {
        read::<C>(workload, records, directory)?
    } else {
        let timed = write::<C>(workload, records, directory)?;
        let mut tally = Tally::default();
        C::replay(directory, &mut tally).context("reading back")?;
        check(tally, records)?;
        timed
    };
    let Timed {
        whole,
        cpu,
        mut calls,
    } = timed;
    calls.sort_unstable();
    let rank = |percent: usize| {
        let call = calls.get((calls.len() * percent / 100).min(calls.len().saturating_sub(1)));
        call.map(|call| call.as_secs_f64() * 1e6)
    };
    Ok(Sample {
        round: 0,
        workload,
        contestant: name.to_owned(),
        records,
        seconds: whole.as_secs_f64(),
        p50_us: rank(50),
        p99_us: rank(99),
        cpu_us: cpu * 1e6 / records as f64,
        peak_mib: peak_mib()?,
        disk_mib: disk_mib(directory)?,
    })
}

fn check(tally: Tally, records: u64) -> Result<()> {
    let found = tally.count;
    ensure!(found == records, "{records} records written, {found} found");
    ensure!(tally == Tally::of(records), "the records are not the same");
    Ok(())
}

fn read<C: Contestant>(workload: Workload, records: u64, directory: &Path) -> Result<Timed> {
    let cpu = cpu_seconds()?;
    let started = Instant::now();
    let found = match workload {
        Workload::Replay => {
            let mut tally = Tally::default();
            C::replay(directory, &mut tally)?;
            let whole = started.elapsed();
            check(tally, records)?;
            return Ok(Timed::of_one(whole, cpu_seconds()? - cpu));
        }
        Workload::OpenRead => C::find_last(directory)?,
        Workload::OpenWrite => {
            C::open_for_writing(directory)?;
            None
        }
        _ => Some(C::validate(directory)?),
    };
    let whole = started.elapsed();
    let is_right = found.is_none_or(|found| found == records);
    ensure!(is_right, "{records} records written, {found:?} found");
    Ok(Timed::of_one(whole, cpu_seconds()? - cpu))
}

fn write<C: Contestant>(workload: Workload, records: u64, directory: &Path) -> Result<Timed> {
    let log = C::create(directory, plan(workload, records))?;
    let timed = match workload {
        Workload::Unsynced => unsynced(&log, workload, records)?,
        _ if workload.batch() > 1 => batches(&log, workload, records, workload.batch() as u64)?,
        _ => appends(&log, workload, records)?,
    };
    log.close()?;
    Ok(timed)
}

/// Writes as many records as `workload` has callers with each call, from one thread: what all of
/// them could reach if every sync were shared.
pub fn measure_shared<C: Contestant>(
    name: &str,
    workload: Workload,
    records: u64,
    directory: &Path,
) -> Result<Sample> {
    let batch = workload.callers().max(workload.batch()) as u64;
    let log = C::create(directory, plan(workload, records))?;
    let timed = batches(&log, workload, records, batch)?;
    log.close()?;
    let mut tally = Tally::default();
    C::replay(directory, &mut tally)?;
    check(tally, records)?;
    Ok(Sample {
        round: 0,
        workload,
        contestant: name.to_owned(),
        records,
        seconds: timed.whole.as_secs_f64(),
        p50_us: None,
        p99_us: None,
        cpu_us: timed.cpu * 1e6 / records as f64,
        peak_mib: peak_mib()?,
        disk_mib: disk_mib(directory)?,
    })
}

impl Timed {
    fn of_one(whole: Duration, cpu: f64) -> Self {
        Timed {
            whole,
            cpu,
            calls: Vec::new(),
        }
    }
}

/// Every caller appends its share, one record with each call.
fn appends<C: Contestant>(log: &C, workload: Workload, records: u64) -> Result<Timed> {
    let callers = workload.callers() as u64;
    let share = records / callers;
    ensure!(
        share * callers == records,
        "every caller has the same share"
    );
    let start = Barrier::new(workload.callers() + 1);
    let (calls, whole, cpu) = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..callers)
            .map(|caller| {
                let start = &start;
                scope.spawn(move || -> Result<Vec<Duration>> {
                    let numbers = caller * share..(caller + 1) * share;
                    let form = workload.form();
                    let inputs: Vec<_> = numbers.map(|number| C::input(number, form)).collect();
                    let mut calls = Vec::with_capacity(inputs.len());
                    start.wait();
                    for input in inputs {
                        let called = Instant::now();
                        log.append(caller as usize, input)?;
                        calls.push(called.elapsed());
                    }
                    Ok(calls)
                })
            })
            .collect();
        start.wait();
        let cpu = cpu_seconds()?;
        let started = Instant::now();
        let mut calls = Vec::new();
        for thread in threads {
            let own = thread.join().map_err(|_| anyhow!("a caller panicked"))?;
            calls.extend(own?);
        }
        anyhow::Ok((calls, started.elapsed(), cpu_seconds()? - cpu))
    })?;
    Ok(Timed { whole, cpu, calls })
}

/// One caller appends `batch` records with each call.
fn batches<C: Contestant>(log: &C, workload: Workload, records: u64, batch: u64) -> Result<Timed> {
    let cpu = cpu_seconds()?;
    let mut whole = Duration::ZERO;
    let mut calls = Vec::new();
    let mut number = 0;
    while number < records {
        let end = records.min(number + batch);
        let inputs: Vec<_> = (number..end)
            .map(|number| C::input(number, workload.form()))
            .collect();
        let called = Instant::now();
        log.append_batch(inputs)?;
        let took = called.elapsed();
        whole += took;
        calls.push(took);
        number = end;
    }
    let cpu = cpu_seconds()? - cpu;
    Ok(Timed { whole, cpu, calls })
}

/// One caller appends without waiting for the disk, then syncs once.
fn unsynced<C: Contestant>(log: &C, workload: Workload, records: u64) -> Result<Timed> {
    let cpu = cpu_seconds()?;
    let mut whole = Duration::ZERO;
    let mut number = 0;
    while number < records {
        let end = records.min(number + AHEAD);
        let inputs: Vec<_> = (number..end)
            .map(|number| C::input(number, workload.form()))
            .collect();
        let started = Instant::now();
        for input in inputs {
            log.append_unsynced(input)?;
        }
        whole += started.elapsed();
        number = end;
    }
    let started = Instant::now();
    log.sync()?;
    whole += started.elapsed();
    Ok(Timed::of_one(whole, cpu_seconds()? - cpu))
}
