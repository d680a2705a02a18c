//! The images of one power cut, in order, and the way back to each. They are too many and too large to be kept: what is kept is
//! how they come about.

use std::collections::BTreeSet;

use beaver_disk::{Choice, Corner, Image, ImageSpace, Sampler};

use crate::draw::{DrawPlace, ImageDraw};
use crate::image_options::ImageOptions;

/// At most this many choices are drawn for each image that is asked for.
const DRAWS_FOR_EACH: u64 = 4;

/// Choices of at most this many decisions are kept while images of one power cut are looked for.
const KEPT: usize = 1_000;

/// How an image comes about at a power cut.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Way {
    /// The image of this number of all combinations.
    Plain(usize),
    /// The image of this number of those with a torn page.
    Torn(usize),
    /// A sample.
    Sample(Sample),
}

/// One of the images where there are too many.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    survived: DrawnSurvivors,
    /// Where the page that is torn was drawn.
    tear: Option<DrawPlace>,
}

#[derive(Clone, Copy, Debug)]
enum DrawnSurvivors {
    Corner(Corner),
    Drawn(DrawPlace),
}

/// What a power cut may leave.
pub(crate) struct Candidates<'c> {
    pub(crate) space: &'c ImageSpace,
    pub(crate) options: &'c ImageOptions,
    /// The number of the point.
    pub(crate) point: usize,
}

/// Gets an image by its hash, with the way to it, and what survived if that is asked for.
pub(crate) type FoundWay<'f> = dyn FnMut(u128, Way, &dyn Fn() -> Choice) + 'f;

/// Gets an image that was made, by its place, with what survived if that is asked for. Says whether to go on.
pub(crate) type Give<'g> = dyn FnMut(usize, Image, &dyn Fn() -> Choice) -> bool + 'g;

/// How far images were looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PointCoverage {
    /// All combinations.
    All,
    /// A sample of them.
    Sample,
    /// It was stopped before.
    Stopped,
}

impl Candidates<'_> {
    /// Looks for all images, or for samples of them.
    pub(crate) fn find(&self, go_on: &dyn Fn() -> bool, found: &mut FoundWay<'_>) -> PointCoverage {
        let Some(mut images) = self.space.enumerate(self.options.cap) else {
            return Samples::new(self).find(go_on, found);
        };
        let mut number = 0;
        while let Some(candidate) = images.next() {
            let choice = || images.choice(&candidate);
            found(candidate.image.hash128(), Way::Plain(number), &choice);
            number += 1;
            if !go_on() {
                return PointCoverage::Stopped;
            }
        }
        let mut torn = images.torn(self.options.torn_cap);
        number = 0;
        while let Some(candidate) = torn.next() {
            let choice = || torn.choice(&candidate);
            found(candidate.image.hash128(), Way::Torn(number), &choice);
            number += 1;
            if !go_on() {
                return PointCoverage::Stopped;
            }
        }
        match torn.is_capped() {
            true => PointCoverage::Sample,
            false => PointCoverage::All,
        }
    }

    /// Makes the images at the end of some ways, which are in the order in which they were found. Says no if `give` did.
    pub(crate) fn make(&self, ways: &[(usize, Way)], give: &mut Give<'_>) -> bool {
        let plain = ways.partition_point(|(_, way)| matches!(way, Way::Plain(_)));
        let (plain, others) = ways.split_at(plain);
        let is_torn = |(_, way): &(usize, Way)| matches!(way, Way::Torn(_));
        if !plain.is_empty() || others.first().is_some_and(is_torn) {
            let images = self.space.enumerate(self.options.cap);
            let mut images = images.expect("it was gone through when they were found");
            let mut passed = 0;
            for (place, way) in plain {
                let Way::Plain(number) = way else { continue };
                let candidate = images.nth(number - passed);
                let candidate = candidate.expect("it was found there");
                passed = number + 1;
                if !give(*place, candidate.image.clone(), &|| {
                    images.choice(&candidate)
                }) {
                    return false;
                }
            }
            if others.is_empty() {
                return true;
            }
            let mut torn = images.torn(self.options.torn_cap);
            let mut passed = 0;
            for (place, way) in others {
                let Way::Torn(number) = way else { continue };
                let candidate = torn.nth(number - passed);
                let candidate = candidate.expect("it was found there");
                passed = number + 1;
                if !give(*place, candidate.image.clone(), &|| torn.choice(&candidate)) {
                    return false;
                }
            }
            return true;
        }
        let samples = Samples::new(self);
        others.iter().all(|(place, way)| {
            let Way::Sample(sample) = way else {
                return true;
            };
            let choice = samples.choice(*sample);
            give(*place, self.space.image(&choice), &|| choice.clone())
        })
    }
}

