//! A recording as a folder: `events.jsonl`, a line for each event after one that says what was recorded, and `bytes`, in which
//! the bytes of the writes stand one after the other.
//!
//! Nothing here says how it was recorded. Files and directories go by the numbers that a simulated disk gives them, in order
//! of creation from 1; the root is 0.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use beaver_disk::{Change, Fault, InodeId, Space};
use serde::{Deserialize, Serialize};

use crate::background_file::BackgroundFile;

/// The file of the events.
const EVENTS: &str = "events.jsonl";
/// The file of the bytes.
const BYTES: &str = "bytes";
/// The version of the format.
const VERSION: u32 = 1;

/// What was recorded: the first line.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct LogFormat {
    /// The version of the format.
    pub version: u32,
    /// The program and its arguments.
    pub program: Vec<String>,
    /// How much room there was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub space: Option<Space>,
}

/// One thing that was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    rename_all = "kebab-case",
    rename_all_fields = "kebab-case",
    deny_unknown_fields
)]
pub enum TraceEvent {
    /// A call that changed the disk, or was made to fail. Calls that failed by themselves are not recorded: they change nothing.
    Call {
        /// What it did. A write has no bytes here: see [`Log::change`].
        change: Change,
        /// The bytes of a write: where they begin in the file of the bytes, and how many there are.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        bytes: Option<(u64, u64)>,
        /// What went wrong.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fault: Option<Fault>,
        /// Whether the system wrote it back from a mapping.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        mapped: bool,
    },
    /// sync(2) or syncfs(2): everything is durable.
    Sync,
    /// The setup has ended: everything is durable, and from here on crashes are tried.
    Begin,
    /// The program said this line: what it promised before is promised from here on.
    Ack(String),
    /// Nobody has the file open any more.
    LetGo(InodeId),
    /// A file or directory got these permissions.
    Mode {
        /// Its number.
        inode: InodeId,
        /// The permissions, as of chmod(2).
        mode: u32,
    },
}

/// Why a recording cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The system refused.
    #[error("{}: {error}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// What it said.
        error: io::Error,
    },
    /// A line is not a line of a recording.
    #[error("{}:{line}: {error}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The number of the line, from 1.
        line: usize,
        /// What is wrong with it.
        error: String,
    },
}

/// Writes a recording down while it is made.
#[derive(Debug)]
pub struct LogWriter {
    events: BufWriter<File>,
    /// A program that is recorded does not wait for the many bytes that it writes.
    bytes: BufWriter<BackgroundFile>,
    /// How many bytes were written.
    written: u64,
}

/// A recording, read from its folder. The bytes of its writes stay in their file.
#[derive(Debug)]
pub struct Log {
    /// What was recorded.
    pub format: LogFormat,
    /// What was seen, in order.
    pub events: Vec<TraceEvent>,
    bytes: File,
    path: PathBuf,
}

impl LogWriter {
    /// Begins a recording in `folder`, which is made if it does not exist. It may hold anything but a recording.
    ///
    /// # Errors
    ///
    /// Those of the system; `AlreadyExists` if it holds a recording.
    pub fn create(folder: &Path, format: &LogFormat) -> io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let mut events = BufWriter::new(File::create_new(folder.join(EVENTS))?);
        let bytes = BackgroundFile::new(File::create_new(folder.join(BYTES))?);
        let bytes = BufWriter::with_capacity(1 << 20, bytes);
        let format = LogFormat {
            version: VERSION,
            ..format.clone()
        };
        write_line(&mut events, &format)?;
        Ok(LogWriter {
            events,
            bytes,
            written: 0,
        })
    }

    /// Takes a recording away that did not come to its end. What cannot be removed stays.
    pub(crate) fn remove(folder: &Path) {
        for file in [EVENTS, BYTES] {
            let _ = std::fs::remove_file(folder.join(file));
        }
        let _ = std::fs::remove_dir(folder);
    }

    /// Adds an event. If it is a write, its bytes are kept.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn push(&mut self, event: &TraceEvent) -> io::Result<()> {
        let TraceEvent::Call {
            change: change @ Change::Write { bytes, .. },
            fault,
            mapped,
            ..
        } = event
        else {
            return write_line(&mut self.events, event);
        };
        self.bytes.write_all(bytes)?;
        let len = bytes.len() as u64;
        // Bytes are left out where a change becomes text: it is not copied.
        let line = WriteLine {
            change,
            bytes: (self.written, len),
            fault: fault.as_ref(),
            mapped: *mapped,
        };
        self.written += len;
        write_line(&mut self.events, &CallLine { call: line })
    }

    /// Writes down what is still in memory: the end of the recording.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn flush(&mut self) -> io::Result<()> {
        self.bytes.flush()?;
        self.events.flush()
    }
}

