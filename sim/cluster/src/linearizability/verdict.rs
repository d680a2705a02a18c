//! What the judge of a history says, for people too.

use std::fmt;

use crate::operation::{ClientResponse, Operation};

/// Whether one order explains a history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HistoryVerdict {
    /// For every object there is an order of its operations that explains all answers.
    Linearizable,
    /// The history breaks the promise.
    NotLinearizable(Unexplained),
    /// Nothing was found before the budget was used up. This is no pass.
    Undecided {
        /// The object that took too long: `register 3`.
        object: String,
    },
}

/// The shortest beginning of a history that no order explains.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unexplained {
    /// The object that it is about: `register 3`.
    pub object: String,
    /// The moment of the answer without which the rest could be explained.
    pub until: u64,
    /// The operations on the object that had started by then, in the order of their starts. Answers
    /// that came later are left out.
    pub operations: Vec<Operation>,
}

impl Unexplained {
    /// Of `operations` what was known at the moment `until`.
    pub(super) fn new<'o>(
        object: String,
        until: u64,
        operations: impl Iterator<Item = &'o Operation>,
    ) -> Self {
        let started = operations.filter(|operation| operation.start <= until);
        let mut operations: Vec<_> = started.cloned().collect();
        operations.sort_by_key(|operation| operation.start);
        for operation in &mut operations {
            if operation.end.is_some_and(|end| end > until) {
                (operation.end, operation.response) = (None, None);
            }
        }
        Unexplained {
            object,
            until,
            operations,
        }
    }
}

impl fmt::Display for Unexplained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Unexplained { object, until, .. } = self;
        write!(
            f,
            "no order of the operations on {object} explains the answer at {until}"
        )?;
        for operation in &self.operations {
            write!(f, "\n{}", OperationLine(operation))?;
        }
        Ok(())
    }
}

/// An operation on one line: `12..15 client 3: Write { key: 1, value: 7 } -> Written`.
struct OperationLine<'o>(&'o Operation);

impl fmt::Display for OperationLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Operation { client, start, .. } = self.0;
        write!(f, "{start}..")?;
        if let Some(end) = self.0.end {
            write!(f, "{end}")?;
        }
        write!(f, " client {client}: {:?} -> ", self.0.request)?;
        match &self.0.response {
            None => f.write_str("?"),
            Some(ClientResponse::Unknown(why)) => write!(f, "? ({why})"),
            Some(response) => write!(f, "{response:?}"),
        }
    }
}
