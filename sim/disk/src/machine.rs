//! The machine that runs one process at a time on a disk: call numbers, crash points, faults and
//! the trace.
//!
//! Every call goes through [`begin`](MachineState::begin), which numbers it and asks the fault source
//! what goes wrong, and [`finish`](MachineState::finish), which records it. When the crash point is
//! reached the machine freezes: nothing changes any more, and every call of the process fails until
//! its owner starts a new one.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::change::Change;
use super::crash::Crash;
use super::crash_point::{CrashPoint, Moment};
use super::disk::Disk;
use super::fault::{CallEffect, FailureKind, Fault, Space};
use super::fault_source::{FaultPlan, FaultSource, Injection, StorageCall};
use super::names::InodeId;
use super::trace::{Trace, TraceMode, TraceRecord};
use beaver_storage::Op;

/// How to run.
#[derive(Clone, Debug, Default)]
pub struct SimOptions {
    /// What goes wrong.
    pub plan: FaultPlan,
    /// How much room there is; `None`: as much as asked for.
    pub space: Option<Space>,
    /// Where the process dies.
    pub crash_at: Option<CrashPoint>,
    /// After this many calls, counted through crashes, every further one fails: a program that does
    /// not end is stopped.
    pub max_calls: Option<u64>,
    /// Whether the system does not drop the cache of a file when it is asked to: the call is not
    /// supported.
    pub keeps_cache: bool,
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

/// The number of the handle by which a file is held open, with the number of the file in it: beyond all that processes get.
pub(super) const HELD: u64 = 1 << 63;

pub(super) type SharedMachine = Arc<Mutex<MachineState>>;

/// A panic under the lock would be a bug of the simulated disk, or of a fault source; the state is
/// as good as it was.
pub(super) fn enter<T: ?Sized>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

#[derive(Clone, Debug)]
pub(super) struct MachineState {
    pub(super) disk: Disk,
    pub(super) faults: Option<Arc<Mutex<dyn FaultSource>>>,
    pub(super) space: Option<Space>,
    pub(super) crash_at: Option<CrashPoint>,
    pub(super) max_calls: Option<u64>,
    pub(super) keeps_cache: bool,
    pub(super) trace: Trace,
    pub(super) calls: u64,
    pub(super) frozen: Option<Crash>,
    pub(super) out_of_calls: bool,
    /// The number of the process. Handles of another one are dead.
    pub(super) process: u64,
    pub(super) handles: BTreeMap<u64, Handle>,
    pub(super) last_handle: u64,
    /// The directories that are locked, each with the number of its lock.
    pub(super) locks: BTreeMap<InodeId, u64>,
    /// The files that are locked, each with the handles that hold a lock, and whether it is a shared
    /// one.
    pub(super) file_locks: BTreeMap<InodeId, BTreeMap<u64, bool>>,
    /// Another process holds the lock of the root.
    pub(super) lock_taken: bool,
    /// It took it from the process that runs, which still believes to hold it.
    pub(super) lock_lost: bool,
    pub(super) sticky: BTreeMap<Op, FailureKind>,
    pub(super) fired: BTreeMap<&'static str, u64>,
    pub(super) missed: Vec<u64>,
    pub(super) recorded: Option<Vec<Crash>>,
    /// How traces call the root directory.
    pub(super) root: Arc<str>,
}

#[derive(Clone, Debug)]
pub(super) struct Handle {
    pub(super) inode: InodeId,
    /// The name that the file has now, or the last one that it had.
    pub(super) name: Arc<str>,
    /// How many failed syncs of the file this handle knows of.
    pub(super) seen_errors: u64,
}

/// A call under way.
#[derive(Debug)]
pub(super) struct RunningCall {
    pub(super) record: TraceRecord,
    /// In a box: a call is moved about, and most have none.
    pub(super) fault: Option<Box<Fault>>,
    crash: Option<Moment>,
}

impl MachineState {
    pub(super) fn new(disk: Disk, options: SimOptions) -> Self {
        let plan = options.plan;
        let faults = (plan != FaultPlan::default()).then(|| Arc::new(Mutex::new(plan)) as _);
        MachineState {
            disk,
            faults,
            space: options.space,
            crash_at: options.crash_at,
            max_calls: options.max_calls,
            keeps_cache: options.keeps_cache,
            trace: Trace {
                mode: options.trace,
                ..Trace::default()
            },
            calls: 0,
            frozen: None,
            out_of_calls: false,
            process: 1,
            handles: BTreeMap::new(),
            last_handle: 0,
            locks: BTreeMap::new(),
            file_locks: BTreeMap::new(),
            lock_taken: false,
            lock_lost: false,
            sticky: BTreeMap::new(),
            fired: BTreeMap::new(),
            missed: Vec::new(),
            recorded: None,
            root: Arc::from("."),
        }
    }

