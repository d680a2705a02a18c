//! What goes wrong, in words.

use std::collections::BTreeSet;
use std::fmt;

use crate::chaos::{
    ChaosAction, ChaosKind, CutSurvivors, Death, Direction, DiskRole, FailedOp, MachineStrike,
    Trigger,
};

impl fmt::Display for ChaosAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, micros) = (self.at_us / 1_000_000, self.at_us % 1_000_000);
        write!(f, "{seconds}.{micros:06} s  {}", self.what)
    }
}

impl fmt::Display for ChaosKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ChaosKind::Strike { machine, strike } => write!(f, "machine {machine}: {strike}"),
            ChaosKind::Aimed {
                when,
                machine,
                after_us,
                strike,
            } => {
                match machine {
                    Some(machine) => write!(f, "from now on, when machine {machine} {when}: ")?,
                    None => write!(f, "from now on, the first machine that {when}: ")?,
                }
                match after_us {
                    0 => write!(f, "at once {strike}"),
                    us => write!(f, "{us} µs later {strike}"),
                }
            }
            ChaosKind::PowerCutAll { survivors, .. } => {
                write!(f, "the power of all machines fails; {survivors}")
            }
            ChaosKind::Partition {
                machines,
                direction,
                ms,
            } => write!(
                f,
                "for {ms} ms {} {}",
                listed(machines),
                direction_text(*direction)
            ),
            ChaosKind::Heal => f.write_str("all partitions end"),
            ChaosKind::Network(rates) => write!(
                f,
                "the network loses {}, repeats {} and delays {} of 1,000 messages; they take {} to {} µs",
                rates.drop_per_mille,
                rates.duplicate_per_mille,
                rates.slow_per_mille,
                rates.delay_us.least,
                rates.delay_us.most
            ),
            ChaosKind::ChangeVoters { machines } => {
                write!(f, "an operator makes {} the voters", listed(machines))
            }
            ChaosKind::TransferLeadership { machine } => {
                write!(f, "an operator hands the leadership to machine {machine}")
            }
        }
    }
}

impl fmt::Display for MachineStrike {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MachineStrike::Crash { death, down_ms } => {
                write!(f, "{death}; it is down for {down_ms} ms")
            }
            MachineStrike::CrashAtCall {
                disk,
                call,
                moment,
                death,
                ..
            } => {
                let moment = format!("{moment:?}").to_lowercase();
                write!(
                    f,
                    "{moment} its storage call number {call} from now on the disk of {disk}: {death}"
                )
            }
            MachineStrike::Isolate { direction, ms } => {
                write!(f, "for {ms} ms it {}", direction_text(*direction))
            }
            MachineStrike::Pause { ms } => write!(f, "its process stands still for {ms} ms"),
            MachineStrike::Suspend { ms } => {
                write!(
                    f,
                    "for {ms} ms it stands still, and what is sent to it is lost"
                )
            }
            MachineStrike::ClockStep { ms } => write!(f, "its time of day jumps by {ms} ms"),
            MachineStrike::ClockDrift { ppm } => {
                write!(f, "its clock gains {ppm} µs in a second")
            }
            MachineStrike::FailCall {
                disk,
                op,
                call,
                fault,
            } => write!(
                f,
                "{} number {call} from now on the disk of {disk}: {}",
                op_text(*op),
                fault.word()
            ),
            MachineStrike::FullDisk { disk, room, ms, .. } => {
                write!(
                    f,
                    "for {ms} ms the disk of {disk} takes {room} bytes more and no others"
                )
            }
            MachineStrike::Rot { disk, bit, .. } => write!(
                f,
                "it is killed, and bit {bit} of a byte on the disk of {disk} turns"
            ),
            MachineStrike::TakeSnapshot => f.write_str("it takes a snapshot"),
            MachineStrike::Wipe { .. } => {
                f.write_str("it loses its disks, and comes back as a new node")
            }
        }
    }
}

impl fmt::Display for Death {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Death::Kill(_) => f.write_str("it is killed"),
            Death::PowerCut(survivors) => write!(f, "its power fails, {survivors}"),
        }
    }
}

impl fmt::Display for CutSurvivors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CutSurvivors::Nothing => f.write_str("what was not synced is lost"),
            CutSurvivors::Everything => f.write_str("what was not synced survives"),
            CutSurvivors::Some { per_mille, .. } => write!(
                f,
                "each piece that was not synced survives with a chance of {per_mille} in 1,000"
            ),
            CutSurvivors::Exact { .. } => f.write_str("some of what was not synced survives"),
        }
    }
}

impl fmt::Display for DiskRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DiskRole::Log => "the log",
            DiskRole::Snapshots => "the snapshots",
        })
    }
}

impl fmt::Display for Trigger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Trigger::SavesVote => "saves its vote",
            Trigger::Appends => "appends an entry",
            Trigger::Flushes => "has entries on disk",
            Trigger::Truncates => "truncates its log",
            Trigger::Purges => "purges its log",
            Trigger::BuildsSnapshot => "builds a snapshot",
            Trigger::InstallsSnapshot => "installs a snapshot",
            Trigger::ChangesMembership => "appends a change of the membership",
            Trigger::BecomesLeader => "becomes the leader",
            Trigger::Commits => "learns of a commit",
            Trigger::Starts => "starts",
        })
    }
}

fn direction_text(direction: Direction) -> &'static str {
    match direction {
        Direction::Both => "reaches none of the others, and is not reached",
        Direction::Out => "reaches none of the others",
        Direction::In => "is not reached by the others",
    }
}

fn op_text(op: FailedOp) -> &'static str {
    match op {
        FailedOp::Any => "a storage call",
        FailedOp::Read => "the read",
        FailedOp::Write => "the write",
        FailedOp::Sync => "the sync",
        FailedOp::SyncDir => "the sync of the directory",
        FailedOp::Create => "the create",
        FailedOp::Rename => "the rename",
    }
}

fn listed(machines: &BTreeSet<u64>) -> String {
    let numbers: Vec<String> = machines.iter().map(ToString::to_string).collect();
    match &numbers[..] {
        [] => "no machine".to_owned(),
        [one] => format!("machine {one}"),
        [first @ .., last] => format!("machines {} and {last}", first.join(", ")),
    }
}
