//! One lane a file over the time of a run: when its bytes and its name were pending, when they were
//! durable, and what a crash took. This is what the picture of a failure is drawn from.
//!
//! Time is counted in columns: one for each call that changes something, each acknowledgement and
//! each crash. Calls that only look are left out.

use std::collections::BTreeMap;

use beaver_disk::{Op, Profile};

use super::explained_crash::{BeforeAfter, ExplainedCrash};
use super::file_ops::{FileId, FileOp, FileOpLog};
use crate::run_log::{CrashEvent, LoggedEvent, RunEvent, at};

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
    pub kind: ColumnKind,
}

/// What happens in a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ColumnKind {
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
    pub names: Vec<Span>,
    /// Its bytes over time.
    pub bytes: Vec<Span>,
    /// The columns in which a call is about it.
    pub calls: Vec<usize>,
}

/// A span of time, from column to column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The first column.
    pub from: usize,
    /// The column after the last.
    pub to: usize,
    /// How things were.
    pub state: SpanState,
}

/// How a name or the bytes of a file stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpanState {
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
    pub(super) fn of(
        log: &[LoggedEvent],
        ops: &FileOpLog,
        crash: Option<&ExplainedCrash<'_>>,
    ) -> Self {
        let profile = log.iter().find_map(|event| match &event.event {
            RunEvent::Crash(crash) => Some(crash.crash.disk().profile()),
            _ => None,
        });
        let mut drawing = Drawing {
            ops,
            explained: crash,
            profile: profile.unwrap_or_default(),
            columns: Vec::new(),
            lanes: BTreeMap::new(),
        };
        let mut crashes = 0;
        for LoggedEvent { call, event } in log {
            match event {
                RunEvent::Call { .. } => {
                    let op = ops.between(call - 1, *call).next();
                    op.into_iter().for_each(|op| drawing.op(op));
                }
                RunEvent::Crash(crash) => {
                    drawing.crash(crash, crashes, *call);
                    crashes += 1;
                }
                RunEvent::Acknowledged { position, .. } => {
                    let place = at(*position);
                    drawing.column(*call, ColumnKind::Acknowledged { place });
                }
                RunEvent::Opened { .. } => drawing.column(*call, ColumnKind::Opened),
                _ => {}
            }
        }
        drawing.finish()
    }
}

struct Drawing<'d> {
    ops: &'d FileOpLog,
    explained: Option<&'d ExplainedCrash<'d>>,
    profile: Profile,
    columns: Vec<Column>,
    lanes: BTreeMap<FileId, Track>,
}

/// A lane that is being drawn.
#[derive(Debug, Default)]
struct Track {
    names: Strip,
    bytes: Strip,
    calls: Vec<usize>,
}

/// Spans; the last may still be open.
#[derive(Debug, Default)]
struct Strip {
    done: Vec<Span>,
    open: Option<(usize, SpanState)>,
}

impl Strip {
    fn set(&mut self, at: usize, state: Option<SpanState>) {
        if self.open.map(|(_, state)| state) == state {
            return;
        }
        if let Some((from, old)) = self.open.take().filter(|(from, _)| *from < at) {
            self.done.push(Span {
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
            self.set(at, Some(SpanState::Durable));
        }
    }

    fn is_pending(&self) -> bool {
        matches!(
            self.open,
            Some((_, SpanState::Pending | SpanState::Doubtful))
        )
    }
}

impl Drawing<'_> {
    fn column(&mut self, call: u64, kind: ColumnKind) {
        self.columns.push(Column { call, kind });
    }

    fn op(&mut self, made: &FileOp) {
        let at = self.columns.len();
        let (op, ok) = (made.op, made.ok);
        self.column(made.call, ColumnKind::Call { op, ok });
        if op == Op::SyncDir {
            if ok {
                self.lanes
                    .values_mut()
                    .for_each(|track| track.names.settle(at));
            }
            return;
        }
        let Some(file) = made.file else { return };
        let ordered = self.profile == Profile::LinuxOrdered;
        let own = ordered || self.profile == Profile::BtrfsLike;
        let track = self.lanes.entry(file).or_default();
        track.calls.push(at);
        match op {
            Op::Create | Op::Rename => track.names.set(at, Some(SpanState::Pending)),
            Op::Remove => track.names.set(at, None),
            Op::WriteAt | Op::SetLen | Op::Allocate => {
                track.bytes.set(at, Some(SpanState::Pending));
            }
            Op::SyncData if ok => {
                track.bytes.settle(at);
                if own {
                    track.names.settle(at);
                }
            }
            Op::SyncData => track.bytes.set(at, Some(SpanState::Doubtful)),
            _ => {}
        }
        if ordered && ok && op == Op::SyncData {
            self.lanes
                .values_mut()
                .for_each(|track| track.names.settle(at));
        }
    }

    fn crash(&mut self, crashed: &CrashEvent, place: usize, call: u64) {
        let at = self.columns.len();
        let power = crashed.choice.is_some();
        let explained = self.explained.is_some_and(|crash| crash.place == place);
        self.column(call, ColumnKind::Crash { power, explained });
        if !power {
            return;
        }
        for (file, track) in &mut self.lanes {
            let sides = self.explained.filter(|crash| crash.place == place);
            let sides = sides.and_then(|crash| crash.sides_of(*file));
            let gone = sides.is_some_and(BeforeAfter::is_lost);
            let changed = sides.is_some_and(BeforeAfter::changed);
            let fate = |strip: &Strip, lost: bool| match strip.open {
                None => None,
                Some(_) if lost => Some(SpanState::Lost),
                Some(_) => Some(SpanState::Durable),
            };
            let names = fate(&track.names, gone);
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
                name: self.ops.name(file).to_owned(),
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