    /// Starts the next process on `disk`.
    pub(super) fn start_process(&mut self, disk: Disk) {
        self.disk = disk;
        self.frozen = None;
        self.process += 1;
        self.handles.clear();
        self.locks.clear();
        self.file_locks.clear();
        self.lock_lost = false;
        self.sticky.clear();
        self.disk.forget_unreachable(|_| false);
    }

    /// Fails unless this is the process that runs.
    pub(super) fn check_alive(&self, process: u64) -> io::Result<()> {
        match self.frozen.is_none() && process == self.process {
            true => Ok(()),
            false => Err(io::Error::other(Gone::Crashed)),
        }
    }

    /// Begins a call that may change something. `record` says which; the rest of it is filled in.
    pub(super) fn begin(
        &mut self,
        process: u64,
        mut record: TraceRecord,
    ) -> io::Result<RunningCall> {
        self.check_alive(process)?;
        self.out_of_calls |= self.max_calls.is_some_and(|max| self.calls >= max);
        if self.out_of_calls {
            return Err(io::Error::other(Gone::OutOfCalls));
        }
        let call = self.calls + 1;
        let crash = self.crash_at.filter(|point| point.call == call);
        let crash = crash.map(|point| point.moment);
        record.call = call;
        // Asked before the call counts: what happens on its own happens between two calls, also
        // where the process dies before this one.
        let fault = self.ask(&record, crash);
        self.calls = call;
        if self.recorded.is_some() && record.op.changes_something() {
            self.keep(call, Moment::Before, record.op, None);
        }
        if crash == Some(Moment::Before) {
            return Err(self.freeze(call, Moment::Before, record.op, None));
        }
        let mut running = RunningCall {
            record,
            fault,
            crash,
        };
        match self.lock_lost && running.record.op.changes_something() {
            false => Ok(running),
            true => {
                self.strike(&mut running, "lost-lock");
                let refused = Err(io::ErrorKind::ResourceBusy.into());
                self.finish(&running, refused, |_, _| {})
            }
        }
    }

    /// Begins a call that changes nothing, so that there is nothing of it to interrupt.
    pub(super) fn begin_reading(
        &mut self,
        process: u64,
        record: TraceRecord,
    ) -> io::Result<RunningCall> {
        let call = self.begin(process, record)?;
        match call.crash {
            Some(Moment::Inside) => {
                Err(self.freeze(call.record.call, Moment::Inside, call.record.op, None))
            }
            _ => Ok(call),
        }
    }

    /// What the fault source lets go wrong in a call, if the call can go wrong like that.
    fn ask(&mut self, record: &TraceRecord, dies: Option<Moment>) -> Option<Box<Fault>> {
        let source = self.faults.clone()?;
        let handles = &self.handles;
        let is_open = |id| handles.values().any(|handle| handle.inode == id);
        let opened = handles
            .values()
            .find(|handle| Some(handle.inode) == record.inode);
        let file = match (record.op, opened) {
            (Op::List | Op::SyncDir | Op::Lock, _) if record.inode.is_none() => "",
            (Op::Rename, _) => record.to.as_deref().unwrap_or_default(),
            (Op::Create | Op::Open | Op::Remove | Op::Link, _) | (_, None) => &record.file,
            (_, Some(handle)) => &handle.name,
        };
        let call = StorageCall {
            number: record.call,
            op: record.op,
            inode: record.inode,
            file,
            offset: record.offset,
            len: record.len,
            dies,
        };
        let mut injection = Injection {
            disk: &mut self.disk,
            space: &mut self.space,
            is_open: &is_open,
            fault: None,
            happened: Vec::new(),
            missed: false,
        };
        enter(&source).before(&call, &mut injection);
        let Injection {
            fault,
            happened,
            missed,
            ..
        } = injection;
        happened.into_iter().for_each(|word| self.count(word));
        let applies = fault.as_ref().map(|fault| fault.applies_to(record.op));
        if missed || applies == Some(false) {
            self.missed.push(record.call);
        }
        fault.filter(|_| applies == Some(true)).map(Box::new)
    }

    /// Passes the middle of a call: freezes there if the crash point says so. `change` is what the
    /// call is about to do.
    pub(super) fn pass_inside(
        &mut self,
        call: &RunningCall,
        change: impl FnOnce() -> Change,
    ) -> io::Result<()> {
        let dies = call.crash == Some(Moment::Inside);
        if !dies && self.recorded.is_none() {
            return Ok(());
        }
        let (number, op, change) = (call.record.call, call.record.op, Some(change()));
        if self.recorded.is_some() {
            self.keep(number, Moment::Inside, op, change.clone());
        }
        match dies {
            true => Err(self.freeze(number, Moment::Inside, op, change)),
            false => Ok(()),
        }
    }

