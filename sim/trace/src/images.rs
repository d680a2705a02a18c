//! Every image that a power cut could have left of what was recorded, each once.
//!
//! # Where the power is cut
//!
//! Between two events that commit something the set of images only grows. An event that commits nothing adds records to those
//! that are pending, or nothing at all; every profile lets the newest record be lost, and an image without it is an image of the
//! disk before the event. So every image that is possible before such an event is possible after it, with at least as many
//! lines said. It is enough to look **just before each event that may commit something, and at the end**. Those are:
//!
//! - a sync of a file or a directory, also one that fails: it commits some of what it covers, and forgets the rest;
//! - sync(2);
//! - a cache that is dropped: what a failed sync left there is gone.
//!
//! What else a sync drags along under a profile is committed by that same event. A call that fails by a fault is like the call
//! in which that much took effect: a misplaced or a short write is a write.
//!
//! # Which lines were said
//!
//! An image that comes about at several points is tried once, with the most lines that the program had said before any of
//! them. That is sound if a check that holds with these lines holds with the first few of them too. [`ImageOptions::all_acks`] is
//! for a check where that is not true: each image is tried with each number of lines.
//!
//! # What is kept
//!
//! Of an image its hash and how it comes about, which is a few numbers. It is made when it is checked: by then it is known with
//! which lines.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use beaver_disk::{Change, Choice};

use crate::candidates::{Candidates, PointCoverage, Way};
use crate::image_options::ImageOptions;
use crate::log::{Log, LogError, TraceEvent};
use crate::replay::LogReplay;

/// A moment at which the power may be cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CutPoint {
    /// The number of the event before which it is.
    pub event: usize,
    /// Whether all combinations were looked at.
    pub exhaustive: bool,
}

/// An image that was found, and how it comes about.
#[derive(Clone, Debug)]
pub struct FoundImage {
    /// Of everything in it.
    pub hash: u128,
    /// The number of the event before which the power was cut: of several the one with the most lines said.
    pub event: usize,
    /// How many lines the program had said.
    pub acks: usize,
    /// The first point, by its place among all points, at which it may come about.
    pub first_point: usize,
    /// How it comes about there. That is how it is made: then all are made in one go through the recording.
    pub(crate) first: WayAt,
    /// How it comes about before `event`, if not in that way.
    last: Option<Box<WayAt>>,
    /// How many pages are torn, and how much survived.
    order: (usize, Reverse<usize>),
}

/// A way to an image, and where it begins.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WayAt {
    pub(crate) event: usize,
    pub(crate) point: usize,
    pub(crate) way: Way,
}

impl FoundImage {
    /// How it comes about with the most lines said.
    pub(crate) fn last(&self) -> &WayAt {
        self.last.as_deref().unwrap_or(&self.first)
    }

    /// Of several that fail the smallest is shown: it fails at the earliest power cut, and the most survived, because the least
    /// is lost that a person has to think of.
    #[must_use]
    pub fn order(&self) -> impl Ord + use<> {
        (self.event, self.order)
    }
}

/// All images of a recording.
#[derive(Clone, Debug)]
pub struct CrashImages {
    /// Which ones.
    pub options: ImageOptions,
    /// The points that were looked at to the end, in order.
    pub points: Vec<CutPoint>,
    /// How many were looked at: one more if the work was stopped within one.
    pub looked_at: usize,
    /// How many points there are; more than were looked at if the work was stopped.
    pub all_points: usize,
    /// The images, by the first point at which they come about.
    pub images: Vec<FoundImage>,
}

impl CrashImages {
    /// Whether all combinations were looked at, at all points.
    #[must_use]
    pub fn is_exhaustive(&self) -> bool {
        self.points.len() == self.all_points && self.points.iter().all(|point| point.exhaustive)
    }
}

/// Whether an event may commit something: the power is cut before it.
#[must_use]
pub(crate) fn may_commit(event: &TraceEvent) -> bool {
    match event {
        TraceEvent::Call { change, .. } => {
            change.is_sync() || matches!(change, Change::DropCache { .. })
        }
        TraceEvent::Sync => true,
        TraceEvent::Begin | TraceEvent::Ack(_) | TraceEvent::LetGo(_) | TraceEvent::Mode { .. } => {
            false
        }
    }
}

