//! Three cores without a world: messages in a bag, disks that forget what was not flushed, an order
//! drawn from a seed.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use beaver::StateMachine;
use beaver_sim::stream::Stream;

use super::super::bug::PlantedBug;
use super::super::message::{RaftMessage, SnapshotFile};
use super::super::record::{RaftRecord, SmallLog};
use super::{RaftCore, RaftOutput, SavedState};
use crate::entry::{NodeId, ObservedEntry};
use crate::observation::Observation;
use crate::operation::{ClientRequest, ClientResponse};
use crate::replica::AdminRequest;

struct Member {
    core: RaftCore,
    disk: SavedState,
    queue: VecDeque<Option<RaftRecord>>,
    written: u64,
    saves: VecDeque<SnapshotFile>,
}

/// What must hold, as far as a few lines can say it.
#[derive(Default)]
struct Promises {
    leaders: BTreeMap<u64, NodeId>,
    applied: BTreeMap<u64, (ObservedEntry, u64)>,
    written: u64,
    broken: Option<String>,
}

struct Bag {
    random: Stream,
    now: Duration,
    bug: Option<PlantedBug>,
    members: BTreeMap<NodeId, Member>,
    messages: Vec<(NodeId, NodeId, RaftMessage)>,
    promises: Promises,
    calls: u64,
}

impl Promises {
    fn observe(&mut self, node: NodeId, what: &Observation) {
        match what {
            Observation::Leads { term } => {
                let first = *self.leaders.entry(*term).or_insert(node);
                if first != node {
                    self.broken = Some(format!("{first} and {node} lead in term {term}"));
                }
            }
            Observation::Applied { entry, state } => {
                let index = entry.id.index;
                let now = (entry.clone(), *state);
                let first = self.applied.entry(index).or_insert_with(|| now.clone());
                if *first != now {
                    self.broken = Some(format!("{first:?} and {now:?} are applied at {index}"));
                }
            }
            _ => {}
        }
    }
}

impl Bag {
    fn new(seed: u64, bug: Option<PlantedBug>) -> Self {
        let mut bag = Bag {
            random: Stream::new(seed, "bag"),
            now: Duration::ZERO,
            bug,
            members: BTreeMap::new(),
            messages: Vec::new(),
            promises: Promises::default(),
            calls: 0,
        };
        for node in 1..=3 {
            bag.start(node, SavedState::default());
            let founders = BTreeSet::from([1, 2, 3]);
            bag.with(node, |core, _| core.found(founders));
            bag.flush(node);
        }
        bag
    }

    fn start(&mut self, node: NodeId, disk: SavedState) {
        let seed = self.random.draw(0, u64::MAX);
        let core = RaftCore::recover(node, self.bug, seed, self.now, disk.clone());
        let member = Member {
            core: core.unwrap(),
            disk,
            queue: VecDeque::new(),
            written: 0,
            saves: VecDeque::new(),
        };
        self.members.insert(node, member);
        self.settle(node);
    }

    fn with(&mut self, node: NodeId, input: impl FnOnce(&mut RaftCore, Duration)) {
        let now = self.now;
        input(&mut self.members.get_mut(&node).unwrap().core, now);
        self.settle(node);
    }

    fn settle(&mut self, node: NodeId) {
        let member = self.members.get_mut(&node).unwrap();
        for output in member.core.take_outputs() {
            match output {
                RaftOutput::Record(record) => member.queue.push_back(Some(record)),
                RaftOutput::OwnWrite => member.queue.push_back(None),
                RaftOutput::Send { to, message } => self.messages.push((node, to, message)),
                RaftOutput::SaveSnapshot(file) => member.saves.push_back(file),
                RaftOutput::Answer { response, .. } => {
                    self.promises.written += u64::from(response == ClientResponse::Written);
                }
                RaftOutput::AdminAnswer { .. } => {}
                RaftOutput::Observe(what) => self.promises.observe(node, &what),
            }
        }
    }

    fn flush(&mut self, node: NodeId) {
        let member = self.members.get_mut(&node).unwrap();
        while let Some(Some(record)) = member.queue.pop_front() {
            member.disk.log.apply(&record).unwrap();
            member.written += 1;
        }
        let written = member.written;
        self.with(node, |core, now| core.flushed(now, written));
    }

    fn save(&mut self, node: NodeId) {
        let member = self.members.get_mut(&node).unwrap();
        if let Some(file) = member.saves.pop_front() {
            member.disk.snapshot = Some(Arc::clone(&file.state));
            self.with(node, |core, now| core.snapshot_saved(now).unwrap());
        }
    }

    fn deliver(&mut self, is_kept: bool) {
        if self.messages.is_empty() {
            return;
        }
        let place = self.random.index(self.messages.len());
        let (from, to, message) = self.messages[place].clone();
        if !is_kept {
            self.messages.swap_remove(place);
        }
        self.with(to, |core, now| core.receive(now, from, message));
    }

