//! The network: what becomes of each message, and what is under way.
//!
//! A message that is lost is lost without a word: who waits for an answer waits until its own time is
//! over. (Were it told at once it would try again at once, for ever at one moment of virtual time.)

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use crate::chaos::{Direction, NetworkRates};
use crate::draws::Purpose;
use crate::entry::NodeId;
use crate::executor::Executor;
use crate::host::{BoxFuture, Message};
use crate::process_id::ProcessId;
use crate::replica::Replica;

/// Why a message did not arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DropCause {
    /// A partition lies between the two.
    Partition,
    /// The network lost it.
    Lost,
    /// The one that it went to was down when it came.
    NobodyThere,
}

/// What became of a message.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum MessageFate {
    /// It did not arrive.
    Dropped(DropCause),
    /// It arrives at these times, in nanoseconds of virtual time: once or twice.
    Arrives(Vec<u64>),
}

/// A message between two nodes, for the log of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MessageRecord {
    /// When it was sent, in nanoseconds of virtual time; in the second record of one that found nobody,
    /// when it came.
    pub at: u64,
    /// Who sent it.
    pub from: NodeId,
    /// To whom.
    pub to: NodeId,
    /// What it is.
    pub kind: &'static str,
    /// What it says.
    pub summary: String,
    /// What became of it.
    pub fate: MessageFate,
}

/// What is done with an answer when it arrives.
pub(crate) type AnswerParcel = Box<dyn FnOnce() + Send>;

/// What a client or an operator asks of a replica.
pub(crate) type RequestParcel = Box<dyn FnOnce(Arc<dyn Replica>) -> BoxFuture<AnswerParcel> + Send>;

/// What is under way.
pub(crate) enum Parcel {
    /// From a replica to a replica.
    Message(Message),
    /// From a client to a replica.
    Request(RequestParcel),
    /// From a replica to a client.
    Answer(AnswerParcel),
}

/// Something that arrives.
pub(crate) struct Arrival {
    pub(crate) from: NodeId,
    pub(crate) to: NodeId,
    pub(crate) parcel: Parcel,
}

/// Messages that do not get through until some moment.
#[derive(Debug)]
struct Blockade {
    until: u64,
    /// Machines of one side.
    side: BTreeSet<u64>,
    direction: Direction,
}

/// How many messages there were.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Traffic {
    pub(crate) messages: u64,
    pub(crate) dropped: u64,
    pub(crate) duplicated: u64,
}

/// The network of one simulation.
#[derive(Default)]
pub(crate) struct Network {
    rates: NetworkRates,
    blocks: Vec<Blockade>,
    /// The machine of each node that there is.
    machines: BTreeMap<NodeId, u64>,
    /// The process of each node that is up.
    live: BTreeMap<NodeId, ProcessId>,
    arrivals: BTreeMap<(u64, u64), Arrival>,
    last: u64,
    pub(crate) traffic: Traffic,
    log: Option<Vec<MessageRecord>>,
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Network");
        debug.field("rates", &self.rates).field("live", &self.live);
        debug.finish_non_exhaustive()
    }
}

impl Network {
    pub(crate) fn new(log: bool) -> Self {
        Network {
            log: log.then(Vec::new),
            ..Network::default()
        }
    }

    pub(crate) fn take_log(&mut self) -> Option<Vec<MessageRecord>> {
        self.log.take()
    }

    /// A node runs on a machine from now on, in place of an earlier one.
    pub(crate) fn settle(&mut self, node: NodeId, machine: u64) {
        self.machines.retain(|_, other| *other != machine);
        self.machines.insert(node, machine);
    }

    /// The nodes that there are, up or not.
    pub(crate) fn nodes(&self) -> Vec<NodeId> {
        self.machines.keys().copied().collect()
    }

    /// The node of a machine.
    pub(crate) fn node_of(&self, machine: u64) -> Option<NodeId> {
        let mut nodes = self.machines.iter();
        nodes.find(|(_, at)| **at == machine).map(|(node, _)| *node)
    }

    pub(crate) fn comes_up(&mut self, process: ProcessId) {
        self.live.insert(process.node, process);
    }

    pub(crate) fn goes_down(&mut self, process: ProcessId) {
        self.live.remove(&process.node);
    }

    /// Whether the process is the one of its node that is up; the world always is.
    pub(crate) fn is_live(&self, process: ProcessId) -> bool {
        process == ProcessId::WORLD || self.live.get(&process.node) == Some(&process)
    }

    pub(crate) fn set_rates(&mut self, rates: NetworkRates) {
        self.rates = rates;
    }

