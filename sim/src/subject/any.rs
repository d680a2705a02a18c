//! Subjects with their types erased.

use std::any::Any;
use std::fmt::{self, Debug};
use std::sync::{Arc, OnceLock};

use beaver_storage::{Interposer, interpose};
use serde::Deserialize;
use serde_json::Value;

use crate::erased::{AnyOp, AnyState, OpModel, StateModel};
use crate::guard::Contained;

use super::concurrent::BegunWithCallers;
use super::{
    Answer, Concurrent, ErrorClass, Expected, Failure, Inspected, Machine, PendingCheckpoint,
    Promises, Subject,
};
use crate::scenario::CommandKind;
use crate::stream::Stream;

/// An op of `S`.
#[must_use]
pub(crate) fn any_op<S: Subject>(op: S::Op) -> AnyOp {
    let model = OpModel {
        apply: S::apply,
        takes_ms: S::takes_ms,
    };
    AnyOp::typed(op, model)
}

/// A state of `S`.
#[must_use]
pub(crate) fn any_state<S: Subject>(state: S::State) -> AnyState {
    let model = StateModel {
        difference: S::difference,
        size: S::size,
    };
    AnyState::typed(state, model)
}

/// A store that a process has open. Dropping it ends the process without a farewell.
pub(crate) trait OpenStore {
    /// Carries out an op.
    ///
    /// # Errors
    /// See [`ErrorClass`](super::ErrorClass).
    fn run(&mut self, op: &AnyOp) -> Result<Answer, Failure>;

    /// What the store shows.
    ///
    /// # Errors
    /// It cannot be read.
    fn state(&mut self) -> Result<AnyState, Failure>;

    /// See [`Subject::checkpoint`].
    ///
    /// # Errors
    /// It failed.
    fn checkpoint(&mut self) -> Result<(), Failure>;

    /// See [`Subject::close`].
    ///
    /// # Errors
    /// It failed, and is closed all the same.
    fn close(self: Box<Self>) -> Result<(), Failure>;

    /// Drops the store while its process is alive: a panic is one of the program's.
    fn let_go(self: Box<Self>);

    /// See [`Concurrent::group`].
    fn group(&mut self, ops: &[AnyOp]) -> Vec<Result<Answer, Failure>>;

    /// See [`Concurrent::unawaited`].
    fn unawaited(
        &mut self,
        ops: &[AnyOp],
        pass: &mut dyn FnMut() -> bool,
    ) -> Vec<Result<Answer, Failure>>;

    /// See [`Concurrent::close_queued`].
    fn close_queued(self: Box<Self>, ops: &[AnyOp]) -> Vec<Result<Answer, Failure>>;

    /// See [`Concurrent::begin_checkpoint`].
    ///
    /// # Errors
    /// It failed.
    fn begin_checkpoint(&mut self) -> Result<Option<PendingCheckpoint>, Failure>;

    /// See [`Concurrent::begin_checkpoint_queued`].
    fn begin_checkpoint_queued(&mut self, ops: &[AnyOp]) -> BegunWithCallers;

    /// See [`Concurrent::finish_checkpoint`].
    ///
    /// # Errors
    /// It failed.
    fn finish_checkpoint(&mut self, written: Box<dyn Any + Send>) -> Result<(), Failure>;

    /// The subject's own [`Store`](Subject::Store).
    fn as_any(&mut self) -> &mut dyn Any;
}

struct Opened<S: Subject> {
    subject: Arc<S>,
    store: Contained<S::Store>,
    /// The error after which nothing more is given to it. A store whose files the checker can read
    /// is told apart by what it then refuses itself. The second step of a checkpoint may fail on a
    /// thread of its own.
    broken: Arc<OnceLock<Failure>>,
}

impl<S: Subject> Opened<S> {
    fn typed(ops: &[AnyOp]) -> Vec<S::Op> {
        ops.iter().map(|op| op.get::<S::Op>().clone()).collect()
    }

    /// What a store answers that is not used any more.
    fn usable(&self) -> Result<(), Failure> {
        match self.broken.get() {
            None => Ok(()),
            Some(failure) => {
                let text = format!("not opened again since: {}", failure.text);
                Err(Failure::new(ErrorClass::Poisoned, text))
            }
        }
    }

