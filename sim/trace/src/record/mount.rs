//! The mount: made, and gone again however it ends. A mount whose server is dead answers "transport endpoint is not connected"
//! to everybody, so that a guard, a process of its own, takes it away when this one is killed.

use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use fuser::{BackgroundSession, Config, MountOption, Session, SessionACL};
use rustix::mount::UnmountFlags;
use rustix::process::{Pid, Signal};

use super::file_system::ServedDisk;
use crate::recording::RecordError;

const DEVICE: &str = "/dev/fuse";
/// What tells the guard that there is nothing left to do.
const DONE: &str = "done";

/// An empty directory to mount on. It is removed with the mount.
#[derive(Debug)]
pub(super) struct MountPoint {
    path: PathBuf,
    guard: Option<Guard>,
}

/// A file system that is mounted until this is dropped.
pub(super) struct ServedMount {
    point: MountPoint,
    session: Option<BackgroundSession>,
}

#[derive(Debug)]
struct Guard(Child);

impl MountPoint {
    /// Makes the directory and starts its guard, which goes by this command and the path after it.
    pub(super) fn new(guard: Option<&[OsString]>) -> Result<Self, RecordError> {
        check_device()?;
        let directory = tempfile::Builder::new().prefix("beaver-").tempdir();
        let directory = directory.map_err(RecordError::Mount)?;
        // Of its own accord it would be removed with all that is in it, and that may be mounted.
        let mut point = MountPoint {
            path: directory.keep(),
            guard: None,
        };
        if let Some([program, arguments @ ..]) = guard {
            let mut command = Command::new(program);
            command.args(arguments).arg(&point.path);
            // Ctrl-C is for everybody in the group, and who reads our output waits for all that hold it.
            command.process_group(0).stdin(Stdio::piped());
            command.stdout(Stdio::null()).stderr(Stdio::null());
            point.guard = Some(Guard(command.spawn().map_err(RecordError::Mount)?));
        }
        Ok(point)
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

    /// Tells the guard which process group to end if this process is killed; `None`: no longer any.
    pub(super) fn guard(&mut self, group: Option<Pid>) {
        if let Some(guard) = &mut self.point.guard {
            let number = group.map_or(0, |group| group.as_raw_nonzero().get());
            guard.tell(&number.to_string());
        }
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
        if let Some(guard) = &mut self.guard {
            guard.tell(DONE);
            let _ = guard.0.wait();
        }
    }
}

impl Guard {
    fn tell(&mut self, word: &str) {
        // A guard that was killed guards nothing; the recording goes on.
        if let Some(pipe) = &mut self.0.stdin {
            let _ = writeln!(pipe, "{word}");
        }
    }
}

/// Waits until the process that writes to the standard input is gone. If it has not said before that all is done, its program
/// is killed and its mount taken away.
///
/// # Errors
///
/// Those of reading, and of unmounting.
pub fn stand_guard(mount_point: &Path) -> io::Result<()> {
    let mut group = None;
    for line in io::stdin().lines() {
        let line = line?;
        if line == DONE {
            return Ok(());
        }
        group = line.parse().ok().and_then(Pid::from_raw);
    }
    if let Some(group) = group {
        // It may have ended.
        let _ = rustix::process::kill_process_group(group, Signal::KILL);
    }
    let unmounted = unmount(mount_point);
    let removed = fs::remove_dir(mount_point);
    unmounted.and(removed)
}

/// Takes a mount away, also while files are open on it.
fn unmount(point: &Path) -> io::Result<()> {
    match rustix::mount::unmount(point, UnmountFlags::DETACH) {
        Ok(()) => Ok(()),
        Err(rustix::io::Errno::PERM) => {
            let mut command = Command::new("fusermount3");
            command.args(["-u", "-z", "-q"]).arg(point);
            let status = command.stderr(Stdio::null()).status()?;
            match status.success() {
                true => Ok(()),
                false => Err(io::Error::other(format!("fusermount3: {status}"))),
            }
        }
        Err(error) => Err(error.into()),
    }
}

/// Fails with advice where the device cannot be used.
fn check_device() -> Result<(), RecordError> {
    let opened = OpenOptions::new().read(true).write(true).open(DEVICE);
    opened.map(drop).map_err(|error| match error.kind() {
        io::ErrorKind::PermissionDenied => RecordError::DeviceRefused(error),
        _ => RecordError::NoDevice(error),
    })
}
