//! Keeping short texts: replay makes two for each event.

use smol_str::SmolStr;

/// Keeps `text`; up to 23 bytes take no memory of their own.
///
/// A copy of a length that the compiler knows is one or two moves between registers. Of any other
/// length it is a call that writes bytes which are read again, in other pieces, before they have
/// arrived: that costs several times more than all the rest. So every short length has its own arm,
/// in place.
#[inline(always)]
pub(super) fn keep(text: &str) -> SmolStr {
    macro_rules! by_length {
        ($($length:literal)*) => {
            match text.len() {
                $($length => SmolStr::new_inline(&text[..$length]),)*
                _ => SmolStr::new(text),
            }
        };
    }
    by_length!(1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_is_kept_whole() {
        let text = "aé日😀".repeat(9);
        let ends = (0..=text.len()).filter(|end| text.is_char_boundary(*end));
        for text in ends.map(|end| &text[..end]) {
            assert_eq!(keep(text).as_str(), text);
            assert_eq!(keep(text).is_heap_allocated(), text.len() > 23);
        }
        let text = "0123456789".repeat(3);
        for end in 0..=text.len() {
            assert_eq!(keep(&text[..end]), text[..end]);
        }
    }
}
