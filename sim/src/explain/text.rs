//! The explanation for people: what broke, what had been promised, what was lost, what to look at,
//! and last the command that shows it again.
//!
//! In the rows of pages each letter is a sector of 512 bytes: `#` as durable, `~` pending, `0` zeros
//! where there were bytes, `?` something else, `.` not there.

use std::fmt;

use super::{
    Acknowledged, Explanation, FileFate, Kept, NameFate, NameVerdict, PageFate, PageVerdict, Side,
    SurvivalTable,
};
use crate::invariant::Invariant;

/// How many acknowledgements are shown at most: the first ones and the last ones.
const SHOWN_ACKS: usize = 12;

/// How many pages of a file are shown at most.
const SHOWN_PAGES: usize = 16;

/// How many lines that were lost are shown of a file, and how much of each.
const SHOWN_LINES: usize = 6;
const SHOWN_COLUMNS: usize = 100;

/// How many equal letters in a row are shown as they are.
const LONGEST_RUN: usize = 16;

/// How many characters of a value are shown: a payload may have thousands.
const SHOWN_CHARS: usize = 240;

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_why(f)?;
        writeln!(f, "\nreplay: {}", self.replay)
    }
}

impl Explanation {
    /// Everything but the command that shows it again.
    pub(crate) fn write_why(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.invariant {
            Invariant::Progress if self.verdict == "panic" => {
                "the program under test panicked".to_owned()
            }
            Invariant::Progress => "a budget ran out".to_owned(),
            other => format!("invariant {} violated: {}", other.number(), other.name()),
        };
        writeln!(f, "{}, profile {}: {what}", self.scenario, self.profile)?;
        entry(f, "promise", self.promise)?;
        entry(
            f,
            "at",
            &format!("command {} ({})", self.step, self.command),
        )?;
        entry(f, "expected", &shortened(&self.expected))?;
        entry(f, "found", &shortened(&self.found))?;
        entry(f, "first", &self.first_wrong.to_string())?;
        for (at, missing) in self.missing.iter().enumerate() {
            entry(f, if at == 0 { "likely" } else { "also" }, &missing.words)?;
        }
        entry(
            f,
            "mildest",
            &format!("{}: {}", self.mildest.profile, self.mildest.words),
        )?;
        self.write_acknowledged(f)?;
        self.write_crashes(f)?;
        self.survival
            .iter()
            .try_for_each(|table| write!(f, "{table}"))
    }

    fn write_acknowledged(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.acknowledged.is_empty() {
            return writeln!(f, "\nnothing was acknowledged");
        }
        writeln!(
            f,
            "\nacknowledged\n  command   call  place  its bytes after the crash, and what it was"
        )?;
        let hidden = self.acknowledged.len().saturating_sub(SHOWN_ACKS);
        for (at, ack) in self.acknowledged.iter().enumerate() {
            if hidden > 0 && at == SHOWN_ACKS / 2 {
                writeln!(f, "       …  {hidden} more")?;
            }
            if hidden == 0 || at < SHOWN_ACKS / 2 || at >= SHOWN_ACKS / 2 + hidden {
                writeln!(f, "{ack}")?;
            }
        }
        Ok(())
    }

    fn write_crashes(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.crashes.is_empty() {
            return writeln!(f, "\nthere was no crash");
        }
        writeln!(f, "\ncrashes")?;
        for (at, crash) in self.crashes.iter().enumerate() {
            let mark = if Some(at) == self.explained { ">" } else { " " };
            writeln!(f, "{mark} {}. {}", at + 1, crash.words)?;
        }
        Ok(())
    }
}

impl fmt::Display for Acknowledged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fate = match &self.fate {
            Kept::NotTouched => "not touched by a crash".to_owned(),
            Kept::There => "there".to_owned(),
            Kept::NeverWritten => "never written".to_owned(),
            Kept::Removed { file } => format!("removed with {file}"),
            Kept::Lost {
                file, gone: true, ..
            } => format!("lost with {file}"),
            Kept::Lost { file, offset, .. } => format!("lost at byte {offset} of {file}"),
        };
        let (command, call, place) = (self.command, self.call, &self.place);
        let words = shortened(&self.words);
        write!(f, "  {command:>7} {call:>6}  {place:>5}  {fate}: {words}")
    }
}

impl fmt::Display for SurvivalTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widest = self.names.iter().map(|name| name.name.chars().count());
        let wide = widest.max().unwrap_or(0).max("name".len());
        writeln!(f, "\n{:<wide$}  live  durable  after", "name")?;
        self.names.iter().try_for_each(|name| name.write(f, wide))?;
        for file in &self.files {
            file.write(f)?;
        }
        Ok(())
    }
}

impl NameFate {
    fn write(&self, f: &mut fmt::Formatter<'_>, wide: usize) -> fmt::Result {
        let side = |inode: Option<u64>| inode.map_or("-".to_owned(), |inode| format!("#{inode}"));
        let (live, durable, after) = (side(self.live), side(self.durable), side(self.after));
        let verdict = self.verdict.words();
        write!(
            f,
            "{:<wide$}  {live:<4}  {durable:<7}  {after:<5}  {verdict}",
            self.name
        )?;
        if !self.pending.is_empty() {
            write!(f, " ({})", self.pending.join("; "))?;
        }
        writeln!(f)
    }
}

