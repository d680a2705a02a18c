//! What a power cut leaves: every image that it can, or samples where those are too many.
//!
//! ```text
//! images with whole pages, zeros where data was lost    all of them up to the cap, else corners and samples
//! images with a torn page, or garbage                   all of them up to a cap of their own, else samples
//! ```

use beaver_disk::{Choice, Image, ImageSpace, Images};

use super::search::{CrashSearch, CrashState, start};
use super::trail::power_cut;

impl CrashSearch<'_> {
    /// Goes on from everything that a power cut may leave.
    pub(super) fn lose_power(&mut self, crashed: &CrashState<'_>, space: &ImageSpace) {
        match space.enumerate(self.target.options.cap) {
            Some(images) => self.lose_power_in_every_way(crashed, space, images),
            None => self.lose_power_in_some_ways(crashed, space),
        }
    }

    fn lose_power_in_every_way(
        &mut self,
        crashed: &CrashState<'_>,
        space: &ImageSpace,
        mut images: Images<'_>,
    ) {
        while !self.is_cancelled()
            && let Some(candidate) = images.next()
        {
            self.tally.enumerated += 1;
            let choice = || images.choice(&candidate);
            if !self.follow_image(crashed, space, &candidate.image, choice) {
                self.tally.dropped += 1;
            }
        }
        self.tally.enumerated += images.dropped();
        self.tally.dropped += images.dropped();
        self.tear_in_every_way(crashed, space, images);
    }

    /// Goes on from the images with a torn page, and those with garbage.
    fn tear_in_every_way(
        &mut self,
        crashed: &CrashState<'_>,
        space: &ImageSpace,
        images: Images<'_>,
    ) {
        let cap = self.target.options.torn_cap;
        if cap == 0 {
            self.tally.torn_capped += 1;
            return;
        }
        let mut torn = images.torn(cap);
        let mut met = 0;
        while !self.is_cancelled()
            && let Some(candidate) = torn.next()
        {
            met += 1;
            let choice = || torn.choice(&candidate);
            if !self.follow_image(crashed, space, &candidate.image, choice) {
                self.tally.torn_dropped += 1;
            }
        }
        met += torn.dropped();
        self.tally.torn_dropped += torn.dropped();
        match torn.is_capped() {
            true => {
                self.tally.torn_capped += 1;
                self.tally.torn_sampled += met;
            }
            false => self.tally.torn_enumerated += met,
        }
    }

    fn lose_power_in_some_ways(&mut self, crashed: &CrashState<'_>, space: &ImageSpace) {
        let cap = self.target.options.cap;
        self.tally.capped += 1;
        self.tally.torn_capped += 1;
        let corners = space.corners();
        let samples = cap.saturating_sub(corners.len() as u64);
        let corners = corners.into_iter().map(|corner| space.corner(corner));
        let mut choices: Vec<Choice> = corners.collect();
        choices.extend((0..samples).map(|_| self.survivors.choose(space)));
        for choice in &choices {
            if self.is_cancelled() {
                return;
            }
            self.tally.sampled += 1;
            if !self.follow_image(crashed, space, &space.image(choice), || choice.clone()) {
                self.tally.dropped += 1;
            }
        }
        for choice in (0..self.target.options.torn_cap)
            .zip(&choices)
            .map(|(_, choice)| choice)
        {
            if self.is_cancelled() {
                return;
            }
            let Some(torn) = self.survivors.tear(space, choice) else {
                continue;
            };
            self.tally.torn_sampled += 1;
            if !self.follow_image(crashed, space, &space.image(&torn), || torn.clone()) {
                self.tally.torn_dropped += 1;
            }
        }
    }

    /// Goes on from an image, unless an equal one was judged; says whether it did. `choice` leads to it.
    fn follow_image(
        &mut self,
        crashed: &CrashState<'_>,
        space: &ImageSpace,
        image: &Image,
        choice: impl FnOnce() -> Choice,
    ) -> bool {
        let is_new = self.is_new(crashed, image.hash128());
        if is_new {
            let start = start(crashed, image.disk(self.profile));
            self.follow(start, || {
                power_cut(crashed.at, crashed.is_start, space.survivors(&choice()))
            });
        }
        is_new
    }
}
