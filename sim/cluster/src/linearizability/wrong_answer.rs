//! An answer of a kind that the object never gives to the request.

/// The object never answers such a request so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct WrongAnswer;