/// Images of a point at which there are too many.
struct Samples<'c> {
    options: &'c ImageOptions,
    point: usize,
    sampler: Sampler<'c>,
    /// How many ways each decision can go.
    decisions: Vec<u32>,
}

impl<'c> Samples<'c> {
    fn new(candidates: &Candidates<'c>) -> Self {
        let sampler = candidates.space.sampler();
        let decisions = sampler.decisions().into_iter();
        Samples {
            options: candidates.options,
            point: candidates.point,
            decisions: decisions.map(|decision| decision.options).collect(),
            sampler,
        }
    }

    /// The corners first: nothing, everything, all but one, one alone.
    fn find(mut self, go_on: &dyn Fn() -> bool, found: &mut FoundWay<'_>) -> PointCoverage {
        let mut samples = Vec::new();
        let mut different = BTreeSet::new();
        for corner in self.sampler.corners() {
            let choice = self.sampler.corner(corner);
            let sample = Sample {
                survived: DrawnSurvivors::Corner(corner),
                tear: None,
            };
            different.insert(self.add(sample, &choice, found));
            samples.push((sample, self.kept(choice)));
            if !go_on() {
                return PointCoverage::Stopped;
            }
        }
        // Where names are lost many choices leave the same image: then more of them are drawn.
        let draws = self.options.cap.saturating_mul(DRAWS_FOR_EACH);
        let mut draw = ImageDraw::at(self.point);
        for _ in 0..draws {
            if different.len() as u64 >= self.options.cap {
                break;
            }
            let sample = Sample {
                survived: DrawnSurvivors::Drawn(draw.place()),
                tear: None,
            };
            let choice = draw.choose(&self.sampler, &self.decisions);
            let hash = self.sampler.hash(&choice);
            if different.insert(hash) {
                found(hash, Way::Sample(sample), &|| choice.clone());
                samples.push((sample, self.kept(choice)));
            }
            if !go_on() {
                return PointCoverage::Stopped;
            }
        }
        for ((sample, whole), _) in samples.into_iter().zip(0..self.options.torn_cap) {
            let whole = whole.unwrap_or_else(|| self.choice(sample));
            let tear = Some(draw.place());
            if let Some(torn) = draw.tear(&self.sampler, whole) {
                self.add(Sample { tear, ..sample }, &torn, found);
            }
            if !go_on() {
                return PointCoverage::Stopped;
            }
        }
        PointCoverage::Sample
    }

    /// A choice for later, if it is small. A large one is drawn again.
    fn kept(&self, choice: Choice) -> Option<Choice> {
        (self.decisions.len() <= KEPT).then_some(choice)
    }

    fn add(&mut self, sample: Sample, choice: &Choice, found: &mut FoundWay<'_>) -> u128 {
        let hash = self.sampler.hash(choice);
        found(hash, Way::Sample(sample), &|| choice.clone());
        hash
    }

    /// What survives in a sample.
    fn choice(&self, sample: Sample) -> Choice {
        let mut draw = ImageDraw::at(self.point);
        let choice = match sample.survived {
            DrawnSurvivors::Corner(corner) => self.sampler.corner(corner),
            DrawnSurvivors::Drawn(place) => {
                draw.go_to(place);
                draw.choose(&self.sampler, &self.decisions)
            }
        };
        let Some(place) = sample.tear else {
            return choice;
        };
        draw.go_to(place);
        let torn = draw.tear(&self.sampler, choice);
        torn.expect("it was torn when it was found")
    }
}
