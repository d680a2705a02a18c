//! The part of a history that is about one object.

use super::search::{Interval, OrderSearch, SequentialModel, search};
use super::verdict::{HistoryVerdict, Unexplained};
use crate::operation::Operation;

/// The operations on one object, as they are and as its model sees them.
#[derive(Debug)]
pub(super) struct ObjectHistory<'o, R, A> {
    operations: Vec<&'o Operation>,
    intervals: Vec<Interval<R, A>>,
}

impl<R, A> Default for ObjectHistory<'_, R, A> {
    fn default() -> Self {
        ObjectHistory {
            operations: Vec::new(),
            intervals: Vec::new(),
        }
    }
}

impl<'o, R, A> ObjectHistory<'o, R, A> {
    /// Adds an operation; `answer` is what its answer says in the model's words, if there is one.
    pub(super) fn add(&mut self, operation: &'o Operation, request: R, answer: Option<A>) {
        self.operations.push(operation);
        self.intervals.push(Interval {
            start: operation.start,
            request,
            answered: operation.end.zip(answer),
        });
    }

    /// Whether an order explains the operations, and if none does, since which answer.
    pub(super) fn judge<M>(&self, model: &M, object: String, budget: u64) -> HistoryVerdict
    where
        M: SequentialModel<Request = R, Answer = A>,
    {
        let find = |until| search(model, &self.intervals, until, &mut { budget });
        match find(u64::MAX) {
            OrderSearch::Found => return HistoryVerdict::Linearizable,
            OrderSearch::OutOfBudget => return HistoryVerdict::Undecided { object },
            OrderSearch::NoOrder => {}
        }
        let answered = self.intervals.iter().filter_map(|i| i.answered.as_ref());
        let mut ends: Vec<_> = answered.map(|(end, _)| *end).collect();
        ends.sort_unstable();
        // A beginning of a history that can be explained can be explained: the first answer that is one
        // too many is found by halving. A beginning that is not decided is taken for a good one.
        let first = ends.partition_point(|end| find(*end) != OrderSearch::NoOrder);
        let until = ends.get(first).copied().unwrap_or(u64::MAX);
        let operations = self.operations.iter().copied();
        HistoryVerdict::NotLinearizable(Unexplained::new(object, until, operations))
    }
}
