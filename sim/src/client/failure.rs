//! What a client makes of an error: may the command have taken effect, and what can be done now?

use beaver::Error;

/// How grave an error is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Grave {
    /// Nothing happened, and trying again is sensible.
    NotDone,
    /// Nobody knows whether it happened; the store must be opened again.
    InDoubt,
    /// Nothing happened; the store must be opened again.
    Poisoned,
    /// Another process owns the store.
    Locked,
    /// What is on the disk is refused.
    Corrupt,
    /// The command can never succeed as it is.
    Invalid,
}

/// An error, as a client sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// How grave it is.
    pub(crate) grave: Grave,
    /// The file that it names.
    pub(crate) file: Option<String>,
    /// The kind of the storage error behind it.
    pub(crate) kind: Option<std::io::ErrorKind>,
    /// Its text.
    pub(crate) text: String,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let grave = match &error {
            Error::Indeterminate { .. } => Grave::InDoubt,
            Error::Poisoned { .. } | Error::Closed => Grave::Poisoned,
            Error::Locked => Grave::Locked,
            Error::Storage { .. } | Error::UnstableRead { .. } => Grave::NotDone,
            Error::TooLarge { .. } | Error::InvalidEvent { .. } | Error::RotateFirst { .. } => {
                Grave::Invalid
            }
            _ => Grave::Corrupt,
        };
        let file = match &error {
            Error::ChecksumMismatch { file, .. }
            | Error::Corrupt { file, .. }
            | Error::SequenceGap { file, .. }
            | Error::Version { file, .. }
            | Error::UnknownEvent { file, .. }
            | Error::UnstableRead { file, .. }
            | Error::Storage { file, .. } => Some(file.clone()),
            _ => None,
        };
        Failure {
            grave,
            file,
            kind: error.io_kind(),
            text: error.to_string(),
        }
    }
}
