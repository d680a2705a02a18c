//! The choices at the edges of a space: the near-all and near-nothing images that break logs.
//!
//! A sample with an even chance for each record almost never gives them, so they are always tried
//! first.

use super::choice::{About, Choice};
use super::file_space::count;
use super::sampler::{Point, Sampler};
use super::space::ImageSpace;

/// At most this many of each corner that exists once for every decision.
const EACH: usize = 16;

/// A choice that can be named without knowing the space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Corner {
    /// Nothing that is pending survives.
    Nothing,
    /// Everything does.
    Everything,
    /// Everything but the decision of this index.
    AllBut(usize),
    /// The decision of this index alone.
    Only(usize),
    /// Names, and neither lengths nor pages.
    NamesWithoutData,
    /// Lengths and pages, and no names.
    DataWithoutNames,
    /// Names and lengths, and no pages.
    SizeWithoutData,
    /// Names and pages, and no lengths.
    DataWithoutSize,
    /// Names, lengths, and the pages with even numbers.
    EvenPages,
    /// Names, lengths, and the pages with odd numbers.
    OddPages,
    /// Every record up to this number, and none after it.
    OldestFirst(u64),
}

impl ImageSpace {
    /// [`Sampler::corner`], for a space from which one choice is made.
    #[must_use]
    pub fn corner(&self, corner: Corner) -> Choice {
        self.sampler().corner(corner)
    }

    /// [`Sampler::corners`], for a space from which one choice is made.
    #[must_use]
    pub fn corners(&self) -> Vec<Corner> {
        self.sampler().corners()
    }
}

impl Sampler<'_> {
    /// The choice of one corner. An index or a number that the space does not have gives its
    /// nearest neighbour.
    #[must_use]
    pub fn corner(&self, corner: Corner) -> Choice {
        let options = self.points.iter().enumerate().map(|(index, point)| {
            let all = count(point.records.len());
            let if_so = |survives: bool| if survives { all } else { 0 };
            match corner {
                Corner::Nothing => 0,
                Corner::Everything => all,
                Corner::AllBut(lost) => if_so(index != lost),
                Corner::Only(kept) => if_so(index == kept),
                Corner::NamesWithoutData => if_so(point.is_name()),
                Corner::DataWithoutNames => if_so(!point.is_name()),
                Corner::SizeWithoutData => if_so(point.page().is_none()),
                Corner::DataWithoutSize => if_so(!matches!(point.about, About::Size { .. })),
                Corner::EvenPages => if_so(point.page().is_none_or(|page| page % 2 == 0)),
                Corner::OddPages => if_so(point.page().is_none_or(|page| page % 2 == 1)),
                Corner::OldestFirst(last) => {
                    count(point.records.partition_point(|record| *record <= last))
                }
            }
        });
        let options: Vec<u32> = options.collect();
        self.resolve(&options)
    }

    /// All corners of this space, in a fixed order. Of those that exist for every decision, and of
    /// the oldest-first ones, at most 16 each, spread evenly. Several may give the same image.
    #[must_use]
    pub fn corners(&self) -> Vec<Corner> {
        let points = &self.points;
        let mut corners = vec![Corner::Nothing, Corner::Everything];
        corners.extend(spread(points.len()).map(Corner::AllBut));
        corners.extend(spread(points.len()).map(Corner::Only));
        corners.extend([
            Corner::NamesWithoutData,
            Corner::DataWithoutNames,
            Corner::SizeWithoutData,
            Corner::DataWithoutSize,
            Corner::EvenPages,
            Corner::OddPages,
        ]);
        let mut records: Vec<u64> = points
            .iter()
            .flat_map(|point| point.records.iter().copied())
            .collect();
        records.sort_unstable();
        records.dedup();
        let prefixes = spread(records.len()).map(|index| Corner::OldestFirst(records[index]));
        corners.extend(prefixes);
        corners
    }
}

impl Point {
    fn is_name(&self) -> bool {
        matches!(self.about, About::Name { .. } | About::Metadata)
    }

    fn page(&self) -> Option<u64> {
        match self.about {
            About::Page { page, .. } => Some(page),
            _ => None,
        }
    }
}

/// At most [`EACH`] indexes below `len`, evenly spread, the first one included.
fn spread(len: usize) -> impl Iterator<Item = usize> {
    let chosen = len.min(EACH);
    (0..chosen).map(move |place| place * len / chosen)
}
