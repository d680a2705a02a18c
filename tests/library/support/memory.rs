//! A disk in memory whose files can be edited, whose calls are noted, and whose calls fail where a test says so.
//!
//! What a power cut leaves is the plainest thing there is: exactly what was synced. The simulated disk of the library knows
//! the rest; here it would be in the way.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use beaver::{Access, Storage, StorageFile, StorageLock};

/// Kinds of calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    Create,
    Open,
    List,
    Rename,
    Remove,
    SyncDir,
    Lock,
    Len,
    Read,
    Write,
    SetLen,
    SyncData,
    DropCache,
}

/// A call that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) op: Op,
    pub(crate) file: String,
    pub(crate) offset: u64,
    /// How many bytes were to be read or written.
    pub(crate) len: usize,
    /// Those that were to be written.
    pub(crate) bytes: Vec<u8>,
}

/// What happens instead of a call.
#[derive(Clone, Copy, Debug)]
enum How {
    /// It fails without effect.
    Error(ErrorKind),
    /// It happens, and fails all the same.
    Late(ErrorKind),
    /// A write that writes this many bytes and fails.
    Torn(usize, ErrorKind),
    /// A read or write of no more than this many bytes.
    Short(usize),
    /// A read that shows another value at this offset of the file.
    Wrong(u64, u8),
}

/// A call that does not go as it should: the one after `skip` others of its kind on files whose name contains `file`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fault {
    op: Op,
    file: &'static str,
    skip: usize,
    times: usize,
    how: How,
}

impl Fault {
    /// The next such call fails without effect.
    pub(crate) fn on(op: Op, file: &'static str) -> Self {
        Fault {
            op,
            file,
            skip: 0,
            times: 1,
            how: How::Error(ErrorKind::Other),
        }
    }

    /// With this kind of error.
    pub(crate) fn kind(self, kind: ErrorKind) -> Self {
        let how = match self.how {
            How::Late(_) => How::Late(kind),
            How::Torn(bytes, _) => How::Torn(bytes, kind),
            _ => How::Error(kind),
        };
        Fault { how, ..self }
    }

    /// The call happens nevertheless.
    pub(crate) fn late(self) -> Self {
        let how = How::Late(ErrorKind::Other);
        Fault { how, ..self }
    }

    /// The write leaves its first bytes.
    pub(crate) fn torn(self, bytes: usize) -> Self {
        let how = How::Torn(bytes, ErrorKind::Other);
        Fault { how, ..self }
    }

    /// The read or write is short, without an error.
    pub(crate) fn short(self, bytes: usize) -> Self {
        let how = How::Short(bytes);
        Fault { how, ..self }
    }

    /// A read that covers `offset` shows `byte` there.
    pub(crate) fn wrong(self, offset: u64, byte: u8) -> Self {
        let how = How::Wrong(offset, byte);
        Fault { how, ..self }
    }

    /// Not the next such call but one after `skip` more.
    pub(crate) fn after(self, skip: usize) -> Self {
        Fault { skip, ..self }
    }

    /// Not once but `times` times.
    pub(crate) fn times(self, times: usize) -> Self {
        Fault { times, ..self }
    }

    /// Every time from then on.
    pub(crate) fn always(self) -> Self {
        self.times(usize::MAX)
    }
}

#[derive(Clone, Debug, Default)]
struct Inode {
    live: Vec<u8>,
    durable: Vec<u8>,
}

#[derive(Debug, Default)]
struct State {
    inodes: Vec<Inode>,
    names: BTreeMap<String, usize>,
    durable_names: BTreeMap<String, usize>,
    locked: bool,
    calls: Vec<Call>,
    faults: Vec<Fault>,
    fired: usize,
}

