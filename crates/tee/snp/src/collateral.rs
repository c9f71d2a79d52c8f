//! What to ask of AMD's key distribution service (57230, section 4), of an offline folder in
//! Trustee's layout, or of a cache.

use assay_types::{CollateralKind, CollateralRequest, TeeClaimText, Vendor};

use crate::evidence::{CertType, MAX_CERTIFICATE_LEN, Report, SigningKey, SnpEvidence};
use crate::presented::MAX_COLLATERAL_LEN;
use crate::product::{KeyKind, Product};
use crate::settings::CrlPolicy;
use crate::tcb::{TcbLayout, TcbVersion};

/// The certificate of the VCEK of `product` with this hardware id ([`Product::hwid_len`] bytes) at
/// this TCB version.
///
/// Offline paths are Trustee's: `vcek/<hwid>/bl%02_tee%02_snp%02_ucode%02[_fmc%02]_vcek.der`, then
/// `vcek/<hwid>/vcek.der`, the hardware id in lower case hex, versions decimal. The service's path
/// is `/vcek/v1/<product>/<hwid>?[fmcSPL=%02&]blSPL=%02&teeSPL=%02&snpSPL=%02&ucodeSPL=%02`.
pub fn vcek_request(product: Product, hwid: &[u8], tcb: TcbVersion, required: bool) -> CollateralRequest {
    let TcbVersion { fmc, bootloader, tee, snp, microcode } = tcb;
    let hwid = hwid.to_claim();
    let (fmc_suffix, fmc_query) = match fmc {
        Some(fmc) => (format!("_fmc{fmc:02}"), format!("fmcSPL={fmc:02}&")),
        None => (String::new(), String::new()),
    };
    let versions = format!("bl{bootloader:02}_tee{tee:02}_snp{snp:02}_ucode{microcode:02}{fmc_suffix}");
    CollateralRequest {
        vendor: Vendor::Amd,
        kind: CollateralKind::Certificates,
        description: format!("VCEK of {product} chip {hwid} at TCB {tcb}"),
        cache_key: format!("vcek/{product}/{hwid}/{versions}"),
        offline_paths: vec![format!("vcek/{hwid}/{versions}_vcek.der"), format!("vcek/{hwid}/vcek.der")],
        service_path: format!(
            "/vcek/v1/{product}/{hwid}?{fmc_query}blSPL={bootloader:02}&teeSPL={tee:02}&snpSPL={snp:02}&ucodeSPL={microcode:02}"
        ),
        chain_headers: Vec::new(),
        required,
        max_len: MAX_CERTIFICATE_LEN,
    }
}

/// The revocation list of the root key of `product`, from where the authority for keys of `kind`
/// has it: `/vcek/v1/<product>/crl` or `/vlek/v1/<product>/crl`. Offline the same path below the
/// folder.
pub fn crl_request(product: Product, kind: KeyKind, required: bool) -> CollateralRequest {
    let path = format!("{}/v1/{product}/crl", kind.path());
    CollateralRequest {
        vendor: Vendor::Amd,
        kind: CollateralKind::Crl,
        description: format!("revocation list of {} for {kind}s", product.root_name()),
        cache_key: path.clone(),
        offline_paths: vec![path.clone()],
        service_path: format!("/{path}"),
        chain_headers: Vec::new(),
        required,
        max_len: MAX_COLLATERAL_LEN,
    }
}

/// What this evidence needs beyond what it carries. A report of version 2 does not say whether it
/// is Milan's or Genoa's; then both are asked for, neither required, and a verification without
/// one that fits fails.
pub(crate) fn needed(evidence: &SnpEvidence, crl: CrlPolicy) -> Vec<CollateralRequest> {
    let report = &evidence.report;
    let SigningKey::Signed(kind) = report.signing_key() else {
        return Vec::new();
    };
    let carries = |label: CertType| evidence.certificates().iter().any(|e| e.cert_type == label);
    let products = products(report);
    let required = products.len() == 1;
    let mut requests = Vec::new();
    // VLEK certificates are given to cloud providers only: there is nobody to ask. Nor can a VCEK
    // be asked for when the chip id is hidden.
    if kind == KeyKind::Vcek && !carries(CertType::Vcek) && !report.chip_id_masked() {
        for product in products {
            let hwid = report.chip_id.get(..product.hwid_len()).unwrap_or_default();
            requests.push(vcek_request(*product, hwid, report.reported_tcb, required));
        }
    }
    if crl == CrlPolicy::Required && !carries(CertType::Crl) {
        requests.extend(products.iter().map(|product| crl_request(*product, kind, required)));
    }
    requests
}

fn products(report: &Report) -> &'static [Product] {
    match (report.product(), report.tcb_layout()) {
        (Some(Product::Milan), _) => &[Product::Milan],
        (Some(Product::Genoa), _) => &[Product::Genoa],
        (Some(Product::Turin), _) | (None, TcbLayout::Turin) => &[Product::Turin],
        (None, TcbLayout::Legacy) => &[Product::Milan, Product::Genoa],
    }
}
