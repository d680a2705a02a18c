//! Real processes on real files, killed at random moments: what a process acknowledged is there.
//!
//! The parent runs this very test program again as a *worker*, which opens a store, says on its
//! standard output what it is about to do and what was done, and is killed with SIGKILL sooner or
//! later, also while it recovers. What it found when it opened the store, and what the parent finds
//! when it recovers it in the end, is compared with a model that has seen those lines alone:
//! everything that was acknowledged must be there, and of what was tried last the first commands,
//! each whole, and nothing else.
//!
//! A kill takes the process and not the page cache: what a power cut does is for the simulator.

mod judge;
mod model;
mod slow_disk;
mod worker;

use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use beaver::{Error, ManualClock};
use judge::{Crowd, Heard, Seen};
use model::Numbers;
use worker::{Line, Order};

/// How often a process is killed, unless the environment says more.
const KILLS: u64 = 240;
const KILLS_ASKED: &str = "BEAVER_TEST_KILLS";
const KILLS_WITH_THREADS: u64 = 60;
const SIGKILL: i32 = 9;

/// Not a test of its own: the process that is killed.
#[test]
fn worker_process() {
    if let Ok(order) = std::env::var(worker::ORDER) {
        let order: Order = serde_json::from_str(&order).unwrap();
        match order.threads {
            0 => worker::work(&order),
            _ => worker::work_in_threads(&order),
        }
    }
}

/// A worker, killed at the latest when it is dropped.
struct Worker {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Worker {
    fn start(order: &Order) -> Self {
        let order = serde_json::to_string(order).expect("plain data");
        let mut child = Command::new(std::env::current_exe().expect("the path of this program"))
            .args(["worker_process", "--exact", "--nocapture"])
            .env(worker::ORDER, order)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a child process");
        let lines = BufReader::new(child.stdout.take().expect("the pipe that was asked for"));
        Worker { child, lines }
    }

    /// The next thing that the worker says; `None` when it has ended.
    fn line(&mut self) -> Option<Line> {
        loop {
            let mut bytes = Vec::new();
            let read = self.lines.read_until(b'\n', &mut bytes);
            read.expect("a readable pipe");
            // A line that the kill cut off was not said.
            if !bytes.ends_with(b"\n") {
                return None;
            }
            let text = String::from_utf8(bytes).expect("a worker speaks UTF-8");
            if let Some(line) = Line::from_text(&text) {
                return Some(line);
            }
        }
    }

    /// Kills it, unless it has ended by itself.
    fn kill(&mut self) {
        self.child.kill().expect("a child that was not waited for");
    }