impl State {
    /// Notes a call and says what happens to it.
    fn enter(&mut self, op: Op, file: &str, offset: u64, bytes: &[u8]) -> Option<How> {
        let (file, len) = (file.to_owned(), bytes.len());
        let fault = self.fault(op, &file, offset, len as u64);
        let written = if op == Op::Write { bytes } else { &[] };
        self.calls.push(Call {
            op,
            file,
            offset,
            len,
            bytes: written.to_vec(),
        });
        fault
    }

    fn fault(&mut self, op: Op, file: &str, offset: u64, len: u64) -> Option<How> {
        let strikes = |fault: &&mut Fault| {
            let covers = match fault.how {
                How::Wrong(at, _) => (offset..offset + len).contains(&at),
                _ => true,
            };
            fault.op == op && file.contains(fault.file) && fault.times > 0 && covers
        };
        let fault = self.faults.iter_mut().find(strikes)?;
        if fault.skip > 0 {
            fault.skip -= 1;
            return None;
        }
        fault.times = fault
            .times
            .saturating_sub(usize::from(fault.times < usize::MAX));
        self.fired += 1;
        Some(fault.how)
    }

    /// The name that a file has now; its last one if it has none.
    fn name_of(&self, inode: usize, last: &str) -> String {
        let now = self.names.iter().find(|(_, named)| **named == inode);
        now.map_or(last, |(name, _)| name).to_owned()
    }

    fn find(&self, name: &str) -> io::Result<usize> {
        let found = self.names.get(name).copied();
        found.ok_or_else(|| ErrorKind::NotFound.into())
    }
}

/// Carries out a call that has no parts: not at all, or wholly, with or without an error.
fn whole<T>(how: Option<How>, act: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    match how {
        Some(How::Error(kind)) => Err(kind.into()),
        Some(How::Late(kind)) => act().and(Err(kind.into())),
        _ => act(),
    }
}

/// A disk in memory. A clone is the same disk.
#[derive(Clone, Default)]
pub(crate) struct Memory(Arc<Mutex<State>>);

impl std::fmt::Debug for Memory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Memory({:?})", self.names())
    }
}

impl Memory {
    pub(crate) fn new() -> Self {
        Memory::default()
    }

    /// A disk on which these files are durable.
    pub(crate) fn of(files: &BTreeMap<String, Vec<u8>>) -> Self {
        let disk = Memory::new();
        for (name, bytes) in files {
            disk.put(name, bytes);
        }
        disk
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn storage(&self) -> Arc<dyn Storage> {
        Arc::new(self.clone())
    }

    /// All files as a reader sees them.
    pub(crate) fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let state = self.state();
        let file =
            |(name, inode): (&String, &usize)| (name.clone(), state.inodes[*inode].live.clone());
        state.names.iter().map(file).collect()
    }

    /// Another disk with what a power cut leaves here: what was synced, nothing else.
    pub(crate) fn power_cut(&self) -> Memory {
        let state = self.state();
        let file =
            |(name, inode): (&String, &usize)| (name.clone(), state.inodes[*inode].durable.clone());
        Memory::of(&state.durable_names.iter().map(file).collect())
    }

    /// Another disk with what a killed process leaves here: everything.
    pub(crate) fn copy(&self) -> Memory {
        Memory::of(&self.files())
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.state().names.keys().cloned().collect()
    }

    pub(crate) fn bytes(&self, name: &str) -> Vec<u8> {
        let state = self.state();
        state.inodes[state.find(name).unwrap()].live.clone()
    }

    pub(crate) fn text(&self, name: &str) -> String {
        String::from_utf8(self.bytes(name)).unwrap()
    }

    /// Puts a file there, durable.
    pub(crate) fn put(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let mut state = self.state();
        let (live, durable) = (bytes.as_ref().to_vec(), bytes.as_ref().to_vec());
        state.inodes.push(Inode { live, durable });
        let inode = state.inodes.len() - 1;
        state.names.insert(name.to_owned(), inode);
        state.durable_names.insert(name.to_owned(), inode);
    }