/// [`TraceEvent::Call`] of a write, as a line.
#[derive(Serialize)]
struct CallLine<'a> {
    call: WriteLine<'a>,
}

#[derive(Serialize)]
struct WriteLine<'a> {
    change: &'a Change,
    bytes: (u64, u64),
    #[serde(skip_serializing_if = "Option::is_none")]
    fault: Option<&'a Fault>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    mapped: bool,
}

fn write_line(to: &mut impl Write, line: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *to, line)?;
    to.write_all(b"\n")
}

impl Log {
    /// Reads a recording.
    ///
    /// # Errors
    ///
    /// A file cannot be read, or a line is not a line of a recording; the error names the file, and the line.
    pub fn open(folder: &Path) -> Result<Self, LogError> {
        let path = folder.join(EVENTS);
        let events = open(&path)?;
        let bytes_path = folder.join(BYTES);
        let bytes = open(&bytes_path)?;
        let len = bytes.metadata();
        let len = len.map_err(|error| LogError::Io {
            path: bytes_path,
            error,
        })?;
        let wrong = |line: usize, error: String| LogError::Line {
            path: path.clone(),
            line,
            error,
        };
        let mut format = None;
        let mut log = Vec::new();
        for (number, line) in (1..).zip(BufReader::new(events).lines()) {
            let line = line.map_err(|error| wrong(number, error.to_string()))?;
            if format.is_none() {
                let first: LogFormat = serde_json::from_str(&line)
                    .map_err(|error| wrong(number, format!("no recording: {error}")))?;
                if first.version != VERSION {
                    let error = format!("version {} of the format is not known", first.version);
                    return Err(wrong(number, error));
                }
                format = Some(first);
                continue;
            }
            let event: TraceEvent =
                serde_json::from_str(&line).map_err(|error| wrong(number, error.to_string()))?;
            if let Some(error) = missing_bytes(&event, len.len()) {
                return Err(wrong(number, error));
            }
            log.push(event);
        }
        Ok(Log {
            format: format.ok_or_else(|| wrong(1, "no recording: it is empty".to_owned()))?,
            events: log,
            bytes,
            path: folder.join(BYTES),
        })
    }

    /// Why the recording is damaged at an event.
    pub(crate) fn cannot_be(&self, event: usize, error: &io::Error) -> LogError {
        LogError::Line {
            path: self.path.with_file_name(EVENTS),
            // The first line is no event.
            line: event + 2,
            error: format!("the recording is damaged: this call cannot be carried out ({error})"),
        }
    }

    /// The change of a call, with the bytes of a write.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub fn change(&self, change: &Change, bytes: Option<(u64, u64)>) -> Result<Change, LogError> {
        let mut change = change.clone();
        if let (Change::Write { bytes: whole, .. }, Some((at, len))) = (&mut change, bytes) {
            *whole = vec![0; usize::try_from(len).expect("it was in memory")];
            let read = self.bytes.read_exact_at(whole, at);
            read.map_err(|error| LogError::Io {
                path: self.path.clone(),
                error,
            })?;
        }
        Ok(change)
    }
}

/// What is wrong with the bytes of an event.
fn missing_bytes(event: &TraceEvent, there: u64) -> Option<String> {
    let TraceEvent::Call { change, bytes, .. } = event else {
        return None;
    };
    match (change, bytes) {
        (Change::Write { .. }, None) => Some("the write has no bytes".to_owned()),
        (Change::Write { .. }, Some((at, len))) => {
            let missing = at.checked_add(*len).is_none_or(|end| end > there);
            missing.then(|| format!("the bytes of the write end after those of `{BYTES}`"))
        }
        (_, Some(_)) => Some("only a write has bytes".to_owned()),
        (_, None) => None,
    }
}

fn open(path: &Path) -> Result<File, LogError> {
    File::open(path).map_err(|error| LogError::Io {
        path: path.to_owned(),
        error,
    })
}
