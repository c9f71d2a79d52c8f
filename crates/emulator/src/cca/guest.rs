//! A realm's evidence, built from a good one by changing single things.

use assay_cbor::Value;
use assay_cose::Curve;
use assay_tee_cca::profile::{BindingClaim, Generation, Model};
use assay_tee_cca::{Lifecycle, MecPolicy, PlatformClaims, RealmClaims};
use assay_types::HashAlgorithm;

use super::claim;
use super::content::{self, COMPONENTS, PLATFORM_CONFIG};
use super::evidence::{CcaEvidence, Collection};
use super::generation::{Cca, Wrapper};
use super::members::Members;
use super::message::Message;
use super::silicon::CcaSilicon;
use crate::ec_key::EcKey;

/// A realm under construction. Every step is optional; without any the evidence is genuine.
///
/// Claims are changed in two ways: as types ([`CcaGuest::platform`], [`CcaGuest::realm`]), where what
/// depends on them follows, such as the binding on the RAK; then as members of a map
/// ([`CcaGuest::platform_members`], [`CcaGuest::realm_members`]), where nothing follows.
///
/// ```
/// use assay_emulator::cca::{Cca, claim};
/// use assay_emulator::{CcaSilicon, Seed};
///
/// let silicon = CcaSilicon::new(Seed::DEVELOPMENT);
/// let evidence = silicon
///     .guest(Cca::Mixed)
///     .realm(|realm| realm.challenge = [7; 64])
///     .platform_members(|claims| claims.duplicate(claim::platform::LIFECYCLE))
///     .build();
/// assert_eq!(evidence.token[..4], [0xd9, 0x03, 0x8b, 0xa2]);
/// ```
pub struct CcaGuest<'a> {
    platform: PlatformClaims,
    realm: RealmClaims,
    cpak: EcKey,
    rak: EcKey,
    corim_signer: EcKey,
    splice: Option<CcaSilicon>,
    wrapper: Wrapper,
    edits: Edits<'a>,
}

type Edit<'a, T> = Vec<Box<dyn FnOnce(&mut T) + 'a>>;

#[derive(Default)]
struct Edits<'a> {
    platform_members: Edit<'a, Members>,
    realm_members: Edit<'a, Members>,
    platform_message: Edit<'a, Message>,
    realm_message: Edit<'a, Message>,
    realm_bytes: Edit<'a, Vec<u8>>,
    collection: Edit<'a, Collection>,
    token: Edit<'a, Vec<u8>>,
}

fn apply<T>(edits: Edit<'_, T>, mut value: T) -> T {
    for edit in edits {
        edit(&mut value);
    }
    value
}

impl<'a> CcaGuest<'a> {
    pub(super) fn new(silicon: &CcaSilicon, generation: Cca) -> Self {
        let (platform_profile, realm_profile) = (generation.platform_profile(), generation.realm_profile());
        let platform = PlatformClaims {
            profile: platform_profile,
            challenge: None,
            workload_binding: None,
            implementation_id: silicon.implementation_id(),
            instance_id: silicon.instance_id(),
            config: PLATFORM_CONFIG.to_vec(),
            lifecycle: content::LIFECYCLE,
            lifecycle_state: Lifecycle::Secured,
            components: COMPONENTS.iter().map(|firmware| firmware.claim(HashAlgorithm::Sha256)).collect(),
            hash_algorithm: HashAlgorithm::Sha256,
            verification_service: Some("https://verifier.example/.well-known/veraison/verification".into()),
            client_id: (platform_profile.generation == Generation::V2).then_some(1),
            manufacturing_config: None,
            extension: None,
            tbb_rotpk: None,
            peer_signers: Vec::new(),
            tpm_binding: None,
            unknown: Vec::new(),
        };
        let second = realm_profile.generation == Generation::V2;
        let realm = RealmClaims {
            profile: realm_profile,
            challenge: [0; 64],
            personalization_value: [0; 64],
            hash_algorithm: HashAlgorithm::Sha256,
            public_key: None,
            public_key_hash_algorithm: Some(HashAlgorithm::Sha256),
            initial_measurement: Vec::new(),
            extensible_measurements: Default::default(),
            instance_id: second.then(|| silicon.realm_instance_id()),
            mec_policy: second.then_some(MecPolicy::Private),
            lfa_policy: None,
            devices_token_hash: None,
            unknown: Vec::new(),
        };
        let guest = CcaGuest {
            platform,
            realm,
            cpak: silicon.cpak(Curve::P384),
            rak: silicon.rak(Curve::P384),
            corim_signer: silicon.corim_signer(),
            splice: None,
            wrapper: generation.wrapper(),
            edits: Edits::default(),
        };
        let guest = guest.realm_hash(HashAlgorithm::Sha256);
        if platform_profile.model == Model::Direct {
            return guest.realm(|realm| realm.public_key_hash_algorithm = None);
        }
        let rak = guest.rak.clone();
        guest.rak(rak)
    }

