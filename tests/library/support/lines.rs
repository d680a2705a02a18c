//! Segments and snapshots made by hand, line by line, valid or not.
//!
//! Those of format version 1 stand for what old files hold; what the library writes today is compared
//! with those of version 2.

use beaver::{ChecksumKind, Epoch, SegmentId, StoreId, calculate_checksum};

use super::{Memory, snapshot, wal};

/// Ends `text` with its checksum in version 1 and a newline. Headers and snapshots have the same in
/// version 2.
pub(crate) fn sealed(kind: ChecksumKind, epoch: u64, text: &str) -> String {
    sealed_in(Epoch(epoch).into(), kind, text)
}

/// Ends `text` with its checksum in a segment, and a newline.
fn sealed_in(segment: SegmentId, kind: ChecksumKind, text: &str) -> String {
    let open = format!("{text},\"crc\":\"00000000\"}}");
    let crc = calculate_checksum(kind, segment, open.as_bytes()).unwrap();
    format!("{text},\"crc\":\"{crc:08x}\"}}\n")
}

/// The lines of one segment.
#[derive(Clone)]
pub(crate) struct Lines {
    pub(crate) epoch: u64,
    /// Whose it is; nothing in version 1.
    store: Option<StoreId>,
    pub(crate) bytes: Vec<u8>,
    /// Where each line begins, the header too.
    pub(crate) starts: Vec<usize>,
}

impl Lines {
    /// A segment of version 1 without a header.
    pub(crate) fn headless(epoch: u64) -> Self {
        Lines {
            epoch,
            store: None,
            bytes: Vec::new(),
            starts: Vec::new(),
        }
    }

    /// A segment of version 2 without a header.
    pub(crate) fn headless_of(store: StoreId, epoch: u64) -> Self {
        Lines {
            store: Some(store),
            ..Lines::headless(epoch)
        }
    }

    /// The first segment.
    pub(crate) fn first() -> Self {
        Lines::headless(1).line(ChecksumKind::Header, &header(1, "null"))
    }

    /// The segment after `epoch - 1`, which ended with `last_seq`.
    pub(crate) fn after(epoch: u64, last_seq: u64) -> Self {
        let prev = format!("{{\"epoch\":{},\"last_seq\":{last_seq}}}", epoch - 1);
        Lines::headless(epoch).line(ChecksumKind::Header, &header(epoch, &prev))
    }

    /// The first segment of a store, of version 2.
    pub(crate) fn first_of(store: StoreId) -> Self {
        Lines::headless_of(store, 1).line(ChecksumKind::Header, &header_of(store, 1, "null"))
    }

    /// The segment of version 2 after `epoch - 1`, whose last line was `last_seq` with this checksum.
    pub(crate) fn after_of(store: StoreId, epoch: u64, last_seq: u64, crc: &str) -> Self {
        let before = epoch - 1;
        let prev = format!("{{\"epoch\":{before},\"last_seq\":{last_seq},\"crc\":\"{crc}\"}}");
        Lines::headless_of(store, epoch).line(ChecksumKind::Header, &header_of(store, epoch, &prev))
    }

    /// The segment of version 2 after this one, which ended with `last_seq`.
    pub(crate) fn next(&self, store: StoreId, last_seq: u64) -> Self {
        Lines::after_of(store, self.epoch + 1, last_seq, &self.last_crc())
    }

    /// The checksum that the next header seals: of the last event or `lost` line, else of the header.
    pub(crate) fn last_crc(&self) -> String {
        let ends = self.starts.iter().skip(1).copied();
        let ends: Vec<usize> = ends.chain([self.bytes.len()]).collect();
        let lines = self.starts.iter().zip(ends);
        let lines = lines.map(|(start, end)| &self.bytes[*start..end]);
        let is_sealed = |line: &&[u8]| {
            [&b"{\"seq\""[..], b"{\"lost\"", b"{\"wal\""]
                .iter()
                .any(|start| line.starts_with(start))
        };
        let last = lines.rev().find(is_sealed).unwrap();
        let digits = &last[last.len() - "00000000\"}\n".len()..][..8];
        String::from_utf8(digits.to_vec()).unwrap()
    }

    /// This segment under another header. Lines that have their checksum have it there too.
    pub(crate) fn under(&self, header: Lines) -> Self {
        let ends = self.starts.iter().skip(2).copied();
        let ends = ends.chain([self.bytes.len()]);
        let lines = self.starts.iter().skip(1).zip(ends);
        lines.fold(header, |copy, (start, end)| {
            let line = &self.bytes[*start..end];
            match self.text_of(line) {
                Some((kind, text)) => copy.line(kind, text),
                None => copy.raw(line),
            }
        })
    }

