//! The mount: made, and gone again however it ends.

use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use fuser::{BackgroundSession, Config, MountOption, Session, SessionACL};

use super::file_system::ServedDisk;
use crate::guard::{Guard, Guarded, Held, temporary_folder, unmount};
use crate::recording::RecordError;

const DEVICE: &str = "/dev/fuse";

/// An empty directory to mount on. It is removed with the mount.
#[derive(Debug)]
pub(super) struct MountPoint {
    path: PathBuf,
    _held: Option<Held>,
}

/// A file system that is mounted until this is dropped.
pub(super) struct ServedMount {
    point: MountPoint,
    session: Option<BackgroundSession>,
}

impl MountPoint {
    /// Makes the directory.
    pub(super) fn new(guard: Option<&Guard>) -> Result<Self, RecordError> {
        check_device()?;
        let path = temporary_folder(None).map_err(RecordError::NoPlace)?;
        Ok(MountPoint {
            _held: guard.map(|guard| guard.hold(Guarded::Mount(path.clone()))),
            path,
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn mount(self, disk: ServedDisk) -> Result<ServedMount, RecordError> {
        let mut config = Config::default();
        config.mount_options = vec![
            MountOption::FSName("beaver".to_owned()),
            MountOption::DefaultPermissions,
        ];
        // Root's programs may become somebody else. For others fuse.conf would have to allow it.
        config.acl = match rustix::process::geteuid().is_root() {
            true => SessionACL::All,
            false => SessionACL::Owner,
        };
        let session = Session::new(disk, &self.path, &config).and_then(Session::spawn);
        Ok(ServedMount {
            session: Some(session.map_err(RecordError::Mount)?),
            point: self,
        })
    }
}

impl ServedMount {
    pub(super) fn path(&self) -> &Path {
        &self.point.path
    }
}

impl Drop for ServedMount {
    fn drop(&mut self) {
        // Files may still be open: then the mount is gone for all others.
        let _ = unmount(&self.point.path);
        // The directory goes first, so that the session finds nothing to unmount.
        let _ = fs::remove_dir(&self.point.path);
        drop(self.session.take());
    }
}

impl Drop for MountPoint {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.path);
    }
}

/// Fails with advice where the device cannot be used.
fn check_device() -> Result<(), RecordError> {
    let opened = OpenOptions::new().read(true).write(true).open(DEVICE);
    opened.map(drop).map_err(unusable)
}

/// The device is only for root until the package is there that opens it for everybody.
fn unusable(error: io::Error) -> RecordError {
    match error.kind() {
        io::ErrorKind::PermissionDenied => RecordError::DeviceRefused(error),
        _ => RecordError::NoDevice(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_that_cannot_be_used_is_said_with_what_to_do() {
        let refused = unusable(io::ErrorKind::PermissionDenied.into()).to_string();
        assert!(refused.contains("apt install fuse3"), "{refused}");
        let none = unusable(io::ErrorKind::NotFound.into()).to_string();
        assert!(none.contains("modprobe fuse"), "{none}");
    }
}