    /// Changes the claims of the platform. The binding is filled in later, where it is absent still.
    #[must_use]
    pub fn platform(mut self, edit: impl FnOnce(&mut PlatformClaims)) -> Self {
        edit(&mut self.platform);
        self
    }

    /// Changes the claims of the realm. The binding follows.
    #[must_use]
    pub fn realm(mut self, edit: impl FnOnce(&mut RealmClaims)) -> Self {
        edit(&mut self.realm);
        self
    }

    /// The algorithm of the firmware's measurements, and these by it. Default SHA-256.
    #[must_use]
    pub fn platform_hash(mut self, algorithm: HashAlgorithm) -> Self {
        self.platform.hash_algorithm = algorithm;
        for (claims, firmware) in self.platform.components.iter_mut().zip(&COMPONENTS) {
            claims.measurement = firmware.measurement(algorithm).as_bytes().to_vec();
        }
        self
    }

    /// The algorithm of the realm's measurements, and these by it: an initial one, and extensible ones
    /// of zeros. Default SHA-256.
    #[must_use]
    pub fn realm_hash(mut self, algorithm: HashAlgorithm) -> Self {
        self.realm.hash_algorithm = algorithm;
        self.realm.initial_measurement = content::realm_measurement(algorithm).as_bytes().to_vec();
        self.realm.extensible_measurements = std::array::from_fn(|_| vec![0; algorithm.digest_len()]);
        self
    }

    /// The algorithm of the RAK's hash in the platform token. Default SHA-256.
    #[must_use]
    pub fn rak_hash(self, algorithm: HashAlgorithm) -> Self {
        self.realm(|realm| realm.public_key_hash_algorithm = Some(algorithm))
    }

    /// The realm attestation key: it signs the realm token, and stands in it in the form of the realm's
    /// profile. Default the silicon's key on P-384.
    #[must_use]
    pub fn rak(mut self, key: EcKey) -> Self {
        let raw = self.realm.profile.has_raw_key();
        self.rak = key;
        if raw { self.raw_rak() } else { self.cose_rak() }
    }

    /// Writes the RAK as a bare point, whatever the profile.
    #[must_use]
    pub fn raw_rak(mut self) -> Self {
        self.realm.public_key = Some(self.rak.public_key().point().to_vec());
        self
    }

    /// Writes the RAK as a COSE_Key, whatever the profile.
    #[must_use]
    pub fn cose_rak(mut self) -> Self {
        self.realm.public_key = Some(self.rak.public_key().to_cose_key());
        self
    }

    /// The platform attestation key that signs the platform token, of this platform on another curve or
    /// of another platform. Default the silicon's key on P-384.
    #[must_use]
    pub fn cpak(mut self, key: EcKey) -> Self {
        self.cpak = key;
        self
    }

    /// Puts the realm token of a realm on another platform in place of this one's: the same claims, but
    /// for RAK and instance, under the other's RAK. The platform token stays bound to this realm.
    #[must_use]
    pub fn splice(mut self, other: &CcaSilicon) -> Self {
        self.splice = Some(other.clone());
        self
    }

    /// The wrapper. Default that of the generation.
    #[must_use]
    pub fn wrapper(mut self, wrapper: Wrapper) -> Self {
        self.wrapper = wrapper;
        self
    }

    /// Changes the platform's claims as members of a map, before they are signed.
    #[must_use]
    pub fn platform_members(mut self, edit: impl FnOnce(&mut Members) + 'a) -> Self {
        self.edits.platform_members.push(Box::new(edit));
        self
    }

    /// Changes the realm's claims as members of a map, before they are signed. The binding does not
    /// follow, but for the direct model, where it is the hash of these claims.
    #[must_use]
    pub fn realm_members(mut self, edit: impl FnOnce(&mut Members) + 'a) -> Self {
        self.edits.realm_members.push(Box::new(edit));
        self
    }

    /// Changes the encoded claims of the platform before they are signed.
    #[must_use]
    pub fn platform_bytes(self, edit: impl FnOnce(&mut Vec<u8>) + 'a) -> Self {
        self.platform_message(|message| edit(&mut message.payload))
    }

    /// Changes the encoded claims of the realm before they are signed, or hashed in the direct model.
    #[must_use]
    pub fn realm_bytes(mut self, edit: impl FnOnce(&mut Vec<u8>) + 'a) -> Self {
        self.edits.realm_bytes.push(Box::new(edit));
        self
    }

    /// Changes the platform's message before it is signed: headers, payload, key, signature.
    #[must_use]
    pub fn platform_message(mut self, edit: impl FnOnce(&mut Message) + 'a) -> Self {
        self.edits.platform_message.push(Box::new(edit));
        self
    }

