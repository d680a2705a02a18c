//! What a file or directory says of itself.

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::time::SystemTime;

use beaver_storage::{FileKind, Stat};

use crate::errors::unsupported;

/// [`std::fs::Metadata`].
///
/// A simulated disk keeps no times, so that asking for one fails with `Unsupported`, and no modes:
/// everybody may do everything.
#[derive(Clone, Debug)]
pub struct Metadata(MetadataSource);

#[derive(Clone, Debug)]
enum MetadataSource {
    Real(std::fs::Metadata),
    Simulated(Stat),
}

impl From<std::fs::Metadata> for Metadata {
    fn from(metadata: std::fs::Metadata) -> Self {
        Metadata(MetadataSource::Real(metadata))
    }
}

impl From<Stat> for Metadata {
    fn from(stat: Stat) -> Self {
        Metadata(MetadataSource::Simulated(stat))
    }
}

#[expect(
    clippy::len_without_is_empty,
    reason = "std::fs::Metadata has no is_empty"
)]
impl Metadata {
    /// [`std::fs::Metadata::file_type`].
    #[must_use]
    pub fn file_type(&self) -> FileType {
        match &self.0 {
            MetadataSource::Real(metadata) => metadata.file_type().into(),
            MetadataSource::Simulated(stat) => stat.kind.into(),
        }
    }

    /// [`std::fs::Metadata::is_dir`].
    #[must_use]
    pub fn is_dir(&self) -> bool {
        self.file_type().is_dir()
    }

    /// [`std::fs::Metadata::is_file`].
    #[must_use]
    pub fn is_file(&self) -> bool {
        self.file_type().is_file()
    }

    /// [`std::fs::Metadata::is_symlink`].
    #[must_use]
    pub fn is_symlink(&self) -> bool {
        self.file_type().is_symlink()
    }

    /// [`std::fs::Metadata::len`]. Of a directory on a simulated disk it is 0.
    #[must_use]
    pub fn len(&self) -> u64 {
        match &self.0 {
            MetadataSource::Real(metadata) => metadata.len(),
            MetadataSource::Simulated(stat) => stat.len,
        }
    }

    /// [`std::fs::Metadata::permissions`]. On a simulated disk every file may be written.
    #[must_use]
    pub fn permissions(&self) -> Permissions {
        match &self.0 {
            MetadataSource::Real(metadata) => metadata.permissions(),
            MetadataSource::Simulated(stat) => Permissions::from_mode(match stat.kind {
                FileKind::File => 0o644,
                FileKind::Directory => 0o755,
                FileKind::Symlink => 0o777,
            }),
        }
    }

    /// [`std::fs::Metadata::modified`].
    ///
    /// # Errors
    ///
    /// `Unsupported` on a simulated disk.
    pub fn modified(&self) -> io::Result<SystemTime> {
        self.time("Metadata::modified", std::fs::Metadata::modified)
    }

    /// [`std::fs::Metadata::accessed`].
    ///
    /// # Errors
    ///
    /// `Unsupported` on a simulated disk.
    pub fn accessed(&self) -> io::Result<SystemTime> {
        self.time("Metadata::accessed", std::fs::Metadata::accessed)
    }

    /// [`std::fs::Metadata::created`].
    ///
    /// # Errors
    ///
    /// `Unsupported` on a simulated disk.
    pub fn created(&self) -> io::Result<SystemTime> {
        self.time("Metadata::created", std::fs::Metadata::created)
    }

    fn time(
        &self,
        call: &str,
        time: fn(&std::fs::Metadata) -> io::Result<SystemTime>,
    ) -> io::Result<SystemTime> {
        match &self.0 {
            MetadataSource::Real(metadata) => time(metadata),
            MetadataSource::Simulated(_) => Err(unsupported(call)),
        }
    }
}

/// [`std::fs::FileType`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FileType(KnownOrOther);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum KnownOrOther {
    Known(FileKind),
    /// A pipe, a socket, a device.
    Other(std::fs::FileType),
}

impl From<FileKind> for FileType {
    fn from(kind: FileKind) -> Self {
        FileType(KnownOrOther::Known(kind))
    }
}

impl From<std::fs::FileType> for FileType {
    fn from(kind: std::fs::FileType) -> Self {
        let known = match kind {
            kind if kind.is_file() => FileKind::File,
            kind if kind.is_dir() => FileKind::Directory,
            kind if kind.is_symlink() => FileKind::Symlink,
            other => return FileType(KnownOrOther::Other(other)),
        };
        known.into()
    }
}

impl FileType {
    /// [`std::fs::FileType::is_dir`].
    #[must_use]
    pub fn is_dir(&self) -> bool {
        self.0 == KnownOrOther::Known(FileKind::Directory)
    }

    /// [`std::fs::FileType::is_file`].
    #[must_use]
    pub fn is_file(&self) -> bool {
        self.0 == KnownOrOther::Known(FileKind::File)
    }

    /// [`std::fs::FileType::is_symlink`].
    #[must_use]
    pub fn is_symlink(&self) -> bool {
        self.0 == KnownOrOther::Known(FileKind::Symlink)
    }
}
