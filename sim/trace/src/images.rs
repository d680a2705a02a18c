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
//! for a check of which that is not true: each image is tried with each number of lines.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use beaver_disk::{Change, Choice, Image, ImageSpace, InodeId, Profile};

use crate::draw::ImageDraw;
use crate::log::{Log, LogError, TraceEvent};
use crate::replay::LogReplay;

/// At most this many choices are drawn for each image that is asked for.
const DRAWS_FOR_EACH: u64 = 4;

/// Which images are made.
#[derive(Clone, Debug)]
pub struct ImageOptions {
    /// The rules of the disk.
    pub profile: Profile,
    /// With at most this many combinations at a point all are made. Of more, the corners and samples, this many.
    pub cap: u64,
    /// The same for the combinations in which one page is torn.
    pub torn_cap: u64,
    /// Whether each image is tried with every number of lines with which it may come about.
    pub all_acks: bool,
}

impl ImageOptions {
    /// The usual ones under a profile.
    #[must_use]
    pub fn new(profile: Profile) -> Self {
        ImageOptions {
            profile,
            cap: 256,
            torn_cap: 256,
            all_acks: false,
        }
    }
}

/// A moment at which the power may be cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CutPoint {
    /// The number of the event before which it is.
    pub event: usize,
    /// Whether all combinations were made.
    pub exhaustive: bool,
}

/// An image, and one way in which it comes about.
#[derive(Clone, Debug)]
pub struct CrashImage {
    /// The files.
    pub image: Image,
    /// What survived.
    pub choice: Choice,
    /// The number of the event before which the power was cut: of several the one with the most lines said.
    pub event: usize,
    /// How many lines the program had said.
    pub acks: usize,
    /// The first point, by its place among all points, at which it may come about.
    pub first_point: usize,
    /// The permissions of files and directories that were changed.
    pub modes: Arc<BTreeMap<InodeId, u32>>,
}

/// All images of a recording.
#[derive(Clone, Debug)]
pub struct CrashImages {
    /// The rules of the disk.
    pub profile: Profile,
    /// The points, in order.
    pub points: Vec<CutPoint>,
    /// How many points there are; more than are in `points` if the work was stopped.
    pub all_points: usize,
    /// The images, by the first point at which they come about.
    pub images: Vec<CrashImage>,
}

impl CrashImages {
    /// Whether all combinations were made at all points.
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

/// Makes the images of `events`, which are those of `log` or have syncs that it lacks. It stops early where `go_on` says no.
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
    let mut found = FoundImages::new(options);
    loop {
        let at_point = replay.position() >= first && replay.next().is_none_or(is_point);
        if at_point {
            if !go_on() {
                break;
            }
            found.add_point(&replay, go_on);
        }
        if replay.next().is_none() {
            break;
        }
        replay.step()?;
    }
    Ok(CrashImages {
        profile: options.profile,
        points: found.points,
        all_points,
        images: found.images,
    })
}

/// What was found so far.
struct FoundImages<'o> {
    options: &'o ImageOptions,
    points: Vec<CutPoint>,
    images: Vec<CrashImage>,
    /// The place of each image, by its hash, and the number of lines where that counts.
    places: BTreeMap<(u128, usize), usize>,
    modes: Arc<BTreeMap<InodeId, u32>>,
}

/// A point, while its images are made.
struct At {
    event: usize,
    acks: usize,
}

impl<'o> FoundImages<'o> {
    fn new(options: &'o ImageOptions) -> Self {
        FoundImages {
            options,
            points: Vec::new(),
            images: Vec::new(),
            places: BTreeMap::new(),
            modes: Arc::default(),
        }
    }

    fn add_point(&mut self, replay: &LogReplay<'_>, go_on: &dyn Fn() -> bool) {
        if *self.modes != *replay.modes() {
            self.modes = Arc::new(replay.modes().clone());
        }
        let at = At {
            event: replay.position(),
            acks: replay.acks(),
        };
        let space = replay.disk().crash_between_calls().images();
        let exhaustive = match space.enumerate(self.options.cap) {
            Some(mut images) => {
                while let Some(candidate) = images.next() {
                    let choice = || images.choice(&candidate);
                    self.add(&at, &candidate.image, choice);
                }
                let mut torn = images.torn(self.options.torn_cap);
                while let Some(candidate) = torn.next() {
                    let choice = || torn.choice(&candidate);
                    self.add(&at, &candidate.image, choice);
                }
                !torn.is_capped()
            }
            None => {
                self.add_samples(&at, &space, go_on);
                false
            }
        };
        self.points.push(CutPoint {
            event: at.event,
            exhaustive,
        });
    }

    /// The corners first: nothing, everything, all but one, one alone.
    fn add_samples(&mut self, at: &At, space: &ImageSpace, go_on: &dyn Fn() -> bool) {
        let mut draw = ImageDraw::at(self.points.len());
        let corners = space.corners().into_iter();
        let mut choices: Vec<Choice> = corners.map(|corner| space.corner(corner)).collect();
        let mut different = BTreeSet::new();
        for choice in choices.iter().take_while(|_| go_on()) {
            let image = space.image(choice);
            different.insert(image.hash128());
            self.add(at, &image, || choice.clone());
        }
        // Where names are lost many choices leave the same image: then more of them are drawn.
        let draws = self.options.cap.saturating_mul(DRAWS_FOR_EACH);
        for _ in 0..draws {
            if different.len() as u64 >= self.options.cap || !go_on() {
                break;
            }
            let choice = draw.choose(space);
            let image = space.image(&choice);
            if different.insert(image.hash128()) {
                self.add(at, &image, || choice.clone());
                choices.push(choice);
            }
        }
        let torn = choices.iter().zip(0..self.options.torn_cap);
        for (choice, _) in torn.take_while(|_| go_on()) {
            if let Some(torn) = draw.tear(space, choice) {
                self.add(at, &space.image(&torn), || torn.clone());
            }
        }
    }

