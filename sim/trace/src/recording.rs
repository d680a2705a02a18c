//! What a recording of a program needs, and what comes of it; the same on every system.

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use beaver_disk::SimDisk;
use serde::Serialize;

use crate::guard::Guard;
use crate::summary::Summary;
use crate::trace_fault::TraceFault;

/// What to record.
#[derive(Debug, Default)]
pub struct RecordOptions<'o> {
    /// The program and its arguments; `{dir}` in them is the directory that is recorded. It is `BEAVER_DIR` in the environment
    /// too.
    pub program: Vec<String>,
    /// A shell command that prepares the directory; `{dir}` as above.
    pub setup: Option<String>,
    /// The folder of the recording. It is made if it does not exist, and may hold anything but a recording.
    pub log: PathBuf,
    /// What is to go wrong.
    pub faults: Vec<TraceFault>,
    /// What takes mount and processes away if this process is killed. Without one they stay.
    pub guard: Option<Guard>,
    /// A command that calls [`run_watched`](crate::run_watched) with the path that is added to it, and what follows after `--`.
    /// Without one sync(2) and syncfs(2) are not seen.
    pub watch: Option<Vec<OsString>>,
    /// Whether the standard output of the program is a terminal, to which a C library prints line by line.
    pub terminal: bool,
    /// Ends the program, and with it the recording, once it is set.
    pub stop: Option<&'o AtomicBool>,
}

/// What came of recording a program.
#[derive(Debug)]
pub struct Recorded {
    /// How the program ended.
    pub ended: ProgramEnd,
    /// What it did.
    pub summary: Summary,
    /// What the recording does not show, or what the program was refused.
    pub warnings: Vec<String>,
    /// The disk as it was at the end.
    pub disk: SimDisk,
}

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProgramEnd {
    /// By itself.
    With {
        /// Its exit code.
        code: i32,
    },
    /// By a signal.
    Killed {
        /// The number of the signal.
        signal: i32,
    },
    /// By a power cut that was planned.
    PowerCut,
    /// Because the recording was stopped.
    Stopped,
}

impl fmt::Display for ProgramEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ProgramEnd::With { code } => write!(f, "ended with {code}"),
            ProgramEnd::Killed { signal } => write!(f, "was killed by signal {signal}"),
            ProgramEnd::PowerCut => f.write_str("was killed by the planned power cut"),
            ProgramEnd::Stopped => f.write_str("was stopped"),
        }
    }
}

/// Why there is no recording.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// This system is not Linux.
    #[error("recording needs Linux: it serves the program's files by FUSE")]
    NotLinux,
    /// `/dev/fuse` cannot be opened.
    #[error(
        "/dev/fuse: {0}\nLoad the module (`modprobe fuse`); a container needs `--device /dev/fuse --cap-add SYS_ADMIN`."
    )]
    NoDevice(io::Error),
    /// `/dev/fuse` may not be opened by this user.
    #[error(
        "/dev/fuse: {0}\nOnly root may use it until the package fuse3 is installed (Debian: `apt install fuse3`): it opens the device for everybody."
    )]
    DeviceRefused(io::Error),
    /// The directory cannot be mounted, or what the program needs in it cannot be set up.
    #[error(
        "the recorded directory cannot be mounted: {0}\nWithout root it takes the package fuse3 (its fusermount3), or `unshare -Urm beaver …`; a container needs `--device /dev/fuse --cap-add SYS_ADMIN`."
    )]
    Mount(io::Error),
    /// The directory that is to be mounted on cannot be made.
    #[error("the recorded directory cannot be made: {0}")]
    NoPlace(io::Error),
    /// [`RecordOptions::program`] is empty.
    #[error("no program to record")]
    NoProgram,
    /// A program cannot be started, or it cannot be found out how it ended.
    #[error("{program}: {error}{}", start_advice(program, error))]
    Start {
        /// The program.
        program: String,
        /// What the system said.
        error: io::Error,
    },
    /// The setup did not end with 0.
    #[error("the setup {ended}: {command}")]
    Setup {
        /// The command of the setup.
        command: String,
        /// How it ended.
        ended: ProgramEnd,
    },
    /// The recording cannot be written.
    #[error("the recording {}: {error}{}", path.display(), log_advice(error))]
    Log {
        /// Its folder.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
}

fn start_advice(program: &str, error: &io::Error) -> String {
    let there = Path::new(program).is_file();
    match error.kind() {
        io::ErrorKind::PermissionDenied if there => {
            format!("\nIt is not executable: `chmod +x {program}`, or name what runs it.")
        }
        io::ErrorKind::NotFound if there && !program.contains('/') => {
            format!("\nA file of that name is here: `./{program}`.")
        }
        io::ErrorKind::NotFound if program.contains(' ') && !there => {
            "\nIt is taken as one name: leave out the quotes, or `-- sh -c '…'` runs a line."
                .to_owned()
        }
        io::ErrorKind::NotFound if there => {
            "\nThe file is there: what its first line names to run it is not.".to_owned()
        }
        _ => String::new(),
    }
}

fn log_advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AlreadyExists => "\nThere is one in this folder: name another.",
        _ => "",
    }
}
