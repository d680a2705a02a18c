//! The invariants: what must hold of every run, each with its number, its name and what it promises.

use std::fmt;

/// Declares the invariants once: variant, number, name, promise.
macro_rules! invariants {
    ($($invariant:ident $number:literal $name:literal $promise:literal;)*) => {
        /// Something that must hold.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Invariant {
            $(#[doc = $promise] $invariant = $number,)*
        }

        impl Invariant {
            /// All invariants, in the order of their numbers.
            pub const ALL: &'static [Invariant] = &[$(Invariant::$invariant,)*];

            /// All names, in the same order.
            pub(crate) const NAMES: &'static [&'static str] = &[$($name,)*];

            /// The number in reports and files.
            #[must_use]
            pub const fn number(self) -> u8 {
                self as u8
            }

            /// The name in reports.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Invariant::$invariant => $name,)* }
            }

            /// What it promises, in a sentence.
            #[must_use]
            pub const fn promise(self) -> &'static str {
                match self { $(Invariant::$invariant => $promise,)* }
            }
        }
    };
}

invariants! {
    Progress 0 "budget or panic" "A run ends within its budget, and nothing panics.";
    Durability 1 "durability" "Every acknowledged event is there after every recovery.";
    NoPhantom 2 "no phantom" "The recovered history is the acknowledged events in order, with at most the indeterminate \
        ones added in their place: nothing else, nothing twice.";
    Decided 3 "decided stays decided" "What one recovery showed about an indeterminate event, every later one shows.";
    State 4 "state" "The recovered state is the fold over the recovered history, field by field.";
    Idempotence 5 "idempotence" "Recovering again changes nothing, and neither does replaying again.";
    SnapshotEquivalence 6 "snapshot equivalence" "A snapshot and the tail after it give the same state as the whole history.";
    Availability 7 "availability" "Without damage recovery succeeds, after a transient error when tried again; a command fails \
        only where a fault explains it.";
    Honesty 8 "honesty" "What was damaged is refused with its place, or what is returned is right: never wrong data \
        in silence.";
    Positions 9 "positions" "Seqs and epochs are contiguous, the last position is true, and nothing goes backwards.";
    Poison 10 "poison" "After a storage error that leaves doubt nothing is acknowledged until the log is opened \
        again.";
    Hygiene 11 "hygiene" "After recovery only the files that the protocol needs are left, disk use is bounded, and \
        recovery ends within its budget.";
    JobRules 12 "job rules" "Every job stands in exactly one place, in order, is reported by its own attempt alone, completes \
        at most once, and keeps its payload bit for bit.";
    Determinism 13 "determinism" "The same scenario and seed give the same run.";
}

impl fmt::Display for Invariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Invariant::Progress => f.write_str(self.name()),
            _ => write!(f, "invariant {} ({})", self.number(), self.name()),
        }
    }
}

/// In the JSON of reports an invariant is its number.
impl serde::Serialize for Invariant {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(self.number())
    }
}

/// In scenario files an invariant is its name.
pub(crate) mod by_name {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

    use crate::invariant::Invariant;

    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "serde passes the field by reference"
    )]
    pub(crate) fn serialize<S: Serializer>(
        invariant: &Option<Invariant>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        invariant.map(Invariant::name).serialize(to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Invariant>, D::Error> {
        let Some(name) = Option::<String>::deserialize(from)? else {
            return Ok(None);
        };
        let mut all = Invariant::ALL.iter();
        let found = all.find(|invariant| invariant.name() == name).copied();
        found
            .ok_or_else(|| de::Error::unknown_variant(&name, Invariant::NAMES))
            .map(Some)
    }
}
