//! The survival table: every file and every name at the crash, live, durable and afterwards.
//!
//! A file is shown in pages of 4,096 bytes, because that is the unit that survives or not, and each
//! page in sectors of 512, because that is what a torn page consists of.

use std::collections::BTreeSet;

use beaver_disk::{Fate, Op, PAGE_SIZE, RecordKind, SECTOR_SIZE};
use serde::Serialize;

use super::explained_crash::{BeforeAfter, ExplainedCrash};
use super::file_ops::FileOpLog;
use super::plain_text::shortened;

/// What a crash left of everything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SurvivalTable {
    /// The names, in bytewise order.
    pub names: Vec<NameFate>,
    /// The files, in order of creation.
    pub files: Vec<FileFate>,
    /// Every pending record and what became of it, in order; none after a kill.
    pub records: Vec<String>,
}

/// A name on the three sides of a crash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NameFate {
    /// The name.
    pub name: String,
    /// Which file it led to for a reader before the crash.
    pub live: Option<u64>,
    /// Which file it leads to as far as it is durable.
    pub durable: Option<u64>,
    /// Which file it leads to after the crash.
    pub after: Option<u64>,
    /// Its pending changes and what became of them.
    pub pending: Vec<String>,
    /// What all that comes to.
    pub verdict: NameVerdict,
}

/// What became of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum NameVerdict {
    /// It was durable and is as it was.
    Kept,
    /// It was pending and survived.
    Survived,
    /// It was there and is gone.
    Lost,
    /// It was removed or renamed, and that is how it stayed.
    StayedGone,
    /// It was removed or renamed, and is back.
    CameBack,
    /// It leads to another file than before.
    OtherFile,
}

/// A file on the three sides of a crash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FileFate {
    /// The name by which people know it.
    pub name: String,
    /// Its number.
    pub inode: u64,
    /// How many bytes a reader saw.
    pub live_len: u64,
    /// How many bytes are durable.
    pub durable_len: u64,
    /// How many bytes are left; none if no name leads to the file any more.
    pub after_len: Option<u64>,
    /// The name that leads to them, if no name does that led to them before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after_name: Option<String>,
    /// The pages, as many as the longest side has.
    pub pages: Vec<PageFate>,
    /// The first byte that a reader saw and that is not there any more.
    pub first_lost: Option<u64>,
    /// The lines that a reader saw: those of a log are its events. At most the first 200.
    pub lines: Vec<LineFate>,
}

/// A line of a file and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LineFate {
    /// Byte offset at which it begins.
    pub offset: u64,
    /// The line as text; of a long one its two ends.
    pub text: String,
    /// Whether all its bytes are there.
    pub kept: bool,
}

/// A page of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PageFate {
    /// Its number.
    pub page: u64,
    /// How many versions of it were pending.
    pub pending: u32,
    /// Whether a failed sync had left it clean but different.
    pub unsaved: bool,
    /// The calls that wrote to it since the power cut before.
    pub writes: Vec<u64>,
    /// Its sectors.
    pub sectors: Vec<SectorFate>,
    /// What all that comes to.
    pub verdict: PageVerdict,
}

/// 512 bytes of a file on the three sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct SectorFate {
    /// Before the crash.
    pub live: Side,
    /// As far as it is durable.
    pub durable: Side,
    /// After the crash.
    pub after: Side,
}

/// What one side holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    /// The file does not reach so far, or is not there.
    Absent,
    /// The same as is durable.
    Durable,
    /// What was written and not yet synced.
    Pending,
    /// Zeros where a reader had seen bytes.
    Blank,
    /// Neither what is durable nor what a reader saw.
    Other,
}

/// What became of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PageVerdict {
    /// It was durable and is as it was.
    Kept,
    /// It was pending and survived.
    Survived,
    /// It was pending and is as it was before, or not there.
    Lost,
    /// Some of its sectors survived.
    Torn,
    /// It is neither as it was before nor as it was written.
    Changed,
    /// No name leads to the file any more.
    Gone,
}