    /// Remembers a failure after which the store is not used any more.
    fn note<'f>(&self, failures: impl IntoIterator<Item = &'f Failure>) {
        let mut failures = failures.into_iter();
        let grave = failures.find(|failure| failure.class != ErrorClass::NotDone);
        if let Some(failure) = grave.filter(|_| self.subject.inspected().is_none()) {
            self.broken.get_or_init(|| failure.clone());
        }
    }

    /// Runs something after whose failure the store may not be used any more.
    fn attempt<T>(
        &mut self,
        piece: impl FnOnce(&S, &mut S::Store) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        self.usable()?;
        let done = piece(&self.subject, self.store.get_mut());
        self.note(done.as_ref().err());
        done
    }

    /// The same with a piece of a store that serves several callers.
    fn attempt_concurrent<T>(
        &mut self,
        piece: impl FnOnce(&dyn Concurrent<S>, &mut S::Store) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        self.attempt(|subject, store| match subject.concurrent() {
            Some(concurrent) => piece(concurrent, store),
            None => Err(Failure::unsupported(CALLERS)),
        })
    }

    /// The second step of a checkpoint, whose failure is remembered like that of the others.
    fn watched(&self, begun: PendingCheckpoint) -> PendingCheckpoint {
        if self.subject.inspected().is_some() {
            return begun;
        }
        let broken = Arc::clone(&self.broken);
        let begun = Contained::new(begun);
        Box::new(move || {
            begun.into_inner()().inspect_err(|failure| {
                if failure.class != ErrorClass::NotDone {
                    broken.get_or_init(|| failure.clone());
                }
            })
        })
    }
}

const CALLERS: &str = "several callers, or a checkpoint in steps";

impl<S: Subject> OpenStore for Opened<S> {
    fn run(&mut self, op: &AnyOp) -> Result<Answer, Failure> {
        self.attempt(|subject, store| subject.run(store, op.get()))
    }

    fn state(&mut self) -> Result<AnyState, Failure> {
        let state = self.subject.state(self.store.get_mut());
        let state = state.map(any_state::<S>);
        self.note(state.as_ref().err());
        state
    }

    fn checkpoint(&mut self) -> Result<(), Failure> {
        self.attempt(|subject, store| subject.checkpoint(store))
    }

    fn close(self: Box<Self>) -> Result<(), Failure> {
        if let Err(failure) = self.usable() {
            // It promises nothing by that.
            self.let_go();
            return Err(failure);
        }
        let Opened { subject, store, .. } = *self;
        subject.close(store.into_inner())
    }

    fn let_go(self: Box<Self>) {
        drop(self.store.into_inner());
    }

    fn group(&mut self, ops: &[AnyOp]) -> Vec<Result<Answer, Failure>> {
        let ops = Self::typed(ops);
        let group = |concurrent: &dyn Concurrent<S>, store: &mut S::Store| {
            Ok(concurrent.group(store, &ops))
        };
        let answers = self.attempt_concurrent(group);
        let answers = answers.unwrap_or_else(|failure| vec![Err(failure); ops.len()]);
        self.note(answers.iter().filter_map(|answer| answer.as_ref().err()));
        answers
    }

    fn unawaited(
        &mut self,
        ops: &[AnyOp],
        pass: &mut dyn FnMut() -> bool,
    ) -> Vec<Result<Answer, Failure>> {
        let ops = Self::typed(ops);
        let group = |concurrent: &dyn Concurrent<S>, store: &mut S::Store| {
            Ok(concurrent.unawaited(store, &ops, pass))
        };
        let answers = self.attempt_concurrent(group);
        let answers = answers.unwrap_or_else(|failure| vec![Err(failure); ops.len()]);
        self.note(answers.iter().filter_map(|answer| answer.as_ref().err()));
        answers
    }

    fn close_queued(self: Box<Self>, ops: &[AnyOp]) -> Vec<Result<Answer, Failure>> {
        let ops = Self::typed(ops);
        if let Err(failure) = self.usable() {
            self.let_go();
            return vec![Err(failure); ops.len()];
        }
        let Opened { subject, store, .. } = *self;
        let store = store.into_inner();
        match subject.concurrent() {
            Some(concurrent) => concurrent.close_queued(store, &ops),
            None => vec![Err(Failure::unsupported(CALLERS)); ops.len()],
        }
    }

    fn begin_checkpoint(&mut self) -> Result<Option<PendingCheckpoint>, Failure> {
        let begun = self.attempt_concurrent(|concurrent, store| concurrent.begin_checkpoint(store));
        begun.map(|begun| begun.map(|begun| self.watched(begun)))
    }

