//! What a quote needs.

use assay_types::{CollateralRequest, CollateralSet};

use super::UpdateChannel;
use crate::Family;
use crate::certified::PckSource;

/// The collateral that a quote of `family` needs beyond what is `at_hand`. Where the quote does not
/// carry its PCK certificate, that is all that is asked for at first: it says which the rest is.
pub fn needed(
    _family: Family,
    _pck: PckSource<'_>,
    _channel: UpdateChannel,
    _at_hand: &CollateralSet,
) -> Vec<CollateralRequest> {
    Vec::new()
}
