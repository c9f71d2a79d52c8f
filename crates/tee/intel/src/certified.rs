//! What a PCK certificate chain and its collateral prove, whatever the quote says.
//!
//! [`Certified::build`] does all that depends neither on the time nor on the body of the quote: it
//! chooses among the pieces of collateral, verifies chains, signatures, names, roles and revocation,
//! and reads the documents. What it finds is kept, so that collateral that was good once costs nothing
//! the next time but the look at its dates.
//!
//! All chains must end at one root, that of the PCK certificate. Where a chain ends at a root that is
//! not pinned, INTEL-012 fails and the rest is checked under that root, so that more can be said.

mod builder;
mod documents;
pub(crate) mod inspect;
pub(crate) mod pck_chain;
mod revocation;

use std::fmt;
use std::sync::Arc;

use assay_types::{Check, Checks, CollateralSet, CollateralUse, Digest, Finding, UnixTime, Validity};
use assay_x509::PublicKey;

use crate::collateral::pieces::Pieces;
use crate::collateral::{PckCa, PlatformIds, QeIdentity, TcbInfo};
use crate::{Family, IntelAnchors, PckExtensions, checks};
use builder::Builder;

/// Where the PCK certificate of a quote is.
#[derive(Clone, Copy, Debug)]
pub enum PckSource<'a> {
    /// In the quote with its chain: PEM text, PCK certificate first, zero bytes may end it
    /// (certification data of type 5).
    Chain(&'a [u8]),
    /// In the quote without its chain, PEM or DER (type 4). The chain is collateral.
    Leaf(&'a [u8]),
    /// Not in the quote (types 1 to 3). It is collateral, and must be the one that the ids name.
    Ids(&'a PlatformIds),
}

/// A PCK certificate chain with its collateral, as far as they were found, and the outcomes of their
/// checks.
#[derive(Clone, Default)]
pub struct Certified {
    /// The outcomes that do not depend on the time.
    findings: Vec<Finding>,
    /// The key, if it is on P-256.
    pck_key: Option<PublicKey>,
    pck_extensions: Option<PckExtensions>,
    pck_ca: Option<PckCa>,
    tcb_info: Option<Arc<TcbInfo>>,
    qe_identity: Option<Arc<QeIdentity>>,
    certificates: Vec<Dated>,
    crls: Vec<Dated>,
    emulated: bool,
    uses: Vec<CollateralUse>,
    unused: Vec<String>,
    supplement: Supplement,
}

impl fmt::Debug for Certified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let failed: Vec<&str> = self.findings.iter().filter(|f| f.failed()).map(|f| &*f.code).collect();
        f.debug_struct("Certified")
            .field("pck_extensions", &self.pck_extensions)
            .field("uses", &self.uses)
            .field("failed", &failed)
            .finish_non_exhaustive()
    }
}

/// Something with a name and a time in which it is valid.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Dated {
    name: String,
    validity: Validity,
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

/// The checks that [`Certified::build`] makes.
const TIMELESS: &[Check] = &[
    checks::COLLATERAL_FORM,
    checks::PCK_CHAIN,
    checks::ROOT_PINNED,
    checks::CA_SIGNATURE,
    checks::PCK_SIGNATURE,
    checks::CERTIFICATE_NAMES,
    checks::CERTIFICATE_ROLES,
    checks::CERTIFICATE_ALGORITHMS,
    checks::PCK_EXTENSIONS,
    checks::PCK_CRL,
    checks::ROOT_CRL,
    checks::PCK_NOT_REVOKED,
    checks::CA_NOT_REVOKED,
    checks::TCB_INFO,
    checks::TCB_INFO_SIGNATURE,
    checks::TCB_INFO_FORM,
    checks::TCB_INFO_FMSPC,
    checks::TCB_INFO_PCEID,
    checks::QE_IDENTITY,
    checks::QE_IDENTITY_SIGNATURE,
    checks::QE_IDENTITY_FORM,
];

impl Certified {
    /// Puts together the chain and its collateral for a quote of `family`.
    pub fn build(
        anchors: &IntelAnchors,
        family: Family,
        pck: PckSource<'_>,
        collateral: &CollateralSet,
    ) -> Self {
        Builder::new(anchors, family, &Pieces::read(collateral)).build(pck)
    }

