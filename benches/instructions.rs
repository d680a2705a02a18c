//! How many instructions encoding, decoding, appending and reading take, by callgrind: a figure
//! that no busy machine blurs, kept in `benches/instructions.txt`, so that a change in cost shows
//! as a change of that file.
//!
//! ```text
//! cargo bench --bench instructions                 runs every step once, without counting
//! cargo bench --bench instructions -- --record     counts and writes the file; needs valgrind
//! ```
//!
//! The counts hold for one version of the compiler and of the C library, which the file names. On
//! another machine record once before a change and once after it.

mod workload;

use std::error::Error;
use std::fmt::Write;
use std::hint::black_box;
use std::path::Path;
use std::process::Command;

use beaver::job_queue::JobQueue;
use beaver::wal::LogReader;
use beaver::{Event, LogEvent, Position, StateMachine, inspect};

const EVENTS: u64 = 3_000;

/// A step: it prepares, then calls [`counted`] once.
type Step = (&'static str, fn());

const STEPS: &[Step] = &[
    ("encode", encode),
    ("decode", decode),
    ("append-1", append_one_by_one),
    ("append-100", append_hundreds),
    ("replay", replay),
    ("validate", validate),
    ("snapshot", snapshot),
    ("restore", restore),
];

/// Callgrind counts what happens in here, and nothing else.
#[inline(never)]
fn counted(work: impl FnOnce()) {
    work();
}

fn encode() {
    let events = workload::events(EVENTS);
    let mut out = Vec::with_capacity(1 << 20);
    counted(|| events.iter().for_each(|event| event.encode(&mut out)));
    assert!(out.ends_with(b"}"));
}

fn decode() {
    let events = workload::events(EVENTS);
    let bodies = workload::bodies(&events);
    let mut decoded = Vec::with_capacity(events.len());
    counted(|| decoded.extend(bodies.iter().map(|body| Event::decode(body))));
    assert!(decoded.into_iter().flatten().eq(events));
}

fn append_one_by_one() {
    append(1);
}

fn append_hundreds() {
    append(100);
}

fn append(together: usize) {
    let events = workload::events(EVENTS);
    let mut log = workload::log(&workload::disk());
    counted(|| {
        for some in events.chunks(together) {
            log.append(some).expect("the disk is large");
        }
    });
    assert_eq!(log.last_seq().0, EVENTS);
}

fn replay() {
    let storage = workload::filled(&workload::events(EVENTS));
    let reader = LogReader::<Event>::open(storage).expect("the disk can be read");
    counted(|| {
        let report = reader.replay(Position::default(), |_, event| {
            black_box(event);
            Ok::<(), std::convert::Infallible>(())
        });
        assert_eq!(report.expect("the log is whole").applied, EVENTS);
    });
}

fn validate() {
    let storage = workload::filled(&workload::events(EVENTS));
    counted(|| {
        let stats = inspect::stats::<Event>(&storage).expect("the disk can be read");
        assert_eq!((stats.events, stats.problems.len()), (EVENTS, 0));
    });
}

fn snapshot() {
    let queue = workload::queue(EVENTS);
    let mut out = Vec::with_capacity(1 << 20);
    counted(|| queue.snapshot(&mut out));
    assert!(out.ends_with(b"}"));
}

fn restore() {
    let queue = workload::queue(EVENTS);
    let mut state = Vec::new();
    queue.snapshot(&mut state);
    let mut restored = None;
    counted(|| restored = JobQueue::restore(&state).ok());
    assert_eq!(restored.as_ref(), Some(&queue));
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let wanted = |name: &str| arguments.iter().any(|argument| argument == name);
    if wanted("--record") {
        return record();
    }
    let chosen = STEPS.iter().filter(|(name, _)| wanted(name));
    match chosen.clone().next() {
        Some(_) => chosen.for_each(|(_, run)| run()),
        None => STEPS.iter().for_each(|(_, run)| run()),
    }
    Ok(())
}

fn record() -> Result<(), Box<dyn Error>> {
    let mut out = String::from(
        "Instructions for one event (append: on the simulated disk), by callgrind.\n\
         Made by: cargo bench --bench instructions -- --record\n",
    );
    let compiler = Command::new("rustc").arg("--version").output()?.stdout;
    writeln!(out, "With: {}\n", String::from_utf8(compiler)?.trim())?;
    for (name, _) in STEPS {
        let each = count(name)? as f64 / EVENTS as f64;
        writeln!(out, "{name:<12} {each:>9.1}")?;
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/instructions.txt");
    std::fs::write(path, &out)?;
    print!("{out}");
    Ok(())
}

/// The instructions of one step, from callgrind's last line but one.
fn count(step: &str) -> Result<u64, Box<dyn Error>> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg("--toggle-collect=*instructions*counted*")
        .arg(std::env::current_exe()?)
        .arg(step)
        .output()?;
    let text = String::from_utf8(output.stderr)?;
    let collected = text
        .lines()
        .find_map(|line| line.split_once("Collected : "));
    let (_, count) = collected.ok_or_else(|| format!("{step}: no count in\n{text}"))?;
    Ok(count.trim().parse()?)
}
