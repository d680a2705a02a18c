//! The executor through the functions that tasks call.

use super::*;
use crate::executor::Installed;
use crate::process_id::ProcessId;

const SECOND: u64 = 1_000_000_000;

const ONE: ProcessId = ProcessId { node: 1, number: 1 };

type Log = Arc<Mutex<Vec<(u64, u64)>>>;

fn run(executor: &Installed, until: u64) {
    while executor.turn(until) != Turn::Idle {}
}

/// A task that writes down the true time, and its number, every 10 ms of its own clock.
fn ticks(executor: &Installed, process: ProcessId, number: u64, log: &Log) {
    let log = log.clone();
    executor.spawn(
        process,
        Box::pin(async move {
            loop {
                sleep(Duration::from_millis(10)).await;
                lock(&log).push((current().now(), number));
            }
        }),
    );
}

#[test]
fn a_killed_process_does_nothing_more_and_others_go_on() {
    let executor = Executor::install(Draws::new(1, false));
    let log = Log::default();
    let two = ProcessId { node: 2, number: 1 };
    ticks(&executor, ONE, 1, &log);
    ticks(&executor, two, 2, &log);
    run(&executor, 25_000_000);
    executor.kill(ONE);
    assert_eq!((executor.tasks_of(ONE), executor.tasks_of(two)), (0, 1));
    run(&executor, SECOND / 10);
    let count = |number| lock(&log).iter().filter(|(_, by)| *by == number).count();
    assert_eq!((count(1), count(2)), (2, 10));
}

#[test]
fn a_paused_process_goes_on_where_it_stood() {
    let executor = Executor::install(Draws::new(1, false));
    let log = Log::default();
    ticks(&executor, ONE, 1, &log);
    run(&executor, 15_000_000);
    executor.pause(ONE, 70_000_000);
    run(&executor, 85_000_000);
    let times: Vec<u64> = lock(&log).iter().map(|(at, _)| at / 1_000_000).collect();
    assert_eq!(times, [10, 70, 80]);
}

#[test]
fn a_clock_that_runs_fast_makes_timers_come_early() {
    let executor = Executor::install(Draws::new(1, false));
    let log = Log::default();
    executor.set_clock(ONE, 77, 250_000);
    ticks(&executor, ONE, 1, &log);
    run(&executor, 17_000_000);
    let times: Vec<u64> = lock(&log).iter().map(|(at, _)| *at).collect();
    assert_eq!(times, [8_000_000, 16_000_000]);
}

#[test]
fn the_seed_draws_which_ready_task_goes_next() {
    let order = |seed| {
        let executor = Executor::install(Draws::new(seed, false));
        let log = Log::default();
        for number in 0..6 {
            ticks(&executor, ONE, number, &log);
        }
        run(&executor, 55_000_000);
        let order: Vec<u64> = lock(&log).iter().map(|(_, number)| *number).collect();
        (order, executor.hash())
    };
    assert_eq!(order(5), order(5));
    assert_ne!(order(5).0, order(6).0);
    assert_ne!(order(5).1, order(6).1);
}

#[test]
fn a_task_that_panics_is_told_and_the_others_go_on() {
    let executor = Executor::install(Draws::new(1, false));
    let log = Log::default();
    ticks(&executor, ONE, 1, &log);
    executor.spawn(
        ONE,
        Box::pin(async {
            sleep(Duration::from_millis(5)).await;
            std::panic::resume_unwind(Box::new("gone"));
        }),
    );
    let mut panicked = Vec::new();
    loop {
        match executor.turn(25_000_000) {
            Turn::Panicked(process, text) => panicked.push((process, text)),
            Turn::Idle => break,
            _ => {}
        }
    }
    assert_eq!(panicked, [(ONE, "gone".to_owned())]);
    assert_eq!(lock(&log).len(), 2);
}

#[test]
fn whoever_waits_for_a_task_learns_of_its_end_either_way() {
    let executor = Executor::install(Draws::new(1, false));
    let learned: Arc<Mutex<Vec<Result<u64, Killed>>>> = Arc::default();
    let done = executor.enter(ONE, || spawn(async { 7 }));
    let never = executor.enter(ONE, || spawn(std::future::pending::<u64>()));
    let sink = learned.clone();
    executor.spawn(
        ProcessId::WORLD,
        Box::pin(async move {
            let first = done.await;
            lock(&sink).push(first);
            let second = never.await;
            lock(&sink).push(second);
        }),
    );
    run(&executor, 1_000);
    assert_eq!(*lock(&learned), [Ok(7)]);
    executor.kill(ONE);
    run(&executor, 2_000);
    assert_eq!(*lock(&learned), [Ok(7), Err(Killed)]);
}

#[test]
fn what_a_killed_process_drops_is_dropped_as_a_part_of_it() {
    struct WhoDrops(Arc<Mutex<Vec<ProcessId>>>);
    impl Drop for WhoDrops {
        fn drop(&mut self) {
            lock(&self.0).push(current().process());
        }
    }
    let executor = Executor::install(Draws::new(1, false));
    let droppers: Arc<Mutex<Vec<ProcessId>>> = Arc::default();
    let held = WhoDrops(droppers.clone());
    let task = async move {
        sleep(Duration::from_secs(5)).await;
        drop(held);
    };
    executor.spawn(ONE, Box::pin(task));
    run(&executor, SECOND);
    executor.kill(ONE);
    assert_eq!(*lock(&droppers), [ONE]);
}

#[test]
fn a_timeout_ends_a_wait() {
    let executor = Executor::install(Draws::new(1, false));
    let log = Log::default();
    let sink = log.clone();
    executor.spawn(
        ONE,
        Box::pin(async move {
            let never = std::future::pending::<()>();
            let ended = timeout(Duration::from_millis(3), never).await;
            assert_eq!(ended, Err(Elapsed));
            lock(&sink).push((current().now(), 0));
        }),
    );
    run(&executor, SECOND);
    assert_eq!(*lock(&log), [(3_000_000, 0)]);
}

#[test]
fn nothing_is_left_for_the_next_simulation_of_the_thread() {
    struct Loud(Arc<Mutex<u32>>);
    impl Drop for Loud {
        fn drop(&mut self) {
            *lock(&self.0) += 1;
        }
    }
    let drops: Arc<Mutex<u32>> = Arc::default();
    for round in 1..=2 {
        let executor = Executor::install(Draws::new(1, false));
        assert_eq!(executor.now(), 0);
        let loud = Loud(drops.clone());
        executor.spawn(
            ONE,
            Box::pin(async move {
                sleep(Duration::from_secs(5)).await;
                drop(loud);
            }),
        );
        run(&executor, SECOND);
        drop(executor);
        assert_eq!(*lock(&drops), round);
        assert!(try_current().is_none());
    }
}

#[test]
fn a_future_runs_to_its_end_with_the_tasks_that_it_spawns() {
    let run = |seed| {
        block_on(seed, async {
            let sum = spawn(async {
                sleep(Duration::from_secs(3)).await;
                draw(0, 1_000_000)
            });
            (sum.await, now())
        })
    };
    let (drawn, end) = run(1);
    assert_eq!(end, Duration::from_secs(3));
    assert_eq!(run(1), (drawn, end));
    assert_ne!(run(2).0, drawn);
}

#[test]
#[should_panic(expected = "all tasks wait for ever")]
fn a_future_that_nobody_wakes_is_told() {
    block_on(1, std::future::pending::<()>());
}