    fn add(&mut self, at: &At, image: &Image, choice: impl FnOnce() -> Choice) {
        let acks = if self.options.all_acks { at.acks } else { 0 };
        let key = (image.hash128(), acks);
        let Some(place) = self.places.get(&key) else {
            self.places.insert(key, self.images.len());
            self.images.push(CrashImage {
                image: image.clone(),
                choice: choice(),
                event: at.event,
                acks: at.acks,
                first_point: self.points.len(),
                modes: self.modes.clone(),
            });
            return;
        };
        let known = &mut self.images[*place];
        if at.acks > known.acks {
            known.choice = choice();
            known.event = at.event;
            known.acks = at.acks;
            known.modes = self.modes.clone();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::recorded;

    /// The most lines with which each image may come about, looking only where `is_point` says.
    fn images(
        log: &Log,
        profile: Profile,
        is_point: &dyn Fn(&TraceEvent) -> bool,
    ) -> BTreeMap<u128, usize> {
        let options = ImageOptions {
            cap: 1 << 16,
            torn_cap: 1 << 16,
            ..ImageOptions::new(profile)
        };
        let found = collect(log, &log.events, &options, &|| true, is_point).unwrap();
        assert!(found.is_exhaustive());
        let images = found.images.iter();
        images
            .map(|found| (found.image.hash128(), found.acks))
            .collect()
    }

    fn check_against_every_event(steps: &str) {
        let (_folder, log) = recorded(steps);
        for profile in [Profile::LinuxOrdered, Profile::BtrfsLike, Profile::Posix] {
            let everywhere = images(&log, profile, &|_| true);
            let here = images(&log, profile, &may_commit);
            assert!(everywhere == here, "{profile}: {steps}");
            assert!(here.len() > 1, "{profile}: {steps}");
        }
    }

    #[test]
    fn no_image_is_missed_between_two_commits() {
        check_against_every_event(
            "create a; write a 0 hello; ack 1; sync a; create b; write b 0 x; rename b a; ack 2; sync_dir .; remove a",
        );
        check_against_every_event(
            "begin; mkdir d; create d/a; ack 1; write d/a 0 hello; datasync d/a; write d/a 3 you; set_len d/a 2; \
             rename d/a d/b; ack 2; sync d/b; ack 3; write d/b 0 more; link d/b c; sync_dir d; symlink x s; ack 4",
        );
        check_against_every_event(
            "create a; write a 0 one; sync a; write a 0 two; fail_sync a; write a 1 wo; ack 1; drop_cache a; ack 2; \
             remove a; create a; write a 0 three; ack 3; sync_all; ack 4; write a 0 four",
        );
    }

    #[test]
    fn the_setup_is_not_crashed() {
        let (_folder, log) = recorded("create a; write a 0 x; begin; create b");
        let found = crash_images(
            &log,
            &log.events,
            &ImageOptions::new(Profile::Posix),
            &|| true,
        );
        let found = found.unwrap();
        assert!(
            found
                .images
                .iter()
                .all(|found| found.image.len_of("a") == Some(1))
        );
        assert_eq!(found.images.len(), 2);
    }

    #[test]
    fn an_image_is_tried_with_the_most_lines_or_with_each_number() {
        let (_folder, log) = recorded("create a; ack 1; sync_dir .; ack 2; sync_dir .; ack 3");
        let mut options = ImageOptions::new(Profile::Posix);
        let acks = |options: &ImageOptions| {
            let found = crash_images(&log, &log.events, options, &|| true).unwrap();
            let images = found.images.iter();
            let mut acks: Vec<_> = images
                .map(|found| (found.image.len_of("a").is_some(), found.acks))
                .collect();
            acks.sort_unstable();
            acks
        };
        assert_eq!(acks(&options), [(false, 1), (true, 3)]);
        options.all_acks = true;
        assert_eq!(
            acks(&options),
            [(false, 1), (true, 1), (true, 2), (true, 3)]
        );
    }

    #[test]
    fn samples_are_the_same_every_time_and_have_the_corners() {
        let writes: Vec<String> = (0..20)
            .map(|file| format!("create f{file}; write f{file} 0 x"))
            .collect();
        let (_folder, log) = recorded(&writes.join("; "));
        let options = ImageOptions::new(Profile::Posix);
        let found = || crash_images(&log, &log.events, &options, &|| true).unwrap();
        let hashes = |found: &CrashImages| {
            let images = found.images.iter();
            images
                .map(|found| found.image.hash128())
                .collect::<Vec<_>>()
        };
        let (one, two) = (found(), found());
        assert_eq!(hashes(&one), hashes(&two));
        assert!(!one.is_exhaustive());
        let files = |found: &CrashImage| found.image.to_files().len();
        assert!(one.images.iter().any(|found| files(found) == 0));
        assert!(one.images.iter().any(|found| files(found) == 20));
    }
}
