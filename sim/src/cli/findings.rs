//! What stands under the verdict table: losses, what was never reached, what failed, and the command that shows it again.

use std::path::Path;

use beaver_sim::report::{Failure, ScenarioReport, Tally};

use super::output::Output;

/// How many failures of one scenario are printed in full; all that are kept are saved.
const PRINTED_FAILURES: usize = 3;

/// Prints what was found, worst last, so that it stands where the reader is.
pub(crate) fn print(reports: &[ScenarioReport], interrupted: bool, out: &mut Output) {
    out.write(Tally::of_faults(reports));
    out.write(Tally::of_marks(reports));
    let lost: u64 = reports
        .iter()
        .map(|report| report.result.counts.events_lost)
        .sum();
    if lost > 0 {
        out.line(format_args!(
            "\n{lost} acknowledged events lost to injected damage that left no proof of them (invariant 8 allows it)"
        ));
    }
    print_missed(reports, out);
    for report in reports {
        print_failures(report, out);
        if let Some(disagreement) = &report.disagreement {
            out.line(format_args!("\n{}: {disagreement}", report.result.name));
        }
    }
    if interrupted {
        out.line("\nstopped by Ctrl-C: the figures are those of the runs that were done");
    }
}

/// What a gated scenario missed, each with what it means; of the others the names, because other seeds miss other things.
fn print_missed(reports: &[ScenarioReport], out: &mut Output) {
    let (judged, unjudged): (Vec<_>, Vec<_>) = reports
        .iter()
        .partition(|report| report.gated && !report.result.cancelled);
    for report in judged {
        for missed in report.missed() {
            out.line(format_args!("\n{}: {missed}", report.result.name));
        }
    }
    let unjudged: Vec<String> = unjudged
        .iter()
        .filter_map(|report| {
            Some(format!(
                "  {}: {}",
                report.result.name,
                report.missed_names()?
            ))
        })
        .collect();
    if !unjudged.is_empty() {
        out.line("\nnot reached with these seeds, and not judged:");
        unjudged.iter().for_each(|line| out.line(line));
    }
}

fn print_failures(report: &ScenarioReport, out: &mut Output) {
    let name = &report.result.name;
    for (run, saved) in report.failures().take(PRINTED_FAILURES) {
        let failure = Failure {
            scenario: name,
            run,
            profile: report.profile,
            mildest: Some(saved.mildest),
            replay: Some(replay_command(report, run.seed, saved.file.as_deref())),
        };
        out.write(format_args!("\n{failure}"));
    }
    let printed = report.result.failures.len().min(PRINTED_FAILURES) as u64;
    let others = report.result.failed_runs.saturating_sub(printed);
    if others > 0 {
        let first = report.result.failures.len();
        out.line(format_args!(
            "\n{name}: {others} more runs failed; the first {first} are saved"
        ));
    }
}

/// The command that shows a failure again, with this program named as it was called: from its file, or from its seed where it
/// could not be saved.
fn replay_command(report: &ScenarioReport, seed: u64, file: Option<&Path>) -> String {
    let program = std::env::args()
        .next()
        .unwrap_or_else(|| "beaver".to_owned());
    let program = quoted(&program);
    match file {
        Some(file) => format!("{program} replay {}", quoted(&file.display().to_string())),
        None => {
            let (name, profile) = (quoted(&report.result.name), report.profile.name());
            format!("{program} run {name} --seed {seed} --fs {profile}")
        }
    }
}

/// `text` as one word of a shell.
fn quoted(text: &str) -> String {
    let plain = |letter: char| letter.is_alphanumeric() || "/._-+:=@".contains(letter);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_with_blanks_are_quoted() {
        assert_eq!(quoted("failures/a-7.json"), "failures/a-7.json");
        assert_eq!(quoted("it's here"), r"'it'\''s here'");
    }
}
