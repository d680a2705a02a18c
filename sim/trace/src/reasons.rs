//! Why images failed.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use crate::check_process::Judgement;
use crate::missing_sync::without_numbers;

/// A word of at least this many hexadecimal digits is a number or a hash: it differs from image to image.
const HASH_DIGITS: usize = 8;

/// A reason, and how many images failed for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// What the check said of the first of them.
    pub text: String,
    /// How many they are.
    pub count: usize,
    /// Whether numbers or hashes in what was said of the others differ.
    pub numbers_vary: bool,
}

/// Why images failed. Reasons that differ in numbers alone are one.
#[derive(Clone, Debug, Default)]
pub struct Reasons {
    reasons: Vec<Reason>,
    /// The place of each, by what is left of its text without numbers.
    places: BTreeMap<String, usize>,
}

impl Reasons {
    /// The reasons among some judgements.
    pub fn of<'j>(judgements: impl IntoIterator<Item = &'j Judgement>) -> Self {
        let mut reasons = Reasons::default();
        for judgement in judgements {
            if let Judgement::Bad(text) = judgement {
                reasons.add(text);
            }
        }
        reasons
    }

    fn add(&mut self, text: &str) {
        let place = self.places.entry(class(text)).or_insert(self.reasons.len());
        match self.reasons.get_mut(*place) {
            Some(reason) => {
                reason.count += 1;
                reason.numbers_vary |= reason.text != text;
            }
            None => self.reasons.push(Reason {
                text: text.to_owned(),
                count: 1,
                numbers_vary: false,
            }),
        }
    }

    /// How many images failed.
    #[must_use]
    pub fn failing(&self) -> usize {
        self.reasons.iter().map(|reason| reason.count).sum()
    }

    /// The most frequent first.
    #[must_use]
    pub fn by_count(&self) -> Vec<&Reason> {
        let mut reasons: Vec<&Reason> = self.reasons.iter().collect();
        reasons.sort_by_key(|reason| Reverse(reason.count));
        reasons
    }

    /// The reasons that are none of `known`, the most frequent first.
    pub(crate) fn others_than(&self, known: &BTreeSet<String>) -> Vec<&Reason> {
        let mut others = self.by_count();
        others.retain(|reason| !known.contains(&class(&reason.text)));
        others
    }

    /// What is left of the texts without numbers, for the reasons for which `holds` is true.
    pub(crate) fn classes(&self, holds: impl Fn(&Reason) -> bool) -> BTreeSet<String> {
        let chosen = self
            .places
            .iter()
            .filter(|(_, place)| holds(&self.reasons[**place]));
        chosen.map(|(class, _)| class.clone()).collect()
    }
}

/// The text of a reason without what differs from image to image: numbers, and hashes.
pub(crate) fn class(text: &str) -> String {
    let is_hash =
        |word: &str| word.len() >= HASH_DIGITS && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let mut out = String::new();
    let mut rest = text;
    while !rest.is_empty() {
        let is_word = |letter: char| letter.is_ascii_alphanumeric();
        let end = rest.find(|letter| !is_word(letter)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        out.push_str(if is_hash(word) { "#" } else { word });
        let next = after.find(is_word).unwrap_or(after.len());
        out.push_str(&after[..next]);
        rest = &after[next..];
    }
    without_numbers(&out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_that_differ_in_numbers_and_hashes_alone_are_one() {
        let said = [
            "3 saved, 0 found",
            "object d670460b4b4aece5915caf5c68d12f560a9fe3e4 is missing",
            "12 saved, 7 found",
            "object 0123abcd is missing",
            "3 saved, 1 found",
            "facade is bad",
        ];
        let judgements: Vec<Judgement> = said
            .iter()
            .map(|text| Judgement::Bad((*text).to_owned()))
            .chain([Judgement::Good, Judgement::Stopped])
            .collect();
        let reasons = Reasons::of(&judgements);
        let counts: Vec<_> = reasons
            .by_count()
            .iter()
            .map(|reason| (reason.text.as_str(), reason.count, reason.numbers_vary))
            .collect();
        assert_eq!(
            counts,
            [
                ("3 saved, 0 found", 3, true),
                (said[1], 2, true),
                ("facade is bad", 1, false)
            ]
        );
        assert_eq!(reasons.failing(), 6);
        let known = reasons.classes(|reason| reason.count > 1);
        let others = reasons.others_than(&known);
        assert_eq!(others.len(), 1);
        assert_eq!(others[0].text, "facade is bad");
    }
}
