//! An error of a store, and what a client may conclude from it.

use std::io::{self, ErrorKind};

/// What an error lets the client conclude.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorClass {
    /// Nothing was done; the store goes on.
    NotDone,
    /// It may have been done or not; only opening the store again decides.
    InDoubt,
    /// The store refuses everything until it is opened again, and this did nothing.
    Poisoned,
    /// Another process owns the directory.
    Locked,
    /// What is on the disk is refused.
    Corrupt,
    /// The op can never succeed as it is.
    Invalid,
    /// The caller waits, and nothing is left that would answer.
    Unanswered,
}

/// An error, as a client sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What it lets the client conclude.
    pub class: ErrorClass,
    /// The file that it names.
    pub file: Option<String>,
    /// The kind of the storage error that caused it.
    pub kind: Option<ErrorKind>,
    /// Its text.
    pub text: String,
}

impl Failure {
    /// An error of this class that names no file.
    pub fn new(class: ErrorClass, text: impl Into<String>) -> Self {
        Failure {
            class,
            file: None,
            kind: None,
            text: text.into(),
        }
    }

    /// Whether there was no room for it, in any form that this can be told.
    #[must_use]
    pub fn is_full(&self) -> bool {
        use ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};

        matches!(self.kind, Some(StorageFull | QuotaExceeded | FileTooLarge))
    }

    /// The store has no such command.
    #[must_use]
    pub fn unsupported(what: &str) -> Self {
        let text = format!("{what}: the store has no such command");
        Failure::new(ErrorClass::Invalid, text)
    }
}

/// A storage error leaves an op in doubt, unless the caller says more; another owner is `WouldBlock`.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        let class = match error.kind() {
            ErrorKind::WouldBlock => ErrorClass::Locked,
            _ => ErrorClass::InDoubt,
        };
        Failure {
            kind: Some(error.kind()),
            ..Failure::new(class, error.to_string())
        }
    }
}
