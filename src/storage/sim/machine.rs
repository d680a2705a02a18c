//! The machine that runs one process at a time on a disk: call numbers, crash points, faults and the trace.
//!
//! Every call goes through [`begin`](Machine::begin), which numbers it, lets the planned events happen and finds the
//! planned fault, and [`finish`](Machine::finish), which records it. When the crash point is reached the machine freezes:
//! nothing changes any more, and every call of the process fails until its owner starts a new one.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;

use super::crash::{Crash, CrashPoint, Moment, Op};
use super::disk::{Change, Disk};
use super::fault::{Effect, Failure, Fault, Plan};
use super::inode::InodeId;
use super::trace::{Trace, TraceMode, TraceRecord};

/// How to run.
#[derive(Clone, Debug, Default)]
pub struct SimOptions {
    /// What goes wrong.
    pub plan: Plan,
    /// Where the process dies.
    pub crash_at: Option<CrashPoint>,
    /// After so many calls, counted through crashes, every further one fails: a program that does not end is stopped.
    pub max_calls: Option<u64>,
    /// How much to record.
    pub trace: TraceMode,
}

/// Why a call fails that the disk itself had nothing against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum Gone {
    #[error("the simulated process has crashed")]
    Crashed,
    #[error("the simulated process has used up its storage calls")]
    OutOfCalls,
}

/// Whether a call failed because its process is dead: nothing that it does matters any more.
#[must_use]
pub fn is_crash(error: &io::Error) -> bool {
    gone(error) == Some(Gone::Crashed)
}

/// Whether a call failed because the process has used up its calls.
#[must_use]
pub fn is_out_of_calls(error: &io::Error) -> bool {
    gone(error) == Some(Gone::OutOfCalls)
}

fn gone(error: &io::Error) -> Option<Gone> {
    error.get_ref()?.downcast_ref().copied()
}

/// A planned fault or event that did not happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfired {
    /// Where it was planned.
    pub planned: Planned,
    /// What it was, as in [`Fault::kind`] and [`Event::kind`](super::Event::kind).
    pub kind: &'static str,
    /// Whether its call was made, but the fault could not strike it.
    pub did_not_apply: bool,
}

/// A place in a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Planned {
    /// A fault at the call of this number.
    Call(u64),
    /// The entry of this index in [`Plan::nth`].
    Nth(usize),
    /// The event of this index before the call of this number.
    Event(u64, usize),
}

#[derive(Clone, Debug)]
pub(super) struct Machine {
    pub(super) disk: Disk,
    pub(super) plan: Plan,
    pub(super) crash_at: Option<CrashPoint>,
    pub(super) max_calls: Option<u64>,
    pub(super) trace: Trace,
    pub(super) calls: u64,
    calls_by_op: [u64; Op::ALL.len()],
    pub(super) frozen: Option<Crash>,
    pub(super) out_of_calls: bool,
    /// The number of the process. Handles of another one are dead.
    pub(super) process: u64,
    pub(super) handles: BTreeMap<u64, Handle>,
    pub(super) last_handle: u64,
    pub(super) lock: Option<u64>,
    /// Another process holds the lock.
    pub(super) lock_taken: bool,
    sticky: BTreeMap<Op, Failure>,
    pub(super) fired: BTreeMap<&'static str, u64>,
    happened: BTreeSet<Planned>,
    did_not_apply: BTreeSet<Planned>,
    pub(super) recorded: Option<Vec<Crash>>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Handle {
    pub(super) inode: InodeId,
    /// How many failed syncs of the file this handle knows of.
    pub(super) seen_errors: u64,
}

/// A call under way.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) number: u64,
    pub(super) op: Op,
    pub(super) fault: Option<(Planned, Fault)>,
    pub(super) struck: Option<&'static str>,
    crash: Option<Moment>,
}

impl Machine {
    pub(super) fn new(disk: Disk, options: SimOptions) -> Self {
        Machine {
            disk,
            plan: options.plan,
            crash_at: options.crash_at,
            max_calls: options.max_calls,
            trace: Trace {
                mode: options.trace,
                ..Trace::default()
            },
            calls: 0,
            calls_by_op: [0; Op::ALL.len()],
            frozen: None,
            out_of_calls: false,
            process: 1,
            handles: BTreeMap::new(),
            last_handle: 0,
            lock: None,
            lock_taken: false,
            sticky: BTreeMap::new(),
            fired: BTreeMap::new(),
            happened: BTreeSet::new(),
            did_not_apply: BTreeSet::new(),
            recorded: None,
        }
    }

