//! What survives a power cut, and how far a killed call got: drawn from the seed, or taken from a
//! script.
//!
//! Images near the corners of the space (almost everything lost, almost everything kept) break logs
//! more often than those in the middle, so corners are drawn on purpose and the survival
//! probability is drawn per image.

use beaver_disk::{About, CallEffect, Choice, Decision, DeviceExtra, Fill, ImageSpace, Tear};

use crate::scenario::{Crashes, FaultKind, FaultRate};
use crate::stream::Stream;

/// Chances in 1,000 that a pending record survives; one is drawn per image.
const SURVIVAL_PER_MILLE: [u32; 5] = [20, 250, 500, 750, 980];

/// Draws what survives.
#[derive(Debug)]
pub(crate) struct SurvivorDraw {
    images: Stream,
    garbage: Stream,
    damage: Stream,
    tears: Stream,
    crashes: Crashes,
    device: Vec<FaultRate>,
}

impl SurvivorDraw {
    /// The survivors of `seed`; `device` are the rates of what a bad device does at a power cut.
    #[must_use]
    pub(crate) fn new(seed: u64, crashes: &Crashes, device: Vec<FaultRate>) -> Self {
        SurvivorDraw {
            images: Stream::new(seed, "images"),
            garbage: Stream::new(seed, "garbage"),
            damage: Stream::new(seed, "damage"),
            tears: Stream::new(seed, "tears"),
            crashes: crashes.clone(),
            device,
        }
    }

    /// Draws damage to copies.
    pub(crate) fn damage_stream(&mut self) -> &mut Stream {
        &mut self.damage
    }

    /// One image of `space`.
    pub(crate) fn choose(&mut self, space: &ImageSpace) -> Choice {
        let stream = &mut self.images;
        let mut choice = match stream.draw(1, 4) {
            1 => {
                let options = corner(&space.decisions(), stream);
                space.resolve(&options)
            }
            _ => {
                let per_mille = *stream.pick(&SURVIVAL_PER_MILLE);
                let options: Vec<u32> = space
                    .decisions()
                    .iter()
                    .map(|decision| outcome(decision.options, per_mille, stream))
                    .collect();
                space.resolve(&options)
            }
        };
        if self.crashes.torn_pages > 0 && stream.coin() {
            choice.tears = tears(space, self.crashes.torn_pages, stream);
        }
        if self.crashes.garbage || space.profile().fills_with_garbage() {
            choice.fill = Fill::Garbage(self.garbage.draw(0, u64::MAX));
        }
        choice
    }

    /// `choice` with the first sectors of one of the pages that survive of it, the others of an older version; `None` if no
    /// page can be torn.
    pub(crate) fn tear(&mut self, space: &ImageSpace, choice: &Choice) -> Option<Choice> {
        let mut points = space.tear_points();
        points.retain(|point| choice.version(point.inode, point.page) > 0);
        if points.is_empty() {
            return None;
        }
        let point = self.tears.pick(&points);
        let newer = choice.version(point.inode, point.page);
        let older = self.tears.draw(0, u64::from(newer) - 1);
        let sectors = self.tears.draw(1, 7);
        Some(Choice {
            tears: vec![Tear {
                inode: point.inode,
                page: point.page,
                newer_sectors: (1 << sectors) - 1,
                older: u32::try_from(older).expect("it is below a version"),
            }],
            ..choice.clone()
        })
    }

    /// Adds what a bad device does to `choice`.
    pub(crate) fn spoil(&mut self, space: &ImageSpace, choice: &mut Choice) {
        for rate in &self.device {
            if !self.images.chance_per_mille(rate.per_mille) {
                continue;
            }
            choice
                .device
                .extend(extra(rate.kind, space, &mut self.images));
        }
    }

    /// What a bad device does of this kind; `None` where it can do nothing like that.
    pub(crate) fn extra(&mut self, kind: FaultKind, space: &ImageSpace) -> Option<DeviceExtra> {
        extra(kind, space, &mut self.images)
    }
}

