//! One thread that runs all tasks of a simulation in virtual time.
//!
//! A task belongs to a process; killing the process drops its tasks where they stand. Waking a task puts
//! its number into a *set*, and the seed draws the next one of it: so the order in which a channel wakes
//! those who wait for it cannot matter. Time passes only when no task is ready.
//!
//! Each thread has at most one executor at a time; tasks reach it through [`runtime`](crate::runtime).

use std::cell::{RefCell, RefMut};
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use crate::draws::{Draws, Purpose};
use crate::fold::Fold;
use crate::host::BoxFuture;
use crate::local_clock::LocalClock;
use crate::process_id::ProcessId;
use crate::ready::{Ready, lock, ready_waker};

/// What an executor did in one turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// It let a task of this process go on.
    Polled(ProcessId),
    /// A task of this process panicked, and is gone.
    Panicked(ProcessId, String),
    /// It let time pass until something was due.
    TimePassed,
    /// Nothing happens before the moment up to which it was to run; it is that moment now.
    Idle,
}

struct TaskSlot {
    process: ProcessId,
    waker: Waker,
    /// Away while it is being polled.
    future: Option<BoxFuture<()>>,
}

struct ExecutorState {
    now: u64,
    draws: Draws,
    hash: Fold,
    polls: u64,
    last_task: u64,
    tasks: BTreeMap<u64, TaskSlot>,
    processes: BTreeMap<ProcessId, BTreeSet<u64>>,
    clocks: BTreeMap<ProcessId, LocalClock>,
    /// The processes that stand still, each with when it goes on.
    paused: BTreeMap<ProcessId, u64>,
    last_timer: u64,
    timers: BTreeMap<(u64, u64), Waker>,
    current: ProcessId,
}

/// The executor of one simulation.
pub(crate) struct Executor {
    state: RefCell<ExecutorState>,
    ready: Ready,
}

thread_local! {
    static CURRENT: RefCell<Option<Rc<Executor>>> = const { RefCell::new(None) };
}

/// The executor of this thread, if a simulation runs on it.
pub(crate) fn try_current() -> Option<Rc<Executor>> {
    CURRENT.with(|current| current.borrow().clone())
}

/// The executor of this thread.
///
/// # Panics
/// If no simulation runs on this thread.
pub(crate) fn current() -> Rc<Executor> {
    try_current().expect("this is called inside a simulation")
}

/// Keeps an executor on this thread; dropping it drops all tasks.
pub(crate) struct Installed(Rc<Executor>);

impl std::ops::Deref for Installed {
    type Target = Executor;

    fn deref(&self) -> &Executor {
        &self.0
    }
}

impl Drop for Installed {
    fn drop(&mut self) {
        loop {
            let first = self.0.state().tasks.pop_first();
            match first {
                Some(task) => drop(task),
                None => break,
            }
        }
        let timers = std::mem::take(&mut self.0.state().timers);
        drop(timers);
        CURRENT.with(|current| *current.borrow_mut() = None);
    }
}

impl Executor {
    /// Makes an executor for this thread.
    ///
    /// # Panics
    /// If the thread has one already.
    pub(crate) fn install(draws: Draws) -> Installed {
        let state = ExecutorState {
            now: 0,
            draws,
            hash: Fold::default(),
            polls: 0,
            last_task: 0,
            tasks: BTreeMap::new(),
            processes: BTreeMap::new(),
            clocks: BTreeMap::new(),
            paused: BTreeMap::new(),
            last_timer: 0,
            timers: BTreeMap::new(),
            current: ProcessId::WORLD,
        };
        let executor = Rc::new(Executor {
            state: RefCell::new(state),
            ready: Ready::default(),
        });
        CURRENT.with(|current| {
            let before = current.borrow_mut().replace(executor.clone());
            assert!(before.is_none(), "a simulation runs on this thread already");
        });
        Installed(executor)
    }

