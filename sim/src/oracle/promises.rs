//! What a store promises, each on or off.

/// What a store promises of its ops across crashes. A store that does not give a promise is not
/// held against it; every promise that is off hides the bugs that only it would show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Promises {
    /// An op that answered that it is durable is there after every crash.
    pub durability: bool,
    /// An op is there whole after a crash, or not at all.
    pub atomicity: bool,
    /// An op that survives brings every op before it.
    pub order: bool,
    /// What one recovery showed about an op in doubt, every later one shows.
    pub decided: bool,
    /// The store opens after any crash.
    pub opens: bool,
    /// The store opens after a crash during its first opening, while it was being created.
    pub opens_after_creation: bool,
}

impl Promises {
    /// All of them.
    pub const ALL: Promises = Promises {
        durability: true,
        atomicity: true,
        order: true,
        decided: true,
        opens: true,
        opens_after_creation: true,
    };
}

impl Default for Promises {
    fn default() -> Self {
        Promises::ALL
    }
}
