//! One lane a file over the time of a run: when its bytes and its name were pending, when they were
//! durable, and what a crash took. This is what the picture of a failure is drawn from.
//!
//! Time is counted in columns: one for each call that changes something, each acknowledgement and
//! each crash. Calls that only look are left out.

use std::collections::BTreeMap;

use beaver_disk::{Op, Profile as Disk};

use super::cut::Cut;
use super::ledger::{Deed, FileNumber, Ledger};
use crate::run::Watched;
use crate::tape::{Crashed, Happening};

/// All lanes of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lanes {
    /// What stands above the lanes, in order.
    pub columns: Vec<Column>,
    /// The files, in order of creation.
    pub lanes: Vec<Lane>,
}

/// A moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// The storage call at or before it.
    pub call: u64,
    /// What happens.
    pub what: Instant,
}

/// What happens in a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Instant {
    /// A storage call.
    Call {
        /// Its kind.
        op: Op,
        /// Whether it succeeded.
        ok: bool,
    },
    /// A command was acknowledged.
    Acknowledged {
        /// Where its last record stands.
        place: String,
    },
    /// The process died.
    Crash {
        /// Whether the power failed, so that what is pending may be lost.
        power: bool,
        /// Whether it is the crash that is explained.
        explained: bool,
    },
    /// The store opened.
    Opened,
}

/// One file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lane {
    /// Its name.
    pub name: String,
    /// Its name over time.
    pub names: Vec<Stretch>,
    /// Its bytes over time.
    pub bytes: Vec<Stretch>,
    /// The columns in which a call is about it.
    pub calls: Vec<usize>,
}

/// A stretch of time, from column to column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// The first column.
    pub from: usize,
    /// The column behind the last.
    pub to: usize,
    /// How things were.
    pub state: Standing,
}

/// How a name or the bytes of a file stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// A power cut may take them.
    Pending,
    /// They are on disk.
    Durable,
    /// A sync failed: what is on disk is unknown.
    Doubtful,
    /// A crash took them, or some of them.
    Lost,
}

impl Lanes {
    pub(super) fn of(watched: &Watched, ledger: &Ledger, cut: Option<&Cut<'_>>) -> Self {
        let profile = watched.tape.iter().find_map(|entry| match &entry.what {
            Happening::Crashed(crashed) => Some(crashed.crash.disk().profile()),
            _ => None,
        });
        let mut drawing = Drawing {
            ledger,
            cut,
            profile: profile.unwrap_or_default(),
            columns: Vec::new(),
            lanes: BTreeMap::new(),
        };
        let mut done = 0;
        let mut crashes = 0;
        for entry in &watched.tape {
            ledger
                .between(done, entry.call)
                .for_each(|deed| drawing.deed(deed));
            done = done.max(entry.call);
            match &entry.what {
                Happening::Crashed(crashed) => {
                    drawing.crash(crashed, crashes, entry.call);
                    crashes += 1;
                }
                Happening::Acknowledged { position, .. } => {
                    let place = position.map_or_else(String::new, |at| at.to_string());
                    drawing.column(entry.call, Instant::Acknowledged { place });
                }
                Happening::Opened { .. } => drawing.column(entry.call, Instant::Opened),
                _ => {}
            }
        }
        ledger
            .between(done, u64::MAX)
            .for_each(|deed| drawing.deed(deed));
        drawing.finish()
    }
}

struct Drawing<'d> {
    ledger: &'d Ledger,
    cut: Option<&'d Cut<'d>>,
    profile: Disk,
    columns: Vec<Column>,
    lanes: BTreeMap<FileNumber, Track>,
}

/// A lane that is being drawn.
#[derive(Debug, Default)]
struct Track {
    names: Strip,
    bytes: Strip,
    calls: Vec<usize>,
}

/// Stretches, the last of them open.
#[derive(Debug, Default)]
struct Strip {
    done: Vec<Stretch>,
    open: Option<(usize, Standing)>,
}

impl Strip {
    fn set(&mut self, at: usize, state: Option<Standing>) {
        if self.open.map(|(_, state)| state) == state {
            return;
        }
        if let Some((from, old)) = self.open.take().filter(|(from, _)| *from < at) {
            self.done.push(Stretch {
                from,
                to: at,
                state: old,
            });
        }
        self.open = state.map(|state| (at, state));
    }

    /// What was pending until now is durable.
    fn settle(&mut self, at: usize) {
        if self.open.is_some() {
            self.set(at, Some(Standing::Durable));
        }
    }

    fn is_pending(&self) -> bool {
        matches!(self.open, Some((_, Standing::Pending | Standing::Doubtful)))
    }
}

impl Drawing<'_> {
    fn column(&mut self, call: u64, what: Instant) {
        self.columns.push(Column { call, what });
    }

    fn deed(&mut self, deed: &Deed) {
        let at = self.columns.len();
        let (op, ok) = (deed.op, deed.ok);
        self.column(deed.call, Instant::Call { op, ok });
        if op == Op::SyncDir {
            if ok {
                self.lanes
                    .values_mut()
                    .for_each(|track| track.names.settle(at));
            }
            return;
        }
        let Some(file) = deed.file else { return };
        let ordered = self.profile == Disk::LinuxOrdered;
        let own = ordered || self.profile == Disk::BtrfsLike;
        let track = self.lanes.entry(file).or_default();
        track.calls.push(at);
        match op {
            Op::Create | Op::Rename => track.names.set(at, Some(Standing::Pending)),
            Op::Remove => track.names.set(at, None),
            Op::WriteAt | Op::SetLen | Op::Allocate => {
                track.bytes.set(at, Some(Standing::Pending));
            }
            Op::SyncData if ok => {
                track.bytes.settle(at);
                if own {
                    track.names.settle(at);
                }
            }
            Op::SyncData => track.bytes.set(at, Some(Standing::Doubtful)),
            _ => {}
        }
        if ordered && ok && op == Op::SyncData {
            self.lanes
                .values_mut()
                .for_each(|track| track.names.settle(at));
        }
    }

    fn crash(&mut self, crashed: &Crashed, place: usize, call: u64) {
        let at = self.columns.len();
        let power = crashed.choice.is_some();
        let explained = self.cut.is_some_and(|cut| cut.place == place);
        self.column(call, Instant::Crash { power, explained });
        if !power {
            return;
        }
        for (file, track) in &mut self.lanes {
            let sides = self.cut.filter(|cut| cut.place == place);
            let sides = sides.and_then(|cut| cut.sides_of(*file));
            let gone = sides.is_some_and(|sides| sides.left.is_none());
            let changed = sides.is_some_and(super::cut::Sides::changed);
            let fate = |strip: &Strip, lost: bool| match strip.open {
                None => None,
                Some(_) if lost => Some(Standing::Lost),
                Some(_) => Some(Standing::Durable),
            };
            let names = fate(
                &track.names,
                gone && !sides.is_none_or(|s| s.view.live_names.is_empty()),
            );
            let bytes = fate(&track.bytes, changed && (gone || track.bytes.is_pending()));
            track.names.set(at + 1, names);
            track.bytes.set(at + 1, bytes);
        }
    }

    fn finish(mut self) -> Lanes {
        let end = self.columns.len();
        let lanes = std::mem::take(&mut self.lanes).into_iter();
        let lanes = lanes.map(|(file, mut track)| {
            track.names.set(end, None);
            track.bytes.set(end, None);
            Lane {
                name: self.ledger.name(file).to_owned(),
                names: track.names.done,
                bytes: track.bytes.done,
                calls: track.calls,
            }
        });
        Lanes {
            lanes: lanes.collect(),
            columns: self.columns,
        }
    }
}
