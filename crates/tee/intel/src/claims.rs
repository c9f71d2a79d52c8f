//! The claims of a quote, as policies see them: names and encodings of Trustee, bytes in lower case
//! hexadecimal, integers as their little endian bytes.
//!
//! ```text
//! TDX  quote{header{…}, body{…}[, type, size]}   td_attributes{…}   xfam_features   seam_attributes{…}
//! SGX  header{…}  body{…}   sgx_attributes{…}  xfrm_features  misc_features  sgx_isv_prod_id …
//! ```
//! Beyond Trustee's names: the further members of `td_attributes`, the body's members that only newer
//! reports have, and everything that stands above behind `quote` or `body`: words decoded to names, numbers
//! as numbers. Report data and init data are added where the binding is checked.

use assay_types::{Claims, TeeClaimText};
use serde_json::Value;

use crate::attributes::{
    MISC_SELECT, SEAM_ATTRIBUTES, SGX_ATTRIBUTES, STATE_COMPONENTS, TD_ATTRIBUTES, features, named_flags,
};
use crate::quote::{Body, EnclaveReport, Header, Quote, Td15, Td15Extension, TdReport};

/// The claims that the quote itself makes; those of collateral and event log stand beside them.
pub fn quote_claims(quote: &Quote) -> Claims {
    match &quote.body {
        Body::Sgx(report) => sgx(quote, report),
        Body::Td(report) => tdx(quote, report),
    }
}

struct Tree(Claims);

impl Tree {
    fn put(&mut self, name: &str, value: impl Into<Value>) {
        self.0.insert(name.to_owned(), value.into());
    }

    fn bytes(&mut self, name: &str, bytes: impl AsRef<[u8]>) {
        self.put(name, bytes.to_claim());
    }
}

fn tdx(quote: &Quote, report: &TdReport) -> Claims {
    let mut of_quote = Tree(Claims::new());
    of_quote.put("header", tdx_header(&quote.header));
    of_quote.put("body", td_body(report));
    if quote.header.version == 5 {
        of_quote.bytes("type", quote.body.type_number().to_le_bytes());
        of_quote.bytes("size", quote.body.len().to_le_bytes());
    }
    let mut tree = Tree(Claims::new());
    tree.put("quote", of_quote.0);
    tree.put("td_attributes", named_flags(u64::from_le_bytes(report.td_attributes), TD_ATTRIBUTES));
    tree.put("seam_attributes", named_flags(u64::from_le_bytes(report.seam_attributes), SEAM_ATTRIBUTES));
    tree.put("xfam_features", features(u64::from_le_bytes(report.xfam), STATE_COMPONENTS));
    tree.0
}

fn tdx_header(header: &Header) -> Claims {
    let mut tree = Tree(Claims::new());
    tree.bytes("version", header.version.to_le_bytes());
    tree.bytes("att_key_type", header.attestation_key_type.to_le_bytes());
    tree.bytes("tee_type", header.tee_type.to_le_bytes());
    tree.bytes("reserved", [header.qe_svn.to_le_bytes(), header.pce_svn.to_le_bytes()].as_flattened());
    tree.bytes("vendor_id", header.vendor_id);
    tree.bytes("user_data", header.user_data);
    tree.0
}

fn td_body(report: &TdReport) -> Claims {
    let mut tree = Tree(Claims::new());
    let t = &mut tree;
    t.bytes("tcb_svn", report.tee_tcb_svn);
    t.bytes("mr_seam", report.mr_seam);
    t.bytes("mrsigner_seam", report.mrsigner_seam);
    t.bytes("seam_attributes", report.seam_attributes);
    t.bytes("td_attributes", report.td_attributes);
    t.bytes("xfam", report.xfam);
    t.bytes("mr_td", report.mr_td);
    t.bytes("mr_config_id", report.mr_config_id);
    t.bytes("mr_owner", report.mr_owner);
    t.bytes("mr_owner_config", report.mr_owner_config);
    for (name, rtmr) in ["rtmr_0", "rtmr_1", "rtmr_2", "rtmr_3"].into_iter().zip(report.rtmrs) {
        t.bytes(name, rtmr);
    }
    t.bytes("report_data", report.report_data);
    if let Some(Td15 { tee_tcb_svn2, mr_servicetd }) = &report.v15 {
        t.bytes("tee_tcb_svn2", tee_tcb_svn2);
        t.bytes("mr_servicetd", mr_servicetd);
    }
    if let Some(extension) = &report.extension {
        td_extension(t, extension);
    }
    tree.0
}