    /// Changes the realm's message before it is signed: headers, payload, key, signature. There is
    /// none in the direct model.
    #[must_use]
    pub fn realm_message(mut self, edit: impl FnOnce(&mut Message) + 'a) -> Self {
        self.edits.realm_message.push(Box::new(edit));
        self
    }

    /// Flips a bit of the platform token's signature.
    #[must_use]
    pub fn break_platform_signature(self) -> Self {
        self.platform_message(|message| message.broken_signature = true)
    }

    /// Flips a bit of the realm token's signature.
    #[must_use]
    pub fn break_realm_signature(self) -> Self {
        self.realm_message(|message| message.broken_signature = true)
    }

    /// Changes the collection of the two tokens: tag, content-formats, further members.
    #[must_use]
    pub fn collection(mut self, edit: impl FnOnce(&mut Collection) + 'a) -> Self {
        self.edits.collection.push(Box::new(edit));
        self
    }

    /// Changes the bytes of the whole token.
    #[must_use]
    pub fn token_bytes(mut self, edit: impl FnOnce(&mut Vec<u8>) + 'a) -> Self {
        self.edits.token.push(Box::new(edit));
        self
    }

    /// The claims of the platform as they stand.
    pub fn platform_claims(&self) -> &PlatformClaims {
        &self.platform
    }

    /// The claims of the realm as they stand.
    pub fn realm_claims(&self) -> &RealmClaims {
        &self.realm
    }

    /// The key that signs the platform token.
    pub fn platform_key(&self) -> &EcKey {
        &self.cpak
    }

    /// The key that signs the CoRIMs of the platform's vendor.
    pub(super) fn corim_signer(&self) -> EcKey {
        self.corim_signer.clone()
    }

    /// Signs everything.
    pub fn build(self) -> CcaEvidence {
        let CcaGuest { mut platform, realm, cpak, rak, splice, wrapper, edits, .. } = self;
        let model = platform.profile.model;
        let (presented, realm_signer) = match &splice {
            None => (realm.clone(), rak),
            Some(other) => spliced(realm.clone(), rak, other),
        };
        let realm_claims = apply(edits.realm_members, content::realm_members(&presented));
        let realm_payload = apply(edits.realm_bytes, realm_claims.encode());

        // What the platform token binds is this realm, whatever is put in its place.
        let binding = match model {
            Model::Direct if splice.is_some() => {
                realm.hash_algorithm.digest(&content::realm_members(&realm).encode())
            }
            Model::Direct => realm.hash_algorithm.digest(&realm_payload),
            Model::Delegated | Model::HesRak => {
                let algorithm = realm.public_key_hash_algorithm.unwrap_or(HashAlgorithm::Sha256);
                algorithm.digest(realm.public_key.as_deref().unwrap_or_default())
            }
        };
        let place = match platform.profile.binding {
            BindingClaim::Challenge => &mut platform.challenge,
            BindingClaim::Workload => &mut platform.workload_binding,
        };
        place.get_or_insert_with(|| binding.as_bytes().to_vec());
        if model == Model::HesRak {
            platform.challenge.get_or_insert_with(|| realm.challenge.to_vec());
        }

        let platform_claims = apply(edits.platform_members, content::platform_members(&platform));
        let message = Message::new(platform_claims.encode(), cpak);
        let platform_token = apply(edits.platform_message, message).sign();
        let realm_token = match model {
            Model::Direct => realm_payload,
            _ => apply(edits.realm_message, Message::new(realm_payload, realm_signer)).sign(),
        };
        let realm_format = if model == Model::Direct { claim::EAT_UCS } else { claim::EAT_CWT };
        let entry = |format: i64, token: &[u8]| match wrapper {
            Wrapper::Eat => Value::from(token),
            Wrapper::Cmw => Value::Array(vec![format.into(), token.into()]),
        };
        let mut members = Members::default();
        members.add(claim::PLATFORM_TOKEN, entry(claim::EAT_CWT, &platform_token));
        members.add(claim::REALM_TOKEN, entry(realm_format, &realm_token));
        let collection = apply(edits.collection, Collection { tag: Some(wrapper.tag()), members });
        let token = apply(edits.token, collection.encode());
        CcaEvidence { token, platform_token, realm_token, platform_claims, realm_claims }
    }
}

/// The realm as one of another platform would be, and the key that signs its token.
fn spliced(mut realm: RealmClaims, own: EcKey, other: &CcaSilicon) -> (RealmClaims, EcKey) {
    if let Some(instance) = &mut realm.instance_id {
        *instance = other.realm_instance_id();
    }
    let Some(key) = &mut realm.public_key else { return (realm, own) };
    let theirs = other.rak(own.curve());
    let public = theirs.public_key();
    *key = if key.first() == Some(&4) { public.point().to_vec() } else { public.to_cose_key() };
    (realm, theirs)
}
