//! `beaver crash`, as `clap` reads it.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use beaver_trace::TraceFault;
use clap::Args;

use super::Format;

const HELP: &str = "\
What the program did to its files was recorded: `beaver trace` writes a recording, and `beaver crash … -- PROGRAM` makes one. \
From it come all images of the disk that a power cut could have left. The check is run on each.

The check is a shell command. `{dir}` is a folder with the files, and `{acks}` is a file with the lines that the program had \
printed before the power cut, one a line: what it promised. Exit code 0: the files are good. Otherwise the last lines of its \
output say why. It may change the files. With --serve it is started once, reads lines `DIR<tab>ACKS`, and answers each with a \
line, `ok` or the reason: that is ten to a hundred times as fast.

Without --check the program is started again on the files and must end with 0, and a file that it replaced by a rename must be \
the old one or the new one.

If an image fails, syncs are added to the recording until none does, and those that are needed are named.

Exit codes:
  0    no image failed
  1    an image failed
  2    wrong usage, a file could not be read or written, or the check fails on files that no crash has touched
  3    no image failed, but --for ended it before all were tried: what was not is said
  6    no image was tried: --for was too short
  130  stopped by Ctrl-C or SIGTERM, and nothing was found until then

Examples:
  beaver crash log --check './verify {dir} {acks}'
  beaver crash log --check 'python3 verify.py' --serve --jobs 4
  beaver crash log --check 'sqlite3 {dir}/db \"pragma integrity_check\" | grep -qx ok' --fs linux-ordered
  beaver crash log --check './verify.sh {dir}' --for 60s   stops after a minute and says what was tried
  beaver crash log --image 17 --to /tmp/image              writes image 17 out, to look at
  beaver crash failures/save-1c0ffee1                      a saved failure again, without the program
  beaver crash --check './verify {dir} {acks}' -- ./save {dir}/data.json";

#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct CrashArgs {
    /// A recording, or a folder in which a failure was saved
    #[arg(value_name = "LOG")]
    pub(crate) log: Option<PathBuf>,
    /// The check: a shell command that ends with 0 if the files in `{dir}` are good [default: the program must start on them]
    #[arg(long, value_name = "CMD")]
    pub(crate) check: Option<String>,
    /// The check is a server: it reads lines `DIR<tab>ACKS` and answers each with a line
    #[arg(long, requires = "check")]
    pub(crate) serve: bool,
    /// How long one check may take
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    pub(crate) check_limit: Duration,
    /// Try the images of this disk alone: ext4, xfs, btrfs, or a profile of `beaver profiles` [default: linux-ordered, btrfs-like, posix]
    #[arg(long, value_name = "PROFILE")]
    pub(crate) fs: Option<String>,
    /// How many checks run at the same time; the result does not depend on it [default: all cores]
    #[arg(long, value_name = "N")]
    pub(crate) jobs: Option<NonZeroUsize>,
    /// Stop after this time, and say what was tried; the time of the program does not count
    #[arg(long = "for", value_name = "TIME", value_parser = duration)]
    pub(crate) time: Option<Duration>,
    /// Try each image with the most lines that may have been said, or with every number of them
    #[arg(long, value_enum, default_value_t)]
    pub(crate) acks: Acks,
    /// Images of one power cut that are made at most; of more, corners and samples
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) cap: u64,
    /// Images of one power cut with a torn page that are made at most besides; 0: none
    #[arg(long, value_name = "N", default_value_t = 256)]
    pub(crate) torn_cap: u64,
    /// 2: also cut the power while the check of a good image works, and check what that leaves
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=2))]
    pub(crate) depth: u8,
    /// How long the missing syncs are looked for; 0s: not at all
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = time_or_none)]
    pub(crate) proof_for: Duration,
    /// Where a failure is saved: in a folder there [default: failures]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Write a page about the first image that fails: one HTML file that needs no network
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Option<PathBuf>,
    /// How the result is written
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
    /// Write image N out instead, to look at
    #[arg(long, value_name = "N", requires = "to", conflicts_with_all = ["check", "program"], value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) image: Option<u64>,
    /// Where it is written: a folder that is not there yet
    #[arg(long, value_name = "DIR", requires = "image")]
    pub(crate) to: Option<PathBuf>,
    /// A shell command that prepares the files of the program; it is not crashed
    #[arg(long, value_name = "CMD", requires = "program")]
    pub(crate) setup: Option<String>,
    /// Make the program's standard output a terminal, so that what it prints comes line by line
    #[arg(long, requires = "program")]
    pub(crate) pty: bool,
    /// Let something go wrong while the program is recorded, as `beaver trace` does; may be given more than once
    #[arg(long = "fault", value_name = "FAULT", requires = "program")]
    pub(crate) faults: Vec<TraceFault>,
    /// Record this program first; `{dir}` in its arguments is the directory of its files
    #[arg(last = true, value_name = "PROGRAM", conflicts_with = "log")]
    pub(crate) program: Vec<String>,
}

/// With which lines an image is tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Acks {
    /// With the most lines: enough for a check that holds with fewer lines where it holds with more
    #[default]
    Most,
    /// With every number of lines
    All,
}

/// The same, or `0s`.
fn time_or_none(text: &str) -> Result<Duration, String> {
    match text {
        "0s" => Ok(Duration::ZERO),
        text => duration(text),
    }
}

/// `500ms`, `10s`, `2m` or `1h`.
fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.find(|letter: char| !letter.is_ascii_digit());
    let (number, unit) = text.split_at(digits.unwrap_or(text.len()));
    let unit_ms = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err("a time is a number with ms, s, m or h: `60s`".to_owned()),
    };
    let number: u64 = number.parse().map_err(|_| "no number before the unit")?;
    let ms = number.checked_mul(unit_ms).filter(|ms| *ms > 0);
    ms.map(Duration::from_millis)
        .ok_or_else(|| "the time is too long, or none".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_a_unit() {
        assert_eq!(duration("60s"), Ok(Duration::from_secs(60)));
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        for wrong in ["60", "s", "0s", "1d", "99999999999999999999h", ""] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }
}
