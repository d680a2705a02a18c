//! The verdict for people: how many images fail and where, the first of them in words, and what is missing.

use std::fmt::Write as _;

use beaver_disk::Profile;
use beaver_trace::{FailingImage, Proof, Reasons, escaped, events_in_words, survivors};

use super::trial::Tried;
use super::{CliError, JudgedLog};
use crate::report::numbers::counted;

/// How many events are shown before and after the power cut.
const BEFORE: usize = 8;
const AFTER: usize = 2;
/// How many lines of what survived, reasons and missing syncs are shown.
const SURVIVORS: usize = 16;
const REASONS: usize = 5;
const SYNCS: usize = 8;

/// Where images of a profile are seen.
pub(super) const fn disk(profile: Profile) -> &'static str {
    match profile {
        Profile::Strict => "a disk that keeps what was synced and no more",
        Profile::LinuxOrdered => "ext4, XFS",
        Profile::BtrfsLike => "Btrfs",
        Profile::Posix => "POSIX",
        Profile::Alice => "POSIX with garbage",
        Profile::HostileDevice => "a bad device",
    }
}

/// How many images failed under a profile, and why.
pub(super) fn count(tried: &Tried) -> String {
    let (failing, judged) = (tried.failing.len(), tried.judged());
    let mut text = format!("{}: ", disk(tried.profile()));
    if judged == 0 {
        text.push_str("not tried, stopped before");
        return text;
    }
    let images = if judged == 1 { "image" } else { "images" };
    let _ = match failing {
        0 => write!(text, "{judged} {images}, none fails"),
        1 => write!(text, "1 of {judged} {images} fails"),
        _ => write!(text, "{failing} of {judged} {images} fail"),
    };
    let _ = write!(text, " ({})", coverage(tried));
    text.push_str(&reasons(&tried.reasons()));
    text
}

/// Why images failed, the most frequent reasons, each in a line after another.
fn reasons(reasons: &Reasons) -> String {
    let reasons = reasons.by_count();
    let shown = reasons.iter().take(REASONS);
    let mut text: String = shown
        .map(|reason| {
            let others = if reason.numbers_vary {
                " (numbers or hashes vary)"
            } else {
                ""
            };
            format!("\n  {} × {}{others}", reason.count, escaped(&reason.text))
        })
        .collect();
    if reasons.len() > REASONS {
        let _ = write!(text, "\n  and {} more reasons", reasons.len() - REASONS);
    }
    text
}

/// At which points the power was cut, and whether all combinations were tried there.
fn coverage(tried: &Tried) -> String {
    let (points, all) = (tried.points(), tried.found.all_points);
    let sampled = tried.found.points[..points].iter();
    let sampled = sampled.filter(|point| !point.exhaustive).count();
    let how = match sampled {
        0 => "all combinations at each".to_owned(),
        some if some == points => "sampled".to_owned(),
        some => format!("all combinations at {}, samples at {some}", points - some),
    };
    let word = if all == 1 { "power cut" } else { "power cuts" };
    match points == all {
        true => format!("{all} {word}, {how}"),
        false => {
            let rest = not_tried(tried);
            let seen = tried.found.looked_at;
            match (points, seen) {
                (_, 0..=1) => format!("stopped within the first of {all} {word}{rest}"),
                (0, _) => format!("stopped: images of all parts of {seen} {word}{rest}"),
                _ => format!(
                    "stopped: power cuts 1–{points} of {all}, {how}, and images of {} more{rest}",
                    seen - points
                ),
            }
        }
    }
}

/// What the time was too short for.
fn not_tried(tried: &Tried) -> String {
    let found = &tried.found;
    let mut text = match found.images.len() - tried.judged() {
        0 => String::new(),
        1 => "; 1 image more was found and not tried".to_owned(),
        open => format!("; {open} images more were found and not tried"),
    };
    match found.all_points - found.looked_at {
        0 => {}
        1 => text.push_str("; 1 power cut was not looked at"),
        rest => {
            let _ = write!(text, "; {rest} power cuts were not looked at");
        }
    }
    text
}

/// The first image that fails, in words.
pub(super) fn explanation(
    recording: &JudgedLog<'_>,
    tried: &Tried,
    number: usize,
    image: &FailingImage,
) -> Result<String, CliError> {
    let log = recording.log;
    let mut text = format!(
        "\nthe earliest of them, image {} of {} on {}: the power is cut after event {} of {}\n",
        number,
        tried.found.images.len(),
        disk(tried.profile()),
        image.event,
        log.events.len(),
    );
    let from = image.event.saturating_sub(BEFORE);
    let to = (image.event + AFTER).min(log.events.len());
    let events = events_in_words(log, from..to).map_err(CliError::new)?;
    let (before, after): (Vec<_>, Vec<_>) = events
        .into_iter()
        .partition(|(event, _)| *event < image.event);
    let line = |(event, words): &(usize, String)| format!("  {:>6}  {words}\n", event + 1);
    text.extend(before.iter().map(line));
    text.push_str("  ------  power cut\n");
    text.extend(after.iter().map(line));
    match image.acks.checked_sub(1).map(|last| &recording.acks[last]) {
        None => text.push_str("the program had said nothing\n"),
        Some(last) => {
            let lines = counted(image.acks as u64, "line");
            let _ = writeln!(
                text,
                "the program had said {lines}, the last: \"{}\"",
                escaped(last)
            );
        }
    }
    let (_, _, space) = image.image(log).map_err(CliError::new)?;
    let survived = survivors(&space, &image.choice);
    if !survived.is_empty() {
        text.push_str("what was not synced:\n");
    }
    for line in survived.iter().take(SURVIVORS) {
        let _ = writeln!(text, "  {line}");
    }
    if survived.len() > SURVIVORS {
        let _ = writeln!(text, "  and {} more", survived.len() - SURVIVORS);
    }
    let _ = writeln!(text, "the check says: {}", escaped(&image.reason));
    Ok(text)
}

