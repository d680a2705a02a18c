//! Whether an exploration was exhaustive, in words: of images with whole pages, and apart from that of torn ones.

use beaver_sim::explore::Tally;
use beaver_sim::scenario::Profile;

use super::numbers::grouped;
use super::{RunKind, RunReport, ScenarioReport};

const WHOLE: &str = "every image at page granularity, zero fill";
const TORN: &str = "every prefix tear of one page at 512-byte boundaries";
const GARBAGE: &str = "every image with lost data once more with garbage";

/// Which sorts of images were all judged, and which only in part. Nothing for seeded runs.
#[must_use]
pub(crate) fn completeness(report: &RunReport) -> Option<String> {
    let RunKind::Exploration { cap, torn_cap, .. } = report.kind else {
        return None;
    };
    let cancelled = |one: &ScenarioReport| one.result.cancelled;
    if report.interrupted || report.scenarios.iter().any(cancelled) {
        return Some(
            "Not exhaustive: it was stopped before its end, and says nothing of what comes after."
                .to_owned(),
        );
    }
    let tally = report.explored();
    let has = |which: fn(Profile) -> bool| report.scenarios.iter().any(|one| which(one.profile));
    let garbage = has(Profile::fills_with_garbage);
    let mut text = match (tally.is_exhaustive(), tally.is_exhaustive_of_torn()) {
        (true, true) if garbage => format!("Exhaustive: {WHOLE}; {TORN}; {GARBAGE}."),
        (true, true) => format!("Exhaustive: {WHOLE}; {TORN}."),
        (true, false) => format!(
            "Exhaustive: {WHOLE}. {}",
            of_torn(&tally, torn_cap, garbage)
        ),
        (false, _) => format!(
            "Not exhaustive: {} power cuts had more than {cap} images at page granularity; corners and samples of those \
             were judged. {}",
            grouped(tally.capped),
            of_torn(&tally, torn_cap, garbage),
        ),
    };
    if has(|profile| profile == Profile::HostileDevice) {
        let sampled = grouped(tally.on_bad_device);
        text.push_str(&format!(
            " Of what only a bad device leaves {sampled} disks were sampled."
        ));
    }
    Some(text)
}

/// Why not every torn image was judged. Where not even all whole ones were, the torn ones were not either.
fn of_torn(tally: &Tally, torn_cap: u64, garbage: bool) -> String {
    let what = if garbage {
        "Torn pages and garbage"
    } else {
        "Torn pages"
    };
    let capped = tally.torn_capped - tally.capped;
    match (torn_cap, capped) {
        (0, _) => format!("{what} were left out."),
        (_, 0) => format!("{what} were sampled there."),
        _ => format!(
            "{what} were sampled where there were too many: {} power cuts had more than {torn_cap} such images.",
            grouped(capped),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::scenario_report;
    use super::*;

    fn said(tally: Tally, profile: Profile, torn_cap: u64) -> String {
        completeness(&exploration(tally, profile, torn_cap)).unwrap()
    }

    fn exploration(tally: Tally, profile: Profile, torn_cap: u64) -> RunReport {
        let mut scenario = scenario_report();
        scenario.explored = Some(tally);
        scenario.profile = profile;
        RunReport {
            kind: RunKind::Exploration {
                depth: 2,
                cap: 128,
                torn_cap,
            },
            scenarios: vec![scenario],
            must_reach: None,
            interrupted: false,
            elapsed_ms: 0,
        }
    }

    #[test]
    fn what_was_stopped_is_not_exhaustive() {
        let mut report = exploration(Tally::default(), Profile::Posix, 64);
        report.interrupted = true;
        let text = completeness(&report).unwrap();
        assert!(text.starts_with("Not exhaustive: it was stopped"), "{text}");
        report.interrupted = false;
        report.scenarios[0].result.cancelled = true;
        let text = completeness(&report).unwrap();
        assert!(text.starts_with("Not exhaustive: it was stopped"), "{text}");
    }

    #[test]
    fn exhaustive_is_said_only_of_what_it_is_true_of() {
        let capped = |capped, torn_capped| Tally {
            capped,
            torn_capped,
            ..Tally::default()
        };
        let said = |tally, torn_cap| said(tally, Profile::Posix, torn_cap);
        assert_eq!(
            said(capped(0, 0), 64),
            format!("Exhaustive: {WHOLE}; {TORN}.")
        );
        let text = said(capped(0, 7), 64);
        assert!(
            text.starts_with(&format!("Exhaustive: {WHOLE}. ")),
            "{text}"
        );
        assert!(
            text.contains("7 power cuts had more than 64 such images"),
            "{text}"
        );
        let text = said(capped(0, 7), 0);
        assert!(text.ends_with("Torn pages were left out."), "{text}");
        let text = said(capped(7, 7), 64);
        assert!(
            text.starts_with("Not exhaustive: 7 power cuts had more than 128"),
            "{text}"
        );
        assert!(text.ends_with("sampled there."), "{text}");
        let text = said(capped(7, 9), 64);
        assert!(text.contains("2 power cuts had more than 64"), "{text}");
    }

    #[test]
    fn garbage_and_bad_devices_are_told_of_where_they_are() {
        let text = said(Tally::default(), Profile::Alice, 64);
        assert!(text.ends_with(&format!("{GARBAGE}.")), "{text}");
        let capped = Tally {
            torn_capped: 7,
            ..Tally::default()
        };
        let text = said(capped, Profile::Alice, 64);
        assert!(
            text.contains(". Torn pages and garbage were sampled"),
            "{text}"
        );
        let sampled = Tally {
            on_bad_device: 1234,
            ..Tally::default()
        };
        let text = said(sampled, Profile::HostileDevice, 64);
        assert!(
            text.ends_with(" Of what only a bad device leaves 1,234 disks were sampled."),
            "{text}"
        );
    }
}