    /// Removes a file, for good.
    pub(crate) fn lose(&self, name: &str) {
        let mut state = self.state();
        state.names.remove(name).unwrap();
        state.durable_names.remove(name);
    }

    /// Changes the bytes of a file, at rest.
    pub(crate) fn edit(&self, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = self.bytes(name);
        change(&mut bytes);
        self.put(name, bytes);
    }

    pub(crate) fn inject(&self, fault: Fault) {
        self.state().faults.push(fault);
    }

    /// No further faults.
    pub(crate) fn heal(&self) {
        self.state().faults.clear();
    }

    /// How many faults have struck.
    pub(crate) fn fired(&self) -> usize {
        self.state().fired
    }

    /// The calls since the last time.
    pub(crate) fn take_calls(&self) -> Vec<Call> {
        std::mem::take(&mut self.state().calls)
    }

    /// The calls since the last time that change something, one word each.
    pub(crate) fn take_changes(&self) -> Vec<String> {
        let calls = self.take_calls();
        let changes = calls
            .iter()
            .filter(|call| !matches!(call.op, Op::Open | Op::List | Op::Lock | Op::Len | Op::Read));
        changes.map(ToString::to_string).collect()
    }

    /// How many bytes were asked for since the last time.
    pub(crate) fn take_read_bytes(&self) -> usize {
        let calls = self.take_calls();
        let reads = calls.iter().filter(|call| call.op == Op::Read);
        reads.map(|call| call.len).sum()
    }
}

impl std::fmt::Display for Call {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Call {
            op, file, offset, ..
        } = self;
        match op {
            Op::Write => write!(f, "write {file} {offset}+{}", self.bytes.len()),
            Op::SetLen => write!(f, "set_len {file} {offset}"),
            Op::SyncData => write!(f, "sync {file}"),
            Op::DropCache => write!(f, "drop_cache {file}"),
            Op::SyncDir => write!(f, "sync_dir"),
            Op::Create => write!(f, "create {file}"),
            Op::Rename => write!(f, "rename {file}"),
            Op::Remove => write!(f, "remove {file}"),
            other => write!(f, "{other:?} {file}"),
        }
    }
}

impl Storage for Memory {
    fn create(&self, name: &str) -> io::Result<Box<dyn StorageFile>> {
        let mut state = self.state();
        let how = state.enter(Op::Create, name, 0, &[]);
        whole(how, || {
            if state.names.contains_key(name) {
                return Err(ErrorKind::AlreadyExists.into());
            }
            state.inodes.push(Inode::default());
            let inode = state.inodes.len() - 1;
            state.names.insert(name.to_owned(), inode);
            Ok(self.handle(name, inode, Access::Write))
        })
    }

    fn open(&self, name: &str, access: Access) -> io::Result<Box<dyn StorageFile>> {
        let mut state = self.state();
        let how = state.enter(Op::Open, name, 0, &[]);
        whole(how, || Ok(self.handle(name, state.find(name)?, access)))
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let mut state = self.state();
        let how = state.enter(Op::List, ".", 0, &[]);
        whole(how, || Ok(state.names.keys().cloned().collect()))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.state();
        let how = state.enter(Op::Rename, to, 0, &[]);
        whole(how, || {
            let inode = state.find(from)?;
            state.names.remove(from);
            state.names.insert(to.to_owned(), inode);
            Ok(())
        })
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.state();
        let how = state.enter(Op::Remove, name, 0, &[]);
        whole(how, || {
            state.find(name)?;
            state.names.remove(name);
            Ok(())
        })
    }

    fn sync_dir(&self) -> io::Result<()> {
        let mut state = self.state();
        let how = state.enter(Op::SyncDir, ".", 0, &[]);
        whole(how, || {
            state.durable_names = state.names.clone();
            Ok(())
        })
    }

