//! Draws the chaos of a seed before its run begins.

use beaver_disk::{
    Behaviour, CallEffect, FailedSync, FailureKind, Fault, Moment, Noticed, Profile, Subset,
};
use beaver_sim::scenario::Range;
use beaver_sim::stream::Stream;

use crate::chaos::{
    ChaosAction, ChaosKind, CutSurvivors, Death, Direction, DiskRole, FailedOp, MachineStrike,
    NetworkRates, Trigger,
};
use crate::scenario::{ChaosSort, ClusterScenario};

/// Everything that goes wrong in the run of `seed`, in order.
#[must_use]
pub fn draw_chaos(scenario: &ClusterScenario, seed: u64) -> Vec<ChaosAction> {
    let mut plan = ChaosPlan {
        scenario,
        stream: Stream::new(seed, "chaos"),
    };
    let sorts = plan.sorts();
    let mut actions = vec![ChaosAction {
        at_us: 0,
        what: ChaosKind::Network(plan.network()),
    }];
    let mut at_ms = scenario.warm_up_ms;
    loop {
        at_ms += plan.within(scenario.chaos_every_ms).max(1);
        let sort = plan.stream.pick_weighted(&sorts, |(_, weight)| *weight);
        let Some((sort, _)) = sort.filter(|_| at_ms < scenario.warm_up_ms + scenario.chaos_ms)
        else {
            break;
        };
        let what = plan.action(*sort);
        let at_us = at_ms * 1_000 + plan.stream.draw(0, 999);
        if *sort == ChaosSort::ChangeVoters && plan.stream.coin() {
            actions.extend(plan.half_a_change(at_us));
        }
        actions.push(ChaosAction { at_us, what });
    }
    actions.sort_by_key(|action| action.at_us);
    actions
}

/// What a power cut may leave in the run of `seed`.
pub(crate) fn profile_of(scenario: &ClusterScenario, seed: u64) -> Profile {
    *Stream::new(seed, "profile").pick(&scenario.profiles)
}

struct ChaosPlan<'s> {
    scenario: &'s ClusterScenario,
    stream: Stream,
}

