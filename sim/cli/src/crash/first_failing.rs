//! The first image that fails: what is shown of it, and where it is saved.

use std::path::{Path, PathBuf};

use beaver_sim::failure_folder::{quoted, short_hash};
use beaver_trace::{FailingImage, JudgeError, Log};

use super::trial::Tried;
use super::{CliError, JudgedLog, text, this_program, warn};

/// The first image that fails, of the mildest profile under which one does.
pub(super) struct FirstFailing<'t> {
    pub(super) tried: &'t Tried,
    hash: u128,
    pub(super) image: FailingImage,
    /// What happened, in words.
    pub(super) explanation: String,
}

impl<'t> FirstFailing<'t> {
    pub(super) fn new(
        recording: &JudgedLog<'_>,
        tried: &'t Tried,
    ) -> Result<Option<Self>, CliError> {
        let Some((place, found, reason)) = tried.first() else {
            return Ok(None);
        };
        let log = recording.log;
        let cut = tried.found.power_cut(log, &log.events, place);
        let image = FailingImage::new(
            tried.profile(),
            cut.map_err(CliError::new)?,
            &recording.check,
            recording.args.check_limit,
            reason,
        );
        Ok(Some(FirstFailing {
            tried,
            hash: found.hash,
            explanation: text::explanation(recording, tried, place + 1, &image)?,
            image,
        }))
    }
}

/// Saves the first image that failed. What cannot be saved is only said: the verdict is worth more.
pub(super) fn save(recording: &JudgedLog<'_>, first: &FirstFailing<'_>) -> Option<PathBuf> {
    let args = recording.args;
    // Two images that are alike, cut at different events or judged by different checks, are two failures.
    let (image, event) = (first.hash.to_string(), first.image.event.to_string());
    let check = format!("{:?}", recording.check);
    let hash = short_hash(&[&image, &event, &check]);
    let folder =
        super::command_line::out(args).join(format!("{}-{hash:08x}", program_name(recording.log)));
    let (count, proof) = (text::count(first.tried), text::proof(first.tried, None));
    let report = format!("{count}\n{}{proof}", first.explanation);
    match first.image.save(recording.log, &folder, &report) {
        Ok(()) => Some(folder),
        Err(error) => {
            let error = match &error {
                JudgeError::Check(error) => error.to_string(),
                error => error.to_string(),
            };
            warn(format_args!("not saved: {}: {error}", folder.display()));
            None
        }
    }
}

/// The program's name without its folder; of a script its own, where it is a file.
pub(super) fn program_name(log: &Log) -> String {
    let mut names = log.format.program.iter().map(|word| {
        let stem = Path::new(word).file_stem().unwrap_or_default();
        stem.to_string_lossy().into_owned()
    });
    let is_interpreter = |name: &String| {
        let plain = name.trim_end_matches(|letter: char| letter.is_ascii_digit() || letter == '.');
        ["python", "node", "sh", "bash", "ruby", "perl", "env"].contains(&plain)
    };
    let first = names.clone().next();
    let script = names.find(|name| !is_interpreter(name));
    // An option says that the script is no file.
    let name = script.filter(|name| !name.starts_with('-')).or(first);
    let name = name.unwrap_or_default();
    let letters = name
        .chars()
        .filter(|letter| letter.is_ascii_alphanumeric() || "-_".contains(*letter));
    let name: String = letters.take(40).collect();
    if name.is_empty() {
        "program".to_owned()
    } else {
        name
    }
}

/// The command that checks a saved image again.
pub(super) fn again(folder: &Path) -> String {
    format!(
        "{} crash {}",
        this_program(),
        quoted(&folder.to_string_lossy())
    )
}
