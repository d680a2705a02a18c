//! Images without a crash, which every check must hold on: one that does not is a broken check, and no finding.

use std::sync::Arc;

use beaver_disk::Profile;

use crate::images::first_event;
use crate::log::{Log, LogError, TraceEvent};
use crate::made::CrashImage;
use crate::replay::LogReplay;

/// When the program had ended.
pub const AT_THE_END: &str = "at the end";

/// An image that was there without a crash.
#[derive(Clone, Debug)]
pub struct GoodImage {
    /// When it was there.
    pub when: &'static str,
    /// The image, with the lines that had been said.
    pub image: CrashImage,
    /// Whether a check that fails on it is broken: on the empty directory of a program without a setup it may fail.
    pub must_hold: bool,
}

/// The files when the setup had ended, and at the end.
///
/// # Errors
///
/// The bytes of a write cannot be read.
pub fn good_images(log: &Log) -> Result<Vec<GoodImage>, LogError> {
    let begin = first_event(&log.events);
    let is_call = |event: &TraceEvent| matches!(event, TraceEvent::Call { .. });
    let has_setup = log.events[..begin].iter().any(is_call);
    let mut replay = LogReplay::new(log, Profile::Posix);
    let mut good = Vec::new();
    loop {
        if replay.position() == begin {
            good.push(now(&replay, "after the setup", has_setup));
        }
        if replay.next().is_none() {
            good.push(now(&replay, AT_THE_END, true));
            return Ok(good);
        }
        replay.step()?;
    }
}

fn now(replay: &LogReplay<'_>, when: &'static str, must_hold: bool) -> GoodImage {
    GoodImage {
        when,
        must_hold,
        image: CrashImage {
            image: replay.disk().live(),
            acks: replay.acks(),
            modes: Arc::new(replay.modes().clone()),
        },
    }
}
