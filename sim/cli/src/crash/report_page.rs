//! The page over the first image that fails: the same picture as that of a replayed failure.

use std::path::Path;

use super::trial::Tried;
use super::{CliError, Exit, FirstFailing, JudgedLog, again, text, warn};
use crate::page::{BrokenCheck, HtmlPage};
use crate::page_file;
use crate::recorded_crash::explained;

/// Writes the page. Where nothing failed there is nothing to draw.
pub(super) fn write(
    recording: &JudgedLog<'_>,
    tried: &[Tried],
    first: Option<&FirstFailing<'_>>,
    saved: Option<&Path>,
    path: &Path,
    exit: Exit,
) -> Result<Exit, CliError> {
    let Some(FirstFailing {
        tried: first,
        image,
        ..
    }) = first
    else {
        warn(format_args!(
            "{}: no page, because no image failed",
            path.display()
        ));
        return Ok(exit);
    };
    let profile = first.profile();
    let (log, events) = (recording.log, &recording.log.events);
    let explained = explained(log, events, image.event, profile, &image.choice);
    let explained = explained.map_err(CliError::new)?;
    let Some(explained) = explained else {
        return Ok(exit);
    };
    let missing = text::proof(first, None);
    let missing = missing
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty());
    let broken = BrokenCheck {
        heading: "The check fails on what a power cut leaves".to_owned(),
        missing: missing.map(str::to_owned).collect(),
        facts: vec![
            ("disk", format!("{profile}: {}", profile.description())),
            (
                "power cut",
                format!("after event {} of {}", image.event, events.len()),
            ),
            ("lines said", image.acks.to_string()),
        ],
        found: image.reason.clone(),
        replay: saved.map_or_else(String::new, again),
    };
    let figures = tried.iter().map(|tried| {
        let count = format!("{} of {} fail", tried.failing.len(), tried.judged());
        (text::disk(tried.profile()), count)
    });
    let program = log.format.program.join(" ");
    let page = HtmlPage::of_check(&program, &broken, &explained, figures.collect());
    page_file::write(path, &page, exit)
}
