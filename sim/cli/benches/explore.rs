//! How fast the explorer is: what one image costs, recovered and judged, and how long every small workload takes.
//!
//! `cargo bench -p beaver-sim --bench explore` prints one line for each measurement. A name as an argument runs only the
//! measurements whose name contains it. Run as a test, or with `--test`, it measures workloads of one command, once.

#![expect(clippy::print_stdout, reason = "a benchmark says what it has measured")]

use std::num::NonZeroUsize;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use beaver_sim::explore::{Options, Running, Start, Tally, explore_small};
use beaver_sim::scenario::Profile;

/// The one of the `beaver` binary.
#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let bench = words.iter().any(|word| word == "--bench");
    let only = words.iter().find(|word| !word.starts_with("--"));
    let wanted = |name: &str| only.is_none_or(|only| name.contains(only.as_str()));
    let (ops, rounds) = if bench { (3, 5) } else { (1, 1) };
    let all = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    if wanted("one_image") {
        one_image(ops.min(2), rounds);
    }
    for callers in [1, 2] {
        let name = format!("ops_{ops}_depth_2_callers_{callers}");
        if wanted(&name) {
            let (tally, elapsed) = small_workloads(ops, callers, all, &Start::ALL);
            report(&name, &tally, elapsed, all);
        }
    }
}

/// What one image costs on one thread: the fastest of some rounds, because everything else is the machine's.
fn one_image(ops: usize, rounds: u32) {
    let starts = [Start::Prepared];
    let measured = (0..rounds).map(|_| small_workloads(ops, 1, NonZeroUsize::MIN, &starts));
    let fastest = measured.min_by_key(|(_, elapsed)| *elapsed);
    if let Some((tally, elapsed)) = fastest {
        report("one_image", &tally, elapsed, NonZeroUsize::MIN);
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a benchmark measures; nothing that is judged reads the clock"
)]
fn small_workloads(
    ops: usize,
    callers: u32,
    jobs: NonZeroUsize,
    starts: &[Start],
) -> (Tally, Duration) {
    let options = Options {
        callers,
        ..Options::default()
    };
    let running = Running {
        jobs,
        progress: &|_, _| {},
        cancel: &AtomicBool::new(false),
    };
    let subject = beaver_sim::beaver::library(&Start::Empty.scenario(Profile::Posix));
    let before = Instant::now();
    let mut sum = Tally::default();
    for start in starts {
        let scenario = start.scenario(Profile::Posix);
        let explored = explore_small(&subject, &scenario, *start, ops, &options, running);
        assert!(explored.failures.is_empty(), "{:?}", explored.failures);
        assert!(explored.tally.is_exhaustive());
        sum += explored.tally;
    }
    (sum, before.elapsed())
}

fn report(name: &str, tally: &Tally, elapsed: Duration, jobs: NonZeroUsize) {
    let seconds = elapsed.as_secs_f64();
    let met = tally.met();
    #[expect(
        clippy::cast_precision_loss,
        reason = "rates are rounded for people anyway"
    )]
    let (met_rate, rate) = (met as f64 / seconds, tally.recoveries as f64 / seconds);
    println!(
        "{name:<28} {seconds:8.3} s on {jobs} thread(s)  {:>9} workloads  {met:>9} images met ({met_rate:>9.0}/s)  \
         {:>9} different, recovered and judged ({rate:>8.0}/s, {:6.2} us each)",
        tally.workloads,
        tally.recoveries,
        1e6 / rate,
    );
}