    fn begin_checkpoint_queued(&mut self, ops: &[AnyOp]) -> BegunWithCallers {
        let ops = Self::typed(ops);
        let begun = self.attempt_concurrent(|concurrent, store| {
            Ok(concurrent.begin_checkpoint_queued(store, &ops))
        });
        match begun {
            Ok((begun, answers)) => {
                let failures = answers.iter().filter_map(|answer| answer.as_ref().err());
                self.note(failures.chain(begun.as_ref().err()));
                let begun = begun.map(|begun| begun.map(|begun| self.watched(begun)));
                (begun, answers)
            }
            Err(failure) => (Err(failure.clone()), vec![Err(failure); ops.len()]),
        }
    }

    fn finish_checkpoint(&mut self, written: Box<dyn Any + Send>) -> Result<(), Failure> {
        self.attempt_concurrent(|concurrent, store| concurrent.finish_checkpoint(store, written))
    }

    fn as_any(&mut self) -> &mut dyn Any {
        self.store.get_mut()
    }
}

trait SubjectValue: Debug + Send + Sync {
    fn name(&self) -> String;
    fn promises(&self) -> Promises;
    fn initial(&self) -> AnyState;
    fn read(&self, op: &Value) -> Result<AnyOp, serde_json::Error>;
    fn ops(&self, state: &AnyState) -> Vec<AnyOp>;
    fn draw(&self, state: &AnyState, random: &mut Stream) -> AnyOp;
    fn simpler(&self, op: &AnyOp) -> Vec<AnyOp>;
    fn simpler_together(&self, ops: &[&AnyOp]) -> Vec<Vec<AnyOp>>;
    fn resolve(&self, op: &AnyOp, state: &AnyState, now_ms: u64) -> (AnyOp, Expected);
    fn open(&self, machine: &Machine) -> Result<Box<dyn OpenStore>, Failure>;
    fn invalid(&self, op: &AnyOp, nested: bool) -> Vec<(String, String)>;
    fn lacks(&self, kind: CommandKind) -> Option<String>;
    fn shared_ops(&self) -> Option<usize>;
    fn refusals_wait(&self) -> bool;
    fn inspected(&self) -> Option<&dyn Inspected>;
}

#[derive(Debug)]
struct SubjectOf<S: Subject>(Arc<S>);

impl<S: Subject> SubjectValue for SubjectOf<S> {
    fn name(&self) -> String {
        self.0.name()
    }

    fn promises(&self) -> Promises {
        S::PROMISES
    }

    fn initial(&self) -> AnyState {
        any_state::<S>(S::State::default())
    }

    fn read(&self, op: &Value) -> Result<AnyOp, serde_json::Error> {
        S::Op::deserialize(op).map(any_op::<S>)
    }

    fn ops(&self, state: &AnyState) -> Vec<AnyOp> {
        let ops = self.0.ops(state.get());
        ops.into_iter().map(any_op::<S>).collect()
    }

    fn draw(&self, state: &AnyState, random: &mut Stream) -> AnyOp {
        any_op::<S>(self.0.draw(state.get(), random))
    }

    fn simpler(&self, op: &AnyOp) -> Vec<AnyOp> {
        let ops = self.0.simpler(op.get());
        ops.into_iter().map(any_op::<S>).collect()
    }

    fn simpler_together(&self, ops: &[&AnyOp]) -> Vec<Vec<AnyOp>> {
        let ops: Vec<S::Op> = ops.iter().map(|op| op.get::<S::Op>().clone()).collect();
        let histories = self.0.simpler_together(&ops).into_iter();
        histories
            .map(|ops| ops.into_iter().map(any_op::<S>).collect())
            .collect()
    }

    fn resolve(&self, op: &AnyOp, state: &AnyState, now_ms: u64) -> (AnyOp, Expected) {
        let (op, expected) = self.0.resolve(op.get(), state.get(), now_ms);
        (any_op::<S>(op), expected)
    }

    fn open(&self, machine: &Machine) -> Result<Box<dyn OpenStore>, Failure> {
        let store = self.0.open(machine)?;
        Ok(Box::new(Opened {
            subject: Arc::clone(&self.0),
            store: Contained::new(store),
            broken: Arc::default(),
        }))
    }

    fn invalid(&self, op: &AnyOp, nested: bool) -> Vec<(String, String)> {
        self.0.invalid(op.get(), nested)
    }

    fn lacks(&self, kind: CommandKind) -> Option<String> {
        self.0.lacks(kind)
    }

    fn shared_ops(&self) -> Option<usize> {
        self.0.concurrent().map(Concurrent::shared_ops)
    }

