//! Which images are tried where there are too many: drawn from a fixed seed, so that they are the same in every run.

use beaver_disk::{Choice, Fill, ImageSpace, Tear};
use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng as _;

/// Chances in 1,000 that a pending record survives; one is drawn for each image. An even chance for each record would almost
/// never give the images that break programs: those in which nearly everything survived, or nearly nothing.
const SURVIVAL_PER_MILLE: [u32; 5] = [20, 250, 500, 750, 980];

/// Draws what survives a power cut at one point.
pub(crate) struct ImageDraw(ChaCha8Rng);

impl ImageDraw {
    /// The draws at the point of this number.
    pub(crate) fn at(point: usize) -> Self {
        ImageDraw(ChaCha8Rng::seed_from_u64(point as u64))
    }

    /// Something that may survive.
    pub(crate) fn choose(&mut self, space: &ImageSpace) -> Choice {
        let place = self.0.random_range(0..SURVIVAL_PER_MILLE.len());
        let survives = SURVIVAL_PER_MILLE[place];
        let decisions = space.decisions();
        let options = decisions.iter().map(|decision| {
            let last = decision.options - 1;
            match self.0.random_ratio(survives, 1_000) {
                // Mostly the last state: what a cache writes back is the newest that it has.
                true if self.0.random_ratio(3, 4) => last,
                true => self.0.random_range(0..=last),
                false => 0,
            }
        });
        let options: Vec<u32> = options.collect();
        let mut choice = space.resolve(&options);
        if space.profile().fills_with_garbage() && self.0.random_ratio(1, 2) {
            choice.fill = Fill::Garbage(0);
        }
        choice
    }

    /// `choice` with the first sectors of one of its pages, the others of an older version; `None` if no page of it can be
    /// torn.
    pub(crate) fn tear(&mut self, space: &ImageSpace, choice: &Choice) -> Option<Choice> {
        let mut pages = space.tear_points();
        pages.retain(|page| choice.version(page.inode, page.page) > 0);
        if pages.is_empty() {
            return None;
        }
        let page = &pages[self.0.random_range(0..pages.len())];
        let newer = choice.version(page.inode, page.page);
        let older = self.0.random_range(0..newer);
        let sectors = self.0.random_range(1..8u32);
        Some(Choice {
            tears: vec![Tear {
                inode: page.inode,
                page: page.page,
                newer_sectors: (1 << sectors) - 1,
                older,
            }],
            ..choice.clone()
        })
    }
}