    /// Messages between `side` and all others do not get through until `until`.
    pub(crate) fn cut(&mut self, side: BTreeSet<u64>, direction: Direction, until: u64) {
        self.blocks.push(Blockade {
            until,
            side,
            direction,
        });
    }

    /// All partitions end.
    pub(crate) fn heal(&mut self) {
        self.blocks.clear();
    }

    /// Whether messages from one node to the other do not get through.
    fn is_cut(&mut self, from: NodeId, to: NodeId, now: u64) -> bool {
        self.blocks.retain(|block| block.until > now);
        if self.blocks.is_empty() {
            return false;
        }
        let (Some(from), Some(to)) = (self.machines.get(&from), self.machines.get(&to)) else {
            return false;
        };
        self.blocks.iter().any(|block| {
            let leaves = block.side.contains(from) && !block.side.contains(to);
            let enters = block.side.contains(to) && !block.side.contains(from);
            match block.direction {
                Direction::Both => leaves || enters,
                Direction::Out => leaves,
                Direction::In => enters,
            }
        })
    }

    fn delay(&self, executor: &Executor) -> u64 {
        let range = self.rates.delay_us;
        // Nanoseconds, so that hardly two messages come at one moment.
        let delay = executor.draw(Purpose::Network, range.least * 1_000, range.most * 1_000);
        match happens(executor, self.rates.slow_per_mille) {
            // Some are so late that the sender has started over, in a later term perhaps.
            true if executor.draw(Purpose::Network, 0, 7) == 0 => delay * 200,
            true => delay * 10,
            false => delay,
        }
    }

    /// What becomes of a message that is sent now.
    fn fate(&mut self, executor: &Executor, from: NodeId, to: NodeId, once: bool) -> MessageFate {
        let now = executor.now();
        if self.is_cut(from, to, now) {
            return MessageFate::Dropped(DropCause::Partition);
        }
        if happens(executor, self.rates.drop_per_mille) {
            return MessageFate::Dropped(DropCause::Lost);
        }
        let mut times = vec![now + self.delay(executor)];
        if !once && happens(executor, self.rates.duplicate_per_mille) {
            times.push(now + self.delay(executor));
        }
        MessageFate::Arrives(times)
    }

    fn put(&mut self, at: u64, arrival: Arrival) {
        self.last += 1;
        self.arrivals.insert((at, self.last), arrival);
    }

    /// Sends a message from a replica to a replica.
    pub(crate) fn send(&mut self, executor: &Executor, from: NodeId, to: NodeId, message: Message) {
        let fate = self.fate(executor, from, to, false);
        self.traffic.messages += 1;
        if let Some(log) = &mut self.log {
            log.push(MessageRecord {
                at: executor.now(),
                from,
                to,
                kind: message.kind,
                summary: message.summary.clone(),
                fate: fate.clone(),
            });
        }
        let MessageFate::Arrives(times) = fate else {
            self.traffic.dropped += 1;
            return;
        };
        self.traffic.duplicated += times.len() as u64 - 1;
        for at in times {
            let parcel = Parcel::Message(message.clone());
            self.put(at, Arrival { from, to, parcel });
        }
    }

    /// Sends something to a client or from one; partitions leave clients alone, and nothing of theirs
    /// arrives twice: a request that is sent twice is two requests.
    pub(crate) fn send_once(&mut self, executor: &Executor, arrival: Arrival) {
        let fate = self.fate(executor, arrival.from, arrival.to, true);
        if let MessageFate::Arrives(times) = fate {
            self.put(times[0], arrival);
        }
    }

    /// When something arrives next.
    pub(crate) fn next(&self) -> Option<u64> {
        self.arrivals.first_key_value().map(|((at, _), _)| *at)
    }

    /// What has arrived by now and was not taken yet.
    pub(crate) fn take(&mut self, now: u64) -> Option<Arrival> {
        let first = self.arrivals.first_entry()?;
        (first.key().0 <= now).then(|| first.remove())
    }

    /// What arrived found nobody.
    pub(crate) fn found_nobody(&mut self, now: u64, arrival: &Arrival) {
        let Parcel::Message(message) = &arrival.parcel else {
            return;
        };
        self.traffic.dropped += 1;
        if let Some(log) = &mut self.log {
            log.push(MessageRecord {
                at: now,
                from: arrival.from,
                to: arrival.to,
                kind: message.kind,
                summary: message.summary.clone(),
                fate: MessageFate::Dropped(DropCause::NobodyThere),
            });
        }
    }
}

fn happens(executor: &Executor, per_mille: u32) -> bool {
    per_mille > 0 && executor.draw(Purpose::Network, 0, 999) < u64::from(per_mille)
}

#[cfg(test)]
mod tests;
