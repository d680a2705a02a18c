//! Work on several threads, with a result that does not depend on how many there are.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// Does `work` on each of `items`; the answers come in the order of the items. When `cancel` is set no further one begins,
/// and the answers end at the first that is missing.
///
/// `progress` is told how many are done, from any thread.
pub fn in_order<T: Sync, R: Send>(
    items: &[T],
    jobs: NonZeroUsize,
    progress: &(dyn Fn(u64) + Sync),
    cancel: &AtomicBool,
    work: impl Fn(&T) -> R + Sync,
) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let done = AtomicU64::new(0);
    let answers = Mutex::new(Vec::with_capacity(items.len()));
    let work_off = || {
        while !cancel.load(Ordering::Relaxed) {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(index) else {
                break;
            };
            let answer = work(item);
            let mut answers = answers.lock().unwrap_or_else(PoisonError::into_inner);
            answers.push((index, answer));
            drop(answers);
            progress(done.fetch_add(1, Ordering::Relaxed) + 1);
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..items.len().min(jobs.get()) {
            scope.spawn(work_off);
        }
        work_off();
    });
    let mut answers = answers.into_inner().unwrap_or_else(PoisonError::into_inner);
    answers.sort_by_key(|(index, _)| *index);
    let whole = answers.into_iter().zip(0..);
    let whole = whole.take_while(|((index, _), place)| index == place);
    whole.map(|((_, answer), _)| answer).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_come_in_order_whatever_the_number_of_threads() {
        let items: Vec<u64> = (0..100).collect();
        for jobs in [1, 2, 7] {
            let jobs = NonZeroUsize::new(jobs).unwrap();
            let answers = in_order(&items, jobs, &|_| {}, &AtomicBool::new(false), |n| n * 2);
            assert!(answers.iter().copied().eq((0..100).map(|n| n * 2)));
        }
        let stopped = in_order(
            &items,
            NonZeroUsize::MIN,
            &|_| {},
            &AtomicBool::new(true),
            |n| *n,
        );
        assert!(stopped.is_empty());
    }
}
