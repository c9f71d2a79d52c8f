//! What a PCK certificate chain and its collateral prove, whatever the quote says.
