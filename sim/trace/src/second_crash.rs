//! A crash while the check recovers: what the check does to an image is recorded, and its images are checked as well. A recovery
//! that can be interrupted is one that may run twice.

use std::collections::BTreeSet;
use std::path::Path;

use crate::check_process::Judgement;
use crate::images::{CrashImage, ImageOptions, crash_images};
use crate::judge::{Judge, JudgeError};
use crate::log::Log;

/// An image whose check was interrupted, so that a later check of what was left fails.
#[derive(Clone, Debug)]
pub struct CrashedCheck {
    /// The place of the image among those that were given.
    pub place: usize,
    /// What the second crash left.
    pub image: CrashImage,
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

/// Interrupts the check of each of these images, which are good, and checks what is left. Recordings are made in `folder`, one
/// after the other; that of the first failure stays there.
///
/// # Errors
///
/// Nothing can be mounted or recorded, or the check cannot be run.
pub fn crash_the_checks(
    judge: &Judge,
    images: &[(usize, &CrashImage)],
    options: &ImageOptions,
    folder: &Path,
    go_on: &(dyn Fn() -> bool + Sync),
) -> Result<CrashedChecks, JudgeError> {
    let mut crashed = CrashedChecks {
        exhaustive: true,
        ..CrashedChecks::default()
    };
    let mut known: BTreeSet<(u128, usize)> = images
        .iter()
        .map(|(_, image)| (image.image.hash128(), image.acks))
        .collect();
    for (place, image) in images {
        if !go_on() {
            crashed.exhaustive = false;
            break;
        }
        let kept = !crashed.failed.is_empty();
        let name = if kept { "next" } else { "first" };
        let folder = folder.join(name);
        let _ = std::fs::remove_dir_all(&folder);
        judge.record(image, &folder, go_on)?;
        let log = Log::open(&folder)?;
        let found = crash_images(&log, &log.events, options, go_on)?;
        crashed.checks += 1;
        crashed.exhaustive &= found.is_exhaustive();
        let mut left = found.images;
        left.retain(|left| known.insert((left.image.hash128(), image.acks)));
        for left in &mut left {
            left.acks = image.acks;
        }
        crashed.images += left.len();
        let answers = judge.judge(&left, go_on, &|_| {})?;
        for (left, answer) in left.into_iter().zip(answers) {
            match answer {
                Judgement::Bad(reason) => crashed.failed.push(CrashedCheck {
                    place: *place,
                    image: left,
                    reason,
                }),
                Judgement::Stopped => crashed.exhaustive = false,
                Judgement::Good => {}
            }
        }
    }
    Ok(crashed)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use beaver_disk::Profile;

    use super::*;
    use crate::check::ImageCheck;
    use crate::judge::JudgeOptions;
    use crate::testing::recorded;

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
        let answers = judge.judge(&found.images, &|| true, &|_| {}).unwrap();
        assert_eq!(answers, [Judgement::Good]);
        let images: Vec<_> = found.images.iter().enumerate().collect();
        let folder = tempfile::tempdir().unwrap();
        let crashed = crash_the_checks(&judge, &images, &options, folder.path(), &|| true);
        Some(crashed.unwrap())
    }

    #[test]
    fn a_recovery_that_does_not_sync_is_caught() {
        let Some(crashed) = crashed("cat journal > data") else {
            return;
        };
        assert_eq!(crashed.checks, 1);
        assert!(crashed.exhaustive);
        assert!(!crashed.failed.is_empty(), "{crashed:?}");
        let lost = &crashed.failed[0].image.image;
        assert_eq!(lost.len_of("journal"), None);
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
