//! The platform: its keys and identifiers.

use std::fmt;
use std::sync::{Arc, OnceLock};

use assay_cose::Curve;
use rand_chacha::rand_core::Rng as _;

use super::corim::{CorimKind, CorimTemplate};
use super::generation::Cca;
use super::guest::CcaGuest;
use crate::Seed;
use crate::ec_key::EcKey;

/// One platform with CCA that grows from a seed. Keys are made when they are first needed, and kept;
/// clones share them.
#[derive(Clone)]
pub struct CcaSilicon {
    inner: Arc<Inner>,
}

struct Inner {
    seed: Seed,
    cpak: PerCurve,
    rak: PerCurve,
    corim_signer: OnceLock<EcKey>,
}

#[derive(Default)]
struct PerCurve {
    p256: OnceLock<EcKey>,
    p384: OnceLock<EcKey>,
    p521: OnceLock<EcKey>,
}

impl PerCurve {
    fn get(&self, seed: &Seed, name: &str, curve: Curve) -> EcKey {
        let slot = match curve {
            Curve::P256 => &self.p256,
            Curve::P384 => &self.p384,
            Curve::P521 => &self.p521,
        };
        slot.get_or_init(|| EcKey::derive(seed, &format!("cca/{name}/{curve}"), curve)).clone()
    }
}

impl fmt::Debug for CcaSilicon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CcaSilicon({:?})", self.inner.seed)
    }
}

impl CcaSilicon {
    /// The platform of `seed`. Nothing is computed yet.
    pub fn new(seed: Seed) -> Self {
        CcaSilicon {
            inner: Arc::new(Inner {
                seed,
                cpak: PerCurve::default(),
                rak: PerCurve::default(),
                corim_signer: OnceLock::new(),
            }),
        }
    }

    /// A realm on this platform, under firmware of that generation.
    pub fn guest<'edits>(&self, generation: Cca) -> CcaGuest<'edits> {
        CcaGuest::new(self, generation)
    }

    /// A CoRIM that endorses the default guest of [`Cca::Mixed`]; that of every generation is the same.
    /// [`CcaGuest::corim`] makes one for another guest.
    pub fn corim(&self, kind: CorimKind) -> CorimTemplate {
        self.guest(Cca::Mixed).corim(kind)
    }

    /// The platform's attestation key (CPAK). A platform has one; the curve is which.
    pub fn cpak(&self, curve: Curve) -> EcKey {
        self.inner.cpak.get(&self.inner.seed, "cpak", curve)
    }

    /// The realm attestation key (RAK). Firmware uses [`Curve::P384`].
    pub fn rak(&self, curve: Curve) -> EcKey {
        self.inner.rak.get(&self.inner.seed, "rak", curve)
    }

    /// A key on P-384 whose first coordinate begins with a zero byte: some hundred keys are tried.
    pub fn leading_zero_rak(&self) -> EcKey {
        let mut number = 0_u64;
        loop {
            let label = format!("cca/rak/leading zero/{number}");
            let key = EcKey::derive(&self.inner.seed, &label, Curve::P384);
            if key.public_key().point().get(1) == Some(&0) {
                return key;
            }
            number += 1;
        }
    }

    /// The key that signs the CoRIMs of this platform's vendor, on P-256.
    pub fn corim_signer(&self) -> EcKey {
        let key = || EcKey::derive(&self.inner.seed, "cca/corim signer", Curve::P256);
        self.inner.corim_signer.get_or_init(key).clone()
    }

    /// The implementation id, claim 2396.
    pub fn implementation_id(&self) -> [u8; 32] {
        let mut id = [0; 32];
        self.inner.seed.stream("cca/implementation id").fill_bytes(&mut id);
        id
    }

    /// The instance id, claim 256 of the platform: 01 and 32 bytes.
    pub fn instance_id(&self) -> [u8; 33] {
        self.ueid("cca/instance id")
    }

    /// The instance id of the realm, claim 256 of the realm: 01 and 32 bytes.
    pub fn realm_instance_id(&self) -> [u8; 33] {
        self.ueid("cca/realm instance id")
    }

    /// A UEID of the type RAND (RFC 9711, section 4.2.1.1).
    fn ueid(&self, label: &str) -> [u8; 33] {
        let mut id = [1; 33];
        self.inner.seed.stream(label).fill_bytes(id.get_mut(1..).unwrap_or_default());
        id
    }
}
