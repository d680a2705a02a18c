//! What must not outlive this process, however it ends. A guard, a process of its own, is told of it while it is there: the
//! processes, mounts and files that are left when this process is gone are ended, taken away and removed.
//!
//! A mount whose server is dead answers "transport endpoint is not connected" to everybody, and a check may run for hours.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, BufRead as _, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};

use crate::image_folder::remove_folder;

/// How often, and after which time each, it is tried to remove a file: a process that was killed may still make one.
const TRIES: u32 = 100;
const PAUSE: Duration = Duration::from_millis(20);

/// A guard that stands until the last clone of this is dropped.
#[derive(Clone, Debug)]
pub struct Guard(Arc<GuardProcess>);

#[derive(Debug)]
struct GuardProcess(Mutex<Child>);

/// Something that must not outlive this process.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Guarded {
    /// A process group: its number.
    Group(i32),
    /// A mount, and the directory under it.
    Mount(PathBuf),
    /// A file, or a folder with all that is in it.
    Path(PathBuf),
}

/// Something that the guard was told of. It is told that it is gone when this is dropped.
#[derive(Debug)]
pub(crate) struct Held {
    guard: Guard,
    thing: Guarded,
}

impl Guard {
    /// Starts a guard by a command that calls [`stand_guard`].
    ///
    /// # Errors
    ///
    /// It cannot be started.
    pub fn start(command: &[OsString]) -> io::Result<Self> {
        let [program, arguments @ ..] = command else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        let mut command = Command::new(program);
        // Ctrl-C is for everybody in the group, and who reads our output waits for all that hold it.
        command.args(arguments).process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::null());
        // Nobody could unmount the directory in which it stands.
        let guard = command.stderr(Stdio::null()).current_dir("/").spawn()?;
        Ok(Guard(Arc::new(GuardProcess(Mutex::new(guard)))))
    }

    pub(crate) fn hold(&self, thing: Guarded) -> Held {
        self.tell(b'+', &thing);
        Held {
            guard: self.clone(),
            thing,
        }
    }

    fn tell(&self, what: u8, thing: &Guarded) {
        let mut word = vec![what];
        word.extend(thing.to_bytes());
        word.push(0);
        let mut process = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pipe) = &mut process.stdin {
            // A guard that was killed guards nothing; the work goes on.
            let _ = pipe.write_all(&word);
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.guard.tell(b'-', &self.thing);
    }
}

impl Drop for GuardProcess {
    fn drop(&mut self) {
        let process = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        // This closes the pipe first.
        let _ = process.wait();
    }
}

impl Guarded {
    fn to_bytes(&self) -> Vec<u8> {
        let number;
        let (kind, value) = match self {
            Guarded::Group(group) => {
                number = group.to_string();
                (b'g', number.as_bytes())
            }
            Guarded::Mount(path) => (b'm', path.as_os_str().as_bytes()),
            Guarded::Path(path) => (b'p', path.as_os_str().as_bytes()),
        };
        [&[kind], value].concat()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (kind, value) = bytes.split_first()?;
        let path = || PathBuf::from(OsStr::from_bytes(value));
        match kind {
            b'g' => {
                let number = std::str::from_utf8(value).ok()?.parse().ok()?;
                Some(Guarded::Group(number))
            }
            b'm' => Some(Guarded::Mount(path())),
            b'p' => Some(Guarded::Path(path())),
            _ => None,
        }
    }

    fn take_away(&self) -> io::Result<()> {
        match self {
            // There may be nothing left of it.
            Guarded::Group(group) => {
                if let Some(group) = Pid::from_raw(*group) {
                    let _ = kill_process_group(group, Signal::KILL);
                }
                Ok(())
            }
            Guarded::Mount(path) => {
                // It may not be mounted yet, or no longer.
                let _ = unmount(path);
                fs::remove_dir(path)
            }
            Guarded::Path(path) => remove(path),
        }
    }
}

/// Waits until the process that writes to the standard input is gone, and takes away what it has left.
///
/// # Errors
///
/// Something could not be removed.
pub fn stand_guard() -> io::Result<()> {
    let mut held = BTreeSet::new();
    // What cannot be read is the end as well.
    for word in io::stdin().lock().split(0).map_while(Result::ok) {
        let Some((what, thing)) = word.split_first() else {
            continue;
        };
        let Some(thing) = Guarded::from_bytes(thing) else {
            continue;
        };
        match what {
            b'+' => held.insert(thing),
            _ => held.remove(&thing),
        };
    }
    // Processes stand first, then mounts: a file is removed when nobody makes it any more.
    let mut all = Ok(());
    for thing in &held {
        all = all.and(thing.take_away());
    }
    all
}

fn remove(path: &Path) -> io::Result<()> {
    let mut removed = Ok(());
    for _ in 0..TRIES {
        removed = match path.symlink_metadata() {
            Ok(there) if there.is_dir() => remove_folder(path),
            Ok(_) => fs::remove_file(path),
            Err(_) => return Ok(()),
        };
        thread::sleep(PAUSE);
    }
    removed
}

/// Takes a mount away, also while files are open on it.
#[cfg(target_os = "linux")]
pub(crate) fn unmount(point: &Path) -> io::Result<()> {
    match rustix::mount::unmount(point, rustix::mount::UnmountFlags::DETACH) {
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

/// Nothing is mounted where there is no FUSE as the recorder needs it.
#[cfg(not(target_os = "linux"))]
fn unmount(_: &Path) -> io::Result<()> {
    Ok(())
}

/// A new folder in the place for temporary files or in `parent`, with a path that commands can be told. It stays.
pub(crate) fn temporary_folder(parent: Option<&Path>) -> io::Result<PathBuf> {
    let mut folder = tempfile::Builder::new();
    let folder = folder.prefix("beaver-");
    let folder = match parent {
        Some(parent) => folder.tempdir_in(parent)?,
        None => folder.tempdir()?,
    };
    match folder.path().to_str() {
        Some(_) => Ok(folder.keep()),
        None => Err(io::Error::other(format!(
            "the place for temporary files, {}, has a name that is not UTF-8: set TMPDIR to another",
            folder.path().display()
        ))),
    }
}

/// A folder that is removed with all that is in it when this is dropped, or by the guard.
#[derive(Debug)]
pub struct GuardedFolder {
    path: PathBuf,
    _held: Option<Held>,
}

impl GuardedFolder {
    /// Makes a folder with a name of its own, in the place for temporary files or in `parent`.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn new(guard: Option<&Guard>, parent: Option<&Path>) -> io::Result<Self> {
        let path = temporary_folder(parent)?;
        Ok(GuardedFolder {
            _held: guard.map(|guard| guard.hold(Guarded::Path(path.clone()))),
            path,
        })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for GuardedFolder {
    fn drop(&mut self) {
        // A directory that may not be written to is no reason to leave it there.
        let _ = remove_folder(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_understood() {
        let path = PathBuf::from(OsStr::from_bytes(b"/a\xff\n b"));
        for thing in [
            Guarded::Group(77),
            Guarded::Mount(path.clone()),
            Guarded::Path(path),
        ] {
            assert_eq!(Guarded::from_bytes(&thing.to_bytes()), Some(thing));
        }
        assert_eq!(Guarded::from_bytes(b"g"), None);
        assert_eq!(Guarded::from_bytes(b""), None);
    }
}