fn td_extension(t: &mut Tree, extension: &Td15Extension) {
    t.bytes("vm_id", [extension.vm_id]);
    t.bytes("td_id", extension.td_id);
    t.bytes("device_info", extension.device_info);
    t.bytes("init_servicetd_hash", extension.init_servicetd_hash);
    t.bytes("init_servicetd_attributes", extension.init_servicetd_attributes);
    t.bytes("init_cpu_svn", extension.init_cpu_svn);
    t.bytes("init_tee_tcb_svn", extension.init_tee_tcb_svn);
    t.bytes("init_tee_fmspc", extension.init_tee_fmspc);
    t.bytes("current_servicetd_hash", extension.current_servicetd_hash);
    t.bytes("current_servicetd_attributes", extension.current_servicetd_attributes);
}

fn sgx(quote: &Quote, report: &EnclaveReport) -> Claims {
    let mut tree = Tree(Claims::new());
    tree.put("header", sgx_header(&quote.header));
    tree.put("body", enclave_body(report));
    tree.put("sgx_attributes", named_flags(report.flags(), SGX_ATTRIBUTES));
    tree.put("xfrm_features", features(report.xfrm(), STATE_COMPONENTS));
    tree.put("misc_features", features(report.misc_select.into(), MISC_SELECT));
    tree.put("sgx_isv_prod_id", report.isv_prod_id);
    tree.put("sgx_isv_svn", report.isv_svn);
    tree.put("sgx_config_svn", report.config_svn);
    tree.0
}

fn sgx_header(header: &Header) -> Claims {
    let mut tree = Tree(Claims::new());
    tree.bytes("version", header.version.to_le_bytes());
    tree.bytes("att_key_type", header.attestation_key_type.to_le_bytes());
    tree.bytes("att_key_data_0", header.tee_type.to_le_bytes());
    tree.bytes("qe_svn", header.qe_svn.to_le_bytes());
    tree.bytes("pce_svn", header.pce_svn.to_le_bytes());
    tree.bytes("vendor_id", header.vendor_id);
    tree.bytes("user_data", header.user_data);
    tree.0
}

fn enclave_body(report: &EnclaveReport) -> Claims {
    let mut tree = Tree(Claims::new());
    let t = &mut tree;
    t.bytes("cpu_svn", report.cpu_svn);
    t.bytes("misc_select", report.misc_select.to_le_bytes());
    t.bytes("reserved1", report.reserved1);
    t.bytes("isv_ext_prod_id", report.isv_ext_prod_id);
    t.bytes("attributes.flags", report.flags().to_le_bytes());
    t.bytes("attributes.xfrm", report.xfrm().to_le_bytes());
    t.bytes("mr_enclave", report.mr_enclave);
    t.bytes("reserved2", report.reserved2);
    t.bytes("mr_signer", report.mr_signer);
    t.bytes("reserved3", report.reserved3);
    t.bytes("config_id", report.config_id);
    t.bytes("isv_prod_id", report.isv_prod_id.to_le_bytes());
    t.bytes("isv_svn", report.isv_svn.to_le_bytes());
    t.bytes("config_svn", report.config_svn.to_le_bytes());
    t.bytes("reserved4", report.reserved4);
    t.bytes("isv_family_id", report.isv_family_id);
    t.bytes("report_data", report.report_data);
    tree.0
}
