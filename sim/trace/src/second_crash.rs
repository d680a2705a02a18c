//! A crash while the check recovers: what the check does to an image is recorded, and its images are checked as well. A recovery
//! that can be interrupted is one that may run twice.

use std::collections::BTreeSet;
use std::path::Path;

use crate::check_process::Judgement;
use crate::image_options::ImageOptions;
use crate::images::{CrashImages, FoundImage, crash_images};
use crate::judge::{Judge, JudgeError, JudgeTime};
use crate::log::Log;
use crate::made::CrashImage;

/// An image whose check was interrupted, so that a later check of what was left fails.
#[derive(Clone, Debug)]
pub struct CrashedCheck {
    /// The place of the image among those that were given.
    pub place: usize,
    /// What the second crash left.
    pub image: FoundImage,
    /// What the check says of that.
    pub reason: String,
}

/// What came of crashing the checks.
#[derive(Clone, Debug, Default)]
pub struct CrashedChecks {
    /// How many checks were interrupted.
    pub checks: usize,
    /// How many different images they left that were not known before.
    pub images: usize,
    /// Whether all combinations were made, of every check.
    pub exhaustive: bool,
    /// What failed, in order.
    pub failed: Vec<CrashedCheck>,
}

/// Interrupts the check of each of these images, which are good, by their places in order, and checks what is left. Recordings
/// are made in `folder`, one after the other; that of the first failure stays there.
///
/// # Errors
///
/// Nothing can be mounted or recorded, or the check cannot be run.
pub fn crash_the_checks(
    judge: &Judge,
    log: &Log,
    found: &CrashImages,
    good: &[usize],
    folder: &Path,
    go_on: &(dyn Fn() -> bool + Sync),
) -> Result<CrashedChecks, JudgeError> {
    let mut crashed = CrashedChecks {
        exhaustive: true,
        ..CrashedChecks::default()
    };
    let key = |place: &usize| (found.images[*place].hash, found.images[*place].acks);
    let mut known: BTreeSet<(u128, usize)> = good.iter().map(key).collect();
    let mut ended = Ok(());
    let mut crash = |place, image: CrashImage| {
        ended = crashed.crash(
            judge,
            (place, &image),
            &mut known,
            &found.options,
            folder,
            go_on,
        );
        ended.is_ok()
    };
    let mut wanted = |place: usize| good.binary_search(&place).is_ok();
    found.make(log, &log.events, &mut wanted, &mut crash, go_on)?;
    ended?;
    crashed.exhaustive &= crashed.checks == good.len();
    Ok(crashed)
}

impl CrashedChecks {
    /// Interrupts the check of one image.
    fn crash(
        &mut self,
        judge: &Judge,
        (place, image): (usize, &CrashImage),
        known: &mut BTreeSet<(u128, usize)>,
        options: &ImageOptions,
        folder: &Path,
        go_on: &(dyn Fn() -> bool + Sync),
    ) -> Result<(), JudgeError> {
        let kept = !self.failed.is_empty();
        let name = if kept { "next" } else { "first" };
        let folder = folder.join(name);
        let _ = std::fs::remove_dir_all(&folder);
        judge.record(image, &folder, go_on)?;
        let log = Log::open(&folder)?;
        let mut found = crash_images(&log, &log.events, options, go_on)?;
        self.checks += 1;
        self.exhaustive &= found.is_exhaustive();
        let left = &mut found.images;
        left.retain(|left| known.insert((left.hash, image.acks)));
        left.iter_mut().for_each(|left| left.acks = image.acks);
        self.images += left.len();
        let time = JudgeTime::while_true(go_on);
        let answers = judge.judge((&log, &log.events), &found, &time, &|_| {})?;
        for (left, answer) in found.images.into_iter().zip(answers) {
            match answer {
                Judgement::Bad(reason) => self.failed.push(CrashedCheck {
                    place,
                    image: left,
                    reason,
                }),
                Judgement::Stopped => self.exhaustive = false,
                Judgement::Good => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use beaver_disk::Profile;

    use super::*;
    use crate::check::ImageCheck;
    use crate::judge::JudgeOptions;
    use crate::testing::{made, recorded};

    /// Crashes the checks of every image of a file with a journal, which the check plays back like this.
    fn crashed(play_back: &str) -> Option<CrashedChecks> {
        if let Err(error) = crate::record::check() {
            eprintln!("left out: {error}");
            return None;
        }
        let (_folder, log) =
            recorded("create data; write data 0 old; create journal; write journal 0 new; begin");
        let check = format!(
            "cd {{dir}}; if [ -e journal ]; then {play_back}; rm journal; fi; [ \"$(cat data)\" = new ]"
        );
        let options = JudgeOptions {
            check: ImageCheck::Command(check),
            limit: Duration::from_secs(60),
            jobs: 1,
            guard: None,
        };
        let judge = Judge::new(options, Vec::new(), None).unwrap();
        let options = ImageOptions::new(Profile::LinuxOrdered);
        let found = crash_images(&log, &log.events, &options, &|| true).unwrap();
        let time = JudgeTime::while_true(&|| true);
        let answers = judge.judge((&log, &log.events), &found, &time, &|_| {});
        let answers = answers.unwrap();
        assert_eq!(answers, [Judgement::Good]);
        let good: Vec<usize> = (0..found.images.len()).collect();
        let folder = tempfile::tempdir().unwrap();
        let crashed = crash_the_checks(&judge, &log, &found, &good, folder.path(), &|| true);
        let crashed = crashed.unwrap();
        let check = Log::open(&folder.path().join("first")).unwrap();
        for failed in &crashed.failed[..crashed.failed.len().min(1)] {
            let events = &check.events;
            let again = crash_images(&check, events, &options, &|| true).unwrap();
            let again = made(&check, &again).into_iter();
            let mut again = again.filter(|again| again.image.hash128() == failed.image.hash);
            let lost = again.next().unwrap().image;
            assert_eq!(lost.len_of("journal"), None);
        }
        Some(crashed)
    }

    #[test]
    fn a_recovery_that_does_not_sync_is_caught() {
        let Some(crashed) = crashed("cat journal > data") else {
            return;
        };
        assert_eq!(crashed.checks, 1);
        assert!(crashed.exhaustive);
        assert!(!crashed.failed.is_empty(), "{crashed:?}");
    }

    #[test]
    fn a_recovery_that_may_run_twice_is_not() {
        let Some(crashed) = crashed("cat journal > data; sync data") else {
            return;
        };
        assert!(crashed.images > 0, "{crashed:?}");
        assert!(crashed.failed.is_empty(), "{crashed:?}");
    }
}
