//! Files with many pieces of collateral, taken apart into entries of a cache.

use assay_types::CollateralRequest;
use bytes::Bytes;

use super::UpdateChannel;

/// A file that cannot be taken apart.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotCollateral(pub(crate) String);

/// Takes a file apart: the JSON of a `QuoteCollateralV3` or the output of Intel's PcsClientTool. Each
/// piece comes with the request that it answers; where the file does not say which channel TCB info and
/// identities are of, they are taken to be of `channel`. Nothing is verified here
/// ([`IntelInspector`](super::IntelInspector) does).
///
/// # Errors
/// [`NotCollateral`]: the file has another form, or a piece in it cannot be read.
pub fn split_collateral(
    _bytes: &[u8],
    _channel: UpdateChannel,
) -> Result<Vec<(CollateralRequest, Bytes)>, NotCollateral> {
    Err(NotCollateral("not written yet".to_owned()))
}