/// The number of the first event before which the power may be cut: the setup is not crashed.
pub(crate) fn first_event(events: &[TraceEvent]) -> usize {
    let begin = events.iter().position(|event| *event == TraceEvent::Begin);
    begin.map_or(0, |begin| begin + 1)
}

/// Finds the images of `events`, which are those of `log` or have syncs that it lacks. It stops early where `go_on` says no.
///
/// # Errors
///
/// The bytes of a write cannot be read.
pub fn crash_images(
    log: &Log,
    events: &[TraceEvent],
    options: &ImageOptions,
    go_on: &dyn Fn() -> bool,
) -> Result<CrashImages, LogError> {
    let is_point = |event: &TraceEvent| may_commit(event);
    collect(log, events, options, go_on, &is_point)
}

fn collect(
    log: &Log,
    events: &[TraceEvent],
    options: &ImageOptions,
    go_on: &dyn Fn() -> bool,
    is_point: &dyn Fn(&TraceEvent) -> bool,
) -> Result<CrashImages, LogError> {
    let first = first_event(events);
    let all_points = events[first..]
        .iter()
        .filter(|event| is_point(event))
        .count()
        + 1;
    let mut replay = LogReplay::of(log, events, options.profile);
    let mut search = ImageSearch {
        options,
        found: CrashImages {
            options: options.clone(),
            points: Vec::new(),
            looked_at: 0,
            all_points,
            images: Vec::new(),
        },
        places: BTreeMap::new(),
    };
    while go_on() {
        let at_point = replay.position() >= first && replay.next().is_none_or(is_point);
        if at_point && !search.add_point(&replay, go_on) || replay.next().is_none() {
            break;
        }
        replay.step()?;
    }
    Ok(search.found)
}

/// What was found so far.
struct ImageSearch<'o> {
    options: &'o ImageOptions,
    found: CrashImages,
    /// The place of each image, by its hash, and the number of lines where that counts.
    places: BTreeMap<(u128, usize), usize>,
}

impl ImageSearch<'_> {
    /// Says no if it was stopped within the point.
    fn add_point(&mut self, replay: &LogReplay<'_>, go_on: &dyn Fn() -> bool) -> bool {
        let space = replay.disk().crash_between_calls().images();
        let (event, point) = (replay.position(), self.found.points.len());
        let candidates = Candidates {
            space: &space,
            options: self.options,
            point,
        };
        self.found.looked_at += 1;
        let coverage = candidates.find(go_on, &mut |hash, way, choice| {
            let way = WayAt { event, point, way };
            self.add(hash, way, replay.acks(), choice);
        });
        self.found.points.extend(
            match coverage {
                PointCoverage::All => Some(true),
                PointCoverage::Sample => Some(false),
                PointCoverage::Stopped => None,
            }
            .map(|exhaustive| CutPoint { event, exhaustive }),
        );
        coverage != PointCoverage::Stopped
    }

    fn add(&mut self, hash: u128, way: WayAt, acks: usize, choice: &dyn Fn() -> Choice) {
        let images = &mut self.found.images;
        let counted = if self.options.all_acks { acks } else { 0 };
        let place = *self.places.entry((hash, counted)).or_insert(images.len());
        let Some(known) = images.get_mut(place) else {
            images.push(FoundImage {
                hash,
                event: way.event,
                acks,
                first_point: way.point,
                first: way,
                last: None,
                order: order(&choice()),
            });
            return;
        };
        if acks > known.acks {
            known.event = way.event;
            known.acks = acks;
            known.last = Some(Box::new(way));
            known.order = order(&choice());
        }
    }
}

fn order(choice: &Choice) -> (usize, Reverse<usize>) {
    let lengths = choice.sizes.values().map(|size| *size as usize);
    let pages = choice.pages.values().map(BTreeMap::len);
    let survived = choice.names.len() + lengths.chain(pages).sum::<usize>();
    (choice.tears.len(), Reverse(survived))
}

#[cfg(test)]
mod tests;
