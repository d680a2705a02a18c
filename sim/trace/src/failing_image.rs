//! One image of a recording that fails, as a folder that needs neither the program nor the rest of the recording.
//!
//! ```text
//! failure.json   which image it is, and the check that it fails
//! events.jsonl   the recording up to the power cut
//! bytes          what it wrote
//! before/        the files as a reader saw them before the power cut
//! after/         the files that were left
//! report.txt     what happened, in words
//! ```

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use beaver_disk::{Choice, ImageSpace, Profile};
use serde::{Deserialize, Serialize};

use crate::check::ImageCheck;
use crate::image_folder::{remove_folder, write_image};
use crate::judge::JudgeError;
use crate::log::{Log, LogError, LogWriter, TraceEvent};
use crate::made::{CrashImage, PowerCut};
use crate::reasons::class;
use crate::replay::LogReplay;

const FAILURE: &str = "failure.json";
const VERSION: u32 = 1;

/// Which image it is, and the check that it fails.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct FailingImage {
    /// The version of this format.
    version: u32,
    /// The rules of the disk.
    pub profile: Profile,
    /// The number of the event before which the power was cut.
    pub event: usize,
    /// How many lines the program had said.
    pub acks: usize,
    /// What survived.
    pub choice: Choice,
    /// The check.
    pub check: ImageCheck,
    /// How long it may take, in milliseconds.
    limit_ms: u64,
    /// What it said.
    pub reason: String,
}

impl FailingImage {
    /// The image that `cut` leaves on a disk of this profile. `check`, which may take as long as `limit`, fails it for
    /// `reason`.
    #[must_use]
    pub fn new(
        profile: Profile,
        cut: PowerCut,
        check: &ImageCheck,
        limit: Duration,
        reason: &str,
    ) -> Self {
        FailingImage {
            version: VERSION,
            profile,
            event: cut.event,
            acks: cut.acks,
            choice: cut.choice,
            check: check.clone(),
            limit_ms: u64::try_from(limit.as_millis()).unwrap_or(u64::MAX),
            reason: reason.to_owned(),
        }
    }

    /// Whether a saved image lies in `folder`.
    #[must_use]
    pub fn is_in(folder: &Path) -> bool {
        folder.join(FAILURE).is_file()
    }

    /// Whether the check failed for this reason before: reasons that differ in numbers alone are one.
    #[must_use]
    pub fn fails_by(&self, reason: &str) -> bool {
        class(&self.reason) == class(reason)
    }

    /// How long the check may take.
    #[must_use]
    pub fn limit(&self) -> Duration {
        Duration::from_millis(self.limit_ms)
    }

    /// Saves it in `folder`, in place of one that was saved there earlier.
    ///
    /// # Errors
    ///
    /// The recording cannot be read, or the folder cannot be written: `AlreadyExists` if another recording lies there.
    pub fn save(&self, log: &Log, folder: &Path, report: &str) -> Result<(), JudgeError> {
        if FailingImage::is_in(folder) {
            remove_folder(folder)?;
        }
        let mut writer = LogWriter::create(folder, &log.format)?;
        for event in &log.events[..self.event] {
            match event {
                TraceEvent::Call {
                    change,
                    bytes: bytes @ Some(_),
                    fault,
                    mapped,
                } => writer.push(&TraceEvent::Call {
                    change: log.change(change, *bytes)?,
                    bytes: *bytes,
                    fault: fault.clone(),
                    mapped: *mapped,
                })?,
                event => writer.push(event)?,
            }
        }
        writer.flush()?;
        let (image, replay, _) = self.image(log)?;
        let before = replay.disk().live();
        write_image(&before, replay.modes(), &folder.join("before"))?;
        write_image(&image.image, replay.modes(), &folder.join("after"))?;
        fs::write(folder.join("report.txt"), report)?;
        // Last: with it the folder counts as whole.
        let text = serde_json::to_string_pretty(self).map_err(io::Error::other)?;
        fs::write(folder.join(FAILURE), format!("{text}\n"))?;
        Ok(())
    }

    /// Reads what was saved.
    ///
    /// # Errors
    ///
    /// It cannot be read, or is no saved image.
    pub fn open(folder: &Path) -> io::Result<Self> {
        let text = fs::read_to_string(folder.join(FAILURE))?;
        let failing: FailingImage = serde_json::from_str(&text)?;
        match failing.version {
            VERSION => Ok(failing),
            other => Err(io::Error::other(format!(
                "version {other} of the format is not known"
            ))),
        }
    }

    /// The image, the recording carried out up to the power cut, and all that it could have left.
    ///
    /// # Errors
    ///
    /// The bytes of a write cannot be read.
    pub fn image<'l>(
        &self,
        log: &'l Log,
    ) -> Result<(CrashImage, LogReplay<'l>, ImageSpace), LogError> {
        let mut replay = LogReplay::new(log, self.profile);
        while replay.position() < self.event && replay.next().is_some() {
            replay.step()?;
        }
        let space = replay.disk().crash_between_calls().images();
        let image = CrashImage {
            image: space.image(&self.choice),
            acks: self.acks,
            modes: Arc::new(replay.modes().clone()),
        };
        Ok((image, replay, space))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image_options::ImageOptions;
    use crate::images::crash_images;
    use crate::testing::{made, recorded};

    #[test]
    fn a_saved_image_is_made_again_without_the_rest_of_the_recording() {
        let (_folder, log) = recorded(
            "create f; write f 0 old; begin; create t; write t 0 new; rename t f; ack saved; sync_dir .; remove f",
        );
        let options = ImageOptions::new(Profile::LinuxOrdered);
        let found = crash_images(&log, &log.events, &options, &|| true).unwrap();
        let check = ImageCheck::Command("true".to_owned());
        let made = made(&log, &found);
        for (place, image) in made.iter().enumerate() {
            let limit = Duration::from_secs(1);
            let cut = found.power_cut(&log, &log.events, place).unwrap();
            let event = cut.event;
            let failing = FailingImage::new(found.options.profile, cut, &check, limit, "why");
            let folder = tempfile::tempdir().unwrap();
            failing.save(&log, folder.path(), "report").unwrap();
            assert!(FailingImage::is_in(folder.path()));
            assert_eq!(FailingImage::open(folder.path()).unwrap(), failing);
            let cut = Log::open(folder.path()).unwrap();
            assert_eq!(cut.events.len(), event);
            let (again, ..) = failing.image(&cut).unwrap();
            assert_eq!(again.image, image.image);
            assert_eq!(again.acks, image.acks);
            let files = image.image.to_files();
            let after = folder.path().join("after");
            assert_eq!(fs::read_dir(&after).unwrap().count(), files.len());
            for (path, bytes) in files {
                assert_eq!(fs::read(after.join(path)).unwrap(), bytes);
            }
        }
    }
}