impl NameVerdict {
    /// The verdict in words.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            NameVerdict::Kept => "kept",
            NameVerdict::Survived => "survived",
            NameVerdict::Lost => "LOST",
            NameVerdict::StayedGone => "stayed gone",
            NameVerdict::CameBack => "CAME BACK",
            NameVerdict::OtherFile => "OTHER FILE",
        }
    }
}

impl FileFate {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let after = match self.after_len {
            Some(len) => format!("{len} after"),
            None => "no name leads to it after the crash".to_owned(),
        };
        writeln!(
            f,
            "\n#{} {}: {} bytes live, {} durable, {after}",
            self.inode, self.name, self.live_len, self.durable_len
        )?;
        if self.pages.is_empty() {
            return Ok(());
        }
        writeln!(f, "  page  live      durable   after     ")?;
        for page in self.pages.iter().take(SHOWN_PAGES) {
            writeln!(f, "{page}")?;
        }
        let hidden = self.pages.len().saturating_sub(SHOWN_PAGES);
        if hidden > 0 {
            writeln!(f, "     …  {hidden} more")?;
        }
        let lost = self.lines.iter().filter(|line| !line.kept);
        for line in lost.clone().take(SHOWN_LINES) {
            let text: String = line.text.chars().take(SHOWN_COLUMNS).collect();
            writeln!(f, "  lost {:>6}  {text}", line.offset)?;
        }
        let hidden = lost.count().saturating_sub(SHOWN_LINES);
        if hidden > 0 {
            writeln!(f, "       …  {hidden} more lines")?;
        }
        Ok(())
    }
}

impl fmt::Display for PageFate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let row = |side: fn(&super::SectorFate) -> Side| -> String {
            self.sectors
                .iter()
                .map(|sector| side(sector).letter())
                .collect()
        };
        let (live, durable) = (row(|s| s.live), row(|s| s.durable));
        let after = match self.verdict {
            PageVerdict::Gone => "........".to_owned(),
            _ => row(|s| s.after),
        };
        write!(
            f,
            "  {:>4}  {live}  {durable}  {after}  {}",
            self.page,
            self.verdict.words()
        )?;
        if self.pending > 0 {
            write!(f, ", {} pending", self.pending)?;
        }
        if self.unsaved {
            f.write_str(", left clean by a failed sync")?;
        }
        if let (Some(first), Some(last)) = (self.writes.first(), self.writes.last()) {
            match first == last {
                true => write!(f, ", written by call {first}")?,
                false => write!(f, ", written by calls {first} to {last}")?,
            }
        }
        Ok(())
    }
}

impl PageVerdict {
    /// The verdict in words.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            PageVerdict::Kept => "kept",
            PageVerdict::Survived => "survived",
            PageVerdict::Lost => "LOST",
            PageVerdict::Torn => "TORN",
            PageVerdict::Changed => "CHANGED",
            PageVerdict::Gone => "GONE",
        }
    }
}

impl Side {
    /// One letter a sector: what a row of the table is made of.
    #[must_use]
    pub fn letter(self) -> char {
        match self {
            Side::Absent => '.',
            Side::Durable => '#',
            Side::Pending => '~',
            Side::Blank => '0',
            Side::Other => '?',
        }
    }

    /// The side in words.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Side::Absent => "not there",
            Side::Durable => "durable",
            Side::Pending => "pending",
            Side::Blank => "zeros",
            Side::Other => "something else",
        }
    }
}

/// One labelled entry; further lines of its text are indented to stand under the first.
fn entry(f: &mut fmt::Formatter<'_>, label: &str, text: &str) -> fmt::Result {
    let mut lines = text.lines();
    writeln!(f, "  {label:<9} {}", lines.next().unwrap_or_default())?;
    lines.try_for_each(|line| writeln!(f, "  {:<9} {line}", ""))
}

/// `text` with the middle of every long word left out: a payload says nothing that its ends do not.
pub fn shortened(text: &str) -> String {
    let text = without_runs(text);
    let count = text.chars().count();
    if count <= SHOWN_CHARS {
        return printable(&text);
    }
    let head: String = text.chars().take(SHOWN_CHARS * 2 / 3).collect();
    let tail: String = text.chars().skip(count - SHOWN_CHARS / 3).collect();
    let left_out = count - head.chars().count() - tail.chars().count();
    printable(&format!("{head} … ({left_out} characters) … {tail}"))
}

/// `text` with long runs of one letter made short: payloads are full of them.
fn without_runs(text: &str) -> String {
    let letters: Vec<char> = text.chars().collect();
    let runs = letters.chunk_by(|one, next| one == next);
    let runs = runs.map(|run| match run.len() {
        len if len > LONGEST_RUN => format!("{0}{0}…({len})…{0}{0}", run[0]),
        _ => run.iter().collect(),
    });
    runs.collect()
}

/// `text` with control characters as escapes, because names of jobs may hold any.
pub fn printable(text: &str) -> String {
    let letters = text.chars().map(|letter| match letter.is_control() {
        true => letter.escape_default().to_string(),
        false => letter.to_string(),
    });
    letters.collect()
}