impl ChaosPlan<'_> {
    /// The sorts that this seed draws from, with their weights.
    fn sorts(&mut self) -> Vec<(ChaosSort, u32)> {
        let all = self.scenario.chaos.iter();
        let all: Vec<(ChaosSort, u32)> = all.map(|(sort, weight)| (*sort, *weight)).collect();
        if !self.scenario.swarm {
            return all;
        }
        let mut some = Vec::new();
        for (sort, weight) in &all {
            if self.stream.chance_per_mille(700) {
                let drawn = self.stream.draw(1, 4);
                some.push((*sort, weight * u32::try_from(drawn).expect("4 fits")));
            }
        }
        match some.is_empty() {
            true => all,
            false => some,
        }
    }

    fn network(&mut self) -> NetworkRates {
        let worst = self.scenario.network;
        if !self.scenario.swarm {
            return worst;
        }
        let stream = &mut self.stream;
        let mut rate = |most: u32| match stream.draw(0, 3) {
            0 => 0,
            _ => u32::try_from(stream.draw(0, u64::from(most))).expect("it is below a rate"),
        };
        NetworkRates {
            drop_per_mille: rate(worst.drop_per_mille),
            duplicate_per_mille: rate(worst.duplicate_per_mille),
            slow_per_mille: rate(worst.slow_per_mille),
            delay_us: worst.delay_us,
        }
    }

    /// Around a change of the voters at `at_us`: the leader is cut off before, so that it alone has the
    /// change, and the operator wants all of them again before the next one can make it.
    fn half_a_change(&mut self, at_us: u64) -> [ChaosAction; 2] {
        let cut = ChaosKind::Aimed {
            when: Trigger::Commits,
            machine: None,
            after_us: 0,
            strike: MachineStrike::Isolate {
                direction: Direction::Both,
                ms: self.stream.draw(300, 900),
            },
        };
        let machines = (1..=self.scenario.nodes).collect();
        let before_us = at_us.saturating_sub(self.stream.draw(0, 50_000));
        let after_us = at_us + self.stream.draw(60_000, 300_000);
        [
            ChaosAction {
                at_us: before_us,
                what: cut,
            },
            ChaosAction {
                at_us: after_us,
                what: ChaosKind::ChangeVoters { machines },
            },
        ]
    }

    fn within(&mut self, range: Range) -> u64 {
        self.stream.draw(range.least, range.most)
    }

    fn machine(&mut self) -> u64 {
        self.stream.draw(1, self.scenario.nodes)
    }

    fn down_ms(&mut self) -> u64 {
        self.within(self.scenario.down_ms)
    }

    fn disk(&mut self) -> DiskRole {
        match self.stream.draw(0, 4) {
            0 => DiskRole::Snapshots,
            _ => DiskRole::Log,
        }
    }

    fn action(&mut self, sort: ChaosSort) -> ChaosKind {
        match sort {
            ChaosSort::PowerCutAll => ChaosKind::PowerCutAll {
                survivors: self.survivors(),
                down_ms: self.down_ms() / 2 + 1,
            },
            ChaosSort::Partition => {
                let some = self.stream.draw(1, self.scenario.nodes);
                let all = (1..=self.scenario.nodes).collect();
                let some = usize::try_from(some).expect("a few machines");
                ChaosKind::Partition {
                    machines: self.stream.some_of(all, some).into_iter().collect(),
                    direction: self.direction(),
                    ms: self.stream.draw(20, 900),
                }
            }
            ChaosSort::Heal => ChaosKind::Heal,
            ChaosSort::ChangeVoters => {
                let all: Vec<u64> = (1..=self.scenario.nodes).collect();
                let least = self.scenario.nodes / 2 + 1;
                let some = self.stream.draw(least, self.scenario.nodes);
                let some = usize::try_from(some).expect("a few machines");
                let machines = self.stream.some_of(all, some).into_iter().collect();
                ChaosKind::ChangeVoters { machines }
            }
            ChaosSort::TransferLeadership => ChaosKind::TransferLeadership {
                machine: self.machine(),
            },
            ChaosSort::Aimed => {
                let when = *self.stream.pick(&Trigger::ALL);
                let machine = self.stream.coin().then(|| self.machine());
                ChaosKind::Aimed {
                    when,
                    machine,
                    after_us: self.soon_us(),
                    strike: self.aimed(),
                }
            }
            ChaosSort::LoseLeader => {
                // A leader does these first.
                let by_leaders = [
                    Trigger::Appends,
                    Trigger::BecomesLeader,
                    Trigger::ChangesMembership,
                    Trigger::Commits,
                ];
                ChaosKind::Aimed {
                    when: *self.stream.pick(&by_leaders),
                    machine: None,
                    after_us: self.soon_us(),
                    strike: self.lost(),
                }
            }
            _ => ChaosKind::Strike {
                machine: self.machine(),
                strike: self.strike(sort),
            },
        }
    }

    /// How long after what it waits for an aimed action strikes.
    fn soon_us(&mut self) -> u64 {
        match self.stream.draw(0, 3) {
            0 => 0,
            1 => self.stream.draw(0, 300),
            _ => self.stream.draw(0, 5_000),
        }
    }

    /// A leader that is out of touch for longer than an election takes, and then goes on, has a successor
    /// that it does not know; one that lost power has entries that only others have on their disks.
    fn lost(&mut self) -> MachineStrike {
        let ms = self.stream.draw(300, 900);
        match self.stream.draw(0, 5) {
            0 => MachineStrike::Pause { ms },
            1 | 2 => MachineStrike::Suspend { ms },
            3 | 4 => MachineStrike::Isolate {
                direction: self.direction(),
                ms,
            },
            _ => self.strike(ChaosSort::PowerCut),
        }
    }

    fn aimed(&mut self) -> MachineStrike {
        let sort = match self.stream.draw(0, 9) {
            0..=4 => ChaosSort::PowerCut,
            5..=6 => ChaosSort::Kill,
            7 => ChaosSort::CrashAtCall,
            8 => ChaosSort::Isolate,
            _ => ChaosSort::Pause,
        };
        self.strike(sort)
    }

    fn strike(&mut self, sort: ChaosSort) -> MachineStrike {
        match sort {
            ChaosSort::Kill => MachineStrike::Crash {
                death: Death::Kill(CallEffect::Nothing),
                down_ms: self.down_ms(),
            },
            ChaosSort::CrashAtCall => MachineStrike::CrashAtCall {
                disk: self.disk(),
                call: self.stream.draw(1, 30),
                moment: *self
                    .stream
                    .pick(&[Moment::Before, Moment::Inside, Moment::After]),
                death: self.death(),
                down_ms: self.down_ms(),
            },
            ChaosSort::Isolate => MachineStrike::Isolate {
                direction: self.direction(),
                ms: self.stream.draw(20, 900),
            },
            ChaosSort::Pause => MachineStrike::Pause {
                ms: self.stream.draw(20, 600),
            },
            ChaosSort::ClockStep => MachineStrike::ClockStep {
                ms: i64::try_from(self.stream.draw(0, 20_000)).expect("20 s") - 10_000,
            },
            ChaosSort::ClockDrift => MachineStrike::ClockDrift {
                ppm: i64::try_from(self.stream.draw(0, 20_000)).expect("2 %") - 10_000,
            },
            ChaosSort::FailedSync | ChaosSort::WriteError | ChaosSort::ReadError => {
                self.failed_call(sort)
            }
            ChaosSort::FullDisk => MachineStrike::FullDisk {
                disk: self.disk(),
                room: self.stream.draw(0, 6_000),
                noticed: *self.stream.pick(&[Noticed::OnWrite, Noticed::OnSync]),
                ms: self.stream.draw(10, 500),
            },
            ChaosSort::Rot => MachineStrike::Rot {
                disk: self.disk(),
                file: self.stream.draw(0, 7),
                spot: self.stream.draw(0, 1 << 20),
                bit: u8::try_from(self.stream.draw(0, 7)).expect("7 fits"),
                down_ms: self.down_ms(),
            },
            ChaosSort::TakeSnapshot => MachineStrike::TakeSnapshot,
            ChaosSort::Wipe => MachineStrike::Wipe {
                down_ms: self.down_ms(),
            },
            // Those that strike the whole cluster are made elsewhere.
            _ => MachineStrike::Crash {
                death: Death::PowerCut(self.survivors()),
                down_ms: self.down_ms(),
            },
        }
    }

    fn failed_call(&mut self, sort: ChaosSort) -> MachineStrike {
        let (op, fault, most) = match sort {
            ChaosSort::FailedSync => {
                let failed = match self.stream.coin() {
                    true => Subset::All,
                    false => Subset::Mask(self.stream.draw(0, u64::MAX)),
                };
                let sync = FailedSync {
                    error: *self
                        .stream
                        .pick(&[FailureKind::Io, FailureKind::Interrupted]),
                    behaviour: *self.stream.pick(&Behaviour::ALL),
                    failed,
                    ..FailedSync::default()
                };
                (FailedOp::Sync, Fault::FailedSync(sync), 10)
            }
            ChaosSort::ReadError => (FailedOp::Read, error(CallEffect::Nothing), 4),
            _ => match self.stream.draw(0, 4) {
                0 => (FailedOp::SyncDir, error(CallEffect::Nothing), 3),
                1 => (FailedOp::Create, self.error(), 2),
                2 => (FailedOp::Rename, self.error(), 2),
                _ => {
                    let bytes = CallEffect::Bytes(self.stream.draw(0, 200));
                    (FailedOp::Write, error(bytes), 10)
                }
            },
        };
        MachineStrike::FailCall {
            disk: self.disk(),
            op,
            call: self.stream.draw(1, most),
            fault,
        }
    }

    fn error(&mut self) -> Fault {
        error(match self.stream.coin() {
            true => CallEffect::Nothing,
            false => CallEffect::Everything,
        })
    }

    fn direction(&mut self) -> Direction {
        let directions = [
            Direction::Both,
            Direction::Both,
            Direction::Out,
            Direction::In,
        ];
        *self.stream.pick(&directions)
    }

    fn death(&mut self) -> Death {
        match self.stream.draw(0, 9) {
            0 => Death::Kill(CallEffect::Nothing),
            1 => Death::Kill(CallEffect::Everything),
            2 => Death::Kill(CallEffect::Bytes(self.stream.draw(0, 200))),
            _ => Death::PowerCut(self.survivors()),
        }
    }

    fn survivors(&mut self) -> CutSurvivors {
        match self.stream.draw(0, 9) {
            0 | 1 => CutSurvivors::Nothing,
            2 => CutSurvivors::Everything,
            _ => CutSurvivors::Some {
                per_mille: *self.stream.pick(&[20, 250, 500, 750, 980]),
                salt: self.stream.draw(0, u64::MAX),
                torn: self.stream.coin(),
            },
        }
    }
}

