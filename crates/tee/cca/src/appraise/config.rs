//! The platform's configuration against its reference value.

use assay_types::TrustClaim::Configuration;

use super::checks::CONFIGURATION;
use super::reasons::Reasons;
use crate::endorsement::ConfigReference;

/// AR4SI configuration: known and approved.
const APPROVED: i8 = 2;
/// Not the approved one.
const DIFFERS: i8 = 32;
/// Nothing to compare with.
pub(super) const UNKNOWN: i8 = 36;

/// The value of the claim.
pub(super) fn value(found: &[u8], reference: Option<&ConfigReference>) -> i8 {
    match reference {
        Some(reference) if compares_something(reference) => {
            if equal(found, reference) {
                APPROVED
            } else {
                DIFFERS
            }
        }
        _ => UNKNOWN,
    }
}

/// A mask without a bit accepts everything: it says nothing of the configuration.
fn compares_something(reference: &ConfigReference) -> bool {
    reference.mask.as_ref().is_none_or(|mask| mask.iter().any(|byte| *byte != 0))
}

fn equal(found: &[u8], reference: &ConfigReference) -> bool {
    let ConfigReference { value, mask } = reference;
    match mask {
        None => found == value,
        Some(mask) => {
            found.len() == value.len()
                && mask.len() == value.len()
                && found.iter().zip(value).zip(mask).all(|((a, b), mask)| a & mask == b & mask)
        }
    }
}

/// Records the comparison with a set.
pub(super) fn report(found: &[u8], reference: Option<&ConfigReference>, reasons: &mut Reasons) {
    let hex = hex::encode(found);
    let Some(reference) = reference else {
        let why = "the set has no reference value for the configuration";
        return reasons.fail(Configuration, &CONFIGURATION, "a configuration in the set", hex, why);
    };
    let mut expected = hex::encode(&reference.value);
    if let Some(mask) = &reference.mask {
        expected.push_str(&format!(" in the bits of {}", hex::encode(mask)));
    }
    match value(found, Some(reference)) {
        APPROVED => reasons.pass(Configuration, &CONFIGURATION, hex, ""),
        UNKNOWN => {
            let why = "the mask of the reference value has no bit set, so that nothing is compared";
            reasons.fail(Configuration, &CONFIGURATION, expected, hex, why);
        }
        _ => reasons.fail(Configuration, &CONFIGURATION, expected, hex, difference(found, reference)),
    }
}

/// Where they differ, in words.
fn difference(found: &[u8], reference: &ConfigReference) -> String {
    let ConfigReference { value, mask } = reference;
    if found.len() != value.len() {
        return format!("the configuration has {} bytes, the reference value {}", found.len(), value.len());
    }
    match mask {
        Some(mask) if mask.len() != value.len() => {
            format!("the mask has {} bytes, the reference value {}", mask.len(), value.len())
        }
        _ => {
            let masks = mask.as_deref().unwrap_or_default().iter().copied().chain(std::iter::repeat(0xff));
            let differing = found.iter().zip(value).zip(masks).filter(|((a, b), mask)| (*a ^ *b) & mask != 0);
            format!("it differs in {} bytes", differing.count())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reference(value: &[u8], mask: Option<&[u8]>) -> ConfigReference {
        ConfigReference { value: value.to_vec(), mask: mask.map(<[u8]>::to_vec) }
    }

    #[test]
    fn the_mask_says_which_bits_count_and_lengths_always_do() {
        let mask: &[u8] = &[0xf0, 0xff];
        for (found, reference, expected) in [
            (&[1, 2][..], Some(reference(&[1, 2], None)), 2),
            (&[1, 3], Some(reference(&[1, 2], None)), 32),
            (&[1, 2, 0], Some(reference(&[1, 2], None)), 32),
            (&[1], Some(reference(&[1, 2], None)), 32),
            (&[], Some(reference(&[1, 2], None)), 32),
            (&[0x1f, 2], Some(reference(&[0x10, 2], Some(mask))), 2),
            (&[0x10, 2], Some(reference(&[0x1f, 2], Some(mask))), 2),
            (&[0x2f, 2], Some(reference(&[0x10, 2], Some(mask))), 32),
            (&[0x1f, 2, 0], Some(reference(&[0x10, 2], Some(mask))), 32),
            (&[0x1f, 2], Some(reference(&[0x10, 2], Some(&[0xf0]))), 32),
            (&[0x1f, 2], Some(reference(&[0x10, 2], Some(&[0, 0]))), 36),
            (&[0x1f, 2], Some(reference(&[0x1f, 2], Some(&[]))), 36),
            (&[1, 2], None, 36),
        ] {
            assert_eq!(value(found, reference.as_ref()), expected, "{found:?} {reference:?}");
            let mut reasons = Reasons::default();
            report(found, reference.as_ref(), &mut reasons);
            let findings = reasons.into_findings();
            assert_eq!(findings.len(), 1);
            assert_eq!(findings[0].finding.failed(), expected != 2, "{found:?} {reference:?}");
        }
    }

    #[test]
    fn a_difference_is_counted_where_the_mask_looks() {
        let differs = |found: &[u8], mask| difference(found, &reference(&[1, 2, 3], mask));
        assert_eq!(differs(&[9, 9, 3], None), "it differs in 2 bytes");
        assert_eq!(differs(&[9, 9, 3], Some(&[0xff, 0, 0xff])), "it differs in 1 bytes");
        assert_eq!(differs(&[9], None), "the configuration has 1 bytes, the reference value 3");
        assert_eq!(differs(&[1, 2, 3], Some(&[1])), "the mask has 1 bytes, the reference value 3");
    }
}
