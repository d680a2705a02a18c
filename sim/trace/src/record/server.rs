//! The simulated disk, the recording, and what stands beside them: all that the file system knows, under one lock. So the
//! recording has one order, and it is the one in which the disk saw the calls.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};

use beaver_disk::{
    Change, Disk, FileKind, InodeId, Profile, SimDisk, SimOptions, Space, TraceMode,
};
use fuser::{Errno, FileAttr, FileType};

use super::attributes::{Attributes, STDOUT, errno, file_type, inode, number};
use super::may_sync::MaySync;
use super::notice::Notice;
use super::special::Specials;
use super::standard_output::StandardOutput;
use super::terminal::Terminal;
use crate::log::{LogWriter, TraceEvent};
use crate::summary::{Counter, Summary};
use crate::trace_fault::{CountedFaults, TraceFault};

/// What the changes count for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Counting {
    /// They prepare.
    Setup,
    /// They are tried.
    Program,
    /// They fail: the recording has ended.
    Over,
}

/// What the kernel has of a file or directory.
#[derive(Debug, Default)]
struct Known {
    /// How often it was told of it, less how often it has forgotten.
    lookups: u64,
    /// How often it is open.
    handles: u64,
}

pub(super) struct Server {
    pub(super) disk: SimDisk,
    /// Where changes are written down, if they are.
    log: Option<LogWriter>,
    counter: Counter,
    faults: Option<Arc<Mutex<CountedFaults>>>,
    power_cut_at: Option<u64>,
    capacity: Option<u64>,
    /// The changes since the setup ended.
    changes: u64,
    counting: Counting,
    pub(super) attributes: BTreeMap<u64, Attributes>,
    pub(super) specials: Specials,
    pub(super) output: StandardOutput,
    /// Where the program prints, if that is a terminal.
    pub(super) terminal: Option<Terminal>,
    known: BTreeMap<u64, Known>,
    /// Open files and directories, all together.
    open: u64,
    /// Who may sync unseen, if the program is not watched.
    may_sync: Option<MaySync>,
    /// The file that a write to it synced, if nothing came since: the kernel may ask for that sync as well.
    pub(super) synced: Option<u64>,
    /// Memory for the bytes of the next write: the system hands out new memory slowly.
    spare: Vec<u8>,
    warnings: Vec<String>,
    notices: Sender<Notice>,
}

impl Server {
    pub(super) fn new(
        log: Option<LogWriter>,
        planned: &[TraceFault],
        output: StandardOutput,
        may_sync: Option<MaySync>,
        notices: Sender<Notice>,
    ) -> Self {
        let options = SimOptions {
            space: space(planned),
            // The recording is the trace.
            trace: TraceMode::Off,
            ..SimOptions::default()
        };
        let disk = SimDisk::new(Disk::empty(Profile::LinuxOrdered), options);
        let counts = |fault: &TraceFault| {
            matches!(
                fault,
                TraceFault::FailedFsync(_) | TraceFault::FailedWrite(_)
            )
        };
        // Without faults the disk has nobody to ask, which is faster.
        let faults = planned.iter().any(counts).then(|| {
            let faults = Arc::new(Mutex::new(CountedFaults::of(planned)));
            disk.set_faults(Some(faults.clone()));
            faults
        });
        let cuts = planned.iter().filter_map(|fault| match fault {
            TraceFault::PowerCut(number) => Some(*number),
            _ => None,
        });
        let (uid, gid) = (rustix::process::geteuid(), rustix::process::getegid());
        let own = |mode| Attributes::new(mode, uid.as_raw(), gid.as_raw());
        Server {
            disk,
            log,
            counter: Counter::default(),
            faults,
            power_cut_at: cuts.min(),
            capacity: space(planned).map(|space| space.capacity),
            changes: 0,
            counting: Counting::Setup,
            attributes: [(number(InodeId::ROOT), own(0o755)), (STDOUT, own(0o666))].into(),
            specials: Specials::default(),
            output,
            terminal: None,
            known: BTreeMap::new(),
            open: 0,
            may_sync,
            synced: None,
            spare: Vec::new(),
            warnings: Vec::new(),
            notices,
        }
    }