    /// How it ended.
    fn wait(&mut self) -> ExitStatus {
        self.child.wait().expect("a child of this process")
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // Both fail only if it is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Recovers the store in this process and checks what is found.
fn recover(order: &Order, heard: &mut Heard, close: bool) {
    let clock = Arc::new(ManualClock::new(order.now_ms));
    let opened = worker::open(order, &clock);
    let (controller, torn) = opened.expect("a killed process leaves a good store");
    let state = controller.state();
    state.verify().expect("a state that keeps its rules");
    heard.decide(worker::seen(state), torn);
    if close {
        controller.close().expect("a store that can be closed");
    }
}

/// Lets a worker work and kills it.
fn work_and_kill(order: &Order, heard: &mut Heard, numbers: &mut Numbers) {
    let mut worker = Worker::start(order);
    // Either soon after the start, while it recovers, or after some of its commands.
    let (lines, delay_us) = match numbers.one_in(3) {
        true => (0, numbers.below(12_000)),
        false => (numbers.below(40), numbers.below(2_000)),
    };
    for _ in 0..lines {
        match worker.line() {
            Some(line) => heard.hear(line),
            None => break,
        }
    }
    std::thread::sleep(Duration::from_micros(delay_us));
    worker.kill();
    while let Some(line) = worker.line() {
        heard.hear(line);
    }
    let status = worker.wait();
    let killed = status.signal() == Some(SIGKILL);
    assert!(killed || status.success(), "the worker ended with {status}");
    assert!(
        killed || heard.closed,
        "a worker that ends by itself has closed the store"
    );
    heard.seen.kills += u64::from(killed);
}

fn kills() -> u64 {
    let asked = std::env::var(KILLS_ASKED).ok();
    asked.map_or(KILLS, |asked| asked.parse().expect("a number of kills"))
}

#[test]
fn what_a_killed_process_acknowledged_is_there() {
    let kills = kills();
    let mut numbers = Numbers(0x00be_a7e5);
    let mut seen = Seen::default();
    while seen.kills < kills {
        let directory = tempfile::tempdir().unwrap();
        let mut heard = Heard {
            seen,
            ..Heard::default()
        };
        for _ in 0..20 {
            let order = |numbers: &mut Numbers, heard: &Heard| Order {
                directory: directory.path().join("store"),
                seed: numbers.next(),
                now_ms: heard.now_ms,
                turns: 5 + numbers.below(100),
                threads: 0,
            };
            // Some are killed on top of what another one left, with no recovery in between.
            for _ in 0..=numbers.below(3) {
                let order = order(&mut numbers, &heard);
                work_and_kill(&order, &mut heard, &mut numbers);
            }
            let order = order(&mut numbers, &heard);
            recover(&order, &mut heard, numbers.one_in(3));
            if numbers.one_in(4) {
                recover(&order, &mut heard, false);
            }
        }
        seen = heard.seen;
    }
    println!("{seen:?}");
    assert!(
        seen.nothing > 0 && seen.all > 0 && seen.torn_tails > 0,
        "the kills were not where they should be: {seen:?}"
    );
}

#[test]
fn a_second_process_is_refused_until_the_first_is_gone() {
    let directory = tempfile::tempdir().unwrap();
    let order = Order {
        directory: directory.path().join("store"),
        seed: 1,
        now_ms: 0,
        turns: u64::MAX,
        threads: 0,
    };
    let clock = Arc::new(ManualClock::new(0));
    let mut worker = Worker::start(&order);
    assert!(matches!(worker.line(), Some(Line::Opened(..))));
    for _ in 0..3 {
        assert!(matches!(worker::open(&order, &clock), Err(Error::Locked)));
    }
    worker.kill();
    worker.wait();
    let (controller, _) = worker::open(&order, &clock).expect("the lock leaves with its process");

    let mut second = Worker::start(&order);
    let refusal = second.line();
    assert!(
        matches!(&refusal, Some(Line::Refused(reason)) if *reason == Error::Locked.to_string()),
        "{refusal:?}"
    );
    assert!(second.wait().success());
    controller.close().unwrap();
    // With another seed: that of the first would choose names that are taken.
    let mut third = Worker::start(&Order { seed: 2, ..order });
    assert!(matches!(third.line(), Some(Line::Opened(..))));
}

#[test]
fn what_the_threads_of_a_killed_process_acknowledged_is_there() {
    let mut numbers = Numbers(0x7_4ead5);
    let mut kills = 0;
    while kills < KILLS_WITH_THREADS {
        let directory = tempfile::tempdir().unwrap();
        let mut crowd = Crowd::default();
        for _ in 0..10 {
            let order = Order {
                directory: directory.path().join("store"),
                seed: numbers.next(),
                now_ms: 0,
                turns: 1 + numbers.below(200),
                threads: 1 + numbers.below(8),
            };
            let mut worker = Worker::start(&order);
            for _ in 0..numbers.below(300) {
                match worker.line() {
                    Some(line) => crowd.hear(line),
                    None => break,
                }
            }
            std::thread::sleep(Duration::from_micros(numbers.below(5_000)));
            worker.kill();
            while let Some(line) = worker.line() {
                crowd.hear(line);
            }
            let status = worker.wait();
            assert!(
                status.success() || status.signal() == Some(SIGKILL),
                "{status}"
            );
            kills += u64::from(!status.success());
            let clock = Arc::new(ManualClock::new(0));
            let (controller, _) = worker::open(&order, &clock).unwrap();
            crowd.decide(&worker::seen(controller.state()));
        }
    }
}
