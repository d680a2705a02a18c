//! Which store a segment belongs to when its header does not say it any more. Without that no line of
//! format version 2 can be checked.

use std::collections::BTreeSet;
use std::io::ErrorKind;

use crate::checksum::{ChecksumKind, fitting_store, verify_checksum};
use crate::directory;
use crate::error::{Error, Result};
use crate::snapshot;
use crate::storage::{Access, Storage};
use crate::store_id::StoreId;
use crate::wal::line::{Line, frame};
use crate::wal::{Scanner, Segment, header};
use crate::window::{ReadWindow, Reads};

/// How a header of version 1 begins.
const VERSION_1: &[u8] = b"{\"wal\":\"beaver\",\"version\":1,\"epoch\":";

/// What stands before the store in a header of version 2.
const VERSION_2: &[u8] = b"{\"wal\":\"beaver\",\"version\":2,\"store\":\"";

/// What can be known.
pub(super) enum Whose {
    /// It is of this store; of version 1 without one.
    Store(Option<StoreId>),
    /// Nothing tells it, so that none of its lines can be checked.
    Unknown,
    /// Nothing tells it, and nothing looks like a line.
    NoLines,
}

/// Which store `segment`, whose header is damaged, belongs to: the one that its header names all the
/// same, or that another file of `storage` names, if lines are valid with it; else one that fits the
/// lines themselves.
pub(super) fn whose(storage: &dyn Storage, segment: &Segment) -> Result<Whose> {
    let end = VERSION_2.len() + StoreId::DIGITS;
    let mut window = ReadWindow::new(&*segment.file, &segment.name, segment.limit.min(end as u64));
    window.restart(0, Reads::Confirmed);
    window.extend()?;
    let start = window.shown();
    if start.starts_with(VERSION_1) {
        return Ok(Whose::Store(None));
    }
    let named = start.get(VERSION_2.len()..).and_then(StoreId::parse);
    if let Some(store) = named
        && has_line(segment, store)?
    {
        return Ok(Whose::Store(named));
    }
    match named_by_another(storage, segment)? {
        Some(store) => Ok(Whose::Store(Some(store))),
        None => fits_lines(segment),
    }
}

/// Whether a line of `segment` is valid if it is of `store`.
fn has_line(segment: &Segment, store: StoreId) -> Result<bool> {
    let mut scanner = Scanner::without_header(segment, Some(store));
    scanner.search_from(0);
    while let Some((_, line)) = scanner.next_valid()? {
        // The checksum of a header does not cover the store.
        if !matches!(line, Line::Header(_)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The store that another segment or a snapshot names, if lines of `segment` are valid with it.
fn named_by_another(storage: &dyn Storage, segment: &Segment) -> Result<Option<StoreId>> {
    let listing = directory::list(storage)?;
    let others = listing.segments.iter().filter(|it| **it != segment.epoch);
    let headers = others.map(|epoch| {
        match header(&Segment::open(storage, *epoch, Access::Read)?) {
            Ok(header) => Ok(header.store),
            Err(error @ Error::Storage { .. }) => Err(error),
            // Damaged, too: it says nothing.
            Err(_) => Ok(None),
        }
    });
    let snapshots = listing.snapshots.iter().map(|epoch| {
        let covered = snapshot::glance(storage, *epoch)?;
        Ok(covered.and_then(|covered| covered.store))
    });
    let mut tried = BTreeSet::new();
    for named in headers.chain(snapshots) {
        let store = match named {
            // The owner of a store in use has removed it.
            Err(error) if error.io_kind() == Some(ErrorKind::NotFound) => None,
            named => named?,
        };
        if let Some(store) = store
            && tried.insert(store)
            && has_line(segment, store)?
        {
            return Ok(Some(store));
        }
    }
    Ok(None)
}

/// The store that fits the lines of `segment`: two of them are valid with it, or one is without any.
/// Only what stands between two newlines is taken for a line here, never what a payload may hold.
fn fits_lines(segment: &Segment) -> Result<Whose> {
    let epoch = segment.epoch;
    let mut fitting = BTreeSet::new();
    let mut scanner = Scanner::new(segment);
    scanner.search_from(0);
    let found = scanner.find_in_stretch(|line| {
        let (kind, _) = frame(epoch, line)
            .ok()
            .filter(|(kind, _)| *kind != ChecksumKind::Header)?;
        if verify_checksum(kind, epoch, line).is_ok() {
            return Some(None);
        }
        let store = fitting_store(kind, epoch, line)?;
        (!fitting.insert(store)).then_some(Some(store))
    })?;
    Ok(match found {
        Some(store) => Whose::Store(store),
        None if fitting.is_empty() => Whose::NoLines,
        None => Whose::Unknown,
    })
}
