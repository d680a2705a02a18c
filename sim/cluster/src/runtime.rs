//! What a task can ask of the simulation that it runs in: time, other tasks, chance.
//!
//! These functions are for engines whose runtime is made of statics. They work inside a task, in the
//! futures that it polls and in what it drops; elsewhere they panic. [`sleep_until`] and [`timeout_at`]
//! panic only when what they return is polled elsewhere; it can be dropped anywhere. [`block_on`] is the
//! opposite: it panics inside a simulation.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::draws::{Draws, Purpose};
use crate::executor::{Executor, Turn, current, try_current};
use crate::ready::{Ready, lock, ready_waker};

/// What the clock of the current process shows.
///
/// # Panics
/// Outside a simulation.
#[must_use]
pub fn now() -> Duration {
    let executor = current();
    Duration::from_nanos(executor.shown(executor.process()))
}

/// A random integer from `least` to `most`, both included.
///
/// # Panics
/// Outside a simulation.
#[must_use]
pub fn draw(least: u64, most: u64) -> u64 {
    current().draw(Purpose::Replica, least, most)
}

/// Runs a task of the current process. Nothing ends with the handle that is returned: a task whose
/// handle was dropped goes on.
///
/// # Panics
/// Outside a simulation.
pub fn spawn<F>(future: F) -> Join<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let (promise, join) = promise();
    let executor = current();
    let process = executor.process();
    executor.spawn(
        process,
        Box::pin(async move {
            let value = future.await;
            promise.keep(value);
        }),
    );
    join
}

/// Waits for `duration` on the clock of the current process.
///
/// # Panics
/// Outside a simulation.
#[must_use]
pub fn sleep(duration: Duration) -> Sleep {
    sleep_until(now().saturating_add(duration))
}

/// Waits until the clock of the current process shows `deadline`.
#[must_use]
pub fn sleep_until(deadline: Duration) -> Sleep {
    Sleep {
        deadline: u64::try_from(deadline.as_nanos()).unwrap_or(u64::MAX),
        timer: None,
    }
}

/// Waits for `future`, but not longer than `duration` on the clock of the current process.
///
/// # Panics
/// Outside a simulation.
pub fn timeout<F: Future>(duration: Duration, future: F) -> Timeout<F> {
    timeout_at(now().saturating_add(duration), future)
}

/// Waits for `future`, but not longer than until the clock of the current process shows `deadline`.
pub fn timeout_at<F: Future>(deadline: Duration, future: F) -> Timeout<F> {
    Timeout {
        future: Box::pin(future),
        sleep: sleep_until(deadline),
    }
}

/// Runs a future to its end in a simulation of its own, without nodes: for tests of what needs a runtime
/// and no cluster.
///
/// # Panics
/// If a simulation runs on this thread already, if all tasks wait for ever, or if one panics.
pub fn block_on<F: Future>(seed: u64, future: F) -> F::Output {
    let executor = Executor::install(Draws::new(seed, false));
    let woken = Ready::default();
    let waker = ready_waker(0, woken.clone());
    let mut context = Context::from_waker(&waker);
    // Dropped before the executor, whose timers it may hold.
    let mut future = Box::pin(future);
    loop {
        let is_woken = lock(&woken).pop().is_some();
        if is_woken && let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        if lock(&woken).is_empty() {
            match executor.turn(FOR_EVER) {
                Turn::Idle => panic!("all tasks wait for ever"),
                Turn::Panicked(_, text) => panic!("a task panicked: {text}"),
                Turn::Polled(_) | Turn::TimePassed => {}
            }
        }
    }
}

/// Longer than any simulation, in nanoseconds: some hundred years.
const FOR_EVER: u64 = u64::MAX / 4;

/// The future that [`sleep`] and [`sleep_until`] return.
#[derive(Debug)]
pub struct Sleep {
    /// By the clock of the process, in nanoseconds.
    deadline: u64,
    timer: Option<(u64, u64)>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let executor = current();
        if let Some(timer) = self.timer.take() {
            executor.clear_timer(timer);
        }
        self.timer = executor.set_timer(self.deadline, context.waker());
        match self.timer {
            Some(_) => Poll::Pending,
            None => Poll::Ready(()),
        }
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(timer) = self.timer.take()
            && let Some(executor) = try_current()
        {
            executor.clear_timer(timer);
        }
    }
}

/// The future that [`timeout`] and [`timeout_at`] return.
#[derive(Debug)]
pub struct Timeout<F> {
    future: Pin<Box<F>>,
    sleep: Sleep,
}

/// The time was over before the future was ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the time is over")]
pub struct Elapsed;

impl<F: Future> Future for Timeout<F> {
    type Output = Result<F::Output, Elapsed>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if let Poll::Ready(value) = self.future.as_mut().poll(context) {
            return Poll::Ready(Ok(value));
        }
        Pin::new(&mut self.sleep)
            .poll(context)
            .map(|()| Err(Elapsed))
    }
}

#[derive(Debug)]
struct Promised<T> {
    value: Option<T>,
    waker: Option<Waker>,
    broken: bool,
}

/// The one who promises a value.
#[derive(Debug)]
pub(crate) struct Promise<T>(Arc<Mutex<Promised<T>>>);

/// The result of a task, or another value that was promised.
#[derive(Debug)]
pub struct Join<T>(Arc<Mutex<Promised<T>>>);

/// The task was dropped before it was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the task was killed")]
pub struct Killed;

/// A value that one task waits for and another one gives.
pub(crate) fn promise<T>() -> (Promise<T>, Join<T>) {
    let promised = Arc::new(Mutex::new(Promised {
        value: None,
        waker: None,
        broken: false,
    }));
    (Promise(promised.clone()), Join(promised))
}

impl<T> Join<T> {
    /// The value. If it is given up, this waits for ever: that nobody will give it, nobody can know.
    pub(crate) async fn kept(self) -> T {
        match self.await {
            Ok(value) => value,
            Err(Killed) => std::future::pending().await,
        }
    }
}

impl<T> Promise<T> {
    /// Gives the value.
    pub(crate) fn keep(self, value: T) {
        lock(&self.0).value = Some(value);
    }
}

impl<T> Drop for Promise<T> {
    fn drop(&mut self) {
        let waker = {
            let mut promised = lock(&self.0);
            promised.broken = promised.value.is_none();
            promised.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl<T> Future for Join<T> {
    type Output = Result<T, Killed>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut promised = lock(&self.0);
        match promised.value.take() {
            Some(value) => Poll::Ready(Ok(value)),
            None if promised.broken => Poll::Ready(Err(Killed)),
            None => {
                promised.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

#[cfg(test)]
mod tests;
