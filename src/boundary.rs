//! Where an epoch ends, and whose it is: what the header of the next segment seals, and what a
//! snapshot covers.

use std::fmt;

use crate::position::Position;
use crate::store_id::StoreId;

/// The end of an epoch.
///
/// Equal positions are no proof of a common history: another store has the same ones, and so has
/// this one after a backup was restored. The checksum and the store tell these apart, as far as the
/// files say them: those of format version 1 say the position alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Boundary {
    /// The last position of the epoch.
    pub position: Position,
    /// The `crc` of the last event or `lost` line of the epoch; of its header, where it has neither.
    pub crc: Option<u32>,
    /// Whose it is.
    pub store: Option<StoreId>,
}

/// A boundary that is known by its position alone.
impl From<Position> for Boundary {
    fn from(position: Position) -> Self {
        Boundary {
            position,
            crc: None,
            store: None,
        }
    }
}

impl fmt::Display for Boundary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.position.fmt(f)
    }
}

impl Boundary {
    /// How `file`, which says this, and `later`, which says `other` of the same epoch, contradict
    /// each other about whose they are. Nothing if they do not, or do not say.
    pub(crate) fn conflict(&self, file: &str, other: &Boundary, later: &str) -> Option<String> {
        match (self.store, other.store) {
            (Some(one), Some(two)) if one != two => {
                return Some(format!(
                    "{file} is of store {one}, but {later} is of store {two}"
                ));
            }
            // A store is written in version 2 from a rotate on, and never in version 1 again.
            (Some(one), None) => {
                return Some(format!(
                    "{file} is of store {one}, but {later} after it is of format version 1"
                ));
            }
            _ => {}
        }
        match (self.crc, other.crc) {
            (Some(one), Some(two)) if self.position == other.position && one != two => {
                let position = self.position;
                Some(format!(
                    "{file} has {position} with checksum {one:08x}, but {later} follows one with \
                     checksum {two:08x}: they are of two stores, or of one before and after a \
                     backup was restored"
                ))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn boundary(seq: u64, crc: Option<u32>, store: Option<u64>) -> Boundary {
        Boundary {
            position: Position::new(7, seq),
            crc,
            store: store.map(StoreId),
        }
    }

    fn conflict(one: Boundary, other: Boundary) -> bool {
        let said = one.conflict("wal-7", &other, "wal-8");
        assert!(
            said.iter()
                .all(|said| said.contains("wal-7") && said.contains("wal-8"))
        );
        said.is_some()
    }

    #[test]
    fn what_is_said_twice_must_be_the_same() {
        let ours = boundary(3, Some(1), Some(9));
        assert!(!conflict(ours, ours));
        assert!(conflict(ours, boundary(3, Some(1), Some(8))));
        assert!(conflict(ours, boundary(3, Some(2), Some(9))));
    }

    #[test]
    fn what_is_not_said_contradicts_nothing() {
        let old = boundary(3, None, None);
        let sealed = boundary(3, Some(1), None);
        let ours = boundary(3, Some(1), Some(9));
        assert!(!conflict(old, ours) && !conflict(sealed, ours) && !conflict(old, old));
        assert!(conflict(sealed, boundary(3, Some(2), Some(9))));
        // Nothing of version 1 follows anything of version 2.
        assert!(conflict(ours, old));
    }

    #[test]
    fn a_checksum_says_something_of_its_own_position_only() {
        let (three, four) = (boundary(3, Some(1), Some(9)), boundary(4, Some(2), Some(9)));
        assert!(!conflict(three, four));
    }
}
