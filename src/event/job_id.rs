//! The name of a job: the caller's, unique for ever.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

use smol_str::SmolStr;

use super::text::keep;

/// The name of a job: 1 to 256 bytes of any UTF-8, chosen by the caller.
///
/// A name is used once: a store never accepts it again, even after its job is finished. Up to 23
/// bytes take no memory of their own; clones of a longer name share it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId(SmolStr);

/// Why a text is not a [`JobId`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidJobId {
    /// It has no bytes.
    #[error("a job id must not be empty")]
    Empty,
    /// It has more than [`JobId::MAX_BYTES`] bytes.
    #[error("a job id of {bytes} bytes is too long: the limit is 256")]
    TooLong {
        /// Its length in bytes.
        bytes: usize,
    },
}

impl JobId {
    /// The longest name, in bytes of UTF-8.
    pub const MAX_BYTES: usize = 256;

    /// Checks the length of `id` and makes it a name.
    ///
    /// # Errors
    /// It is empty or longer than [`JobId::MAX_BYTES`].
    pub fn new(id: impl AsRef<str>) -> Result<Self, InvalidJobId> {
        let id = id.as_ref();
        Self::check(id)?;
        Ok(Self::of_checked(id))
    }

    /// Whether `id` can be a name.
    #[inline]
    pub(super) fn check(id: &str) -> Result<(), InvalidJobId> {
        match id.len() {
            0 => Err(InvalidJobId::Empty),
            1..=Self::MAX_BYTES => Ok(()),
            bytes => Err(InvalidJobId::TooLong { bytes }),
        }
    }

    /// The name `id`, which was checked.
    #[inline]
    pub(super) fn of_checked(id: &str) -> Self {
        JobId(keep(id))
    }

    /// The name as the caller gave it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for JobId {
    type Err = InvalidJobId;

    fn from_str(id: &str) -> Result<Self, Self::Err> {
        JobId::new(id)
    }
}

impl TryFrom<&str> for JobId {
    type Error = InvalidJobId;

    fn try_from(id: &str) -> Result<Self, Self::Error> {
        JobId::new(id)
    }
}

impl TryFrom<String> for JobId {
    type Error = InvalidJobId;

    fn try_from(id: String) -> Result<Self, Self::Error> {
        JobId::new(id)
    }
}

impl AsRef<str> for JobId {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl Borrow<str> for JobId {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

impl fmt::Debug for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_is_counted_in_bytes_and_limited() {
        assert_eq!(JobId::new(""), Err(InvalidJobId::Empty));
        assert!(JobId::new("x".repeat(256)).is_ok());
        assert_eq!(
            JobId::new("x".repeat(257)),
            Err(InvalidJobId::TooLong { bytes: 257 })
        );
        assert!(JobId::new("é".repeat(128)).is_ok());
        assert_eq!(
            JobId::new("é".repeat(129)),
            Err(InvalidJobId::TooLong { bytes: 258 })
        );
    }

    #[test]
    fn any_utf8_is_a_name() {
        for id in [
            "\0", "\n", "\"", "\\", "\u{2028}", "日本", "😀", " ", "\u{feff}",
        ] {
            assert_eq!(JobId::new(id).unwrap().as_str(), id);
        }
    }
}