/// What is missing, for every profile under which something failed. A profile that the syncs of a milder one repair too says
/// only that, and one that takes more syncs names those.
pub(super) fn proofs(tried: &[Tried], looked_for: bool) -> String {
    let mut text = String::new();
    let mut known: Option<&Proof> = None;
    for tried in tried {
        let Some(proof) = &tried.proof else {
            if looked_for && !tried.failing.is_empty() {
                let disk = disk(tried.profile());
                let _ = writeln!(
                    text,
                    "\nstopped before it was known what is missing on {disk}: `--for` and `--proof-for` limit the search"
                );
            }
            continue;
        };
        let same =
            known.is_some_and(|known| known.missing == proof.missing && !proof.missing.is_empty());
        match same {
            true => {
                let counts = counts(proof).unwrap_or_else(|| "the others still fail".to_owned());
                let _ = writeln!(text, "  the same on {}: {counts}", disk(tried.profile()));
            }
            false => text.push_str(&self::proof(tried, known)),
        }
        if !proof.missing.is_empty() {
            known = Some(proof);
        }
    }
    text
}

/// How many images failed before and after. Samples of different sets are not compared.
fn counts(proof: &Proof) -> Option<String> {
    let (before, after) = (proof.failing_before, proof.after.failing());
    let comparable = proof.exhaustive || after == 0;
    comparable.then(|| format!("{before} → {after} failing images"))
}

/// What is missing under one profile, after what was missing under a milder one was told.
pub(super) fn proof(tried: &Tried, milder: Option<&Proof>) -> String {
    let Some(proof) = &tried.proof else {
        return String::new();
    };
    let disk = disk(tried.profile());
    let after = proof.after.failing();
    let mut text = String::from("\n");
    if after > 0 {
        let _ = writeln!(
            text,
            "no added sync repairs it on {disk}: what is written is not atomic, or its order is wrong; whichever of {} syncs \
             are added, images still fail:{}",
            proof.all,
            reasons(&proof.after)
        );
    }
    if proof.missing.is_empty() {
        return text;
    }
    let told = milder.map_or(&[][..], |milder| &milder.missing);
    // A smallest set need not contain that of a milder profile: then all of it is told.
    let takes_more = after == 0 && told.iter().all(|sync| proof.missing.contains(sync));
    let told = if takes_more { told } else { &[] };
    let missing = match (after, told) {
        (0, []) => "missing".to_owned(),
        (0, _) => format!("missing besides on {disk}"),
        _ => "missing besides".to_owned(),
    };
    let alike = proof.alike(told);
    for alike in alike.iter().take(SYNCS) {
        let more = match alike.more {
            0 => String::new(),
            more => format!(", and {more} more like it"),
        };
        let _ = writeln!(
            text,
            "{missing}: {} (event {}{more})",
            alike.first,
            alike.first.event + 1
        );
    }
    if alike.len() > SYNCS {
        let _ = writeln!(text, "  and {} other syncs", alike.len() - SYNCS);
    }
    let with = match (proof.missing.len(), told) {
        (1, _) => "it",
        (_, []) => "them",
        _ => "these and those above",
    };
    if let Some(counts) = counts(proof) {
        let _ = writeln!(text, "  with {with} {counts} on {disk}");
    }
    if after > 0 {
        let repaired: Vec<_> = proof
            .repaired
            .iter()
            .map(|reason| escaped(&reason.text))
            .collect();
        let _ = writeln!(
            text,
            "  with {with} no image fails any more by: {}",
            repaired.join("; ")
        );
    }
    if !proof.exhaustive {
        text.push_str("  images were sampled, by the same rule with and without\n");
    }
    if !proof.minimal {
        text.push_str("  stopped before it was known whether each of them is needed: `--for` and `--proof-for` limit the search\n");
    }
    text
}

/// How long it took.
pub(super) fn time(tried: &[Tried], checks: u64, elapsed_ms: u64) -> String {
    let images: usize = tried.iter().map(Tried::judged).sum();
    let stopped = tried.iter().any(|tried| !tried.is_whole());
    let stopped = if stopped {
        ", stopped before the end"
    } else {
        ""
    };
    let (seconds, tenths) = (elapsed_ms / 1_000, elapsed_ms % 1_000 / 100);
    format!("\n{images} images, {checks} checks in {seconds}.{tenths} s{stopped}")
}