    fn lock(&self) -> io::Result<Box<dyn StorageLock>> {
        let mut state = self.state();
        let how = state.enter(Op::Lock, ".", 0, &[]);
        whole(how, || {
            if std::mem::replace(&mut state.locked, true) {
                return Err(ErrorKind::WouldBlock.into());
            }
            Ok(Box::new(Guard(self.clone())) as Box<dyn StorageLock>)
        })
    }
}

impl Memory {
    fn handle(&self, name: &str, inode: usize, access: Access) -> Box<dyn StorageFile> {
        Box::new(Handle {
            disk: self.clone(),
            name: name.to_owned(),
            inode,
            access,
        })
    }
}

#[derive(Debug)]
struct Guard(Memory);

impl StorageLock for Guard {}

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.state().locked = false;
    }
}

#[derive(Debug)]
struct Handle {
    disk: Memory,
    name: String,
    inode: usize,
    access: Access,
}

impl Handle {
    /// Notes a call on this file and says what happens to it.
    fn enter(&self, state: &mut State, op: Op, offset: u64, bytes: &[u8]) -> Option<How> {
        let name = state.name_of(self.inode, &self.name);
        state.enter(op, &name, offset, bytes)
    }

    fn check_writable(&self) -> io::Result<()> {
        match self.access {
            Access::Read => Err(ErrorKind::PermissionDenied.into()),
            Access::Write => Ok(()),
        }
    }
}

impl StorageFile for Handle {
    fn len(&self) -> io::Result<u64> {
        let mut state = self.disk.state();
        let how = self.enter(&mut state, Op::Len, 0, &[]);
        whole(how, || Ok(state.inodes[self.inode].live.len() as u64))
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut state = self.disk.state();
        let how = self.enter(&mut state, Op::Read, offset, buf);
        let limit = match how {
            Some(How::Short(bytes)) => bytes,
            Some(How::Error(kind) | How::Late(kind)) => return Err(kind.into()),
            _ => usize::MAX,
        };
        let live = &state.inodes[self.inode].live;
        let rest = live.get(usize::try_from(offset).unwrap()..).unwrap_or(&[]);
        let count = rest.len().min(buf.len()).min(limit);
        buf[..count].copy_from_slice(&rest[..count]);
        if let Some(How::Wrong(at, byte)) = how {
            buf[usize::try_from(at - offset).unwrap()] = byte;
        }
        Ok(count)
    }

    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<usize> {
        self.check_writable()?;
        let mut state = self.disk.state();
        let (count, error) = match self.enter(&mut state, Op::Write, offset, buf) {
            Some(How::Short(bytes)) => (bytes.min(buf.len()), None),
            Some(How::Torn(bytes, kind)) => (bytes.min(buf.len()), Some(kind)),
            Some(How::Error(kind)) => (0, Some(kind)),
            Some(How::Late(kind)) => (buf.len(), Some(kind)),
            _ => (buf.len(), None),
        };
        let live = &mut state.inodes[self.inode].live;
        let start = usize::try_from(offset).unwrap();
        if count > 0 {
            live.resize(live.len().max(start + count), 0);
            live[start..start + count].copy_from_slice(&buf[..count]);
        }
        error.map_or(Ok(count), |kind| Err(kind.into()))
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.check_writable()?;
        let mut state = self.disk.state();
        let how = self.enter(&mut state, Op::SetLen, len, &[]);
        whole(how, || {
            state.inodes[self.inode]
                .live
                .resize(usize::try_from(len).unwrap(), 0);
            Ok(())
        })
    }

    fn allocate(&self, _len: u64) -> io::Result<()> {
        Err(ErrorKind::Unsupported.into())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.disk.state();
        let how = self.enter(&mut state, Op::SyncData, 0, &[]);
        whole(how, || {
            let inode = &mut state.inodes[self.inode];
            inode.durable.clone_from(&inode.live);
            Ok(())
        })
    }

    fn drop_cache(&self) -> io::Result<()> {
        let mut state = self.disk.state();
        let how = self.enter(&mut state, Op::DropCache, 0, &[]);
        whole(how, || Ok(()))
    }
}
