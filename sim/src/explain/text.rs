//! The explanation for people: what broke, what had been promised, what was lost, what to look at,
//! and last the command that shows it again.
//!
//! In the rows of pages each letter is a sector of 512 bytes: `#` as durable, `~` pending, `0` zeros
//! where there were bytes, `?` something else, `.` not there.

use std::fmt;

use super::explanation::Explanation;
use super::plain_text::{shortened, shortened_lines};
use super::survival::{
    FileFate, NameFate, NameVerdict, PageFate, PageVerdict, SectorFate, Side, SurvivalTable,
};
use crate::report::entry;

/// How many acknowledgements are shown at most: the first ones and the last ones.
const SHOWN_ACKS: usize = 12;

/// How many pages of a file are shown at most.
const SHOWN_PAGES: usize = 16;

/// How many lines that were lost are shown of a file, and how much of each.
const SHOWN_LINES: usize = 6;
const SHOWN_COLUMNS: usize = 100;

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_why(f)?;
        writeln!(f, "\nreplay: {}", self.replay)
    }
}

impl Explanation {
    /// Everything but the command that shows it again.
    pub(crate) fn write_why(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headline = self.verdict.headline(self.invariant);
        writeln!(f, "{}, profile {}: {headline}", self.scenario, self.profile)?;
        entry(f, "promise", self.promise)?;
        entry(
            f,
            "at",
            &format!("command {} ({})", self.step, shortened(&self.command)),
        )?;
        entry(f, "expected", &shortened_lines(&self.expected))?;
        entry(f, "found", &shortened_lines(&self.found))?;
        entry(f, "first", &self.first_wrong.to_string())?;
        for (at, missing) in self.missing.iter().enumerate() {
            entry(f, if at == 0 { "likely" } else { "also" }, &missing.text)?;
        }
        entry(
            f,
            "weakest",
            &format!("{}: {}", self.weakest.profile, self.weakest.text),
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
            writeln!(f, "{mark} {}. {}", at + 1, crash.text)?;
        }
        Ok(())
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
        let verdict = loud(self.verdict.text(), self.verdict.is_bad());
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
    /// Whether the name is not as a reader saw it.
    #[must_use]
    pub fn is_bad(self) -> bool {
        use NameVerdict::{CameBack, Lost, OtherFile};
        matches!(self, CameBack | Lost | OtherFile)
    }

    /// The verdict as text.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            NameVerdict::Kept => "kept",
            NameVerdict::Survived => "survived",
            NameVerdict::Lost => "lost",
            NameVerdict::StayedGone => "stayed gone",
            NameVerdict::CameBack => "came back",
            NameVerdict::OtherFile => "another file",
        }
    }
}

impl FileFate {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let after = match (self.after_len, &self.after_name) {
            (Some(len), Some(name)) => format!("{len} after, as {name}"),
            (Some(len), None) => format!("{len} after"),
            (None, _) => "no name leads to it after the crash".to_owned(),
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
        let row = |side: fn(&SectorFate) -> Side| -> String {
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
        let verdict = loud(self.verdict.text(), self.verdict.is_bad());
        write!(
            f,
            "  {:>4}  {live}  {durable}  {after}  {verdict}",
            self.page
        )?;
        match self.note().as_str() {
            "" => Ok(()),
            note => write!(f, ", {note}"),
        }
    }
}

impl PageFate {
    /// What else is known: how it was pending, and who wrote it.
    #[must_use]
    pub fn note(&self) -> String {
        let mut notes = Vec::new();
        if self.pending > 0 {
            notes.push(format!("{} pending", self.pending));
        }
        if self.unsaved {
            notes.push("left clean by a failed sync".to_owned());
        }
        match (self.writes.first(), self.writes.last()) {
            (Some(first), Some(last)) if first == last => {
                notes.push(format!("written by call {first}"));
            }
            (Some(first), Some(last)) => {
                notes.push(format!("written by calls {first} to {last}"));
            }
            _ => {}
        }
        notes.join(", ")
    }
}

/// Plain text has no colour: what is bad is in capitals.
fn loud(text: &str, is_bad: bool) -> String {
    match is_bad {
        true => text.to_uppercase(),
        false => text.to_owned(),
    }
}

impl PageVerdict {
    /// Whether the page is not as a reader saw it.
    #[must_use]
    pub fn is_bad(self) -> bool {
        !matches!(self, PageVerdict::Kept | PageVerdict::Survived)
    }

    /// The verdict as text.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            PageVerdict::Kept => "kept",
            PageVerdict::Survived => "survived",
            PageVerdict::Lost => "lost",
            PageVerdict::Torn => "torn",
            PageVerdict::Changed => "changed",
            PageVerdict::Gone => "gone",
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
}
