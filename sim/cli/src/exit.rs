//! The exit codes of `beaver`, and which one wins when several apply.

use std::fmt;
use std::process::ExitCode;

use beaver_sim::report::Verdict;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// The command line, a scenario or a file could not be used. Nothing was judged.
    Usage,
    /// Something was judged.
    Judged(Verdict),
}

impl Exit {
    /// Everything held.
    pub(crate) const HELD: Exit = Exit::Judged(Verdict::Pass);

    /// Damage or a difference was found.
    pub(crate) const FOUND: Exit = Exit::Judged(Verdict::Violation);

    /// It was stopped before the end, and nothing was found until then.
    pub(crate) const INTERRUPTED: Exit = Exit::Judged(Verdict::Interrupted);

    /// The number that the process ends with.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Exit::Judged(Verdict::Pass | Verdict::ExpectedFailure) => 0,
            Exit::Judged(Verdict::Violation) => 1,
            Exit::Usage => 2,
            Exit::Judged(Verdict::Budget) => 3,
            Exit::Judged(Verdict::Panic) => 4,
            Exit::Judged(Verdict::NotDeterministic) => 5,
            Exit::Judged(Verdict::Nothing) => 6,
            Exit::Judged(Verdict::Coverage) => 7,
            Exit::Judged(Verdict::Interrupted) => 130,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit.code())
    }
}

/// What the help says about exit codes.
pub(crate) const HELP: &str = "\
Exit codes (when several apply: 4, 1, 5, 3, 7, 130, 6):
  0    all held, or failed only where a scenario expects it
  1    an invariant was violated; of `wal`: damage or a difference was found
  2    wrong usage, or a file could not be read or written
  3    a budget ran out: no progress within `budget.storage_calls` or `budget.open_attempts` (the
       other two budgets are bounds that invariant 11 promises, so beyond them it is 1)
  4    the program under test panicked
  5    not deterministic: one seed gave two different runs
  6    nothing was measured
  7    a coverage gate was missed: a fault that is on never fired, or a mark or an expected
       failure was never reached; of all scenarios: something that `scenarios/must-reach.txt`
       names was never reached
  130  stopped by Ctrl-C or SIGTERM, and nothing was found until then: nothing is decided";

/// Why a command could not do its work. It is printed and the process ends with 2.
#[derive(Debug)]
pub(crate) struct CliError(String);

impl CliError {
    /// An error that says `why`.
    pub(crate) fn new(why: impl fmt::Display) -> Self {
        CliError(why.to_string())
    }

    /// An error of the operating system at `place`.
    pub(crate) fn at(place: impl fmt::Display, why: impl fmt::Display) -> Self {
        CliError(format!("{place}: {why}"))
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn precedence_is_4_1_5_3_7_130_6() {
        let codes = Verdict::ALL.map(|verdict| Exit::Judged(verdict).code());
        assert_eq!(codes, [4, 1, 5, 3, 7, 130, 6, 0, 0]);
        assert!(Verdict::ALL.is_sorted());
    }

    #[test]
    fn the_help_names_every_code() {
        let judged = Verdict::ALL.map(Exit::Judged);
        for exit in judged.into_iter().chain([Exit::Usage]) {
            let line = format!("\n  {:<4} ", exit.code());
            assert!(HELP.contains(&line), "{exit:?}");
        }
    }
}