    /// Carries out a change, and writes it down if it changed something or was made to fail.
    pub(super) fn change(&mut self, change: Change, mapped: bool) -> Result<usize, Errno> {
        if self.counting == Counting::Over {
            return Err(Errno::EIO);
        }
        self.hear_terminal();
        let answer = self.disk.call(&change);
        let faults = self.faults.as_ref();
        let fault = faults.and_then(|faults| lock(faults).take_struck());
        let is_seen = answer.is_ok() || fault.is_some();
        let event = TraceEvent::Call {
            change,
            bytes: None,
            fault,
            mapped,
        };
        if is_seen {
            self.push(&event)?;
            self.count();
        }
        if let TraceEvent::Call {
            change: Change::Write { bytes, .. },
            ..
        } = event
        {
            self.spare = bytes;
        }
        answer.map_err(errno)
    }

    /// Bytes for a change.
    pub(super) fn bytes(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut spare = std::mem::take(&mut self.spare);
        spare.clear();
        spare.extend_from_slice(bytes);
        spare
    }

    /// Counts a change, and cuts the power after the one that was planned.
    fn count(&mut self) {
        if self.counting != Counting::Program {
            return;
        }
        self.changes += 1;
        if self.power_cut_at == Some(self.changes) {
            self.counting = Counting::Over;
            // Nobody listens any more only when the recording has ended anyway.
            let _ = self.notices.send(Notice::PowerCut);
        }
    }

    /// Writes an event down.
    pub(super) fn push(&mut self, event: &TraceEvent) -> Result<(), Errno> {
        self.counter.note(event);
        self.synced = None;
        let Some(log) = &mut self.log else {
            return Ok(());
        };
        log.push(event).map_err(|error| {
            self.counting = Counting::Over;
            // Nobody listens any more only when the recording has ended anyway.
            let _ = self.notices.send(Notice::Broken(error));
            Errno::EIO
        })
    }

    /// The permissions of something are these from now on.
    pub(super) fn set_mode(&mut self, inode: InodeId, mode: u32) -> Result<(), Errno> {
        if self.counting == Counting::Over {
            return Err(Errno::EIO);
        }
        self.push(&TraceEvent::Mode { inode, mode })
    }

    /// Bytes on the standard output of the program. What ends a line is what it promised.
    pub(super) fn say(&mut self, bytes: &[u8]) -> Result<usize, Errno> {
        if self.counting == Counting::Over {
            return Err(Errno::EIO);
        }
        for line in self.output.say(bytes) {
            self.push(&TraceEvent::Ack(line))?;
        }
        Ok(bytes.len())
    }

    /// Takes what was printed on the terminal until now.
    pub(super) fn hear_terminal(&mut self) {
        let printed = self.terminal.as_ref().map(Terminal::printed);
        if let Some(printed) = printed.filter(|printed| !printed.is_empty()) {
            // A log that cannot be written is noticed, and nobody waits for an answer here.
            let _ = self.say(&printed);
        }
    }

    /// Whether the recording has ended.
    pub(super) fn is_over(&self) -> bool {
        self.counting == Counting::Over
    }

    /// The setup has ended: everything is durable.
    pub(super) fn begin(&mut self) {
        self.disk.sync();
        // The notice of it says so.
        let _ = self.push(&TraceEvent::Begin);
        if let Some(faults) = &self.faults {
            lock(faults).begin();
        }
        if self.counting == Counting::Setup {
            self.counting = Counting::Program;
        }
    }

    /// The recording ends here. What comes later fails and is not recorded.
    pub(super) fn finish(&mut self) -> io::Result<(Summary, Vec<String>)> {
        self.hear_terminal();
        self.counting = Counting::Over;
        self.output.close();
        if let Some(log) = &mut self.log {
            log.flush()?;
        }
        let counter = std::mem::take(&mut self.counter);
        let summary = self.disk.look(|disk| counter.finish(disk));
        let mut warnings = std::mem::take(&mut self.warnings);
        warnings.extend(self.may_sync.iter().flat_map(MaySync::warnings));
        let faults = self.faults.as_ref();
        warnings.extend(
            faults
                .map(|faults| lock(faults).missed())
                .unwrap_or_default(),
        );
        if let Some(number) = self.power_cut_at.filter(|number| *number > self.changes) {
            let changes = self.changes;
            warnings.push(format!(
                "power-cut-at:{number} did not happen: there were {changes} changes"
            ));
        }
        Ok((summary, warnings))
    }

    pub(super) fn warn(&mut self, warning: String) {
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }

    /// A process asks for something. Before the program there is nobody to warn of.
    pub(super) fn note_caller(&mut self, pid: u32) {
        if self.counting == Counting::Program
            && let Some(may_sync) = &mut self.may_sync
        {
            may_sync.note(pid);
        }
    }

