//! What an action of the chaos does to the cluster.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use beaver_disk::{CallEffect, CrashPoint, DiskEvent, Moment, Noticed, SimDisk, Space};

use crate::chaos::{ChaosKind, Death, Direction, DiskRole, MachineStrike};
use crate::cluster_node::ClusterNode;
use crate::observation::Observation;
use crate::operator::at_leader;
use crate::process_id::ProcessId;
use crate::ready::lock;
use crate::referee::Trap;
use crate::replica::AdminRequest;
use crate::world::{Cluster, Errand, MS};

impl Cluster<'_> {
    /// Does one action.
    pub(crate) fn act(&mut self, action: ChaosKind) {
        match action {
            ChaosKind::Strike { machine, strike } => self.strike(machine, strike),
            ChaosKind::Aimed {
                when,
                machine,
                after_us,
                strike,
            } => lock(&self.shared.referee).set_trap(Trap {
                when,
                machine,
                after_us,
                strike,
            }),
            ChaosKind::PowerCutAll { survivors, down_ms } => {
                let death = Death::PowerCut(survivors);
                for (turn, machine) in (1..).zip(1..=self.nodes.len() as u64) {
                    self.crash(machine, &death, down_ms.saturating_mul(turn));
                }
            }
            ChaosKind::Partition {
                machines,
                direction,
                ms,
            } => {
                let until = self.now() + ms * MS;
                lock(&self.shared.network).cut(machines, direction, until);
            }
            ChaosKind::Heal => lock(&self.shared.network).heal(),
            ChaosKind::Network(rates) => lock(&self.shared.network).set_rates(rates),
            // A machine whose disk rots may lose its disks when it starts: until then it must not be one
            // that the others cannot do without.
            ChaosKind::ChangeVoters { .. } if self.nodes.iter().any(|node| node.rotten) => {
                self.counts.skipped += 1;
            }
            ChaosKind::ChangeVoters { machines } => self.change_voters(&machines),
            ChaosKind::TransferLeadership { machine } => {
                let Some(node) = lock(&self.shared.network).node_of(machine) else {
                    self.counts.skipped += 1;
                    return;
                };
                let shared = self.shared.clone();
                let task = async move {
                    at_leader(&shared, AdminRequest::TransferLeadership(node)).await;
                };
                self.executor.spawn(ProcessId::WORLD, Box::pin(task));
            }
        }
    }

    /// Makes the nodes of these machines the voters that the operator is to bring about.
    pub(crate) fn change_voters(&mut self, machines: &BTreeSet<u64>) {
        let chosen = self
            .nodes
            .iter()
            .filter(|node| machines.contains(&node.machine));
        let voters: BTreeSet<_> = chosen.map(|node| node.node).collect();
        if voters.is_empty() {
            return;
        }
        let mut wanted = lock(&self.shared.wanted);
        // A node that was a voter once and is none now is still known.
        wanted.voters = voters;
        wanted.version += 1;
    }

    /// Something happens to a machine; nothing, if it is down.
    pub(crate) fn strike(&mut self, machine: u64, strike: MachineStrike) {
        let now = self.now();
        let Some(place) = self.nodes.iter().position(|node| node.machine == machine) else {
            self.counts.skipped += 1;
            return;
        };
        let node = &mut self.nodes[place];
        let Some(process) = node.process() else {
            self.counts.skipped += 1;
            return;
        };
        match strike {
            MachineStrike::Crash { death, down_ms } => self.crash(machine, &death, down_ms),
            MachineStrike::CrashAtCall {
                disk,
                call,
                moment,
                death,
                down_ms,
            } => plan_crash(node, disk, call, moment, (death, down_ms)),
            MachineStrike::Isolate { direction, ms } => {
                let side = BTreeSet::from([machine]);
                lock(&self.shared.network).cut(side, direction, now + ms * MS);
            }
            MachineStrike::Pause { ms } => self.executor.pause(process, now + ms * MS),
            MachineStrike::Suspend { ms } => {
                let until = now + ms * MS;
                self.executor.pause(process, until);
                lock(&self.shared.network).cut([machine].into(), Direction::In, until);
            }
            MachineStrike::ClockStep { ms } => {
                let step = ms.saturating_mul(1_000_000);
                node.day_offset.fetch_add(step, Ordering::Relaxed);
            }
            MachineStrike::ClockDrift { ppm } => self.executor.set_drift(process, ppm),
            MachineStrike::FailCall {
                disk,
                op,
                call,
                fault,
            } => lock(&node.faults[disk.place()]).add(op, call, fault),
            MachineStrike::FullDisk {
                disk,
                room,
                noticed,
                ms,
            } => {
                fill(&node.disks[disk.place()], room, noticed);
                self.plan(now + ms * MS, Errand::MakeRoom(machine, disk));
            }
            MachineStrike::Rot {
                disk,
                file,
                spot,
                bit,
                down_ms,
            } => {
                if self.may_lose(machine) {
                    self.crash(machine, &Death::Kill(CallEffect::Nothing), down_ms);
                    let node = &mut self.nodes[place];
                    node.rotten |= rot(node, disk, file, spot, bit);
                }
            }
            MachineStrike::TakeSnapshot => self.take_snapshot(place),
            MachineStrike::Wipe { down_ms } => {
                if self.may_lose(machine) {
                    self.wipe(machine, down_ms);
                }
            }
        }
    }

    fn take_snapshot(&self, place: usize) {
        let node = &self.nodes[place];
        if let (Some(process), Some(replica)) = (node.process(), node.replica().cloned()) {
            let task = async move {
                // That it was not done is an answer too.
                let _ = replica.admin(AdminRequest::TakeSnapshot).await;
            };
            self.executor.spawn(process, Box::pin(task));
        }
    }

    /// Whether the cluster may lose what is on the disks of a machine: the others are a quorum that has
    /// everything, no machine has lost its disks that is not replaced yet, and no change is under way. If
    /// not, the action is skipped.
    fn may_lose(&mut self, machine: u64) -> bool {
        let wanted = lock(&self.shared.wanted);
        let settled = wanted.version == wanted.done && wanted.new.is_empty();
        let referee = lock(&self.shared.referee);
        let voters = referee.newest_voters();
        let known = voters == Some(&wanted.voters);
        let rotten = self.nodes.iter().any(|node| node.rotten);
        let node = self.nodes.iter().find(|node| node.machine == machine);
        let enough = node
            .is_some_and(|node| wanted.voters.len() >= 3 || !wanted.voters.contains(&node.node));
        let may = settled && known && !rotten && enough;
        self.counts.skipped += u64::from(!may);
        may
    }

    /// The disks of a machine are replaced by empty ones, and a new node takes the place of the old one.
    pub(crate) fn wipe(&mut self, machine: u64, down_ms: u64) {
        self.crash(machine, &Death::Kill(CallEffect::Nothing), down_ms);
        let Some(place) = self.nodes.iter().position(|node| node.machine == machine) else {
            return;
        };
        let node = &self.nodes[place];
        let (old, number) = (node.node, node.processes);
        let calls = node.disks.iter().map(SimDisk::calls);
        self.counts.calls_before += calls.sum::<u64>();
        self.counts.wiped += 1;
        let profile = node.disks[0].disk().profile();
        if self.engine.is_rejoined_when_wiped() {
            self.nodes[place] = ClusterNode::new(machine, old, profile);
            self.nodes[place].processes = number;
            return;
        }
        self.last_node += 1;
        let new = self.last_node;
        let process = ProcessId { node: old, number };
        self.observe(process, Observation::Wiped);
        self.nodes[place] = ClusterNode::new(machine, new, profile);
        lock(&self.shared.network).settle(new, machine);
        let mut wanted = lock(&self.shared.wanted);
        if wanted.voters.remove(&old) {
            wanted.voters.insert(new);
        }
        wanted.new.remove(&old);
        wanted.new.insert(new);
        wanted.version += 1;
    }
}

