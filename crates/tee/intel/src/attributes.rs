//! Attribute words as named flags. All words are little endian u64; bits count from 0.

use assay_types::Claims;
use serde_json::Value;

use crate::quote::EnclaveReport;

/// A bit with a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flag {
    /// The name, as claims have it.
    pub name: &'static str,
    /// The bit's number, 0 to 63.
    pub bit: u8,
}

impl Flag {
    /// The word in which this bit alone is set.
    pub const fn mask(self) -> u64 {
        1_u64.wrapping_shl(u32_of(self.bit))
    }
}

#[expect(clippy::as_conversions, reason = "`from` is not const; a u8 always fits")]
const fn u32_of(bit: u8) -> u32 {
    bit as u32
}

macro_rules! flags {
    ($($(#[$doc:meta])* $list:ident: $($name:literal = $bit:literal,)*;)*) => {
        $($(#[$doc])* pub const $list: &[Flag] = &[$(Flag { name: $name, bit: $bit }),*];)*
    };
}

flags! {
    /// ATTRIBUTES of a TD. Bits 0 to 3 put it under debug, 4 to 15 under profiling: such a TD is open to
    /// its host. `septve_disable`, `protection_keys`, `key_locker` and `perfmon` are Trustee's names.
    /// Intel TDX module ABI specification (348551), table "ATTRIBUTES".
    TD_ATTRIBUTES:
        "debug" = 0,
        "hgs_plus_prof" = 4,
        "perf_prof" = 5,
        "pmt_prof" = 6,
        "icssd" = 16,
        "servtd_ext" = 17,
        "lass" = 27,
        "septve_disable" = 28,
        "migratable" = 29,
        "protection_keys" = 30,
        "key_locker" = 31,
        "tpa" = 62,
        "perfmon" = 63,;
    /// Attributes of the TDX module. None is defined; Intel's modules have zero.
    SEAM_ATTRIBUTES: ;
    /// ATTRIBUTES.FLAGS of an enclave. Intel SDM, volume 3D, table "Layout of ATTRIBUTES Structure".
    SGX_ATTRIBUTES:
        "init" = 0,
        "debug" = 1,
        "mode64bit" = 2,
        "provision_key" = 4,
        "einittoken_key" = 5,
        "cet" = 6,
        "kss" = 7,
        "aex_notify" = 10,;
    /// MISCSELECT of an enclave. Intel SDM, volume 3D, table "Bit Vector Layout of MISCSELECT Field".
    MISC_SELECT:
        "exinfo" = 0,
        "cpinfo" = 1,;
    /// State components, as XCR0 and IA32_XSS number them: XFAM of a TD, XFRM of an enclave. Intel SDM,
    /// volume 1, sections 13.1 and 13.5.
    STATE_COMPONENTS:
        "x87" = 0,
        "sse" = 1,
        "avx" = 2,
        "mpx_bndregs" = 3,
        "mpx_bndcsr" = 4,
        "avx512_opmask" = 5,
        "avx512_zmm_hi256" = 6,
        "avx512_hi16_zmm" = 7,
        "pt" = 8,
        "pkru" = 9,
        "pasid" = 10,
        "cet_u" = 11,
        "cet_s" = 12,
        "hdc" = 13,
        "uintr" = 14,
        "lbr" = 15,
        "hwp" = 16,
        "amx_tilecfg" = 17,
        "amx_tiledata" = 18,
        "apx" = 19,;
}

/// The bits of `word` that none of `flags` names.
fn unknown_bits(word: u64, flags: &[Flag]) -> impl Iterator<Item = u8> {
    let known = flags.iter().fold(0, |known, flag| known | flag.mask());
    (0..64).filter(move |bit| word & !known & Flag { name: "", bit: *bit }.mask() != 0)
}

/// Every flag as a truth value under its name, and under `unknown_bits` the numbers of the further bits
/// that are set.
pub fn named_flags(word: u64, flags: &[Flag]) -> Claims {
    let mut claims: Claims =
        flags.iter().map(|flag| (flag.name.to_owned(), Value::Bool(word & flag.mask() != 0))).collect();
    claims.insert("unknown_bits".to_owned(), unknown_bits(word, flags).collect());
    claims
}

/// The names of the bits that are set, in the order of the bits; `bit 20` for one without a name.
pub fn features(word: u64, flags: &[Flag]) -> Vec<String> {
    let named = flags.iter().filter(|flag| word & flag.mask() != 0).map(|flag| flag.name.to_owned());
    named.chain(unknown_bits(word, flags).map(|bit| format!("bit {bit}"))).collect()
}

impl EnclaveReport {
    /// ATTRIBUTES.FLAGS.
    pub fn flags(&self) -> u64 {
        half(u128::from_le_bytes(self.attributes))
    }

    /// ATTRIBUTES.XFRM.
    pub fn xfrm(&self) -> u64 {
        half(u128::from_le_bytes(self.attributes) >> 64)
    }
}

/// The lower 64 bits.
fn half(number: u128) -> u64 {
    u64::try_from(number & u128::from(u64::MAX)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_flag_stands_for_its_bit_alone() {
        for (flags, count) in [
            (TD_ATTRIBUTES, 13),
            (SEAM_ATTRIBUTES, 0),
            (SGX_ATTRIBUTES, 8),
            (MISC_SELECT, 2),
            (STATE_COMPONENTS, 20),
        ] {
            assert_eq!(flags.len(), count);
            for flag in flags {
                let claims = named_flags(flag.mask(), flags);
                let set =
                    |claims: &Claims| claims.values().filter(|value| **value == Value::Bool(true)).count();
                assert_eq!(claims[flag.name], true, "{flag:?}");
                assert_eq!(claims["unknown_bits"], Value::Array(vec![]), "{flag:?}");
                assert_eq!(set(&claims), 1, "{flag:?}");
                assert_eq!(features(flag.mask(), flags), [flag.name]);
                assert_eq!(set(&named_flags(!flag.mask(), flags)), count - 1, "{flag:?}");
            }
        }
    }

    #[test]
    fn bits_without_a_name_are_shown() {
        let claims = named_flags(1 << 1 | 1 << 28 | 1 << 61, TD_ATTRIBUTES);
        assert_eq!(claims["unknown_bits"], serde_json::json!([1, 61]));
        assert_eq!(features(1 << 63 | 0b111, STATE_COMPONENTS), ["x87", "sse", "avx", "bit 63"]);
        assert_eq!(named_flags(u64::MAX, SEAM_ATTRIBUTES)["unknown_bits"].as_array().unwrap().len(), 64);
    }

    #[test]
    fn attributes_of_an_enclave_are_two_words() {
        let mut report = EnclaveReport::from_bytes(&[0; EnclaveReport::LEN]);
        report.attributes = [0x07, 0x04, 0, 0, 0, 0, 0, 0x80, 0xe7, 0, 0, 0, 0, 0, 0, 0x40];
        assert_eq!(report.flags(), 0x8000_0000_0000_0407);
        assert_eq!(report.xfrm(), 0x4000_0000_0000_00e7);
    }
}
