//! Syncs that a program could have made and did not.

use std::fmt;

use beaver_disk::Change;

use crate::sync_kind::SyncKind;

/// A sync that could be added to a recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingSync {
    /// Where it is missing.
    pub kind: SyncKind,
    /// The number of the event before which it would be.
    pub event: usize,
    /// The path of what would be synced.
    pub path: String,
    /// What comes after it: a path, a line, or how a name is changed.
    pub next: String,
    /// The call.
    pub(crate) change: Change,
    /// The places of writes to a mapping that it would have brought before it.
    pub(crate) brings: Vec<usize>,
}

impl MissingSync {
    /// What it has in common with others like it: the paths with all numbers and hashes alike. A temporary file goes by the name that it gets.
    #[must_use]
    pub fn pattern(&self) -> (SyncKind, String) {
        let path = match self.kind {
            SyncKind::FileBeforeItsLink | SyncKind::FileBeforeItsRename => &self.next,
            _ => &self.path,
        };
        let names = path.split('/').map(|name| match is_hash(name) {
            true => "#".to_owned(),
            false => without_numbers(name),
        });
        (self.kind, names.collect::<Vec<_>>().join("/"))
    }
}

/// Whether a name is a number in hexadecimal, in whole bytes: in stores that go by content it differs from file to file.
fn is_hash(name: &str) -> bool {
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    !name.is_empty() && name.len().is_multiple_of(2) && name.bytes().all(is_digit)
}

/// The text with each number in it as `#`.
pub(crate) fn without_numbers(text: &str) -> String {
    let mut out = String::new();
    for letter in text.chars() {
        match letter.is_ascii_digit() {
            true if out.ends_with('#') => {}
            true => out.push('#'),
            false => out.push(letter),
        }
    }
    out
}

impl fmt::Display for MissingSync {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (path, next) = (&self.path, &self.next);
        match self.kind {
            SyncKind::FileBeforeEnd => write!(f, "fsync of `{path}` before the program ends"),
            SyncKind::DirectoryBeforeEnd => {
                write!(f, "fsync of the directory `{path}` before the program ends")
            }
            SyncKind::FileBeforeChange => write!(f, "fsync of `{path}` before `{next}` is changed"),
            SyncKind::DirectoryBeforeChange => {
                write!(
                    f,
                    "fsync of the directory `{path}` before `{next}` is changed"
                )
            }
            SyncKind::FileBeforeNewName => write!(f, "fsync of `{path}` before `{next}` is made"),
            SyncKind::DirectoryBeforeNewName => {
                write!(f, "fsync of the directory `{path}` before `{next}` is made")
            }
            SyncKind::FileBeforeItsHeader => {
                write!(f, "fsync of `{path}` before {next} of it is written")
            }
            SyncKind::ParentOfNewDirectory => {
                write!(
                    f,
                    "fsync of the directory `{path}` after `{next}` was made in it"
                )
            }
            SyncKind::DirectoryBeforeRename => {
                write!(f, "fsync of the directory `{path}` before {next}")
            }
            SyncKind::DirectoryBeforeRemoval => {
                write!(
                    f,
                    "fsync of the directory `{path}` before `{next}` is removed"
                )
            }
            SyncKind::DirectoryBeforeAck => {
                write!(
                    f,
                    "fsync of the directory `{path}` before the program says \"{next}\""
                )
            }
            SyncKind::MappingBeforeAck => {
                write!(f, "msync of `{path}` before the program says \"{next}\"")
            }
            SyncKind::FileBeforeAck => {
                write!(f, "fsync of `{path}` before the program says \"{next}\"")
            }
            SyncKind::FileBeforeItsLink => {
                write!(f, "fsync of `{path}` before it is linked as `{next}`")
            }
            SyncKind::FileBeforeItsRename => {
                write!(f, "fsync of `{path}` before it is renamed to `{next}`")
            }
        }
    }
}
