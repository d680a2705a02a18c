//! When a flush runs. A store decides *that* one is needed; where and when it runs is for the caller
//! to decide, because a flush waits for the disk.

use std::io;
use std::sync::mpsc::{self, Sender};
use std::thread;

/// A flush that is to be run.
pub type FlushWork = Box<dyn FnOnce() + Send>;

/// Runs flushes, each once, in the order in which they were scheduled and one at a time. A store has
/// at most one scheduled that has not begun, so what is appended until it begins shares its sync.
///
/// One that is dropped without being run answers nobody: only a process that ends may do so.
pub trait Flusher: Send + Sync + 'static {
    /// Has `work` run soon; it waits for the disk. May run it before it returns.
    fn schedule(&self, work: FlushWork);
}

/// A thread that runs flushes. It ends when the flusher is dropped and all are run.
#[derive(Debug)]
pub struct FlushThread(Sender<FlushWork>);

impl FlushThread {
    /// Starts the thread.
    ///
    /// # Errors
    /// The operating system has none to give.
    pub fn start() -> io::Result<Self> {
        let (sender, receiver) = mpsc::channel::<FlushWork>();
        let named = thread::Builder::new().name("beaver-raft-flush".to_owned());
        named.spawn(move || receiver.into_iter().for_each(|work| work()))?;
        Ok(FlushThread(sender))
    }
}

impl Flusher for FlushThread {
    fn schedule(&self, work: FlushWork) {
        // The receiver goes only with the thread, and that ends early only when a flush panics.
        let sent = self.0.send(work);
        sent.expect("the thread lives as long as no flush panics");
    }
}

/// Runs every flush at once, on the caller's thread: each append is a sync. For tests.
#[derive(Clone, Copy, Debug, Default)]
pub struct FlushAtOnce;

impl Flusher for FlushAtOnce {
    fn schedule(&self, work: FlushWork) {
        work();
    }
}
