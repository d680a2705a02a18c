//! An answer that somebody waits for.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Poll, Waker};

use crate::host::BoxFuture;

#[derive(Debug)]
struct Waiting<T> {
    answer: Option<T>,
    waker: Option<Waker>,
}

/// The side that gives the answer.
#[derive(Debug)]
pub(super) struct ReplySlot<T>(Arc<Mutex<Waiting<T>>>);

fn lock<T>(slot: &Mutex<Waiting<T>>) -> MutexGuard<'_, Waiting<T>> {
    slot.lock().expect("nothing panics while it holds a slot")
}

impl<T: Send + 'static> ReplySlot<T> {
    /// A slot, and the future of its answer.
    pub(super) fn new() -> (Self, BoxFuture<T>) {
        let slot = Arc::new(Mutex::new(Waiting {
            answer: None,
            waker: None,
        }));
        let waiting = Arc::clone(&slot);
        let answer = poll_fn(move |context| {
            let mut waiting = lock(&waiting);
            if let Some(answer) = waiting.answer.take() {
                return Poll::Ready(answer);
            }
            waiting.waker = Some(context.waker().clone());
            Poll::Pending
        });
        (ReplySlot(slot), Box::pin(answer))
    }

    /// Gives the answer.
    pub(super) fn give(self, answer: T) {
        let mut waiting = lock(&self.0);
        waiting.answer = Some(answer);
        let waker = waiting.waker.take();
        drop(waiting);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}