fn extra(kind: FaultKind, space: &ImageSpace, stream: &mut Stream) -> Option<DeviceExtra> {
    let mut points = space.device_points();
    points.retain(|point| match kind {
        FaultKind::LyingSync => point.can_revert,
        FaultKind::ShornSector => point.versions > 0,
        _ => true,
    });
    if points.is_empty() {
        return None;
    }
    let point = stream.pick(&points);
    let (inode, page) = (point.inode, point.page);
    let sector = u8::try_from(stream.draw(0, 7)).expect("0 to 7 fit");
    Some(match kind {
        FaultKind::LyingSync => DeviceExtra::Revert { inode, page },
        FaultKind::ShornSector => DeviceExtra::ShornSector {
            inode,
            page,
            sector,
            keep: u16::try_from(stream.draw(1, 511)).expect("511 fits"),
            older: 0,
        },
        _ => DeviceExtra::UnreadableSector {
            inode,
            page,
            sector,
        },
    })
}

/// One of the corners of the space: nothing, everything, all but one, only one, one sort of record
/// without the others, or the oldest.
fn corner(decisions: &[Decision], stream: &mut Stream) -> Vec<u32> {
    let last = |decision: &Decision| decision.options.saturating_sub(1);
    let one = match decisions.len() {
        0 => return Vec::new(),
        some => stream.index(some),
    };
    let shape = stream.draw(1, 9);
    let keeps = |index: usize, about: &About| match shape {
        1 => false,
        2 => true,
        3 => index != one,
        4 => index == one,
        5 => matches!(about, About::Name { .. } | About::Metadata),
        6 => !matches!(about, About::Name { .. } | About::Metadata),
        7 => matches!(
            about,
            About::Size { .. } | About::Name { .. } | About::Metadata
        ),
        8 => matches!(about, About::Page { page, .. } if page % 2 == 0),
        _ => index <= one,
    };
    let decisions = decisions.iter().enumerate();
    decisions
        .map(|(index, decision)| match keeps(index, &decision.about) {
            true => last(decision),
            false => 0,
        })
        .collect()
}

/// Which of `options` outcomes came true: the last with the given chance, else an earlier one,
/// mostly the first.
fn outcome(options: u32, per_mille: u32, stream: &mut Stream) -> u32 {
    let last = options.saturating_sub(1);
    if stream.chance_per_mille(per_mille) {
        last
    } else if last > 1 && stream.draw(1, 3) == 1 {
        let drawn = stream.draw(1, u64::from(last) - 1);
        u32::try_from(drawn).unwrap_or(last)
    } else {
        0
    }
}

fn tears(space: &ImageSpace, most: u32, stream: &mut Stream) -> Vec<Tear> {
    let mut points = space.tear_points();
    let mut tears = Vec::new();
    for _ in 0..most {
        if points.is_empty() {
            break;
        }
        let point = points.swap_remove(stream.index(points.len()));
        let newer_sectors = match stream.draw(1, 3) {
            1 => (1u16 << stream.draw(1, 7)) - 1,
            2 => !((1u16 << stream.draw(1, 7)) - 1) & 0xff,
            _ => u16::try_from(stream.draw(1, 254)).expect("254 fits"),
        };
        let older = stream.draw(0, u64::from(point.versions.saturating_sub(1)));
        tears.push(Tear {
            inode: point.inode,
            page: point.page,
            newer_sectors: u8::try_from(newer_sectors).expect("the mask has eight bits"),
            older: u32::try_from(older).unwrap_or(0),
        });
    }
    tears
}

/// The kinds of what a bad device does in `choice`.
#[must_use]
pub(crate) fn device_kinds(choice: &Choice) -> Vec<FaultKind> {
    let kinds = choice.device.iter().map(|extra| match extra {
        DeviceExtra::ShornSector { .. } => FaultKind::ShornSector,
        DeviceExtra::UnreadableSector { .. } => FaultKind::UnreadableSector,
        DeviceExtra::Revert { .. } => FaultKind::LyingSync,
    });
    kinds.collect()
}

/// How far the call got in which the process was killed.
pub(crate) fn choose_effect(stream: &mut Stream) -> CallEffect {
    match stream.draw(1, 4) {
        1 => CallEffect::Nothing,
        2 => CallEffect::Everything,
        _ => CallEffect::Bytes(stream.draw(0, 200)),
    }
}
