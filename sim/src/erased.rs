//! Ops and states with their types erased: what the loop, the explorer, the shrinker and the reports
//! work on, so that each of them exists once and is compiled once, whatever is tested.
//!
//! A value of another subject than the one it came from is a bug of the checker, and panics.

use std::any::Any;
use std::fmt::{self, Debug};
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// What every op can do.
pub(crate) trait OpBounds:
    Clone + Debug + PartialEq + Serialize + DeserializeOwned + Send + Sync + 'static
{
}

impl<T> OpBounds for T where
    T: Clone + Debug + PartialEq + Serialize + DeserializeOwned + Send + Sync + 'static
{
}

/// What every state can do.
pub(crate) trait StateBounds: Clone + Debug + PartialEq + Send + Sync + 'static {}

impl<T> StateBounds for T where T: Clone + Debug + PartialEq + Send + Sync + 'static {}

/// Why a downcast holds.
const SAME: &str = "the values of one run belong to one subject";

/// An op of some subject.
#[derive(Clone)]
pub struct AnyOp(OpKind);

#[derive(Clone)]
enum OpKind {
    Typed(Arc<dyn OpValue>),
    /// As it stands in a file, before a subject has read it.
    Json(Arc<Value>),
}

trait OpValue: Debug + Send + Sync {
    fn as_any(&self) -> &dyn Any;
    fn is_equal(&self, other: &dyn OpValue) -> bool;
    fn to_json(&self) -> Value;
    fn apply(&self, state: &mut AnyState);
    fn takes_ms(&self) -> i64;
}

/// What the model of a subject says of its ops.
pub(crate) struct OpModel<O, T> {
    /// What an op does to a state.
    pub(crate) apply: fn(&mut T, &O),
    /// How far the clock moves before it, in milliseconds.
    pub(crate) takes_ms: fn(&O) -> i64,
}

struct OpOf<O, T> {
    op: O,
    model: OpModel<O, T>,
}

impl<O: Debug, T> Debug for OpOf<O, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.op.fmt(f)
    }
}

impl<O: OpBounds, T: StateBounds> OpValue for OpOf<O, T> {
    fn as_any(&self) -> &dyn Any {
        &self.op
    }

    fn is_equal(&self, other: &dyn OpValue) -> bool {
        other.as_any().downcast_ref::<O>() == Some(&self.op)
    }

    fn to_json(&self) -> Value {
        serde_json::to_value(&self.op).expect("an op can be written as JSON")
    }

    fn apply(&self, state: &mut AnyState) {
        (self.model.apply)(state.get_mut::<T>(), &self.op);
    }

    fn takes_ms(&self) -> i64 {
        (self.model.takes_ms)(&self.op)
    }
}

impl AnyOp {
    /// An op, and what the model says of it.
    pub(crate) fn typed<O: OpBounds, T: StateBounds>(op: O, model: OpModel<O, T>) -> Self {
        AnyOp(OpKind::Typed(Arc::new(OpOf { op, model })))
    }

    /// The op as it stands in a file; nothing if a subject has read it.
    pub(crate) fn unread(&self) -> Option<&Value> {
        match &self.0 {
            OpKind::Typed(_) => None,
            OpKind::Json(value) => Some(value),
        }
    }

    /// The op, which is of type `T`.
    ///
    /// # Panics
    /// If it is of another type, or still as it stands in a file.
    #[must_use]
    pub fn get<T: 'static>(&self) -> &T {
        let OpKind::Typed(op) = &self.0 else {
            panic!("{self:?} was never read by its subject");
        };
        op.as_any().downcast_ref().expect(SAME)
    }

    /// What the op does to a state.
    pub(crate) fn apply(&self, state: &mut AnyState) {
        if let OpKind::Typed(op) = &self.0 {
            op.apply(state);
        }
    }

    /// How far the clock moves before it, in milliseconds.
    pub(crate) fn takes_ms(&self) -> i64 {
        match &self.0 {
            OpKind::Typed(op) => op.takes_ms(),
            OpKind::Json(_) => 0,
        }
    }

    /// The op as JSON.
    #[must_use]
    pub fn to_json(&self) -> Value {
        match &self.0 {
            OpKind::Typed(op) => op.to_json(),
            OpKind::Json(value) => (**value).clone(),
        }
    }
}

