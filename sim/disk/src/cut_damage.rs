//! What happens to the bytes of a file at a power cut beyond the choice of versions.

use super::choice::{DeviceExtra, Fill, Tear};
use super::names::InodeId;
use super::page::{PAGE_BYTES, Page};

/// What happens to the bytes beyond the choice of versions.
#[derive(Clone, Copy)]
pub(super) struct CutDamage<'a> {
    pub(super) id: InodeId,
    pub(super) tears: &'a [Tear],
    pub(super) fill: Fill,
    pub(super) device: &'a [DeviceExtra],
}

impl CutDamage<'_> {
    /// Nothing but what lies in pages that were lost.
    pub(super) fn fill(id: InodeId, fill: Fill) -> Self {
        CutDamage {
            id,
            tears: &[],
            fill,
            device: &[],
        }
    }
}

pub(super) fn bytes_of(page: Option<&Page>) -> [u8; PAGE_BYTES] {
    page.map_or([0; PAGE_BYTES], Page::whole)
}
