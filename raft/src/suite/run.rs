//! A store under test at work.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::thread;

use beaver_disk::{Disk, SimDisk, SimOptions};
use openraft::alias::{LogIdOf, OneshotReceiverOf, VoteOf};
use openraft::entry::RaftEntry;
use openraft::storage::{IOFlushed, RaftLogStorage};
use openraft::testing::log_id;
use openraft::type_config::TypeConfigExt as _;
use openraft::vote::{RaftLeaderId, RaftVote};
use openraft::{Membership, RaftLogReader, RaftTypeConfig};

use super::model::{LogHistory, ModelLog, ShownLog};
use super::script::LogCall;
use super::subject::LogUnderTest;

/// How often a store is asked for an answer before it counts as silent.
const PATIENCE: u32 = 1_000_000;

/// A configuration whose terms and nodes can be made from numbers.
pub trait NumberedConfig:
    RaftTypeConfig<Term: From<u64>, NodeId: From<u64>, Node: Default>
{
}

impl<C> NumberedConfig for C where
    C: RaftTypeConfig<Term: From<u64>, NodeId: From<u64>, Node: Default>
{
}

pub(super) fn on(disk: Disk) -> SimDisk {
    SimDisk::new(disk, SimOptions::default())
}

/// A store at work.
pub(super) struct ScriptRun<'a, C: RaftTypeConfig, S: LogUnderTest<C>> {
    subject: &'a S,
    pub(super) disk: SimDisk,
    pub(super) store: Option<S::Store>,
    pub(super) history: LogHistory<C>,
    /// The appends that are not answered, each with the number of the log that it makes durable.
    pending: VecDeque<(usize, OneshotReceiverOf<C, io::Result<()>>)>,
}

impl<'a, C, S> ScriptRun<'a, C, S>
where
    C: NumberedConfig,
    S: LogUnderTest<C>,
{
    pub(super) fn new(subject: &'a S, disk: SimDisk) -> Self {
        ScriptRun {
            subject,
            disk,
            store: None,
            history: LogHistory::new(),
            pending: VecDeque::new(),
        }
    }

    pub(super) fn open(&mut self) -> io::Result<()> {
        self.store = Some(self.subject.open(self.disk.storage())?);
        Ok(())
    }

    fn store(&mut self) -> &mut S::Store {
        self.store.as_mut().expect("it is open")
    }

    pub(super) fn carry_out(&mut self, call: LogCall) -> io::Result<()> {
        let subject = self.subject;
        match call {
            LogCall::Vote(term, node, elected) => {
                let leader = C::LeaderId::new(term.into(), node.into());
                let vote = VoteOf::<C>::from_leader_id(leader, elected);
                self.history.votes.push(Some(vote.clone()));
                answer(subject, self.store().save_vote(&vote))?;
                self.history.durable_vote = self.history.votes.len() - 1;
            }
            LogCall::Append(term, count) => {
                let first = self.history.log().last().map_or(0, |last| last + 1);
                let ids = (first..first + count).map(|index| id::<C>(term, index));
                self.append(ids.map(C::Entry::new_blank).collect())?;
            }
            LogCall::Membership(term) => {
                let next = self.history.log().last().map_or(0, |last| last + 1);
                let nodes: BTreeMap<C::NodeId, C::Node> =
                    [1, 2].map(|node| (node.into(), C::Node::default())).into();
                let voters = vec![nodes.keys().cloned().collect()];
                let membership = Membership::new(voters, nodes).expect("each voter has a node");
                let entry = C::Entry::new_membership(id::<C>(term, next), membership);
                self.append(vec![entry])?;
            }
            LogCall::Truncate(after) => {
                let kept = self.id_at(after);
                let mut log = self.history.log().clone();
                log.entries.split_off(&(after + 1));
                self.history.logs.push(log);
                answer(subject, self.store().truncate_after(Some(kept)))?;
            }
            LogCall::Purge(upto) => {
                let id = self.id_at(upto);
                let mut log = self.history.log().clone();
                let kept = log.entries.split_off(&(upto + 1));
                self.history.purged.append(&mut log.entries);
                (log.purged, log.entries) = (Some(upto), kept);
                self.history.logs.push(log);
                answer(subject, self.store().purge(id))?;
            }
            LogCall::Commit(index) => {
                let id = self.id_at(index);
                self.history.committed.push(Some(index));
                answer(subject, self.store().save_committed(Some(id)))?;
            }
            LogCall::Settle => self.settle()?,
            LogCall::Reopen => {
                self.settle()?;
                // Whatever is left to do holds the store.
                self.subject.run_scheduled();
                self.store = None;
                self.open()?;
            }
        }
        self.take_answers()
    }

    fn append(&mut self, entries: Vec<C::Entry>) -> io::Result<()> {
        for entry in &entries {
            let mut log = self.history.log().clone();
            log.entries.insert(entry.index(), json_of::<C>(entry));
            self.history.logs.push(log);
        }
        let (sender, receiver) = C::oneshot();
        let durable = self.history.logs.len() - 1;
        self.pending.push_back((durable, receiver));
        let subject = self.subject;
        let appended = self.store().append(entries, IOFlushed::signal(sender));
        answer(subject, appended)
    }

    /// The id of an entry that the store must still have.
    fn id_at(&mut self, index: u64) -> LogIdOf<C> {
        let subject = self.subject;
        let store = self.store();
        let entries = answer(subject, async {
            let mut reader = store.get_log_reader().await;
            reader.try_get_log_entries(index..=index).await
        });
        let entries = entries.unwrap_or_default();
        entries
            .first()
            .map_or_else(|| id::<C>(0, index), RaftEntry::log_id)
    }

    /// Notes what is answered by now.
    fn take_answers(&mut self) -> io::Result<()> {
        while let Some((durable, receiver)) = self.pending.front_mut() {
            match poll_once(Pin::new(receiver)) {
                Poll::Pending => break,
                Poll::Ready(Ok(answer)) => answer?,
                Poll::Ready(Err(error)) => return Err(io::Error::other(error.to_string())),
            }
            self.history.durable_log = self.history.durable_log.max(*durable);
            self.pending.pop_front();
        }
        Ok(())
    }

    fn settle(&mut self) -> io::Result<()> {
        for _ in 0..PATIENCE {
            self.take_answers()?;
            if self.pending.is_empty() {
                return Ok(());
            }
            self.subject.run_scheduled();
            thread::yield_now();
        }
        panic!("an append is never answered");
    }
}