impl Debug for AnyOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            OpKind::Typed(op) => op.fmt(f),
            OpKind::Json(value) => write!(f, "{value}"),
        }
    }
}

impl PartialEq for AnyOp {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (OpKind::Typed(one), OpKind::Typed(other)) => one.is_equal(&**other),
            _ => self.to_json() == other.to_json(),
        }
    }
}

impl Serialize for AnyOp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_json().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for AnyOp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        Ok(AnyOp(OpKind::Json(Arc::new(value))))
    }
}

/// A state of some subject. A clone costs nothing until one of the two changes.
#[derive(Clone)]
pub(crate) struct AnyState(Arc<dyn StateValue>);

trait StateValue: Debug + Send + Sync {
    fn as_any(&self) -> &dyn Any;
    fn as_any_mut(&mut self) -> &mut dyn Any;
    fn copied(&self) -> Arc<dyn StateValue>;
    fn is_equal(&self, other: &dyn StateValue) -> bool;
    fn difference(&self, found: &dyn StateValue) -> (String, String);
    fn size(&self) -> usize;
}

/// What a subject says of its states.
pub(crate) struct StateModel<T> {
    /// What is different between two: what was expected, and what was found.
    pub(crate) difference: fn(&T, &T) -> (String, String),
    /// How large one is.
    pub(crate) size: fn(&T) -> usize,
}

impl<T> Clone for StateModel<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for StateModel<T> {}

struct StateOf<T> {
    state: T,
    model: StateModel<T>,
}

impl<T: Debug> Debug for StateOf<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.state.fmt(f)
    }
}

impl<T: StateBounds> StateValue for StateOf<T> {
    fn as_any(&self) -> &dyn Any {
        &self.state
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        &mut self.state
    }

    fn copied(&self) -> Arc<dyn StateValue> {
        Arc::new(StateOf {
            state: self.state.clone(),
            model: self.model,
        })
    }

    fn is_equal(&self, other: &dyn StateValue) -> bool {
        other.as_any().downcast_ref::<T>() == Some(&self.state)
    }

    fn difference(&self, found: &dyn StateValue) -> (String, String) {
        let found = found.as_any().downcast_ref().expect(SAME);
        (self.model.difference)(&self.state, found)
    }

    fn size(&self) -> usize {
        (self.model.size)(&self.state)
    }
}

impl AnyState {
    /// A state, and what a subject says of it.
    pub(crate) fn typed<T: StateBounds>(state: T, model: StateModel<T>) -> Self {
        AnyState(Arc::new(StateOf { state, model }))
    }

    /// The state, which is of type `T`.
    ///
    /// # Panics
    /// If it is of another type.
    #[must_use]
    pub(crate) fn get<T: 'static>(&self) -> &T {
        self.0.as_any().downcast_ref().expect(SAME)
    }

    fn get_mut<T: StateBounds>(&mut self) -> &mut T {
        if Arc::get_mut(&mut self.0).is_none() {
            self.0 = self.0.copied();
        }
        let value = Arc::get_mut(&mut self.0).expect("it was copied if others had it");
        value.as_any_mut().downcast_mut().expect(SAME)
    }

    /// What is different in `found`: what was expected, and what was found.
    pub(crate) fn difference(&self, found: &AnyState) -> (String, String) {
        self.0.difference(&*found.0)
    }

    /// How large it is.
    pub(crate) fn size(&self) -> usize {
        self.0.size()
    }
}

impl Debug for AnyState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl PartialEq for AnyState {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.is_equal(&*other.0)
    }
}