    /// The program is not watched after all: who may sync unseen is looked for.
    pub(super) fn watch_failed(&mut self, mount: &Path, error: &io::Error) {
        if self.counting != Counting::Over {
            self.warn(format!("sync(2) and syncfs(2) are not seen here: {error}"));
            self.may_sync = Some(MaySync::new(mount));
        }
    }

    /// sync(2): everything is durable.
    pub(super) fn sync_everything(&mut self) {
        if self.counting != Counting::Over {
            self.hear_terminal();
            self.disk.sync();
            // The notice of it says so.
            let _ = self.push(&TraceEvent::Sync);
        }
    }

    /// What the kernel is told of something.
    pub(super) fn told(&self, number: u64) -> Result<FileAttr, Errno> {
        let attributes = self.attributes.get(&number).ok_or(Errno::ENOENT)?;
        if number == STDOUT {
            let len = self.output.len();
            return Ok(attributes.told(number, FileType::RegularFile, len, 1));
        }
        if let Some(kind) = self.specials.kind(number) {
            return Ok(attributes.told(number, kind, 0, 1));
        }
        let id = inode(number)?;
        self.disk.look(|disk| {
            let kind = file_type(disk.kind(id).ok_or(Errno::ENOENT)?);
            let links = match kind {
                FileType::Directory => 2,
                _ => u32::try_from(disk.links(id)).unwrap_or(u32::MAX),
            };
            Ok(attributes.told(number, kind, disk.len_of(id), links))
        })
    }

    /// The same, and the kernel remembers it until it forgets.
    pub(super) fn told_of(&mut self, number: u64) -> Result<FileAttr, Errno> {
        let told = self.told(number)?;
        self.known.entry(number).or_default().lookups += 1;
        Ok(told)
    }

    pub(super) fn forget(&mut self, number: u64, lookups: u64) {
        if let Some(known) = self.known.get_mut(&number) {
            known.lookups = known.lookups.saturating_sub(lookups);
        }
        self.let_go(number);
    }

    pub(super) fn opened(&mut self, number: u64) {
        self.open += 1;
        self.known.entry(number).or_default().handles += 1;
    }

    pub(super) fn released(&mut self, number: u64) {
        self.open = self.open.saturating_sub(1);
        if let Some(known) = self.known.get_mut(&number) {
            known.handles = known.handles.saturating_sub(1);
        }
        self.let_go(number);
    }

    /// The room of a disk that is small: all of it, and what is free.
    pub(super) fn room(&self) -> Option<(u64, u64)> {
        let capacity = self.capacity?;
        let used = self.disk.look(Disk::used);
        Some((capacity, capacity.saturating_sub(used)))
    }

    /// The paths of the files that are open, or mapped.
    pub(super) fn open_files(&self) -> Vec<String> {
        let open = self.known.iter().filter(|(_, known)| known.handles > 0);
        let open = open.filter_map(|(number, _)| inode(*number).ok());
        self.disk.look(|disk| {
            let files = open.filter(|id| disk.kind(*id) == Some(FileKind::File));
            files.filter_map(|id| disk.path(id)).collect()
        })
    }

    /// How many files and directories are open.
    pub(super) fn open(&self) -> u64 {
        self.open
    }

    /// Lets a file go that nobody can reach any more: it has no name, is not open, and the kernel has forgotten it.
    fn let_go(&mut self, number: u64) {
        let known = self.known.get(&number);
        if known.is_some_and(|known| known.lookups > 0 || known.handles > 0) {
            return;
        }
        self.known.remove(&number);
        let Ok(id) = inode(number) else {
            return;
        };
        let is_gone = id != InodeId::ROOT && self.disk.look(|disk| disk.links(id) == 0);
        if is_gone && self.attributes.remove(&number).is_some() && self.counting != Counting::Over {
            self.disk.let_go(id);
            // The notice of it says so.
            let _ = self.push(&TraceEvent::LetGo(id));
        }
    }
}

/// How much room the plan leaves.
pub(super) fn space(planned: &[TraceFault]) -> Option<Space> {
    let sizes = planned.iter().filter_map(|fault| match fault {
        TraceFault::FullDisk(bytes) => Some(*bytes),
        _ => None,
    });
    sizes.min().map(Space::of)
}

/// A panic under the lock would be a bug; the state is as good as it was.
pub(super) fn lock<T: ?Sized>(shared: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