    /// What a line says before its checksum; nothing if that is not valid.
    fn text_of<'a>(&self, line: &'a [u8]) -> Option<(ChecksumKind, &'a str)> {
        let line = str::from_utf8(line).ok()?;
        let kind = match line.as_bytes().get(2)? {
            b's' if line.starts_with("{\"seq") => ChecksumKind::Event,
            b's' => ChecksumKind::Marker,
            b'l' => ChecksumKind::Lost,
            _ => return None,
        };
        let (text, _) = line.rsplit_once(",\"crc\":")?;
        (sealed_in(self.segment(), kind, text) == line).then_some((kind, text))
    }

    fn segment(&self) -> SegmentId {
        SegmentId {
            epoch: Epoch(self.epoch),
            store: self.store,
        }
    }

    /// Anything with a valid checksum.
    pub(crate) fn line(self, kind: ChecksumKind, text: &str) -> Self {
        let line = sealed_in(self.segment(), kind, text);
        self.raw(line)
    }

    /// Anything.
    pub(crate) fn raw(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.starts.push(self.bytes.len());
        self.bytes.extend_from_slice(bytes.as_ref());
        self
    }

    /// An event of a batch, with its seq as its content.
    pub(crate) fn event(self, seq: u64, batch: u64) -> Self {
        self.any_event(seq, batch, false, &seq.to_string())
    }

    /// An event that the next one belongs to.
    pub(crate) fn more(self, seq: u64, batch: u64) -> Self {
        self.any_event(seq, batch, true, &seq.to_string())
    }

    pub(crate) fn any_event(self, seq: u64, batch: u64, more: bool, body: &str) -> Self {
        let batch = if batch == seq {
            String::new()
        } else {
            format!(",\"batch\":{batch}")
        };
        let more = if more { ",\"more\":true" } else { "" };
        let text = format!("{{\"seq\":{seq}{batch}{more},\"event\":{body}");
        self.line(ChecksumKind::Event, &text)
    }

    pub(crate) fn marker(self, synced: u64) -> Self {
        self.line(ChecksumKind::Marker, &format!("{{\"synced\":{synced}"))
    }

    pub(crate) fn lost(self, from: u64, to: u64) -> Self {
        self.line(ChecksumKind::Lost, &format!("{{\"lost\":[{from},{to}]"))
    }

    /// What was an event here is damaged: its first brace is gone.
    pub(crate) fn damaged(self, seq: u64, batch: u64) -> Self {
        let mut damaged = self.event(seq, batch);
        let start = *damaged.starts.last().unwrap();
        damaged.bytes[start] = b'#';
        damaged
    }

    /// Puts the segment on a disk.
    pub(crate) fn on(&self, disk: &Memory) {
        disk.put(&wal(self.epoch), &self.bytes);
    }

    /// A disk with this segment.
    pub(crate) fn disk(&self) -> Memory {
        let disk = Memory::new();
        self.on(&disk);
        disk
    }
}

impl std::fmt::Debug for Lines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.bytes))
    }
}

fn header(epoch: u64, prev: &str) -> String {
    format!("{{\"wal\":\"beaver\",\"version\":1,\"epoch\":{epoch},\"prev\":{prev},\"created_ms\":0")
}

fn header_of(store: StoreId, epoch: u64, prev: &str) -> String {
    let store = format!("{:016x}", store.0);
    format!(
        "{{\"wal\":\"beaver\",\"version\":2,\"store\":\"{store}\",\"epoch\":{epoch},\"prev\":{prev},\"created_ms\":0"
    )
}

/// Puts a snapshot of a tape on a disk.
pub(crate) fn put_snapshot(disk: &Memory, epoch: u64, last_seq: u64, tape: &[&str]) {
    let state = tape_state(epoch, last_seq, tape);
    disk.put(&snapshot(epoch), snapshot_document(epoch, last_seq, &state));
}

/// The state of a tape that was applied up to there.
pub(crate) fn tape_state(epoch: u64, last_seq: u64, tape: &[&str]) -> String {
    let applied = format!("{{\"epoch\":{epoch},\"seq\":{last_seq}}}");
    format!("{{\"applied\":{applied},\"machine\":[{}]}}", tape.join(","))
}

/// The checksum of the line of an event of `store` that is the first of its batch.
pub(crate) fn event_crc(store: StoreId, epoch: u64, seq: u64, body: &str) -> String {
    Lines::headless_of(store, epoch)
        .any_event(seq, seq, false, body)
        .last_crc()
}

pub(crate) fn snapshot_document(epoch: u64, last_seq: u64, state: &str) -> String {
    let head = format!(
        "{{\"snapshot\":\"beaver\",\"version\":1,\"epoch\":{epoch},\"last_seq\":{last_seq}"
    );
    sealed(
        ChecksumKind::Snapshot,
        epoch,
        &format!("{head},\"state\":{state}"),
    )
}

/// A snapshot of version 2, of an epoch whose last line has this checksum.
pub(crate) fn snapshot_document_of(
    store: StoreId,
    epoch: u64,
    last_seq: u64,
    crc: &str,
    state: &str,
) -> String {
    let store = format!("{:016x}", store.0);
    let head = format!(
        "{{\"snapshot\":\"beaver\",\"version\":2,\"store\":\"{store}\",\"epoch\":{epoch},\"last_seq\":{last_seq},\"last_crc\":\"{crc}\""
    );
    sealed(
        ChecksumKind::Snapshot,
        epoch,
        &format!("{head},\"state\":{state}"),
    )
}