fn id<C: NumberedConfig>(term: u64, index: u64) -> LogIdOf<C> {
    log_id::<C>(term, 1.into(), index)
}

fn json_of<C: RaftTypeConfig>(entry: &C::Entry) -> String {
    serde_json::to_string(entry).expect("an entry without a command can be written")
}

fn poll_once<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Waits for a call of the store.
pub(super) fn answer<C: RaftTypeConfig, S: LogUnderTest<C>, F: Future>(
    subject: &S,
    call: F,
) -> F::Output {
    let mut call = pin!(call);
    for _ in 0..PATIENCE {
        match poll_once(call.as_mut()) {
            Poll::Ready(answer) => return answer,
            Poll::Pending => subject.run_scheduled(),
        }
        thread::yield_now();
    }
    panic!("a call is never answered");
}

/// What a store shows.
pub(super) async fn shown<C: RaftTypeConfig, L: RaftLogStorage<C>>(
    store: &mut L,
) -> io::Result<ShownLog<C>> {
    let state = store.get_log_state().await?;
    let committed = store.read_committed().await?;
    let mut reader = store.get_log_reader().await;
    let vote = reader.read_vote().await?;
    let entries = reader.try_get_log_entries(0..=u64::MAX).await?;
    let entries = entries
        .iter()
        .map(|entry| (entry.index(), json_of::<C>(entry)));
    let log = ModelLog {
        purged: state.last_purged_log_id.map(|id| id.index),
        entries: entries.collect(),
    };
    let last = state.last_log_id.map(|id| id.index);
    if last != log.last() {
        let reason = format!("it says that {last:?} is the last entry, but has {log:?}");
        return Err(io::Error::other(reason));
    }
    let committed = committed.map(|id| id.index);
    Ok(ShownLog {
        vote,
        committed,
        log,
    })
}