    fn refusals_wait(&self) -> bool {
        self.0.concurrent().is_some_and(Concurrent::refusals_wait)
    }

    fn inspected(&self) -> Option<&dyn Inspected> {
        self.0.inspected().map(|inspection| inspection.0)
    }
}

/// Makes for each process what stands between the store and its disk.
#[derive(Clone)]
struct NewInterposer(Arc<dyn Fn() -> Arc<dyn Interposer> + Send + Sync>);

impl Debug for NewInterposer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (self.0)().fmt(f)
    }
}

/// A subject, and what stands between it and its disk.
#[derive(Clone, Debug)]
pub struct AnySubject {
    subject: Arc<dyn SubjectValue>,
    interposer: Option<NewInterposer>,
}

impl AnySubject {
    /// A subject with nothing between it and the disk.
    #[must_use]
    pub fn new<S: Subject>(subject: S) -> Self {
        AnySubject {
            subject: Arc::new(SubjectOf(Arc::new(subject))),
            interposer: None,
        }
    }

    /// The same with something between it and the disk: a new one, made by `new`, for each process.
    #[must_use]
    pub fn interposed<I: Interposer + 'static>(
        mut self,
        new: impl Fn() -> I + Send + Sync + 'static,
    ) -> Self {
        self.interposer = Some(NewInterposer(Arc::new(move || Arc::new(new()))));
        self
    }

    /// The name in reports.
    #[must_use]
    pub fn name(&self) -> String {
        self.subject.name()
    }

    /// What the store promises.
    #[must_use]
    pub fn promises(&self) -> Promises {
        self.subject.promises()
    }

    /// The state of a store to which no op was given.
    #[must_use]
    pub(crate) fn initial(&self) -> AnyState {
        self.subject.initial()
    }

    /// The op as the subject reads it; one that it has read already stays as it is.
    ///
    /// # Errors
    /// It is no op of this subject.
    pub(crate) fn read(&self, op: &AnyOp) -> Result<AnyOp, serde_json::Error> {
        match op.unread() {
            None => Ok(op.clone()),
            Some(value) => self.subject.read(value),
        }
    }

    /// See [`Subject::ops`].
    #[must_use]
    pub(crate) fn ops(&self, state: &AnyState) -> Vec<AnyOp> {
        self.subject.ops(state)
    }

    /// See [`Subject::draw`].
    #[must_use]
    pub(crate) fn draw(&self, state: &AnyState, random: &mut Stream) -> AnyOp {
        self.subject.draw(state, random)
    }

    /// See [`Subject::simpler`].
    #[must_use]
    pub(crate) fn simpler(&self, op: &AnyOp) -> Vec<AnyOp> {
        self.subject.simpler(op)
    }

    /// See [`Subject::simpler_together`].
    #[must_use]
    pub(crate) fn simpler_together(&self, ops: &[&AnyOp]) -> Vec<Vec<AnyOp>> {
        self.subject.simpler_together(ops)
    }

    /// See [`Subject::resolve`].
    #[must_use]
    pub(crate) fn resolve(&self, op: &AnyOp, state: &AnyState, now_ms: u64) -> (AnyOp, Expected) {
        self.subject.resolve(op, state, now_ms)
    }

    /// A process opens the store.
    ///
    /// # Errors
    /// Why it did not open.
    pub(crate) fn open(&self, mut machine: Machine) -> Result<Box<dyn OpenStore>, Failure> {
        if let Some(new) = &self.interposer {
            machine.storage = interpose(machine.storage, (new.0)());
        }
        self.subject.open(&machine)
    }

    /// See [`Subject::invalid`].
    #[must_use]
    pub(crate) fn invalid(&self, op: &AnyOp, nested: bool) -> Vec<(String, String)> {
        self.subject.invalid(op, nested)
    }

    /// See [`Subject::lacks`].
    #[must_use]
    pub(crate) fn lacks(&self, kind: CommandKind) -> Option<String> {
        self.subject.lacks(kind)
    }

    /// See [`Concurrent::shared_ops`]; nothing where the store serves one caller.
    #[must_use]
    pub(crate) fn shared_ops(&self) -> Option<usize> {
        self.subject.shared_ops()
    }

    /// See [`Concurrent::refusals_wait`].
    #[must_use]
    pub(crate) fn refusals_wait(&self) -> bool {
        self.subject.refusals_wait()
    }

    /// See [`Subject::inspected`].
    #[must_use]
    pub(crate) fn inspected(&self) -> Option<&dyn Inspected> {
        self.subject.inspected()
    }
}
