//! The machine that runs one process at a time on a disk: call numbers, crash points, faults and
//! the trace.
//!
//! Every call goes through [`begin`](Machine::begin), which numbers it, lets the planned events
//! happen and finds the planned fault, and [`finish`](Machine::finish), which records it. When the
//! crash point is reached the machine freezes: nothing changes any more, and every call of the
//! process fails until its owner starts a new one.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;

use super::change::Change;
use super::crash::{Crash, CrashPoint, Moment, Op};
use super::disk::Disk;
use super::fault::{Failure, Fault, Plan};
use super::inode::InodeId;
use super::strike::Planned;
use super::trace::{Trace, TraceMode, TraceRecord};

/// How to run.
#[derive(Clone, Debug, Default)]
pub struct SimOptions {
    /// What goes wrong.
    pub plan: Plan,
    /// Where the process dies.
    pub crash_at: Option<CrashPoint>,
    /// After so many calls, counted through crashes, every further one fails: a program that does
    /// not end is stopped.
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
    pub(super) sticky: BTreeMap<Op, Failure>,
    pub(super) fired: BTreeMap<&'static str, u64>,
    pub(super) happened: BTreeSet<Planned>,
    pub(super) did_not_apply: BTreeSet<Planned>,
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
        if self.recorded.is_some() && op.changes_something() {
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

    /// Passes the middle of a call: freezes there if the crash point says so. `change` is what the
    /// call is about to do.
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
}
