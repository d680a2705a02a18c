//! How a run ends: everything is healed, the cluster agrees and answers, and what clients learned and
//! what is on the disks is judged.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use crate::chaos::NetworkRates;
use crate::client::RunningClient;
use crate::linearizability::{DEFAULT_BUDGET, HistoryVerdict, judge};
use crate::process_id::ProcessId;
use crate::promises::UNDECIDED;
use crate::ready::lock;
use crate::world::{Cluster, Errand, MS};

impl Cluster<'_> {
    /// Nothing goes wrong any more, and all machines come up.
    pub(crate) fn heal(&mut self) {
        let mut network = lock(&self.shared.network);
        network.heal();
        network.set_rates(NetworkRates::CALM);
        drop(network);
        lock(&self.shared.referee).clear_traps();
        self.agenda.clear();
        let now = self.now();
        for place in 0..self.nodes.len() {
            let node = &mut self.nodes[place];
            let machine = node.machine;
            node.heal_disks();
            if let Some(process) = node.process() {
                self.executor.pause(process, now);
            }
            self.plan(now + MS, Errand::Boot(machine));
        }
        let all: BTreeSet<u64> = self.nodes.iter().map(|node| node.machine).collect();
        self.change_voters(&all);
        let mut wanted = lock(&self.shared.wanted);
        let voters = wanted.voters.clone();
        wanted.new.extend(voters);
    }

    pub(crate) fn wait_until(&mut self, what: &str, done: impl Fn(&Self) -> bool) {
        let give_up = self.now() + self.shared.scenario.heal_s * 1_000 * MS;
        while !self.is_violated() && !done(self) {
            if self.now() >= give_up {
                let nodes = self.nodes.iter().map(|node| match node.replica() {
                    None => format!("node {} is not up", node.node),
                    Some(replica) => {
                        let ((state, index), leader) = (replica.applied(), replica.leader());
                        let leader =
                            leader.map_or("nobody".to_owned(), |leader| leader.to_string());
                        let node = node.node;
                        format!("node {node} applied {index}, state {state:x}, follows {leader}")
                    }
                });
                let nodes: Vec<String> = nodes.collect();
                let seconds = self.shared.scenario.heal_s;
                let clients = self.shared.clients_at_work.load(Ordering::Relaxed);
                let wanted = lock(&self.shared.wanted);
                let changed = wanted.version == wanted.done;
                drop(wanted);
                let text = format!(
                    "no {what} {seconds} s after everything was healed: {}; {clients} clients wait, \
                     the voters are {}those that are wanted",
                    nodes.join("; "),
                    if changed { "" } else { "not " }
                );
                self.violation(0, "liveness", text);
                return;
            }
            self.run_until(self.now() + 50 * MS);
        }
    }

    /// Whether all nodes have applied the same, all of them vote, and no client waits.
    pub(crate) fn agrees(&self) -> bool {
        let wanted = lock(&self.shared.wanted);
        let replicas = self.nodes.iter().map(|node| node.replica());
        let Some(replicas) = replicas.collect::<Option<Vec<_>>>() else {
            return false;
        };
        let applied: BTreeSet<_> = replicas.iter().map(|replica| replica.applied()).collect();
        self.is_idle() && wanted.version == wanted.done && applied.len() == 1
    }

    /// The last reads. Each has as long as the agreement had: how many registers there are must not
    /// decide whether the cluster answers.
    pub(crate) fn read_all(&mut self) {
        if self.is_violated() {
            return;
        }
        let reader = RunningClient::new(&self.shared);
        self.shared.clients_at_work.fetch_add(1, Ordering::Relaxed);
        self.executor
            .spawn(ProcessId::WORLD, Box::pin(reader.read_all()));
        while !self.is_violated() && !self.is_idle() {
            let before = self.last_reads();
            self.wait_until("answer to one of the last reads", |cluster| {
                cluster.is_idle() || cluster.last_reads() > before
            });
        }
    }

    /// Whether no client waits.
    fn is_idle(&self) -> bool {
        self.shared.clients_at_work.load(Ordering::Relaxed) == 0
    }

    fn last_reads(&self) -> u64 {
        self.shared.last_reads.load(Ordering::Relaxed)
    }

    /// The check of bounded disks: a log that was purged must have become small on its disk too.
    pub(crate) fn check_disks(&self) {
        let scenario = &self.shared.scenario;
        for node in &self.nodes {
            let used = node.disks[0].disk().used();
            let entries = lock(&self.shared.referee).entries_of(node.node);
            let most = scenario.disk_bytes + entries * scenario.disk_bytes_per_entry;
            if used > most {
                let text =
                    format!("the log has {entries} entries and {used} bytes, more than {most}");
                self.violation(node.node, "bounded disks", text);
            }
        }
    }

    /// What clients asked and learned must have an order.
    pub(crate) fn judge_history(&self) {
        let verdict = judge(&lock(&self.shared.history).operations, DEFAULT_BUDGET);
        if let Some((checker, text)) = broken_by(verdict) {
            self.violation(0, checker, text);
        }
    }
}

/// The promise that a history breaks, and how. That no order was found in time breaks none, and is no
/// pass either.
fn broken_by(verdict: HistoryVerdict) -> Option<(&'static str, String)> {
    match verdict {
        HistoryVerdict::Linearizable => None,
        HistoryVerdict::NotLinearizable(unexplained) => {
            Some(("linearizability", unexplained.to_string()))
        }
        HistoryVerdict::Undecided { object } => {
            let text = format!("not decided for {object} within {DEFAULT_BUDGET} places");
            Some((UNDECIDED, text))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::promises::promise_of;

    #[test]
    fn a_history_that_was_not_judged_to_the_end_breaks_no_promise_and_is_no_pass() {
        let verdict = HistoryVerdict::Undecided {
            object: "register 3".to_owned(),
        };
        let (checker, text) = broken_by(verdict).unwrap();
        assert_eq!(checker, UNDECIDED);
        assert!(text.contains("register 3"), "{text}");
        assert!(promise_of(checker).contains("no promise"));
        assert_eq!(broken_by(HistoryVerdict::Linearizable), None);
    }
}
