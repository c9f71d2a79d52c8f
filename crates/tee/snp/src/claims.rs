//! The claims handed to policies: Trustee's under Trustee's names, and every other field.
//!
//! Numbers are JSON numbers, switches booleans, bytes lower case hex. What a report does not have
//! (by its version or product) is absent, so that a policy that asks for it does not match.

use assay_types::{Claims, TeeClaimText};
use serde_json::Value;

use crate::chain::SigningKeyCertificate;
use crate::evidence::{FirmwareVersion, Report, SigningKey, TcbVersion, platform, policy};
use crate::product::Product;

struct Tree(Claims);

impl Tree {
    fn put(&mut self, name: &str, value: impl Into<Value>) {
        self.0.insert(name.to_owned(), value.into());
    }

    fn put_if<T: Into<Value>>(&mut self, name: &str, value: Option<T>) {
        if let Some(value) = value {
            self.put(name, value);
        }
    }

    fn bytes(&mut self, name: &str, bytes: &[u8]) {
        self.put(name, bytes.to_claim());
    }

    fn tcb(&mut self, names: [&str; 5], tcb: TcbVersion) {
        let values = [tcb.fmc, Some(tcb.bootloader), Some(tcb.tee), Some(tcb.snp), Some(tcb.microcode)];
        for (name, value) in names.into_iter().zip(values) {
            self.put_if(name, value);
        }
    }

    fn firmware(&mut self, names: [&str; 3], version: FirmwareVersion) {
        for (name, value) in names.into_iter().zip([version.major, version.minor, version.build]) {
            self.put(name, value);
        }
    }
}

/// The claims of a report, apart from its report data.
pub(crate) fn claims(report: &Report, product: Option<Product>, key: &SigningKeyCertificate) -> Claims {
    let mut tree = Tree(Claims::new());
    policy_claims(&mut tree, report.policy);
    platform_claims(&mut tree, report.plat_info);
    tcb_claims(&mut tree, report);
    let t = &mut tree;
    t.put("version", report.version);
    t.put("guest_svn", report.guest_svn);
    t.put("vmpl", report.vmpl);
    t.put("signature_algorithm", report.sig_algo);
    t.put("author_key_en", report.author_key_en());
    t.put("mask_chip_key", report.mask_chip_key());
    t.put("chip_id_masked", report.chip_id_masked());
    t.put(
        "signing_key",
        match report.signing_key() {
            SigningKey::Signed(kind) => kind.as_str(),
            SigningKey::None | SigningKey::Reserved(_) => "none",
        },
    );
    t.put_if("product", product.map(Product::as_str));
    t.put_if("product_name", key.extensions.as_ref().map(|e| e.product_name.as_str()));
    t.put_if("csp_id", key.extensions.as_ref().and_then(|e| e.csp_id.as_deref()));
    t.put_if("cpuid_family", report.cpuid_fam_id);
    t.put_if("cpuid_model", report.cpuid_mod_id);
    t.put_if("cpuid_stepping", report.cpuid_step);
    t.put_if("launch_mit_vector", report.launch_mit_vector);
    t.put_if("current_mit_vector", report.current_mit_vector);
    t.bytes("measurement", &report.measurement);
    t.bytes("chip_id", &report.chip_id);
    t.bytes("host_data", &report.host_data);
    t.bytes("family_id", &report.family_id);
    t.bytes("image_id", &report.image_id);
    t.bytes("id_key_digest", &report.id_key_digest);
    t.bytes("author_key_digest", &report.author_key_digest);
    t.bytes("report_id", &report.report_id);
    t.bytes("report_id_ma", &report.report_id_ma);
    t.firmware(["current_version_major", "current_version_minor", "current_version_build"], report.current);
    t.firmware(
        ["committed_version_major", "committed_version_minor", "committed_version_build"],
        report.committed,
    );
    tree.0
}

fn policy_claims(tree: &mut Tree, bits: u64) {
    tree.put("policy", bits);
    tree.put("policy_abi_minor", bits & 0xff);
    tree.put("policy_abi_major", (bits >> 8) & 0xff);
    for (name, bit) in [
        ("policy_smt_allowed", policy::SMT),
        ("policy_migrate_ma", policy::MIGRATE_MA),
        ("policy_debug_allowed", policy::DEBUG),
        ("policy_single_socket", policy::SINGLE_SOCKET),
        ("policy_cxl_allowed", policy::CXL_ALLOW),
        ("policy_mem_aes_256_xts", policy::MEM_AES_256_XTS),
        ("policy_rapl_disabled", policy::RAPL_DIS),
        ("policy_ciphertext_hiding", policy::CIPHERTEXT_HIDING),
        ("policy_page_swap_disabled", policy::PAGE_SWAP_DISABLE),
    ] {
        tree.put(name, bits & bit != 0);
    }
}

fn platform_claims(tree: &mut Tree, bits: u64) {
    tree.put("platform_info", bits);
    for (name, bit) in [
        ("platform_smt_enabled", platform::SMT_EN),
        ("platform_tsme_enabled", platform::TSME_EN),
        ("platform_ecc_enabled", platform::ECC_EN),
        ("platform_rapl_disabled", platform::RAPL_DIS),
        ("platform_ciphertext_hiding_enabled", platform::CIPHERTEXT_HIDING_EN),
        ("platform_alias_check_complete", platform::ALIAS_CHECK_COMPLETE),
        ("platform_tio_enabled", platform::TIO_EN),
    ] {
        tree.put(name, bits & bit != 0);
    }
}

fn tcb_claims(tree: &mut Tree, report: &Report) {
    macro_rules! names {
        ($prefix:literal) => {
            [
                concat!($prefix, "_fmc"),
                concat!($prefix, "_bootloader"),
                concat!($prefix, "_tee"),
                concat!($prefix, "_snp"),
                concat!($prefix, "_microcode"),
            ]
        };
    }
    tree.tcb(names!("reported_tcb"), report.reported_tcb);
    tree.tcb(names!("current_tcb"), report.current_tcb);
    tree.tcb(names!("committed_tcb"), report.committed_tcb);
    tree.tcb(names!("launch_tcb"), report.launch_tcb);
}
