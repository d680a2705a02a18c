//! Records Python scripts and tells what the recording has.

use std::io::Write;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use beaver_disk::{Change, InodeId};
use beaver_trace::{Log, RecordError, RecordOptions, Recorded, TraceEvent, TraceFault};
use tempfile::TempDir;

/// What every script begins with.
const BEGIN: &str = "import os, sys\nd = os.environ['BEAVER_DIR']\ndef make(name, flags=0):\n    \
                     return os.open(d + '/' + name, os.O_RDWR | os.O_CREAT | flags, 0o644)\n";

/// Whether the tests can run here.
pub(crate) fn can_record() -> bool {
    match beaver_trace::check_recorder() {
        Ok(()) => true,
        Err(error) => {
            eprintln!("skipped: {error}");
            false
        }
    }
}

/// A recording that is about to be made.
pub(crate) struct Place {
    pub(crate) directory: TempDir,
    pub(crate) setup: Option<String>,
    pub(crate) faults: Vec<TraceFault>,
    pub(crate) terminal: bool,
}

/// One that was made.
pub(crate) struct Made {
    pub(crate) recorded: Recorded,
    pub(crate) log: Log,
    /// What was passed on.
    pub(crate) said: String,
    _directory: TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        Place {
            directory: TempDir::new().unwrap(),
            setup: None,
            faults: Vec::new(),
            terminal: false,
        }
    }

    pub(crate) fn with_faults(faults: &[&str]) -> Self {
        let faults = faults.iter().map(|fault| fault.parse().unwrap()).collect();
        Place {
            faults,
            ..Place::new()
        }
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.directory.path().join("log")
    }

    pub(crate) fn try_python(&self, script: &str) -> (Result<Recorded, RecordError>, String) {
        let script = format!("{BEGIN}{script}");
        let program = ["env", "-u", "PYTHONUNBUFFERED", "python3", "-c", &script];
        self.try_program(&program)
    }

    pub(crate) fn try_program(&self, program: &[&str]) -> (Result<Recorded, RecordError>, String) {
        let said = Said::default();
        let options = RecordOptions {
            program: program.iter().map(|word| (*word).to_owned()).collect(),
            setup: self.setup.clone(),
            log: self.log(),
            faults: self.faults.clone(),
            terminal: self.terminal,
            ..RecordOptions::default()
        };
        let recorded = beaver_trace::record(&options, Box::new(said.clone()));
        let said = said.0.lock().unwrap().clone();
        (recorded, String::from_utf8(said).unwrap())
    }

    pub(crate) fn python(self, script: &str) -> Made {
        let (recorded, said) = self.try_python(script);
        Made {
            recorded: recorded.unwrap(),
            log: Log::open(&self.log()).unwrap(),
            said,
            _directory: self.directory,
        }
    }
}

/// Records a script, without a setup and faults.
pub(crate) fn python(script: &str) -> Made {
    Place::new().python(script)
}

#[derive(Clone, Default)]
struct Said(Arc<Mutex<Vec<u8>>>);

impl Write for Said {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Made {
    /// The events, a line for each.
    #[track_caller]
    pub(crate) fn events_are(&self, expected: &str) {
        let events: Vec<String> = self.log.events.iter().map(line).collect();
        let expected: Vec<&str> = expected.lines().map(str::trim).collect();
        let expected: Vec<&str> = expected
            .into_iter()
            .filter(|line| !line.is_empty())
            .collect();
        assert_eq!(events, expected, "{:#?}", self.recorded.warnings);
    }

    pub(crate) fn acks(&self) -> Vec<&str> {
        let acks = self.log.events.iter().filter_map(|event| match event {
            TraceEvent::Ack(line) => Some(line.as_str()),
            _ => None,
        });
        acks.collect()
    }
}

fn line(event: &TraceEvent) -> String {
    match event {
        TraceEvent::Call {
            change,
            bytes,
            fault,
            mapped,
        } => {
            let fault = fault.as_ref().map_or("", |_| " fails");
            let mapped = if *mapped { " mapped" } else { "" };
            let len = bytes.map_or(0, |(_, len)| len);
            format!("{}{mapped}{fault}", call(change, len))
        }
        TraceEvent::Sync => "sync".to_owned(),
        TraceEvent::Begin => "begin".to_owned(),
        TraceEvent::Ack(text) => format!("ack {text}"),
        TraceEvent::LetGo(inode) => format!("let-go {}", inode.0),
        TraceEvent::Mode { inode, mode } => format!("mode {} {mode:o}", inode.0),
    }
}

fn call(change: &Change, count: u64) -> String {
    let at = |dir: &InodeId, name: &String| match *dir {
        InodeId::ROOT => name.clone(),
        dir => format!("{}/{name}", dir.0),
    };
    match change {
        Change::Create { dir, name } => format!("create {}", at(dir, name)),
        Change::CreateDir { dir, name } => format!("mkdir {}", at(dir, name)),
        Change::Symlink { dir, name, target } => format!("symlink {} {target}", at(dir, name)),
        Change::Link { inode, dir, name } => format!("link {} {}", inode.0, at(dir, name)),
        Change::Rename {
            from_dir,
            from,
            to_dir,
            to,
        } => format!("rename {} {}", at(from_dir, from), at(to_dir, to)),
        Change::Remove { dir, name } => format!("remove {}", at(dir, name)),
        Change::RemoveDir { dir, name } => format!("rmdir {}", at(dir, name)),
        Change::Write { inode, offset, .. } => format!("write {} {offset}+{count}", inode.0),
        Change::SetLen { inode, len } => format!("truncate {} {len}", inode.0),
        Change::Allocate { inode, len } => format!("allocate {} {len}", inode.0),
        Change::SyncData { inode } => format!("fdatasync {}", inode.0),
        Change::SyncAll { inode } => format!("fsync {}", inode.0),
        Change::DropCache { inode } => format!("drop-cache {}", inode.0),
        Change::SyncDir { dir } => format!("fsync-dir {}", dir.0),
    }
}