    fn tick(&mut self) {
        self.now += Duration::from_millis(15);
        for node in 1..=3 {
            self.with(node, |core, now| core.tick(now));
        }
    }

    fn call(&mut self, node: NodeId) {
        self.calls += 1;
        let (call, key) = (self.calls, self.calls % 3);
        let request = match self.random.draw(0, 3) {
            0 => ClientRequest::Read { key },
            _ => ClientRequest::Write { key, value: call },
        };
        self.with(node, |core, now| core.call(now, now, call, request));
    }

    fn step(&mut self) {
        let node = self.random.draw(1, 3);
        match self.random.draw(0, 999) {
            0..500 => self.deliver(false),
            500..520 => self.deliver(true),
            520..550 if !self.messages.is_empty() => {
                let place = self.random.index(self.messages.len());
                self.messages.swap_remove(place);
            }
            550..700 => self.flush(node),
            700..750 => self.save(node),
            750..870 => self.tick(),
            870..985 => self.call(node),
            985..988 => {
                let to = AdminRequest::TransferLeadership(node % 3 + 1);
                self.with(node, |core, now| core.admin(now, 0, to));
            }
            988..992 => {
                let disk = self.members[&node].disk.clone();
                self.start(node, disk);
            }
            _ => {}
        }
    }

    /// Lets everything arrive for a while.
    fn rest(&mut self) {
        for _ in 0..200 {
            self.tick();
            for _ in 0..self.messages.len() {
                self.deliver(false);
            }
            for node in 1..=3 {
                self.flush(node);
                self.save(node);
            }
        }
    }
}

fn run(seed: u64, bug: Option<PlantedBug>) -> Bag {
    let mut bag = Bag::new(seed, bug);
    for _ in 0..4_000 {
        bag.step();
        if bag.promises.broken.is_some() {
            break;
        }
    }
    bag
}

#[test]
fn a_sound_engine_breaks_nothing_and_agrees_at_rest() {
    let (mut written, mut installed) = (0, 0);
    for seed in 0..100 {
        let mut bag = run(seed, None);
        written += bag.promises.written;
        bag.rest();
        assert_eq!(bag.promises.broken, None, "seed {seed}");
        let applied: BTreeSet<_> = bag.members.values().map(|m| m.core.applied()).collect();
        assert_eq!(applied.len(), 1, "seed {seed}: {applied:?}");
        installed += bag
            .members
            .values()
            .filter(|m| m.disk.snapshot.is_some())
            .count();
        let before = bag.promises.written;
        for node in 1..=3 {
            bag.calls += 4;
            bag.with(node, |core, now| {
                core.call(now, now, 0, ClientRequest::Write { key: 1, value: 1 });
            });
        }
        bag.rest();
        assert!(bag.promises.written > before, "seed {seed}: nobody leads");
    }
    assert!(written > 1_000 && installed > 100, "{written} {installed}");
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let one = run(7, None);
    let other = run(7, None);
    assert_eq!(one.promises.applied, other.promises.applied);
    assert_eq!(one.messages.len(), other.messages.len());
}

#[test]
#[cfg_attr(
    debug_assertions,
    ignore = "long where nothing is optimised: with --release"
)]
fn bugs_that_need_no_world_are_seen() {
    for bug in [
        PlantedBug::VoteAnsweredBeforeDurable,
        PlantedBug::AppendAcknowledgedBeforeFlush,
        PlantedBug::CommitWithoutQuorum,
    ] {
        let seen = (0..400).any(|seed| run(seed, Some(bug)).promises.broken.is_some());
        assert!(seen, "{bug}");
    }
}

#[test]
fn a_snapshot_that_the_log_does_not_reach_is_refused() {
    let log = SmallLog {
        purged: crate::entry::EntryId::new(2, 9),
        ..SmallLog::default()
    };
    let saved = SavedState {
        log,
        snapshot: None,
    };
    let core = RaftCore::recover(1, None, 1, Duration::ZERO, saved);
    assert_eq!(
        core.err().as_deref(),
        Some("the log begins after 2.9, the snapshot ends at 0.0")
    );
}

#[test]
fn a_node_that_hears_a_leader_does_not_help_to_replace_it() {
    let mut bag = Bag::new(1, None);
    bag.rest();
    let (leader, term) = bag
        .promises
        .leaders
        .iter()
        .next_back()
        .map(|(t, n)| (*n, *t))
        .unwrap();
    let other = leader % 3 + 1;
    bag.messages.clear();
    let body = super::super::message::RaftBody::RequestVote {
        last: crate::entry::EntryId::new(99, 99),
        transfer: false,
    };
    let message = RaftMessage {
        term: term + 5,
        body,
    };
    bag.with(other, |core, now| core.receive(now, 3, message));
    bag.rest();
    assert_eq!(bag.promises.leaders.keys().next_back(), Some(&term));
}
