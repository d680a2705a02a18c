//! What the library's own reader says of the files: the first byte at which they do not read as a
//! store.

use std::sync::Arc;

use beaver::Event;
use beaver_disk::{Image, SimDisk, SimOptions};

use crate::scenario::Profile;

/// How whole the files of a store are.
#[derive(Debug, Default)]
pub(super) struct Wholeness {
    /// The first problem: file, offset, reason.
    pub(super) first: Option<(String, u64, String)>,
    /// An unfinished end: file, and its first byte.
    pub(super) torn_tail: Option<(String, u64)>,
}

impl Wholeness {
    /// Reads the files of an image. What cannot be read at all counts as nothing found.
    pub(super) fn of(image: &Image) -> Self {
        let disk = image.disk(Profile::Posix);
        let storage = SimDisk::new(disk, SimOptions::default()).storage();
        let storage: Arc<dyn beaver::Storage> = storage;
        let Ok(stats) = beaver::inspect::stats::<Event>(&storage) else {
            return Wholeness::default();
        };
        let problem = stats.problems.into_iter().next();
        let torn = stats.torn_tail;
        Wholeness {
            first: problem.map(|problem| (problem.file, problem.offset, problem.reason)),
            torn_tail: torn.map(|tail| (tail.file, tail.offset)),
        }
    }

    /// The first problem as text.
    pub(super) fn problem(&self) -> Option<String> {
        let (file, offset, reason) = self.first.as_ref()?;
        Some(format!("{file}, byte {offset}: {reason}"))
    }
}
