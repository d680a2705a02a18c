//! Which images are tried where there are too many: drawn from a fixed seed, so that they are the same in every run.

use beaver_disk::{Choice, Fill, InodeId, Sampler, Tear};
use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng as _;

/// Chances in 1,000 that a pending record survives; one is drawn for each image. An even chance for each record would almost
/// never give the images that break programs: those in which nearly everything survived, or nearly nothing.
const SURVIVAL_PER_MILLE: [u32; 5] = [20, 250, 500, 750, 980];

/// Draws what survives a power cut at one point.
pub(crate) struct ImageDraw(ChaCha8Rng);

/// Between two draws: from there the second one is drawn again.
pub(crate) type DrawPlace = u64;

impl ImageDraw {
    /// The draws at the point of this number.
    pub(crate) fn at(point: usize) -> Self {
        ImageDraw(ChaCha8Rng::seed_from_u64(point as u64))
    }

    /// Where the next draw begins.
    pub(crate) fn place(&self) -> DrawPlace {
        u64::try_from(self.0.get_word_pos()).expect("fewer words are drawn")
    }

    /// The next draw is the one that began there.
    pub(crate) fn go_to(&mut self, place: DrawPlace) {
        self.0.set_word_pos(u128::from(place));
    }

    /// Something that may survive; `options` says how many options each decision has.
    pub(crate) fn choose(&mut self, sampler: &Sampler<'_>, options: &[u32]) -> Choice {
        let place = self.0.random_range(0..SURVIVAL_PER_MILLE.len());
        let survives = SURVIVAL_PER_MILLE[place];
        let options = options.iter().map(|options| {
            let last = options - 1;
            match self.0.random_ratio(survives, 1_000) {
                // Mostly the last state: what a cache writes back is the newest that it has.
                true if self.0.random_ratio(3, 4) => last,
                true => self.0.random_range(0..=last),
                false => 0,
            }
        });
        let options: Vec<u32> = options.collect();
        let mut choice = sampler.resolve(&options);
        let garbage = sampler.space().profile().fills_with_garbage();
        if garbage && self.0.random_ratio(1, 2) {
            choice.fill = Fill::Garbage(0);
        }
        choice
    }

    /// `choice` with the first sectors of one of its pages, the others of an older version; `None` if no page of it can be
    /// torn.
    pub(crate) fn tear(&mut self, sampler: &Sampler<'_>, choice: Choice) -> Option<Choice> {
        let space = sampler.space();
        let files = choice.pages.iter();
        let pages = files.flat_map(|(inode, pages)| {
            let pages = pages.iter();
            pages.map(|(page, version)| (*inode, *page, *version))
        });
        let pages = pages.filter(|(inode, page, _)| space.may_tear(*inode, *page));
        let pages: Vec<(InodeId, u64, u32)> = pages.collect();
        if pages.is_empty() {
            return None;
        }
        let (inode, page, newer) = pages[self.0.random_range(0..pages.len())];
        let older = self.0.random_range(0..newer);
        let sectors = self.0.random_range(1..8u32);
        Some(Choice {
            tears: vec![Tear {
                inode,
                page,
                newer_sectors: (1 << sectors) - 1,
                older,
            }],
            ..choice
        })
    }
}
