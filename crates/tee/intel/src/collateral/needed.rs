//! What a quote needs.

use std::sync::Arc;

use assay_types::{CollateralRequest, CollateralSet};
use assay_x509::Certificate;

use super::pieces::{self, Pieces};
use super::{
    EnclaveId, PckCa, UpdateChannel, pck_certificate_request, pck_crl_request, qe_identity_request,
    root_crl_request, tcb_info_request,
};
use crate::certified::PckSource;
use crate::certified::pck_chain::{is_of, is_pck};
use crate::roots::ROOT_NAME;
use crate::{Family, PckExtensions};

/// The collateral that a quote of `family` needs beyond what is `at_hand`, genuine or not. Where the
/// quote does not carry its PCK certificate, that is asked for first: it says of which platform the
/// TCB info must be and of which authority the revocation list.
pub fn needed(
    family: Family,
    pck: PckSource<'_>,
    channel: UpdateChannel,
    at_hand: &CollateralSet,
) -> Vec<CollateralRequest> {
    let at_hand = Pieces::read(at_hand);
    let mut requests = Vec::new();
    let pck_certificate = match pck {
        PckSource::Chain(bytes) | PckSource::Leaf(bytes) => {
            let chain = pieces::certificates(bytes).unwrap_or_default();
            chain.into_iter().find(|certificate| is_pck(certificate))
        }
        PckSource::Ids(ids) => {
            let held = at_hand.certificates.iter().map(|held| &held.certificate);
            let fitting = |certificate: &&Arc<Certificate>| {
                PckExtensions::find(&certificate.extensions).is_ok_and(|extensions| is_of(&extensions, ids))
            };
            let found = held.filter(|certificate| is_pck(certificate)).find(fitting).map(Arc::clone);
            if found.is_none() {
                requests.extend(pck_certificate_request(ids));
            }
            found
        }
    };
    if let Some(certificate) = pck_certificate {
        requests.extend(of_platform(family, &certificate, channel, &at_hand));
    }
    let wanted = EnclaveId::Quoting(family);
    if !at_hand
        .identities
        .iter()
        .filter_map(|d| d.content.as_ref().ok())
        .any(|identity| identity.id == wanted)
    {
        requests.push(qe_identity_request(family, channel));
    }
    if !has_crl(&at_hand, ROOT_NAME) {
        requests.push(root_crl_request());
    }
    requests
}

fn of_platform(
    family: Family,
    certificate: &Certificate,
    channel: UpdateChannel,
    at_hand: &Pieces,
) -> Vec<CollateralRequest> {
    let mut requests = Vec::new();
    if let Ok(extensions) = PckExtensions::find(&certificate.extensions) {
        let mut infos = at_hand.tcb_infos.iter().filter_map(|document| document.content.as_ref().ok());
        if !infos.any(|info| (info.family, info.fmspc) == (family, extensions.fmspc)) {
            requests.push(tcb_info_request(family, extensions.fmspc, channel));
        }
    }
    if let Some(ca) = certificate.issuer.common_name().and_then(PckCa::from_common_name)
        && !has_crl(at_hand, ca.common_name())
    {
        requests.push(pck_crl_request(ca));
    }
    requests
}

fn has_crl(at_hand: &Pieces, issuer: &str) -> bool {
    at_hand.crls.iter().any(|held| held.crl.issuer.common_name() == Some(issuer))
}
