//! Where syncs are missing.

use serde::Serialize;

/// Where a sync is missing. In the order in which a proof tries to do without: the last ones are those that programs most
/// often forget, and that are easiest to understand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SyncKind {
    /// A file before the program ends.
    FileBeforeEnd,
    /// A directory before the program ends.
    DirectoryBeforeEnd,
    /// A file before another one is changed that may refer to it.
    FileBeforeChange,
    /// A directory before a file is changed that may refer to what is in it.
    DirectoryBeforeChange,
    /// A file before a new name is made, which may say that it is whole.
    FileBeforeNewName,
    /// A directory before a new name is made in it or in another one.
    DirectoryBeforeNewName,
    /// A file before bytes of it are written that do not go on where the last ones ended, or that begin another page: a header
    /// after what it describes, or a mark at its end.
    FileBeforeItsHeader,
    /// The directory in which another one was made.
    ParentOfNewDirectory,
    /// A directory before a name in it is changed.
    DirectoryBeforeRename,
    /// A directory before something is removed.
    DirectoryBeforeRemoval,
    /// A directory before the program says a line.
    DirectoryBeforeAck,
    /// A mapped file before the program says a line: what was stored in the mapping is written later.
    MappingBeforeAck,
    /// A file before the program says a line.
    FileBeforeAck,
    /// A file before it gets another name by a link.
    FileBeforeItsLink,
    /// A file before it gets its last name.
    FileBeforeItsRename,
}

impl SyncKind {
    /// All kinds, in their order.
    pub(crate) const ALL: [SyncKind; 15] = [
        SyncKind::FileBeforeEnd,
        SyncKind::DirectoryBeforeEnd,
        SyncKind::FileBeforeChange,
        SyncKind::DirectoryBeforeChange,
        SyncKind::FileBeforeNewName,
        SyncKind::DirectoryBeforeNewName,
        SyncKind::FileBeforeItsHeader,
        SyncKind::ParentOfNewDirectory,
        SyncKind::DirectoryBeforeRename,
        SyncKind::DirectoryBeforeRemoval,
        SyncKind::DirectoryBeforeAck,
        SyncKind::MappingBeforeAck,
        SyncKind::FileBeforeAck,
        SyncKind::FileBeforeItsLink,
        SyncKind::FileBeforeItsRename,
    ];
}