/// A disk takes only `room` more bytes.
fn fill(disk: &SimDisk, room: u64, noticed: Noticed) {
    disk.set_space(Some(Space {
        noticed,
        ..Space::of(disk.disk().used().saturating_add(room))
    }));
}

/// The process of a machine dies at one of its next storage calls.
fn plan_crash(
    node: &mut ClusterNode,
    disk: DiskRole,
    call: u64,
    moment: Moment,
    planned: (Death, u64),
) {
    let struck = &node.disks[disk.place()];
    let call = struck.calls() + call.max(1);
    struck.crash_at(Some(CrashPoint { call, moment }));
    node.planned = Some(planned);
}

/// A bit in the first half of a file turns. Its end is left alone: an end that is damaged looks like
/// one that was never acknowledged, and no proof of it need be left elsewhere. `false`: there is no such
/// file, or no such half.
fn rot(node: &ClusterNode, role: DiskRole, file: u64, spot: u64, bit: u8) -> bool {
    let disk = &node.disks[role.place()];
    let live = disk.live();
    let files = live
        .names()
        .filter(|name| live.len_of(name).unwrap_or(0) >= 512);
    let files: Vec<&str> = files.collect();
    let Some(place) = file.checked_rem(files.len() as u64) else {
        return false;
    };
    let file = files[usize::try_from(place).expect("a few files")];
    let content = live.read(file).unwrap_or_default();
    let content = content.trim_ascii_end().len() as u64;
    // A turned bit in the last batch of a log cannot be told from a batch that was never finished, so
    // only what later batches vouch for is hit.
    let part = match (role, content) {
        (DiskRole::Snapshots, _) => content / 2,
        (DiskRole::Log, 4_096..) => content / 8,
        (DiskRole::Log, _) => return false,
    };
    // A file of blanks alone has no such part.
    let Some(offset) = spot.checked_rem(part) else {
        return false;
    };
    disk.happen(&DiskEvent::FlipBit {
        file: file.to_owned(),
        offset,
        bit: bit % 8,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use beaver_disk::Profile;
    use beaver_storage::write_all;

    #[test]
    fn a_file_of_blanks_has_no_bit_to_turn() {
        let node = ClusterNode::new(1, 1, Profile::Posix);
        let disk = node.disks[DiskRole::Snapshots.place()].storage();
        let file = disk.create("blank").unwrap();
        write_all(&*file, &[b' '; 600], 0).unwrap();
        file.sync_data().unwrap();
        disk.sync_dir().unwrap();
        assert!(!rot(&node, DiskRole::Snapshots, 0, 7, 1));
    }
}