    fn state(&self) -> RefMut<'_, ExecutorState> {
        self.state.borrow_mut()
    }

    /// True time, in nanoseconds since the run began.
    pub(crate) fn now(&self) -> u64 {
        self.state().now
    }

    /// The process whose task runs.
    pub(crate) fn process(&self) -> ProcessId {
        self.state().current
    }

    /// How often a task was polled.
    pub(crate) fn polls(&self) -> u64 {
        self.state().polls
    }

    /// A hash of the tasks that ran, and when.
    pub(crate) fn hash(&self) -> u64 {
        self.state().hash.hash()
    }

    pub(crate) fn draw(&self, purpose: Purpose, least: u64, most: u64) -> u64 {
        self.state().draws.draw(purpose, least, most)
    }

    pub(crate) fn take_recorded(&self) -> Option<Vec<u64>> {
        self.state().draws.take_recorded()
    }

    /// Gives a process a clock; without one its clock is right.
    pub(crate) fn set_clock(&self, process: ProcessId, shown: u64, ppm: i64) {
        let mut state = self.state();
        let clock = LocalClock::new(state.now, shown, ppm);
        state.clocks.insert(process, clock);
    }

    /// From now on the clock of the process gains `ppm` microseconds a second.
    pub(crate) fn set_drift(&self, process: ProcessId, ppm: i64) {
        let mut state = self.state();
        let now = state.now;
        let clock = state.clocks.entry(process).or_default();
        *clock = clock.at_rate(now, ppm);
    }

    /// What the clock of the process shows.
    pub(crate) fn shown(&self, process: ProcessId) -> u64 {
        self.state().shown(process)
    }

    /// The process stands still until `until`; what is sent to it waits. A moment that is not to come
    /// ends a pause.
    pub(crate) fn pause(&self, process: ProcessId, until: u64) {
        self.state().paused.insert(process, until);
    }

    /// Adds a task to a process.
    pub(crate) fn spawn(&self, process: ProcessId, future: BoxFuture<()>) {
        let mut state = self.state();
        state.last_task += 1;
        let task = state.last_task;
        let waker = ready_waker(task, self.ready.clone());
        let future = Some(future);
        let slot = TaskSlot {
            process,
            waker,
            future,
        };
        state.tasks.insert(task, slot);
        state.processes.entry(process).or_default().insert(task);
    }

    /// Runs `act` as a part of the process.
    pub(crate) fn enter<T>(&self, process: ProcessId, act: impl FnOnce() -> T) -> T {
        let before = std::mem::replace(&mut self.state().current, process);
        let result = act();
        self.state().current = before;
        result
    }

    /// Ends a process: its tasks are dropped where they stand.
    pub(crate) fn kill(&self, process: ProcessId) {
        let mut dropped = BTreeSet::new();
        loop {
            let gone = {
                let mut state = self.state();
                let tasks = state.processes.get_mut(&process);
                let Some(task) = tasks.and_then(BTreeSet::pop_first) else {
                    break;
                };
                dropped.insert(task);
                state.tasks.remove(&task)
            };
            // Still as a part of its process: what it holds may reach for the executor.
            self.enter(process, || drop(gone));
        }
        lock(&self.ready).retain(|task| !dropped.contains(task));
        let mut state = self.state();
        state.processes.remove(&process);
        state.clocks.remove(&process);
        state.paused.remove(&process);
    }

    /// How many tasks the process has.
    #[cfg(test)]
    pub(crate) fn tasks_of(&self, process: ProcessId) -> usize {
        self.state()
            .processes
            .get(&process)
            .map_or(0, BTreeSet::len)
    }

    /// Wakes `waker` when the clock of the current process shows `deadline`, in nanoseconds; `None` if
    /// it does already.
    pub(crate) fn set_timer(&self, deadline: u64, waker: &Waker) -> Option<(u64, u64)> {
        let mut state = self.state();
        let clock = state
            .clocks
            .get(&state.current)
            .copied()
            .unwrap_or_default();
        if clock.shows(state.now) >= deadline {
            return None;
        }
        state.last_timer += 1;
        let key = (clock.when(deadline), state.last_timer);
        state.timers.insert(key, waker.clone());
        Some(key)
    }

    /// Forgets a timer.
    pub(crate) fn clear_timer(&self, key: (u64, u64)) {
        let waker = self.state().timers.remove(&key);
        drop(waker);
    }

    /// Lets one ready task go on, or time pass to the next timer, but not beyond `until`.
    pub(crate) fn turn(&self, until: u64) -> Turn {
        loop {
            let Some(task) = self.pick() else {
                return self.pass_time(until);
            };
            if let Some(turn) = self.poll(task) {
                return turn;
            }
        }
    }

    /// Takes one of the ready tasks out of the set, tasks of processes that stand still left aside.
    fn pick(&self) -> Option<u64> {
        let mut state = self.state();
        let mut ready = lock(&self.ready);
        if state.paused.is_empty() {
            if ready.is_empty() {
                return None;
            }
            let last = ready.len() as u64 - 1;
            let place = narrow(state.draws.draw(Purpose::Order, 0, last));
            return Some(ready.remove(place));
        }
        let (now, paused, tasks) = (state.now, &state.paused, &state.tasks);
        let stands_still = |task: &u64| {
            let until = tasks.get(task).and_then(|slot| paused.get(&slot.process));
            until.is_some_and(|until| *until > now)
        };
        let places = ready.iter().enumerate();
        let places = places.filter(|(_, task)| !stands_still(task));
        let places: Vec<usize> = places.map(|(place, _)| place).collect();
        let last = (places.len() as u64).checked_sub(1)?;
        let place = narrow(state.draws.draw(Purpose::Order, 0, last));
        Some(ready.remove(places[place]))
    }

    /// `None` if there is no such task any more.
    fn poll(&self, task: u64) -> Option<Turn> {
        let (process, waker, mut future) = {
            let mut state = self.state();
            let slot = state.tasks.get_mut(&task)?;
            let future = slot.future.take()?;
            let (process, waker) = (slot.process, slot.waker.clone());
            state.current = process;
            state.polls += 1;
            let now = state.now;
            state.hash.number(now);
            state.hash.number(task);
            (process, waker, future)
        };
        let mut context = Context::from_waker(&waker);
        let polled = catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(&mut context)));
        let mut state = self.state();
        if let Ok(Poll::Pending) = polled
            && let Some(slot) = state.tasks.get_mut(&task)
        {
            slot.future = Some(future);
            state.current = ProcessId::WORLD;
            return Some(Turn::Polled(process));
        }
        let gone = state.tasks.remove(&task);
        if let Some(tasks) = state.processes.get_mut(&process) {
            tasks.remove(&task);
        }
        drop(state);
        // Still as a part of its process: what it holds may reach for the executor.
        drop((gone, future));
        self.state().current = ProcessId::WORLD;
        Some(match polled {
            Ok(_) => Turn::Polled(process),
            Err(panic) => Turn::Panicked(process, text_of(panic.as_ref())),
        })
    }

    fn pass_time(&self, until: u64) -> Turn {
        let due: Vec<Waker> = {
            let mut state = self.state();
            let now = state.now;
            state.paused.retain(|_, until| *until > now);
            let timer = state.timers.first_key_value().map(|((at, _), _)| *at);
            let pause = state.paused.values().min().copied();
            let next = timer.into_iter().chain(pause).min();
            let Some(next) = next.filter(|next| *next <= until) else {
                state.now = now.max(until);
                return Turn::Idle;
            };
            state.now = now.max(next);
            let after = state.now + 1;
            let later = state.timers.split_off(&(after, 0));
            let due = std::mem::replace(&mut state.timers, later);
            due.into_values().collect()
        };
        due.into_iter().for_each(Waker::wake);
        Turn::TimePassed
    }
}

impl ExecutorState {
    fn shown(&self, process: ProcessId) -> u64 {
        let clock = self.clocks.get(&process).copied();
        clock.unwrap_or_default().shows(self.now)
    }
}

fn narrow(place: u64) -> usize {
    usize::try_from(place).expect("a place in a list fits")
}

/// What a panic said.
fn text_of(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "a panic without a text".to_owned())
}