/// The table for a crash.
pub(super) fn table(crash: &ExplainedCrash<'_>, ops: &FileOpLog) -> SurvivalTable {
    SurvivalTable {
        names: names(crash),
        files: crash
            .files
            .iter()
            .map(|sides| file(sides, crash, ops))
            .collect(),
        records: crash.records.iter().map(ToString::to_string).collect(),
    }
}

fn names(crash: &ExplainedCrash<'_>) -> Vec<NameFate> {
    let left = &crash.crashed.left;
    let views = crash.files.iter().map(|sides| &sides.view);
    let known = views.flat_map(|view| view.live_names.iter().chain(&view.durable_names));
    let mut names: BTreeSet<&str> = known.map(String::as_str).collect();
    let entries = left.entries();
    names.extend(entries.keys().map(String::as_str));
    let fates = names.into_iter().map(|name| {
        let among = |names: fn(&BeforeAfter) -> &Vec<String>| {
            let found = crash
                .files
                .iter()
                .find(|sides| names(sides).iter().any(|n| n == name));
            found.map(|sides| sides.view.inode.0)
        };
        let live = among(|sides| &sides.view.live_names);
        let durable = among(|sides| &sides.view.durable_names);
        let after = left.inode(name).map(|inode| inode.0);
        NameFate {
            name: name.to_owned(),
            live,
            durable,
            after,
            pending: pending_of(crash, name),
            verdict: name_verdict(live, durable, after),
        }
    });
    fates.collect()
}

fn pending_of(crash: &ExplainedCrash<'_>, name: &str) -> Vec<String> {
    let records = crash.records.iter().filter_map(|record| {
        let change = match &record.what {
            RecordKind::Create if record.file == name => "created".to_owned(),
            RecordKind::Remove if record.file == name => "removed".to_owned(),
            RecordKind::Rename { to } if record.file == name => format!("renamed to {to}"),
            RecordKind::Rename { to } if to == name => format!("renamed from {}", record.file),
            _ => return None,
        };
        let fate = match record.fate {
            Fate::Survived => "survived",
            Fate::Lost => "was lost",
            Fate::BothNames => "left both names",
            Fate::NeitherName => "left neither name",
            Fate::Replaced => "was replaced",
        };
        Some(format!("{change}: {fate}"))
    });
    records.collect()
}

fn name_verdict(live: Option<u64>, durable: Option<u64>, after: Option<u64>) -> NameVerdict {
    match (live, after) {
        (Some(live), Some(after)) if live != after => NameVerdict::OtherFile,
        (Some(_), Some(_)) if durable == live => NameVerdict::Kept,
        (Some(_), Some(_)) => NameVerdict::Survived,
        (Some(_), None) => NameVerdict::Lost,
        (None, Some(_)) => NameVerdict::CameBack,
        (None, None) => NameVerdict::StayedGone,
    }
}

fn file(sides: &BeforeAfter, crash: &ExplainedCrash<'_>, ops: &FileOpLog) -> FileFate {
    let view = &sides.view;
    let known = sides.file.map(|file| ops.name(file).to_owned());
    let names = view.live_names.iter().chain(&view.durable_names);
    let name = known.or_else(|| names.into_iter().next().cloned());
    let left = sides.left.as_deref();
    let longest = view.live.len().max(view.durable.len());
    let longest = longest.max(left.map_or(0, <[u8]>::len)) as u64;
    let pages = (0..longest.div_ceil(PAGE_SIZE)).map(|number| page(sides, number, crash, ops));
    let lost = |(at, byte): &(usize, &u8)| left.is_none_or(|left| left.get(*at) != Some(byte));
    let first_lost = view.live.iter().enumerate().find(lost);
    FileFate {
        name: name.unwrap_or_default(),
        inode: view.inode.0,
        live_len: view.live.len() as u64,
        durable_len: view.durable.len() as u64,
        after_len: left.map(|left| left.len() as u64),
        after_name: sides.left_name.clone().filter(|_| !sides.named),
        pages: pages.collect(),
        first_lost: first_lost.map(|(at, _)| at as u64),
        lines: lines(&view.live, left),
    }
}