    /// Adds every outcome to the record: those found at first, and those that depend on the time
    /// (INTEL-018, 022, 035, 043) or on `minimum_evaluation_number` (INTEL-044). Checks whose objects
    /// are missing are left out, which no verification survives.
    pub fn record(&self, checks: &mut Checks, now: UnixTime, minimum_evaluation_number: Option<u32>) {
        checks.add_all(&self.findings);
        in_force(checks, &checks::CERTIFICATE_DATES, &self.certificates, now);
        in_force(checks, &checks::CRL_DATES, &self.crls, now);
        if let Some(info) = &self.tcb_info {
            let dated = Dated { name: "TCB info".to_owned(), validity: info.validity };
            in_force(checks, &checks::TCB_INFO_DATES, &[dated], now);
        }
        if let Some(identity) = &self.qe_identity {
            let dated = Dated { name: "QE identity".to_owned(), validity: identity.validity };
            in_force(checks, &checks::QE_IDENTITY_DATES, &[dated], now);
        }
        self.evaluation_number(checks, minimum_evaluation_number);
    }

    fn evaluation_number(&self, checks: &mut Checks, minimum: Option<u32>) {
        let info = self.tcb_info.as_ref().map(|info| info.evaluation_number);
        let identity = self.qe_identity.as_ref().map(|identity| identity.evaluation_number);
        let found = [("TCB info", info), ("QE identity", identity)];
        let told = |(what, number): (&str, Option<u32>)| {
            format!("{what} {}", number.map_or("none".to_owned(), |number| number.to_string()))
        };
        let told = found.map(told).join(", ");
        match minimum {
            Some(minimum) if [info, identity].into_iter().flatten().any(|number| number < minimum) => {
                checks.fail(&checks::EVALUATION_NUMBER, format!("at least {minimum}"), told, "");
            }
            _ if info.is_none() || identity.is_none() => {}
            Some(_) => checks.pass(&checks::EVALUATION_NUMBER, told),
            None => checks.not_checked(&checks::EVALUATION_NUMBER, format!("no minimum is set; {told}")),
        }
    }

    /// Whether every check that does not depend on the time was made and holds: whether this is worth
    /// keeping.
    pub fn holds(&self) -> bool {
        !self.findings.iter().any(Finding::failed)
            && TIMELESS.iter().all(|check| self.findings.iter().any(|finding| finding.code == check.code))
    }

    /// When all of it is valid.
    pub fn validity(&self) -> Validity {
        self.dated().fold(Validity::ALWAYS, |all, validity| all.intersect(validity))
    }

    /// The times of everything that is used.
    fn dated(&self) -> impl Iterator<Item = Validity> {
        let documents = [
            self.tcb_info.as_ref().map(|info| info.validity),
            self.qe_identity.as_ref().map(|identity| identity.validity),
        ];
        let x509 = self.certificates.iter().chain(&self.crls).map(|dated| dated.validity);
        x509.chain(documents.into_iter().flatten())
    }

    /// The key that signs reports of the quoting enclave: always one on P-256.
    pub fn pck_key(&self) -> Option<&PublicKey> {
        self.pck_key.as_ref()
    }

    /// What the PCK certificate says of the platform.
    pub fn pck_extensions(&self) -> Option<&PckExtensions> {
        self.pck_extensions.as_ref()
    }

    /// The authority that issued the PCK certificate.
    pub fn pck_ca(&self) -> Option<PckCa> {
        self.pck_ca
    }

    /// The TCB info for this family. It may be one of which a check failed.
    pub fn tcb_info(&self) -> Option<&Arc<TcbInfo>> {
        self.tcb_info.as_ref()
    }

    /// The identity of the quoting enclave. It may be one of which a check failed.
    pub fn qe_identity(&self) -> Option<&Arc<QeIdentity>> {
        self.qe_identity.as_ref()
    }

    /// What the verdict rests on: certificates, revocation lists, documents; the digest is that of the
    /// exact bytes that are signed or, for certificates and lists, of the DER.
    pub fn uses(&self) -> &[CollateralUse] {
        &self.uses
    }

    /// Pieces of collateral that were at hand and not needed, in words.
    pub fn unused(&self) -> &[String] {
        &self.unused
    }

    /// Whether the root is an emulator's.
    pub fn emulated(&self) -> bool {
        self.emulated
    }

    /// Numbers and dates for claims.
    pub fn supplement(&self) -> &Supplement {
        &self.supplement
    }
}

fn in_force(checks: &mut Checks, check: &Check, all: &[Dated], now: UnixTime) {
    if all.is_empty() {
        return;
    }
    let mut problems = Vec::new();
    for Dated { name, validity } in all {
        if now < validity.not_before {
            problems.push(format!("{name} is not valid before {}", validity.not_before));
        } else if !validity.contains(now) {
            problems.push(format!("{name} expired at {}", validity.not_after));
        }
    }
    let whole = all.iter().fold(Validity::ALWAYS, |all, dated| all.intersect(dated.validity));
    if problems.is_empty() {
        checks.pass(check, whole.to_string());
    } else {
        checks.fail(check, whole.to_string(), now.to_string(), problems.join("; "));
    }
}
