//! Commands a second of 1 and 3 nodes for 1 and 64 clients, beside etcd if it is installed; what an
//! entry costs in memory; and how long a node takes to come back.
//!
//! ```text
//! cargo bench -p beaverd --bench commands                     2 seconds a figure, 1,000,000 entries
//! cargo bench -p beaverd --bench commands -- 5 100000         5 seconds a figure, 100,000 entries
//! ```
//!
//! Both servers are asked at their leader by the same HTTP client with JSON, in turns on one machine:
//! a job is enqueued, a key is put; the counts of the queue are read, a key is read, both linearizable. The ratios can be
//! compared; the rates are those of one machine on one day. etcd's HTTP is a gateway to its gRPC, and
//! costs it something that its own clients do not pay.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "it measures time, and ends where something unexpected happens"
)]

#[path = "../../tests/processes/http.rs"]
mod http;
mod servers;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use http::HttpClient;
use servers::{Server, beaverd, etcd};

/// How often each figure is measured; the median is shown.
const ROUNDS: usize = 3;

const LIMIT: Duration = Duration::from_secs(30);

/// Names that were not used before.
static NAMES: AtomicU64 = AtomicU64::new(0);

type Request = fn(u64) -> (&'static str, String, String);

/// A kind of request, to beaverd and to etcd.
struct Kind {
    name: &'static str,
    beaverd: Request,
    etcd: Request,
}

const KINDS: [Kind; 2] = [
    Kind {
        name: "write",
        beaverd: |number| {
            let body = format!("{{\"id\":\"job-{number}\",\"payload\":{{\"n\":{number}}}}}");
            ("POST", "/v1/jobs".to_owned(), body)
        },
        // job-… and {"n":…} in base 64, of the same length.
        etcd: |number| {
            let body = format!("{{\"key\":\"am9i{number:08}\",\"value\":\"eyJuIjog{number:08}\"}}");
            ("POST", "/v3/kv/put".to_owned(), body)
        },
    },
    Kind {
        name: "read",
        beaverd: |_| ("GET", "/v1/stats".to_owned(), String::new()),
        etcd: |_| {
            let body = "{\"key\":\"am9i\"}".to_owned();
            ("POST", "/v3/kv/range".to_owned(), body)
        },
    },
];

fn main() {
    let numbers = std::env::args().filter_map(|argument| argument.parse::<u64>().ok());
    let numbers: Vec<u64> = numbers.collect();
    let seconds = Duration::from_secs(*numbers.first().unwrap_or(&2));
    let entries = *numbers.get(1).unwrap_or(&1_000_000);
    rates(seconds);
    memory_and_recovery(entries);
}

fn rates(time: Duration) {
    println!("| nodes | clients | | beaverd a second | etcd a second | beaverd / etcd |");
    println!("| --- | --- | --- | --- | --- | --- |");
    for nodes in [1, 3] {
        let ours = beaverd(nodes, &[]);
        let theirs = etcd(nodes);
        for clients in [1, 64] {
            for kind in &KINDS {
                let mut rates = [Vec::new(), Vec::new()];
                for _ in 0..ROUNDS {
                    rates[0].push(rate(ours.leader, clients, time, kind.beaverd));
                    if let Some(theirs) = &theirs {
                        rates[1].push(rate(theirs.leader, clients, time, kind.etcd));
                    }
                }
                let [ours, theirs] = rates.map(median);
                let theirs_text = theirs.map_or("not installed".to_owned(), |r| format!("{r:.0}"));
                let ratio = theirs
                    .zip(ours)
                    .map_or(String::new(), |(t, o)| format!("{:.2}", o / t));
                let (name, ours) = (kind.name, ours.unwrap_or(0.0));
                println!("| {nodes} | {clients} | {name} | {ours:.0} | {theirs_text} | {ratio} |");
            }
        }
    }
}

fn median(mut rates: Vec<f64>) -> Option<f64> {
    rates.sort_by(f64::total_cmp);
    rates.get(rates.len() / 2).copied()
}

/// Requests a second that `clients` get answered by `server` in `time`.
fn rate(server: SocketAddr, clients: u64, time: Duration, request: Request) -> f64 {
    let begun = Instant::now();
    let until = move || begun.elapsed() < time;
    let threads = (0..clients).map(|_| thread::spawn(move || ask(server, request, until)));
    let threads: Vec<_> = threads.collect();
    let answered: u64 = threads
        .into_iter()
        .map(|thread| thread.join().unwrap())
        .sum();
    answered as f64 / begun.elapsed().as_secs_f64()
}

/// Asks as long as `go_on` says so. How many answers came.
fn ask(server: SocketAddr, request: Request, go_on: impl Fn() -> bool) -> u64 {
    let mut client = HttpClient::new(server, LIMIT);
    let mut answered = 0;
    while go_on() {
        let (method, path, body) = request(NAMES.fetch_add(1, Ordering::Relaxed));
        let answer = client.send(method, &path, &body).unwrap();
        assert_eq!(answer.status, 200, "{}", answer.body);
        answered += 1;
    }
    answered
}

fn memory_and_recovery(entries: u64) {
    // No snapshot: everything comes back from the log.
    let mut node = beaverd(1, &["--snapshot-every", "1000000000"]);
    let empty = node.resident_bytes();
    let nothing: Request = |_| ("POST", "/v1/dispatch".to_owned(), String::new());
    let without_jobs = fill(&node, entries / 10, nothing);
    let filled = node.resident_bytes();
    let bytes = (filled - empty) / without_jobs.max(1);
    println!("\nan entry that leaves nothing in the queue: {bytes} bytes of memory");
    let with_jobs = fill(&node, entries - without_jobs, KINDS[0].beaverd);
    let bytes = (node.resident_bytes() - filled) / with_jobs.max(1);
    println!("an entry and its job: {bytes} bytes of memory");
    let total = without_jobs + with_jobs;
    let back = node.restart();
    println!(
        "killed with {total} entries and no snapshot: back after {} ms",
        back.as_millis()
    );
}

fn fill(node: &Server, entries: u64, request: Request) -> u64 {
    let last = NAMES.load(Ordering::Relaxed) + entries;
    let server = node.leader;
    let go_on = move || NAMES.load(Ordering::Relaxed) < last;
    let threads = (0..64).map(|_| thread::spawn(move || ask(server, request, go_on)));
    let threads: Vec<_> = threads.collect();
    threads
        .into_iter()
        .map(|thread| thread.join().unwrap())
        .sum()
}
