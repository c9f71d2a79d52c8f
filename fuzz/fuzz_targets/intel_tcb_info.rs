//! Any bytes as TCB info, as an identity, as pieces of collateral in any form and as a file with many:
//! no panic, and what is read is in order.
#![no_main]

use std::sync::LazyLock;

use assay_tee_intel::certified::{Certified, PckSource};
use assay_tee_intel::collateral::{
    IntelInspector, PlatformIds, QeIdentity, TcbInfo, UpdateChannel, needed, split_collateral,
};
use assay_tee_intel::{Family, IntelAnchors};
use assay_types::{CollateralInspector, CollateralItem, CollateralKind, CollateralOrigin, CollateralSet};
use libfuzzer_sys::fuzz_target;

static ANCHORS: LazyLock<IntelAnchors> = LazyLock::new(IntelAnchors::intel);

fuzz_target!(|input: (&[u8], &[u8], &[u8])| {
    let (first, second, chain) = input;
    if let Ok(text) = std::str::from_utf8(first) {
        if let Ok(info) = TcbInfo::read(text) {
            let order: Vec<_> = info.levels.iter().map(|l| (l.sgx, l.pce_svn, l.tdx)).collect();
            assert!(order.is_sorted_by(|a, b| a >= b));
        }
        if let Ok(identity) = QeIdentity::read(text) {
            assert!(identity.levels.is_sorted_by(|a, b| a.isv_svn >= b.isv_svn));
        }
    }
    let item = |bytes: &[u8]| CollateralItem {
        kind: CollateralKind::Unclassified,
        bytes: bytes.to_vec().into(),
        origin: CollateralOrigin::Cache,
    };
    let set = CollateralSet { items: vec![item(first), item(second)] };
    let ids = PlatformIds {
        ppid: None,
        encrypted_ppid: Some(vec![0; 384]),
        cpu_svn: [0; 16],
        pce_svn: 0,
        pce_id: [0; 2],
    };
    let inspector = IntelInspector::new(ANCHORS.clone());
    for family in [Family::Sgx, Family::Tdx] {
        for source in [PckSource::Chain(chain), PckSource::Leaf(chain), PckSource::Ids(&ids)] {
            // What holds has all its parts; only Intel's own lists and documents can.
            let certified = Certified::build(&ANCHORS, family, source, &set);
            if certified.holds() {
                assert!(certified.tcb_info().is_some_and(|info| info.family == family));
                assert!(certified.qe_identity().is_some() && certified.pck_key().is_some());
                assert!(certified.uses().len() >= 7 && !certified.emulated());
            }
            for request in needed(family, source, UpdateChannel::Early, &set) {
                assert!(request.service_path.starts_with('/') && request.cache_key.is_ascii());
                let _ = inspector.inspect(&request, first);
            }
        }
    }
    for (request, bytes) in split_collateral(first, UpdateChannel::Standard).into_iter().flatten() {
        assert!(request.cache_key.len() <= 512 && !bytes.is_empty());
        let _ = inspector.inspect(&request, &bytes);
    }
});