fn error(effect: CallEffect) -> Fault {
    Fault::Error {
        error: FailureKind::Io,
        effect,
        sticky: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_actions_reads_back_from_json() {
        for seed in 0..20 {
            let actions = draw_chaos(&ClusterScenario::default(), seed);
            let text = serde_json::to_string(&actions).unwrap();
            let read: Vec<ChaosAction> = serde_json::from_str(&text).unwrap();
            assert_eq!(read, actions);
        }
    }

    #[test]
    fn every_sort_of_action_is_drawn_by_some_seed() {
        let mut words = std::collections::BTreeSet::new();
        for seed in 0..60 {
            for action in draw_chaos(&ClusterScenario::default(), seed) {
                let kind = match &action.what {
                    ChaosKind::Strike { strike, .. } => format!("{strike:?}"),
                    what => format!("{what:?}"),
                };
                let end = kind.find(|c: char| !c.is_alphanumeric());
                words.insert(kind[..end.unwrap_or(kind.len())].to_owned());
            }
        }
        assert_eq!(words.len(), 18, "{words:?}");
    }

    #[test]
    fn without_weights_nothing_goes_wrong() {
        let scenario = ClusterScenario {
            chaos: [].into(),
            ..ClusterScenario::default()
        };
        assert_eq!(draw_chaos(&scenario, 1).len(), 1, "the network alone");
    }
}