    /// Starts the next process on `disk`.
    pub(super) fn start_process(&mut self, disk: Disk) {
        self.disk = disk;
        self.frozen = None;
        self.process += 1;
        self.handles.clear();
        self.lock = None;
        self.sticky.clear();
        self.disk.forget_unreachable(|_| false);
    }

    /// Fails if `process` is dead.
    pub(super) fn check_alive(&self, process: u64) -> io::Result<()> {
        if self.frozen.is_some() || process != self.process {
            return Err(io::Error::other(Gone::Crashed));
        }
        match self.out_of_calls {
            true => Err(io::Error::other(Gone::OutOfCalls)),
            false => Ok(()),
        }
    }

    pub(super) fn begin(&mut self, process: u64, op: Op) -> io::Result<Call> {
        self.check_alive(process)?;
        if self.max_calls.is_some_and(|max| self.calls >= max) {
            self.out_of_calls = true;
            return Err(io::Error::other(Gone::OutOfCalls));
        }
        self.calls += 1;
        let number = self.calls;
        let nth = &mut self.calls_by_op[op as usize];
        *nth += 1;
        let nth = *nth;
        if self.recorded.is_some() {
            self.record(number, Moment::Before, op, None);
        }
        let crash = self.crash_at.filter(|point| point.call == number);
        let crash = crash.map(|point| point.moment);
        if crash == Some(Moment::Before) {
            return Err(self.freeze(number, Moment::Before, op, None));
        }
        if !self.plan.events.is_empty() {
            self.let_events_happen(number);
        }
        Ok(Call {
            number,
            op,
            fault: self.planned_fault(number, op, nth),
            struck: None,
            crash,
        })
    }

    /// Passes the middle of a call: freezes there if the crash point says so. `change` is what the call is about to do.
    pub(super) fn pass_inside(
        &mut self,
        call: &Call,
        change: impl FnOnce() -> Change,
    ) -> io::Result<()> {
        let dies = call.crash == Some(Moment::Inside);
        if !dies && self.recorded.is_none() {
            return Ok(());
        }
        let change = Some(change());
        if self.recorded.is_some() {
            self.record(call.number, Moment::Inside, call.op, change.clone());
        }
        match dies {
            true => Err(self.freeze(call.number, Moment::Inside, call.op, change)),
            false => Ok(()),
        }
    }

    /// The same for a call that changes nothing.
    pub(super) fn pass_inside_reading(&mut self, call: &Call) -> io::Result<()> {
        match call.crash {
            Some(Moment::Inside) => Err(self.freeze(call.number, Moment::Inside, call.op, None)),
            _ => Ok(()),
        }
    }

    /// Records the call and freezes behind it if the crash point says so.
    pub(super) fn finish<T>(
        &mut self,
        call: Call,
        answer: io::Result<T>,
        record: impl FnOnce(TraceRecord, &io::Result<T>) -> TraceRecord,
    ) -> io::Result<T> {
        if let Some((planned, _)) = &call.fault {
            self.did_not_apply.insert(*planned);
        }
        self.trace.push(|| {
            let blank = TraceRecord {
                call: call.number,
                op: call.op,
                file: Arc::default(),
                to: None,
                offset: 0,
                len: 0,
                data: 0,
                answer: answer
                    .as_ref()
                    .map_or_else(|error| Err(error.kind()), |_| Ok(0)),
                fault: call.struck,
            };
            record(blank, &answer)
        });
        match call.crash {
            Some(Moment::After) => Err(self.freeze(call.number, Moment::After, call.op, None)),
            _ => answer,
        }
    }

    fn record(&mut self, call: u64, moment: Moment, op: Op, inside: Option<Change>) {
        let crash = Crash {
            point: CrashPoint { call, moment },
            op: Some(op),
            before: self.disk.clone(),
            inside,
        };
        self.recorded.get_or_insert_default().push(crash);
    }

    pub(super) fn freeze(
        &mut self,
        call: u64,
        moment: Moment,
        op: Op,
        inside: Option<Change>,
    ) -> io::Error {
        self.crash_at = None;
        self.trace.note("crash", call);
        self.frozen = Some(Crash {
            point: CrashPoint { call, moment },
            op: Some(op),
            before: self.disk.clone(),
            inside,
        });
        io::Error::other(Gone::Crashed)
    }

