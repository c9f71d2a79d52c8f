//! What a PCK certificate chain and its collateral prove, whatever the quote says.
//!
//! [`Certified::build`] does all that depends neither on the time nor on the body of the quote: it
//! chooses among the pieces of collateral, verifies chains, signatures, names, roles and revocation,
//! and reads the documents. What it finds is kept, so that collateral that was good once costs nothing
//! the next time but the look at its dates.

use std::sync::Arc;

use assay_types::{Checks, CollateralSet, CollateralUse, Digest, Finding, UnixTime, Validity};
use assay_x509::PublicKey;

use crate::collateral::{PckCa, PlatformIds, QeIdentity, TcbInfo};
use crate::{Family, IntelAnchors, PckExtensions};

/// Where the PCK certificate of a quote is.
#[derive(Clone, Copy, Debug)]
pub enum PckSource<'a> {
    /// In the quote with its chain: PEM text, PCK certificate first, a zero byte may end it
    /// (certification data of type 5).
    Chain(&'a [u8]),
    /// In the quote without its chain, PEM or DER (type 4). The chain is collateral.
    Leaf(&'a [u8]),
    /// Not in the quote (types 1 to 3). It is collateral, and must be the one that the ids name.
    Ids(&'a PlatformIds),
}

/// A PCK certificate chain with its collateral, as far as they were found, and the outcomes of their
/// checks.
#[derive(Clone, Debug)]
pub struct Certified {
    findings: Vec<Finding>,
}

/// What Intel's quote verification library calls supplemental data.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Supplement {
    /// The number of the PCK CA's revocation list (RFC 5280, 5.2.3).
    pub pck_crl_number: Option<u64>,
    /// The number of the root's revocation list.
    pub root_crl_number: Option<u64>,
    /// The smaller of the evaluation numbers of TCB info and identity.
    pub evaluation_number: Option<u32>,
    /// SHA-384 of the root's public key, the uncompressed point of 65 bytes.
    pub root_key_id: Option<Digest>,
    /// The earliest date from which any of the collateral is: certificates, lists, documents.
    pub earliest_issue: Option<UnixTime>,
    /// The latest such date.
    pub latest_issue: Option<UnixTime>,
    /// The earliest date at which any of them expires.
    pub earliest_expiration: Option<UnixTime>,
}

impl Certified {
    /// Puts together the chain and its collateral for a quote of `family`.
    pub fn build(
        _anchors: &IntelAnchors,
        _family: Family,
        _pck: PckSource<'_>,
        _collateral: &CollateralSet,
    ) -> Self {
        Certified { findings: Vec::new() }
    }

    /// Adds every outcome to the record: those found at first, and those that depend on the time
    /// (INTEL-018, 022, 035, 043) or on `minimum_evaluation_number` (INTEL-044).
    pub fn record(&self, checks: &mut Checks, _now: UnixTime, _minimum_evaluation_number: Option<u32>) {
        checks.add_all(&self.findings);
    }

    /// Whether every check that does not depend on the time was made and holds: whether this is worth
    /// keeping.
    pub fn holds(&self) -> bool {
        false
    }

    /// When all of it is valid.
    pub fn validity(&self) -> Validity {
        Validity::ALWAYS
    }

    /// The key that signs reports of the quoting enclave: always one on P-256.
    pub fn pck_key(&self) -> Option<&PublicKey> {
        None
    }

    /// What the PCK certificate says of the platform.
    pub fn pck_extensions(&self) -> Option<&PckExtensions> {
        None
    }

    /// The authority that issued the PCK certificate.
    pub fn pck_ca(&self) -> Option<PckCa> {
        None
    }

    /// The TCB info for this family. It may be one of which a check failed.
    pub fn tcb_info(&self) -> Option<&Arc<TcbInfo>> {
        None
    }

    /// The identity of the quoting enclave. It may be one of which a check failed.
    pub fn qe_identity(&self) -> Option<&Arc<QeIdentity>> {
        None
    }

    /// What the verdict rests on.
    pub fn uses(&self) -> &[CollateralUse] {
        &[]
    }

    /// Pieces of collateral that were at hand and not needed, in words.
    pub fn unused(&self) -> &[String] {
        &[]
    }

    /// Whether the root is an emulator's.
    pub fn emulated(&self) -> bool {
        false
    }

    /// Numbers and dates for claims.
    pub fn supplement(&self) -> &Supplement {
        const NONE: &Supplement = &Supplement {
            pck_crl_number: None,
            root_crl_number: None,
            evaluation_number: None,
            root_key_id: None,
            earliest_issue: None,
            latest_issue: None,
            earliest_expiration: None,
        };
        NONE
    }
}
