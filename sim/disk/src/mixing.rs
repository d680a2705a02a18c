//! The two mixing functions of the simulated disk: a stable content hash and a stable source of
//! garbage bytes.
//!
//! Both are pure functions of their input, the same on every machine and in every version of this
//! crate: trace hashes and saved failures depend on them. Neither is a cryptographic hash; nobody
//! here tries to make two things collide.

const FIRST: u64 = 0x9e37_79b9_7f4a_7c15;
const SECOND: u64 = 0xd6e8_feb8_6659_fd93;

/// The finaliser of SplitMix64: every bit of the input changes about half of the bits of the
/// output.
pub(super) fn scramble(word: u64) -> u64 {
    let mut z = word.wrapping_add(FIRST);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Hashes bytes to 64 bits, for traces.
pub(super) fn hash64(bytes: &[u8]) -> u64 {
    let mut hash = scramble(bytes.len() as u64);
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        hash = step(hash, u64::from_le_bytes(*word), FIRST);
    }
    step(hash, last_word(rest), FIRST)
}

/// Hashes bytes to 128 bits, for pages and names, where equal hashes stand for equal contents.
pub(super) fn hash128(bytes: &[u8]) -> u128 {
    let (mut low, mut high) = (scramble(bytes.len() as u64), SECOND);
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        let word = u64::from_le_bytes(*word);
        low = step(low, word, FIRST);
        high = step(high, word, SECOND);
    }
    let word = last_word(rest);
    low = scramble(step(low, word, FIRST));
    high = scramble(step(high, word, SECOND));
    u128::from(high) << 64 | u128::from(low)
}

/// Mixes two 128-bit values into one. The order matters.
pub(super) fn mix128(a: u128, b: u128) -> u128 {
    let mixed = (a ^ b.rotate_left(64)).wrapping_mul(0x2545_f491_4f6c_dd1d_9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ mixed >> 61).wrapping_add(b.wrapping_mul(0xda94_2042_e4dd_58b5));
    mixed ^ mixed >> 67
}

/// Word `index` of the garbage that `seed` stands for: what a disk shows where nothing was ever
/// written.
pub(super) fn garbage_word(seed: u64, inode: u64, index: u64) -> u64 {
    scramble(scramble(scramble(seed) ^ inode) ^ index)
}

fn step(hash: u64, word: u64, factor: u64) -> u64 {
    (hash ^ word).wrapping_mul(factor).rotate_left(29)
}

fn last_word(rest: &[u8]) -> u64 {
    let mut word = [0; 8];
    word[..rest.len()].copy_from_slice(rest);
    u64::from_le_bytes(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Saved failures and trace hashes rest on these numbers: a change to one of them changes
    /// what every one of those means.
    #[test]
    fn the_functions_are_the_same_for_ever() {
        assert_eq!(scramble(0), 0xe220_a839_7b1d_cdaf);
        assert_eq!(scramble(0x0123_4567_89ab_cdef), 0x157a_3807_a48f_aa9d);
        assert_eq!(hash64(b""), 0xf9d5_146b_7886_abce);
        assert_eq!(hash64(b"beaver"), 0xe6f4_0d21_534c_01c0);
        assert_eq!(hash64(b"a page of a file"), 0x7f73_3511_d1bd_3b69);
        assert_eq!(hash128(b""), 0x1037_6825_13ef_8771_cd4e_b976_411c_53c8);
        assert_eq!(
            hash128(b"a page of a file, and more"),
            0x0eb3_5abb_368b_962b_b023_6683_7d5f_a3d9
        );
        let (a, b) = (hash128(b"beaver"), hash128(b"a page of a file"));
        assert_eq!(mix128(a, b), 0x838b_2105_f1a5_9b43_8915_d7fc_bc90_e892);
        assert_eq!(mix128(b, a), 0x2d71_faf0_d109_6af0_3952_0b74_c805_ba8b);
        assert_eq!(garbage_word(7, 3, 1), 0x1049_0351_134c_1271);
        assert_eq!(garbage_word(7, 3, 4096), 0xb30b_8ba7_88bc_684a);
    }
}