    fn let_events_happen(&mut self, number: u64) {
        let Some(events) = self.plan.events.get(&number).cloned() else {
            return;
        };
        for (index, event) in events.iter().enumerate() {
            let handles = &self.handles;
            let is_open = |id| handles.values().any(|handle| handle.inode == id);
            let planned = Planned::Event(number, index);
            if self.disk.happen_while(event, &is_open) {
                self.happened.insert(planned);
                self.count(event.kind());
            } else {
                self.did_not_apply.insert(planned);
            }
        }
    }

    pub(super) fn count(&mut self, kind: &'static str) {
        *self.fired.entry(kind).or_default() += 1;
        self.trace.note(kind, self.calls);
    }

    fn planned_fault(&mut self, number: u64, op: Op, nth: u64) -> Option<(Planned, Fault)> {
        let by_call = self.plan.calls.get(&number);
        let planned = match by_call {
            Some(fault) => Some((Planned::Call(number), fault)),
            None => {
                let mut entries = self.plan.nth.iter().enumerate();
                let entry = entries.find(|(_, entry)| entry.op == op && entry.nth == nth);
                entry.map(|(index, entry)| (Planned::Nth(index), &entry.fault))
            }
        };
        let (planned, fault) = planned?;
        if !fault.applies_to(op) {
            self.did_not_apply.insert(planned);
            return None;
        }
        Some((planned, fault.clone()))
    }

    /// Counts the fault of `call` as fired and gives it away.
    pub(super) fn fire(&mut self, call: &mut Call) {
        if let Some((planned, fault)) = call.fault.take() {
            self.happened.insert(planned);
            self.strike(call, fault.kind());
            if let Fault::Error {
                error,
                sticky: true,
                ..
            } = fault
            {
                self.sticky.insert(call.op, error);
            }
        }
    }

    /// Counts a fault that no plan named for this very call.
    pub(super) fn strike(&mut self, call: &mut Call, kind: &'static str) {
        call.struck = Some(kind);
        self.count(kind);
    }

    /// The error that a planned fault, or an earlier sticky one, demands of this call.
    pub(super) fn planned_error(&self, call: &Call) -> Option<(Failure, Effect)> {
        match &call.fault {
            Some((_, Fault::Error { error, effect, .. })) => Some((*error, *effect)),
            _ => {
                let failure = self.sticky.get(&call.op);
                failure.map(|failure| (*failure, Effect::Nothing))
            }
        }
    }

    /// Counts the error of [`planned_error`](Self::planned_error) as fired and makes it.
    pub(super) fn fail(&mut self, call: &mut Call, failure: Failure) -> io::Error {
        match call.fault {
            Some((_, Fault::Error { .. })) => self.fire(call),
            _ => self.strike(call, "error"),
        }
        failure.error()
    }

    /// Makes the change, unless the plan lets it fail first.
    pub(super) fn change<T>(
        &mut self,
        call: &mut Call,
        act: impl FnOnce(&mut Disk) -> io::Result<T>,
    ) -> io::Result<T> {
        match self.planned_error(call) {
            None => act(&mut self.disk),
            Some((failure, Effect::Nothing)) => Err(self.fail(call, failure)),
            Some((failure, Effect::Everything | Effect::Bytes(_))) => {
                act(&mut self.disk)?;
                Err(self.fail(call, failure))
            }
        }
    }

    pub(super) fn unfired(&self) -> Vec<Unfired> {
        let calls = self.plan.calls.iter();
        let calls = calls.map(|(number, fault)| (Planned::Call(*number), fault.kind()));
        let nth = self.plan.nth.iter().enumerate();
        let nth = nth.map(|(index, entry)| (Planned::Nth(index), entry.fault.kind()));
        let events = self.plan.events.iter().flat_map(|(number, events)| {
            let events = events.iter().enumerate();
            events.map(|(index, event)| (Planned::Event(*number, index), event.kind()))
        });
        let all = calls.chain(nth).chain(events);
        let unfired = all.filter(|(planned, _)| !self.happened.contains(planned));
        let unfired = unfired.map(|(planned, kind)| Unfired {
            planned,
            kind,
            did_not_apply: self.did_not_apply.contains(&planned),
        });
        unfired.collect()
    }

    /// Replaces the plan. What the old one did stays counted.
    pub(super) fn set_plan(&mut self, plan: Plan) {
        self.plan = plan;
        self.happened.clear();
        self.did_not_apply.clear();
    }
}
