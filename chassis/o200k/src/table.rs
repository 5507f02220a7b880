//! The vocabulary as it lies in the binary: a hash table that needs no unpacking. `build.rs` writes what is read here.
//!
//! A slot is 64 bits: the upper 46 of a token's hash, and its rank. The token itself is not there; that two of all
//! strings of bytes that are looked up share 46 bits and a place is less likely than a flipped bit in memory.

/// The number of slots is 2 to the power of this; three quarters of them are taken.
const SLOT_BITS: u32 = 18;
/// How many slots there are.
pub(crate) const SLOTS: usize = 1 << SLOT_BITS;
/// Ranks are smaller than this.
pub(crate) const RANKS: u64 = 1 << 18;
/// A slot that no token has.
pub(crate) const EMPTY: u64 = u64::MAX;

/// What a token's slot holds, but for its rank.
pub(crate) const fn fingerprint(hash: u64) -> u64 {
    hash & !(RANKS - 1)
}

/// Where to look for a token, one after the other.
pub(crate) fn places(hash: u64) -> impl Iterator<Item = usize> {
    let first = hash % SLOTS as u64;
    (0..SLOTS as u64).map(move |more| ((first + more) % SLOTS as u64) as usize)
}

/// FNV-1a, and the last step of `MurmurHash3`, because the lower bits choose the slot.
pub(crate) fn hash(bytes: &[u8]) -> u64 {
    let mixed = bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3));
    let mixed = (mixed ^ (mixed >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let mixed = (mixed ^ (mixed >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    mixed ^ (mixed >> 33)
}
