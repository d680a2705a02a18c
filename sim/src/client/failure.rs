//! Errors of the library, as a client sees them.

use beaver::Error;

use crate::subject::{Failure, Grave};

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
