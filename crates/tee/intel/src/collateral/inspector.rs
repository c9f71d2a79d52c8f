//! Looks at an answer of Intel's service before it is kept.

use assay_types::{CollateralInspector, CollateralOrigin, CollateralRequest, Validity};

use super::PckCa;
use super::pieces::Pieces;
use crate::certified::inspect;
use crate::{Family, IntelAnchors};

/// Says whether an answer is what was asked for and signed under the trust anchors, and for how long
/// it is valid together with the certificates of who signed it.
#[derive(Clone, Debug)]
pub struct IntelInspector {
    anchors: IntelAnchors,
}

impl IntelInspector {
    /// One that admits these roots.
    pub fn new(anchors: IntelAnchors) -> Self {
        IntelInspector { anchors }
    }
}

impl CollateralInspector for IntelInspector {
    fn inspect(&self, request: &CollateralRequest, bytes: &[u8]) -> Result<Validity, String> {
        let mut pieces = Pieces::default();
        pieces.add(bytes, &CollateralOrigin::Cache)?;
        let anchors = &self.anchors;
        let key: Vec<&str> = request.cache_key.split('/').collect();
        let (validity, documents, crls) = match *key.as_slice() {
            ["tcb-info", tee, fmspc, _] => (inspect::tcb_info(anchors, &pieces, family(tee)?, fmspc), 1, 0),
            ["qe-identity", tee, _] => (inspect::identity(anchors, &pieces, family(tee)?), 1, 0),
            ["pck-crl", ca] => (inspect::pck_crl(anchors, &pieces, authority(ca)?), 0, 1),
            ["root-crl"] => (inspect::root_crl(anchors, &pieces), 0, 1),
            ["pck-certificate", _, cpu_svn, pce_svn, pce_id] => {
                (inspect::pck_certificate(anchors, &pieces, [cpu_svn, pce_svn, pce_id]), 0, 0)
            }
            _ => return Err(format!("{:.100?} is not a cache key of Intel's collateral", request.cache_key)),
        };
        let validity = validity?;
        let found = (pieces.tcb_infos.len().saturating_add(pieces.identities.len()), pieces.crls.len());
        if found != (documents, crls) {
            return Err(format!("{} documents and {} revocation lists in one answer", found.0, found.1));
        }
        Ok(validity)
    }
}

fn family(tee: &str) -> Result<Family, String> {
    let named = [Family::Sgx, Family::Tdx].into_iter().find(|family| family.as_str() == tee);
    named.ok_or_else(|| format!("{tee:.20?} is neither sgx nor tdx"))
}

fn authority(name: &str) -> Result<PckCa, String> {
    let named = [PckCa::Platform, PckCa::Processor].into_iter().find(|ca| ca.as_str() == name);
    named.ok_or_else(|| format!("{name:.20?} is neither platform nor processor"))
}
