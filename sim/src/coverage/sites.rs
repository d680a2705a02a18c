//! Every function of the library that makes storage calls, itself or through a carrier, with the
//! kinds of call that it makes; and what no run can reach, with the reason.
//!
//! The first list is held against the source by a test: `sim/tests/coverage.rs`.

use beaver_disk::{Moment, Op};

use super::{Cell, Site};
use crate::scenario::FaultKind;

/// Declares the sites once: the function, and its calls.
macro_rules! sites {
    ($($place:literal $($op:ident)+;)*) => {
        /// All sites, in the order of their places.
        pub const SITES: &[Site] = &[$($(Site { place: $place, op: Op::$op },)+)*];
    };
}

sites! {
    "inspect::compare::compare" List;
    "inspect::copy::CopyDirectory::new" List Lock;
    "inspect::copy::CopyDirectory::file" Create;
    "inspect::copy::CopyDirectory::finish" SyncDir;
    "inspect::copy::CopiedFile::finish" Rename SyncData;
    "inspect::copy::CopiedFile::write" WriteAt;
    "inspect::dump::dump" List;
    "inspect::stats::length" Open Len;
    "inspect::repair::repair" List;
    "inspect::stats::stats" List;
    "inspect::truncate::truncate" List;
    "snapshot::SnapshotStore::load" List;
    "snapshot::SnapshotStore::prune" List Remove SyncDir;
    "snapshot::read" Open;
    "snapshot::read_all" Len ReadAt;
    "snapshot::write" Create Rename Remove SyncDir WriteAt SyncData;
    "store::checkpoint::Snapshots::prune" List Remove SyncDir;
    "store::leftovers::Leftovers::remove" Remove;
    "store::recovery::clean_up" SyncDir;
    "store::recovery::read_state" List;
    "store::recovery::recover" List Lock;
    "store::recovery::salvageable" List;
    "wal::append::preallocate" SyncData;
    "wal::append::sync_with" SyncData;
    "wal::append::undo_write" SyncData;
    "wal::append::write_open" WriteAt;
    "wal::open::Recovery::remove_temporaries" Remove;
    "wal::open::Recovery::rewrite_tail" WriteAt SetLen SyncData;
    "wal::open::Recovery::sync_names" SyncDir;
    "wal::open::open_from" List SyncDir Lock;
    "wal::reader::LogReader::open" List;
    "wal::preallocation::Preallocation::cut" SetLen;
    "wal::preallocation::Preallocator::fill" WriteAt;
    "wal::rotate::create_first" Rename Remove SyncDir;
    "wal::rotate::prepare_segment" Create Remove WriteAt SyncData;
    "wal::rotate::prune_through" Remove SyncDir;
    "wal::rotate::rotate" Rename Remove SyncDir;
    "wal::rotate::trim" SyncData;
    "wal::rotate::undo_rotate" Remove SyncDir;
    "wal::rotate::write_marker" WriteAt;
    "wal::scan::Scanner::fill" ReadAt;
    "wal::scan::Scanner::find_newline" ReadAt;
    "wal::scan::Scanner::look" ReadAt;
    "wal::scan::Scanner::look_at_blank" ReadAt;
    "wal::scan::Scanner::next_stretch" ReadAt;
    "wal::segment::Segment::open" Open Len;
    "wal::tail::find_tail" ReadAt;
    "wal::tail::read_range" ReadAt;
}

/// Something that the default run does not reach, and why.
#[derive(Clone, Copy, Debug)]
pub struct Unreached {
    /// The place, or what the places begin with where it ends with `::`.
    pub place: &'static str,
    /// The calls; none stands for all that are made there.
    pub ops: &'static [Op],
    /// What does not happen there; nothing stands for everything that could.
    pub cells: &'static [Cell],
    /// Why.
    pub why: &'static str,
}

impl Unreached {
    /// Whether this is about `cell` of `site`.
    #[must_use]
    pub fn explains(&self, site: Site, cell: Cell) -> bool {
        let place = match self.place.ends_with("::") {
            true => site.place.starts_with(self.place),
            false => site.place == self.place,
        };
        let op = self.ops.is_empty() || self.ops.contains(&site.op);
        place && op && (self.cells.is_empty() || self.cells.contains(&cell))
    }
}

/// Everything that the default run does not reach. An entry of which anything is reached is stale.
pub const UNREACHED: &[Unreached] = &[
    Unreached {
        place: "inspect::",
        ops: &[],
        cells: &[],
        why: "a tool that works on copies of a store at rest; no run of the store makes the call",
    },
    Unreached {
        place: "snapshot::SnapshotStore::",
        ops: &[],
        cells: &[],
        why: "for whoever keeps snapshots and no log; the controller does not make the call",
    },
    Unreached {
        place: "store::recovery::read_state",
        ops: &[],
        cells: &[],
        why: "looks at a store that somebody else may own; no run of the store makes the call",
    },
    Unreached {
        place: "store::recovery::salvageable",
        ops: &[],
        cells: &[],
        why: "looks at a store that somebody else may own; no run of the store makes the call",
    },
    Unreached {
        place: "wal::reader::LogReader::open",
        ops: &[],
        cells: &[],
        why: ALONE,
    },
    Unreached {
        place: "wal::rotate::prune_through",
        ops: &[],
        cells: &[],
        why: ALONE,
    },
    Unreached {
        place: "snapshot::write",
        ops: &[Op::WriteAt],
        cells: &[hit(FaultKind::MisplacedWrite)],
        why: MISPLACED,
    },
    Unreached {
        place: "wal::append::write_open",
        ops: &[Op::WriteAt],
        cells: &[hit(FaultKind::MisplacedWrite)],
        why: MISPLACED,
    },
    Unreached {
        place: "wal::open::Recovery::rewrite_tail",
        ops: &[Op::WriteAt],
        cells: &[hit(FaultKind::MisplacedWrite)],
        why: MISPLACED,
    },
    Unreached {
        place: "wal::preallocation::Preallocator::fill",
        ops: &[Op::WriteAt],
        cells: &[hit(FaultKind::MisplacedWrite)],
        why: MISPLACED,
    },
    Unreached {
        place: "wal::rotate::prepare_segment",
        ops: &[Op::WriteAt],
        cells: &[hit(FaultKind::MisplacedWrite)],
        why: MISPLACED,
    },
    Unreached {
        place: "wal::rotate::write_marker",
        ops: &[Op::WriteAt],
        cells: &[hit(FaultKind::MisplacedWrite)],
        why: MISPLACED,
    },
    Unreached {
        place: "store::leftovers::Leftovers::remove",
        ops: &[Op::Remove],
        cells: &[
            Cell::Died(Moment::Before),
            Cell::Died(Moment::Inside),
            Cell::Died(Moment::After),
        ],
        why: "a crash is drawn among as many calls as the recovery before made, and leftovers are \
            removed behind them; `beaver explore --ops 3` crashes there",
    },
];

const ALONE: &str = "for whoever keeps a log without a store; the library's own tests crash it";
const MISPLACED: &str = "in no scenario: a write that says Ok and lands elsewhere destroys what was durable, \
    and no reader can tell which of the two places was meant";

/// Named here so that an entry of the list above is one line.
const fn hit(kind: FaultKind) -> Cell {
    Cell::Hit(kind)
}
