//! What a power cut leaves on a bad device: one sample, with one thing in it that only such a device does.
//!
//! ```text
//! shorn sector          what was being written is half there, inside a sector
//! unreadable sector     every read of it fails
//! lying sync            a page that was synced is as it was before
//! ```
//!
//! There are far too many to list. The store is judged on each by the loop of a run: it may refuse, or lose a bounded end of
//! what was acknowledged, where the damage explains that. The recovery is not crashed again.

use beaver::Clock as _;
use beaver_disk::{Disk, ImageSpace, Profile};

use crate::scenario::{FaultKind, Survivors};
use crate::world::{DeadProcess, Stop};

use super::search::{CrashSearch, CrashState};
use super::trail::{Wrong, power_cut};

/// They take turns: there is one sample of each different power cut.
const EXTRAS: [FaultKind; 3] = [
    FaultKind::ShornSector,
    FaultKind::UnreadableSector,
    FaultKind::LyingSync,
];

impl CrashSearch<'_> {
    /// Judges a sample of what a power cut leaves of `disk`, where the device may be bad. Nothing of a store whose files nobody can
    /// read: then nothing tells which refusals and losses the damage explains.
    pub(super) fn lose_power_on_a_bad_device(
        &mut self,
        crashed: &CrashState<'_>,
        disk: &Disk,
        space: &ImageSpace,
    ) {
        let is_judged = self.target.subject.inspected().is_some();
        if self.profile != Profile::HostileDevice || !is_judged {
            return;
        }
        let sound = self.on_bad_device.choose(space);
        let turn = (0..EXTRAS.len()).find_map(|ahead| {
            let turn = (self.bad_device_turn + ahead) % EXTRAS.len();
            Some((turn, self.on_bad_device.extra(EXTRAS[turn], space)?))
        });
        let Some((turn, extra)) = turn else {
            return;
        };
        self.bad_device_turn = turn + 1;
        let mut choice = sound.clone();
        choice.device.push(extra);
        let (sound, spoiled) = (space.image(&sound), space.image(&choice));
        // What damage excuses depends on what it has changed.
        let key = sound.hash128().rotate_left(1) ^ spoiled.hash128();
        if sound == spoiled || !self.is_new(crashed, key) {
            return;
        }
        self.tally.on_bad_device += 1;
        self.tally.recoveries += 1;
        let survivors = space.survivors(&choice);
        let step = || power_cut(crashed.at, crashed.is_start, survivors.clone());
        self.follow_with(step, |search| {
            let image = Survivors::Named(survivors.clone());
            if let Err(wrong) = search.start_in_a_run(crashed, disk, image) {
                search.wrong.push(wrong);
            }
        });
    }

    /// Cuts the power of a run that has come to `disk`, so that `image` is left, and lets it start the store and judge it.
    fn start_in_a_run(
        &self,
        crashed: &CrashState<'_>,
        disk: &Disk,
        image: Survivors,
    ) -> Result<(), Wrong> {
        let mut world = self.target.world(self.target.scenario, 0);
        let started = world.lose_power_after(
            DeadProcess {
                disk: disk.clone(),
                history: self.beliefs.history(crashed.belief),
                now_ms: self.clock.now_ms(),
                was_open: self.was_open(crashed.belief, crashed.shown),
                untouched: crashed.shown,
            },
            image,
        );
        match started {
            Ok(()) | Err(Stop::Over) => Ok(()),
            Err(stop) => Err(Wrong::new(stop.into())),
        }
    }
}
