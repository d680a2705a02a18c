//! The copy of one segment that repair writes: at every moment a valid segment.

use super::copy::{CopiedSegment, CopyDirectory};
use crate::boundary::Boundary;
use crate::error::Result;
use crate::position::{Epoch, Seq};
use crate::wal::line::{Envelope, Line};
use crate::wal::{LostRange, Sequence};

/// A segment that is being copied. The lines written so far are always a valid segment.
pub(super) struct SegmentCopy<'t> {
    file: CopiedSegment<'t>,
    epoch: Epoch,
    sequence: Sequence,
    /// The lines of an append whose end was not seen yet.
    append: Vec<(Envelope, Vec<u8>)>,
    pub(super) events: u64,
    pub(super) lost: Vec<LostRange>,
}

impl<'t> SegmentCopy<'t> {
    pub(super) fn new(file: CopiedSegment<'t>, epoch: Epoch) -> Self {
        let sequence = Sequence::after_header();
        SegmentCopy {
            file,
            epoch,
            sequence,
            append: Vec::new(),
            events: 0,
            lost: Vec::new(),
        }
    }

    pub(super) fn event(&mut self, envelope: Envelope, bytes: &[u8]) -> Result<()> {
        // Held back until its append is whole: the copy never begins one that it cannot end.
        self.append.push((envelope, bytes.to_vec()));
        if envelope.more {
            return Ok(());
        }
        for (envelope, bytes) in std::mem::take(&mut self.append) {
            self.lose_through(Seq(envelope.seq.0 - 1))?;
            let line = Line::Event(envelope, &[]);
            if self.sequence.accept(&line).is_ok() {
                self.file.copy(&line, &bytes)?;
                self.events += 1;
            }
        }
        Ok(())
    }

    /// Copies a marker or a range that was lost before.
    pub(super) fn note(&mut self, line: Line<'_>, bytes: &[u8]) -> Result<()> {
        match line {
            // Everything through a marker was durable, so what is missing before it is lost.
            Line::Marker(synced) => self.lose_through(synced)?,
            Line::Lost(from, to) => {
                self.lose_through(Seq(from.0 - 1))?;
                let from = self.epoch.at(from);
                self.lost.push(LostRange { from, to });
            }
            Line::Header(_) | Line::Event(..) => {}
        }
        // Two markers in a row, say, where the events between them are gone.
        match self.sequence.accept(&line) {
            Ok(()) => self.file.copy(&line, bytes),
            Err(_) => Ok(()),
        }
    }

    /// Notes that everything up to `to` which is not there is lost.
    pub(super) fn lose_through(&mut self, to: Seq) -> Result<()> {
        let from = self.sequence.expected();
        if to < from {
            return Ok(());
        }
        self.sequence.skip_to(Seq(to.0 + 1));
        self.lost.push(LostRange {
            from: self.epoch.at(from),
            to,
        });
        self.file.lose(from, to)
    }

    /// The last seq that is accounted for.
    pub(super) fn last(&self) -> Seq {
        self.sequence.last()
    }

    /// Gives up the append whose end was not seen. Answers whether there was one.
    pub(super) fn give_up_append(&mut self) -> bool {
        let was_open = !self.append.is_empty();
        self.append.clear();
        was_open
    }

    /// Gives the file its name. Answers with the end of the epoch.
    pub(super) fn finish(self, target: &CopyDirectory) -> Result<Boundary> {
        let end = self.file.boundary(self.last(), target);
        self.file.finish()?;
        Ok(end)
    }
}
