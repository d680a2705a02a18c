//! Errors of the library, as a client sees them.

use beaver::Error;

use crate::subject::{ErrorClass, Failure};

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let class = match &error {
            Error::Indeterminate { .. } => ErrorClass::InDoubt,
            Error::Poisoned { .. } | Error::Closed => ErrorClass::Poisoned,
            Error::Locked => ErrorClass::Locked,
            Error::Storage { .. } | Error::UnstableRead { .. } => ErrorClass::NotDone,
            Error::TooLarge { .. } | Error::InvalidEvent { .. } | Error::RotateFirst { .. } => {
                ErrorClass::Invalid
            }
            _ => ErrorClass::Corrupt,
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
            class,
            file,
            kind: error.io_kind(),
            text: error.to_string(),
        }
    }
}
