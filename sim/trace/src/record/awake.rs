//! Keeps processors awake while requests come one after the other. A request and its answer wake a thread each, and to wake a
//! processor that sleeps, most of all one of a virtual machine, takes longer than all the rest.
//!
//! The threads here are below all others: they run where a processor would sleep, and nobody waits for them. When the program
//! is quiet they sleep too.

use std::hint::spin_loop;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};

/// At most this many processors are kept awake: the program and the one who answers seldom use more.
const PROCESSORS: usize = 4;
/// One request in this many wakes those who sleep: for single ones it is not worth it.
const MANY: u64 = 16;
/// How often a thread waits in a round before it looks for new requests: about a microsecond in all.
const WAITS: u32 = 64;
/// After this many rounds without a request it goes to sleep: about a millisecond.
const ROUNDS: u32 = 1_000;

/// Ends with its last clone.
#[derive(Clone)]
pub(super) struct Awake(Arc<Threads>);

struct Threads {
    requests: Arc<Requests>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Requests {
    count: AtomicU64,
    /// Whether one of the threads sleeps, or is about to.
    asleep: AtomicBool,
    over: AtomicBool,
}

impl Awake {
    pub(super) fn new() -> Self {
        let processors = thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let requests = Arc::new(Requests::default());
        let threads = (0..processors.min(PROCESSORS)).map(|_| {
            let requests = requests.clone();
            thread::spawn(move || {
                // Above others it would be in their way.
                if beaver_notify::run_below_all().is_ok() {
                    requests.keep_awake();
                }
            })
        });
        Awake(Arc::new(Threads {
            threads: threads.collect(),
            requests,
        }))
    }

    /// A request has come.
    pub(super) fn request(&self) {
        let requests = &self.0.requests;
        let count = requests.count.fetch_add(1, Ordering::SeqCst);
        if count.is_multiple_of(MANY) && requests.asleep.swap(false, Ordering::SeqCst) {
            self.0.wake();
        }
    }
}

impl Threads {
    fn wake(&self) {
        for thread in &self.threads {
            thread.thread().unpark();
        }
    }
}

impl Requests {
    fn keep_awake(&self) {
        let (mut seen, mut rounds) = (0, 0);
        while !self.over.load(Ordering::SeqCst) {
            for _ in 0..WAITS {
                spin_loop();
            }
            let count = self.count.load(Ordering::SeqCst);
            if count != seen {
                (seen, rounds) = (count, 0);
                continue;
            }
            rounds += 1;
            if rounds > ROUNDS {
                // A request that comes now wakes this one, or finds it not asleep yet.
                self.asleep.store(true, Ordering::SeqCst);
                thread::park();
                rounds = 0;
            }
        }
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.requests.over.store(true, Ordering::SeqCst);
        self.wake();
        for thread in self.threads.drain(..) {
            // It has nothing to say.
            let _ = thread.join();
        }
    }
}