/// How many lines of a file are looked at.
const MOST_LINES: usize = 200;

fn lines(live: &[u8], left: Option<&[u8]>) -> Vec<LineFate> {
    let mut at = 0;
    let mut fates = Vec::new();
    for line in live.split_inclusive(|byte| *byte == b'\n').take(MOST_LINES) {
        let part = left.and_then(|left| left.get(at..at + line.len()));
        let blank = line.iter().all(|byte| matches!(byte, 0 | b'\n'));
        if !blank {
            fates.push(LineFate {
                offset: at as u64,
                text: shortened(String::from_utf8_lossy(line).trim_end()),
                kept: part == Some(line),
            });
        }
        at += line.len();
    }
    fates
}

fn page(sides: &BeforeAfter, number: u64, crash: &ExplainedCrash<'_>, ops: &FileOpLog) -> PageFate {
    let view = &sides.view;
    let from = number * PAGE_SIZE;
    let sectors = 0..PAGE_SIZE / SECTOR_SIZE;
    let sectors = sectors.map(|number| sector(sides, from + number * SECTOR_SIZE));
    let sectors: Vec<SectorFate> = sectors.collect();
    let touches = |offset: u64, len: u64| offset < from + PAGE_SIZE && offset + len > from;
    let writes = ops.between(crash.after, crash.call).filter(|op| {
        let mine = op.op == Op::WriteAt && op.file.is_some() && op.file == sides.file;
        mine && touches(op.offset, op.len)
    });
    PageFate {
        page: number,
        pending: view.pending_pages.get(&number).copied().unwrap_or(0),
        unsaved: view.unsaved_pages.contains(&number),
        writes: writes.map(|op| op.call).collect(),
        verdict: page_verdict(&sectors, sides.left.is_none()),
        sectors,
    }
}

fn page_verdict(sectors: &[SectorFate], gone: bool) -> PageVerdict {
    let pending = |sector: &&SectorFate| sector.live == Side::Pending;
    let pending: Vec<&SectorFate> = sectors.iter().filter(pending).collect();
    let survived = pending
        .iter()
        .filter(|sector| sector.after == Side::Pending);
    let survived = survived.count();
    let settled = |sector: &SectorFate| sector.live != Side::Pending;
    let odd = |sector: &SectorFate| settled(sector) && sector.after != sector.durable;
    if gone {
        PageVerdict::Gone
    } else if sectors.iter().any(odd) {
        PageVerdict::Changed
    } else if pending.is_empty() {
        PageVerdict::Kept
    } else if survived == pending.len() {
        PageVerdict::Survived
    } else if survived > 0 {
        PageVerdict::Torn
    } else {
        PageVerdict::Lost
    }
}

/// A sector that begins at byte `at`.
fn sector(sides: &BeforeAfter, at: u64) -> SectorFate {
    let part = |bytes: &[u8]| {
        let at = usize::try_from(at).unwrap_or(usize::MAX);
        let bytes = bytes.get(at..).unwrap_or_default();
        let size = usize::try_from(SECTOR_SIZE).unwrap_or(usize::MAX);
        bytes[..bytes.len().min(size)].to_vec()
    };
    let live = part(&sides.view.live);
    let durable = part(&sides.view.durable);
    let after = part(sides.left.as_deref().unwrap_or_default());
    let side = |bytes: &[u8]| match bytes {
        [] => Side::Absent,
        bytes if bytes == durable => Side::Durable,
        bytes if bytes == live => Side::Pending,
        bytes if bytes.iter().all(|byte| *byte == 0) => Side::Blank,
        _ => Side::Other,
    };
    SectorFate {
        live: side(&live),
        durable: side(&durable),
        after: side(&after),
    }
}
