//! Images are made one after the other in one go through the recording, right before they are checked: no more of them are in
//! memory at the same time than are waited for.

use std::collections::BTreeMap;
use std::sync::Arc;

use beaver_disk::{Choice, Image, InodeId};

use crate::candidates::{Candidates, Give, Way};
use crate::images::{CrashImages, WayAt};
use crate::log::{Log, LogError, TraceEvent};
use crate::replay::LogReplay;

/// An image that was made.
#[derive(Clone, Debug)]
pub struct CrashImage {
    /// The files.
    pub image: Image,
    /// How many lines the program had said.
    pub acks: usize,
    /// The permissions of files and directories that were changed.
    pub modes: Arc<BTreeMap<InodeId, u32>>,
}

/// A power cut, and what it left.
#[derive(Clone, Debug)]
pub struct PowerCut {
    /// The number of the event before which it was.
    pub event: usize,
    /// How many lines the program had said.
    pub acks: usize,
    /// What survived.
    pub choice: Choice,
}

impl CrashImages {
    /// Makes the images that are `wanted`, by their places, in order: from the recording in which they were found. Stops where
    /// `give` or `go_on` says no.
    ///
    /// # Errors
    ///
    /// The bytes of a write cannot be read.
    pub fn make(
        &self,
        log: &Log,
        events: &[TraceEvent],
        wanted: &mut dyn FnMut(usize) -> bool,
        give: &mut dyn FnMut(usize, CrashImage) -> bool,
        go_on: &dyn Fn() -> bool,
    ) -> Result<(), LogError> {
        let is_mode = |place: &usize| matches!(events[*place], TraceEvent::Mode { .. });
        let modes: Vec<usize> = (0..events.len()).filter(is_mode).collect();
        let mut replay = LogReplay::of(log, events, self.options.profile);
        let mut next = 0;
        while let Some(image) = self.images.get(next).filter(|_| go_on()) {
            let WayAt { event, point, .. } = image.first;
            let rest = &self.images[next..];
            let end = next + rest.partition_point(|image| image.first_point <= point);
            let ways = (next..end).filter(|place| wanted(*place));
            let ways = ways.map(|place| (place, self.images[place].first.way));
            let ways: Vec<(usize, Way)> = ways.collect();
            next = end;
            if ways.is_empty() {
                continue;
            }
            if !go_to(&mut replay, event, go_on)? {
                break;
            }
            let there = Arc::new(replay.modes().clone());
            // They are changed at once, and by no power cut: those are right that there were when the last line was said.
            let modes_at = |last: usize| {
                let later = modes.partition_point(|place| *place < event);
                let later = &modes[later..modes.partition_point(|place| *place < last)];
                let mut modes = there.clone();
                for place in later {
                    if let TraceEvent::Mode { inode, mode } = events[*place] {
                        Arc::make_mut(&mut modes).insert(inode, mode);
                    }
                }
                modes
            };
            let goes_on = self.at(&replay, point, &ways, &mut |place, image, _| {
                let found = &self.images[place];
                let made = CrashImage {
                    image,
                    acks: found.acks,
                    modes: modes_at(found.event),
                };
                give(place, made)
            });
            if !goes_on {
                break;
            }
        }
        Ok(())
    }

    /// The power cut that leaves an image with the most lines said.
    ///
    /// # Errors
    ///
    /// The bytes of a write cannot be read.
    pub fn power_cut(
        &self,
        log: &Log,
        events: &[TraceEvent],
        place: usize,
    ) -> Result<PowerCut, LogError> {
        let image = &self.images[place];
        let WayAt { event, point, way } = *image.last();
        let mut replay = LogReplay::of(log, events, self.options.profile);
        go_to(&mut replay, event, &|| true)?;
        let mut cut = PowerCut {
            event,
            acks: image.acks,
            choice: Choice::default(),
        };
        self.at(&replay, point, &[(place, way)], &mut |_, _, choice| {
            cut.choice = choice();
            true
        });
        Ok(cut)
    }

    fn at(
        &self,
        replay: &LogReplay<'_>,
        point: usize,
        ways: &[(usize, Way)],
        give: &mut Give<'_>,
    ) -> bool {
        let candidates = Candidates {
            space: &replay.disk().crash_between_calls().images(),
            options: &self.options,
            point,
        };
        candidates.make(ways, give)
    }
}

/// Carries out the events up to this one; says no if it was stopped before.
fn go_to(
    replay: &mut LogReplay<'_>,
    event: usize,
    go_on: &dyn Fn() -> bool,
) -> Result<bool, LogError> {
    while replay.position() < event {
        if !go_on() {
            return Ok(false);
        }
        replay.step()?;
    }
    Ok(true)
}
