//! The plainest log store: one file with everything, written anew and renamed. With bugs to plant.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::io;
use std::mem;
use std::ops::RangeBounds;
use std::sync::{Arc, Mutex, Weak};

use beaver::Storage;
use beaver::storage::{read_all, write_all};
use beaver_raft::suite::LogUnderTest;
use openraft::storage::{IOFlushed, LogState, RaftLogStorage};
use openraft::{OptionalSend, RaftLogReader};
use serde::{Deserialize, Serialize};

use crate::support::*;

/// A bug of a log store that was found in the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Planted {
    /// A vote is answered and stays in memory.
    VoteNotSynced,
    /// An append is answered before it is written.
    CallbackBeforeFlush,
    /// What was cut off in memory stays in the file.
    TruncationNotLogged,
    /// The file with what is purged goes before the one without it is there.
    PurgeBeforeCopy,
    /// The commit index is written before the entries.
    CommittedAhead,
    /// What is opened may be in the cache only.
    ShowsUnsynced,
    /// An append whose sync has failed is answered as if it had not.
    ErrorSwallowed,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Document {
    vote: Option<Vote>,
    committed: Option<LogId>,
    purged: Option<LogId>,
    entries: Vec<Entry>,
}

/// Opens plain stores.
pub(crate) struct PlainLog {
    bug: Option<Planted>,
    opened: Mutex<Vec<Weak<Mutex<PlainState>>>>,
}

impl PlainLog {
    pub(crate) fn new(bug: Option<Planted>) -> Self {
        let opened = Mutex::new(Vec::new());
        PlainLog { bug, opened }
    }
}

impl LogUnderTest<QueueConfig> for PlainLog {
    type Store = PlainStore;

    fn open(&self, storage: Arc<dyn Storage>) -> io::Result<PlainStore> {
        let state = PlainState::open(storage, self.bug)?;
        let state = Arc::new(Mutex::new(state));
        let mut opened = self.opened.lock().unwrap();
        opened.retain(|known| known.strong_count() > 0);
        opened.push(Arc::downgrade(&state));
        Ok(PlainStore(state))
    }

    fn run_scheduled(&self) {
        for opened in self.opened.lock().unwrap().iter().filter_map(Weak::upgrade) {
            let mut state = opened.lock().unwrap();
            if !state.waiting.is_empty() {
                drop(state.flush());
            }
        }
    }
}

struct PlainState {
    storage: Arc<dyn Storage>,
    bug: Option<Planted>,
    vote: Option<Vote>,
    committed: Option<LogId>,
    purged: Option<LogId>,
    entries: BTreeMap<u64, Entry>,
    /// What the file has.
    written: Document,
    waiting: Vec<IOFlushed<QueueConfig>>,
}

impl PlainState {
    fn open(storage: Arc<dyn Storage>, bug: Option<Planted>) -> io::Result<Self> {
        if bug != Some(Planted::ShowsUnsynced) {
            storage.sync_dir()?;
        }
        let written = match read_all(&*storage, "state")? {
            Some(json) => serde_json::from_slice(&json)?,
            None => Document::default(),
        };
        let entries = written.entries.iter().cloned();
        Ok(PlainState {
            storage,
            bug,
            vote: written.vote,
            committed: written.committed,
            purged: written.purged,
            entries: entries.map(|entry| (entry.log_id.index, entry)).collect(),
            written,
            waiting: Vec::new(),
        })
    }

    fn write(&mut self, document: Document) -> io::Result<()> {
        let json = serde_json::to_vec(&document)?;
        drop(self.storage.remove("new"));
        let file = self.storage.create("new")?;
        write_all(&*file, &json, 0)?;
        file.sync_data()?;
        self.storage.rename("new", "state")?;
        self.storage.sync_dir()?;
        self.written = document;
        Ok(())
    }

    /// Writes everything, and answers every append.
    fn flush(&mut self) -> io::Result<()> {
        let mut entries = BTreeMap::new();
        if self.bug == Some(Planted::TruncationNotLogged) {
            let old = self.written.entries.iter().cloned();
            entries.extend(old.map(|entry| (entry.log_id.index, entry)));
        }
        entries.extend(self.entries.clone());
        let first = self.purged.map_or(0, |purged| purged.index + 1);
        let result = self.write(Document {
            vote: self.vote,
            committed: self.committed,
            purged: self.purged,
            entries: entries.split_off(&first).into_values().collect(),
        });
        let is_swallowed = self.bug == Some(Planted::ErrorSwallowed);
        for callback in mem::take(&mut self.waiting) {
            let answer = match &result {
                Err(error) if !is_swallowed => Err(io::Error::other(error.to_string())),
                _ => Ok(()),
            };
            callback.io_completed(answer);
        }
        result
    }
}

#[derive(Clone)]
pub(crate) struct PlainStore(Arc<Mutex<PlainState>>);

impl RaftLogReader<QueueConfig> for PlainStore {
    async fn try_get_log_entries<RB: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: RB,
    ) -> io::Result<Vec<Entry>> {
        let state = self.0.lock().unwrap();
        Ok(state
            .entries
            .range(range)
            .map(|(_, entry)| entry.clone())
            .collect())
    }

    async fn read_vote(&mut self) -> io::Result<Option<Vote>> {
        Ok(self.0.lock().unwrap().vote)
    }
}

impl RaftLogStorage<QueueConfig> for PlainStore {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> io::Result<LogState<QueueConfig>> {
        let state = self.0.lock().unwrap();
        let last = state
            .entries
            .last_key_value()
            .map(|(_, entry)| entry.log_id);
        Ok(LogState {
            last_purged_log_id: state.purged,
            last_log_id: last.or(state.purged),
        })
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        state.vote = Some(*vote);
        match state.bug {
            Some(Planted::VoteNotSynced) => Ok(()),
            _ => state.flush(),
        }
    }

    async fn save_committed(&mut self, committed: Option<LogId>) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        state.committed = committed;
        if state.bug != Some(Planted::CommittedAhead) {
            return Ok(());
        }
        let ahead = Document {
            committed,
            ..state.written.clone()
        };
        state.write(ahead)
    }

    async fn read_committed(&mut self) -> io::Result<Option<LogId>> {
        Ok(self.0.lock().unwrap().committed)
    }

    async fn append<I>(&mut self, entries: I, callback: IOFlushed<QueueConfig>) -> io::Result<()>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let mut state = self.0.lock().unwrap();
        let entries = entries.into_iter();
        state
            .entries
            .extend(entries.map(|entry| (entry.log_id.index, entry)));
        match state.bug {
            Some(Planted::CallbackBeforeFlush) => callback.io_completed(Ok(())),
            _ => state.waiting.push(callback),
        }
        Ok(())
    }

    async fn truncate_after(&mut self, last_log_id: Option<LogId>) -> io::Result<()> {
        let first = last_log_id.map_or(0, |id| id.index + 1);
        drop(self.0.lock().unwrap().entries.split_off(&first));
        Ok(())
    }

    async fn purge(&mut self, upto: LogId) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        state.entries = state.entries.split_off(&(upto.index + 1));
        state.purged = Some(upto);
        if state.bug == Some(Planted::PurgeBeforeCopy) {
            state.storage.remove("state")?;
        }
        state.flush()
    }
}