    /// Records the call and freezes after it if the crash point says so. `told` completes the
    /// record by what was answered.
    pub(super) fn finish<T>(
        &mut self,
        call: &RunningCall,
        answer: io::Result<T>,
        told: impl FnOnce(&mut TraceRecord, Option<&T>),
    ) -> io::Result<T> {
        let (number, op) = (call.record.call, call.record.op);
        if call.fault.is_some() {
            self.missed.push(number);
        }
        self.trace.push(|| {
            let mut record = call.record.clone();
            record.answer = answer.as_ref().map(|_| 0).map_err(io::Error::kind);
            told(&mut record, answer.as_ref().ok());
            record
        });
        match call.crash {
            Some(Moment::After) => Err(self.freeze(number, Moment::After, op, None)),
            _ => answer,
        }
    }

    /// Counts something that went wrong.
    pub(super) fn count(&mut self, word: &'static str) {
        *self.fired.entry(word).or_default() += 1;
        self.trace.note(word, self.calls);
    }

    /// Counts something that went wrong in this very call.
    pub(super) fn strike(&mut self, call: &mut RunningCall, word: &'static str) {
        call.record.fault = Some(word);
        self.count(word);
    }

    /// Counts the fault of `call` as fired and takes it away.
    pub(super) fn fire(&mut self, call: &mut RunningCall) {
        if let Some(fault) = call.fault.take() {
            self.strike(call, fault.word());
            if let Fault::Error {
                error,
                sticky: true,
                ..
            } = *fault
            {
                self.sticky.insert(call.record.op, error);
            }
        }
    }

    /// The error that its fault, or an earlier sticky one, demands of this call.
    pub(super) fn demanded_error(&self, call: &RunningCall) -> Option<(FailureKind, CallEffect)> {
        match call.fault.as_deref() {
            Some(Fault::Error { error, effect, .. }) => Some((*error, *effect)),
            _ => {
                let failure = self.sticky.get(&call.record.op);
                failure.map(|failure| (*failure, CallEffect::Nothing))
            }
        }
    }

    /// Counts the error of [`demanded_error`](Self::demanded_error) as fired and makes it.
    pub(super) fn fail(&mut self, call: &mut RunningCall, failure: FailureKind) -> io::Error {
        match call.fault.as_deref() {
            Some(Fault::Error { .. }) => self.fire(call),
            _ => self.strike(call, "error"),
        }
        failure.error()
    }

    /// Carries the call out, unless an error is demanded of it: before it, or after it.
    pub(super) fn unless_failing<T>(
        &mut self,
        call: &mut RunningCall,
        act: impl FnOnce(&mut Self, &mut RunningCall) -> io::Result<T>,
    ) -> io::Result<T> {
        match self.demanded_error(call) {
            None => act(self, call),
            Some((failure, CallEffect::Nothing)) => Err(self.fail(call, failure)),
            Some((failure, CallEffect::Everything | CallEffect::Bytes(_))) => {
                act(self, call)?;
                Err(self.fail(call, failure))
            }
        }
    }

    /// A call that is one change of the disk and nothing else.
    pub(super) fn make_change(
        &mut self,
        process: u64,
        record: TraceRecord,
        change: impl FnOnce() -> Change,
        act: impl FnOnce(&mut Disk) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut call = self.begin(process, record)?;
        // An explorer makes millions of calls: the change is data only where one is interrupted.
        self.pass_inside(&call, change)?;
        let answer = self.unless_failing(&mut call, |machine, _| act(&mut machine.disk));
        self.finish(&call, answer, |_, _| {})
    }

    fn keep(&mut self, call: u64, moment: Moment, op: Op, inside: Option<Change>) {
        let crash = self.crash_now(call, moment, Some(op), inside);
        self.recorded.get_or_insert_default().push(crash);
    }

    fn freeze(&mut self, call: u64, moment: Moment, op: Op, inside: Option<Change>) -> io::Error {
        self.crash_at = None;
        self.trace.note("crash", call);
        self.frozen = Some(self.crash_now(call, moment, Some(op), inside));
        io::Error::other(Gone::Crashed)
    }

    /// The disk as it is, as what a process leaves that dies here.
    pub(super) fn crash_now(
        &self,
        call: u64,
        moment: Moment,
        op: Option<Op>,
        inside: Option<Change>,
    ) -> Crash {
        Crash {
            point: CrashPoint { call, moment },
            op,
            before: self.disk.clone(),
            inside,
        }
    }
}
