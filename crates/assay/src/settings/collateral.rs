//! The settings of collateral: `[collateral]`.

use std::path::PathBuf;

use anyhow::ensure;
use serde::{Deserialize, Serialize};

/// Intel's own service.
const PCS: &str = "https://api.trustedservices.intel.com";
/// Where Intel keeps the root's revocation list.
const ROOT_CRL: &str = "https://certificates.trustedservices.intel.com/IntelSGXRootCA.der";

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Collateral {
    pub(crate) offline_folder: Option<PathBuf>,
    pub(crate) amd_kds_url: String,
    pub(crate) deadline_seconds: u64,
    pub(crate) intel_service: IntelService,
    pub(crate) intel_url: Option<String>,
    pub(crate) intel_root_crl_url: Option<String>,
    pub(crate) intel_api_key_file: Option<PathBuf>,
    pub(crate) intel_ca_certificate: Option<PathBuf>,
    pub(crate) intel_update: IntelUpdate,
    pub(crate) refresh_interval_seconds: u64,
    pub(crate) refresh_age_hours: u64,
    pub(crate) refresh_ahead_hours: u64,
    pub(crate) refresh_unused_days: u64,
}

/// Who is asked for Intel's collateral.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum IntelService {
    /// Intel's Provisioning Certification Service, or a mirror of it.
    #[default]
    Pcs,
    /// A caching service (PCCS) on site.
    Pccs,
    /// Nobody.
    None,
}

/// Which edition of TCB info and identities is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum IntelUpdate {
    /// From the day on which Intel announces a TCB recovery.
    Early,
    /// From the day by which platforms should have followed.
    #[default]
    Standard,
}

impl Default for Collateral {
    fn default() -> Self {
        Collateral {
            offline_folder: None,
            amd_kds_url: "https://kdsintf.amd.com".into(),
            deadline_seconds: 10,
            intel_service: IntelService::Pcs,
            intel_url: None,
            intel_root_crl_url: None,
            intel_api_key_file: None,
            intel_ca_certificate: None,
            intel_update: IntelUpdate::Standard,
            refresh_interval_seconds: 600,
            refresh_age_hours: 24,
            refresh_ahead_hours: 48,
            refresh_unused_days: 30,
        }
    }
}

/// Every key with its meaning, in the order of the file.
pub(super) const KEYS: &[(&str, &str)] = &[
    (
        "collateral.offline_folder",
        "Collateral in files: AMD's in the layout of Trustee's kds-store, Intel's below intel/.",
    ),
    ("collateral.amd_kds_url", "AMD's Key Distribution Service or a mirror of it; empty to never ask."),
    ("collateral.deadline_seconds", "How long collateral may take to come."),
    (
        "collateral.intel_service",
        "Who is asked for Intel's collateral: pcs (Intel, or a mirror), pccs (a caching service on site) or none.",
    ),
    (
        "collateral.intel_url",
        "Its address, without a path of the API; needed with pccs. Intel's own with pcs when absent.",
    ),
    (
        "collateral.intel_root_crl_url",
        "Where the root's revocation list is. When absent: Intel's own with pcs; beside intel_url where that is set.",
    ),
    (
        "collateral.intel_api_key_file",
        "With pcs: a file with the subscription key, for PCK certificates. Sent to intel_url only.",
    ),
    ("collateral.intel_ca_certificate", "The only certificate authority to trust for intel_url (PEM)."),
    (
        "collateral.intel_update",
        "early (TCB recoveries count from their announcement) or standard (after Intel's time for updating).",
    ),
    ("collateral.refresh_interval_seconds", "How often it is looked what is to be refreshed; 0 for never."),
    (
        "collateral.refresh_age_hours",
        "The age from which revocation lists and TCB information are fetched anew.",
    ),
    (
        "collateral.refresh_ahead_hours",
        "How long before its end a piece is fetched anew, but never before two thirds of its life.",
    ),
    ("collateral.refresh_unused_days", "What was not used for this long is no longer refreshed."),
];

/// Where Intel's collateral comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct IntelUrls {
    pub(crate) service: String,
    /// `None` where the service itself has it, at the path that Intel uses.
    pub(crate) root_crl: Option<String>,
}

impl Collateral {
    /// Where Intel's collateral comes from; `None` where nobody is asked.
    pub(crate) fn intel_urls(&self) -> Option<IntelUrls> {
        let given = self.intel_url.as_deref().map(|url| url.trim_end_matches('/').to_owned());
        let root = self.intel_root_crl_url.clone();
        match (self.intel_service, given) {
            (IntelService::None, _) | (IntelService::Pccs, None) => None,
            (IntelService::Pcs, None) => Some(IntelUrls {
                service: PCS.into(),
                root_crl: Some(root.unwrap_or_else(|| ROOT_CRL.into())),
            }),
            (IntelService::Pcs, Some(service)) => Some(IntelUrls { service, root_crl: root }),
            (IntelService::Pccs, Some(service)) => {
                let own = format!("{service}/sgx/certification/v4/rootcacrl");
                Some(IntelUrls { root_crl: Some(root.unwrap_or(own)), service })
            }
        }
    }

    /// What types do not say.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        ensure!(
            self.intel_service != IntelService::Pccs || self.intel_url.is_some(),
            "collateral.intel_service is pccs; then collateral.intel_url is needed"
        );
        if let Some(url) = &self.intel_url {
            ensure!(
                !url.is_empty(),
                "collateral.intel_url is empty; to never ask, set intel_service to none"
            );
            ensure!(
                !url.contains("/certification/"),
                "collateral.intel_url is {url:?}; give the address alone, without the path of the API \
                 (/sgx/certification/v4)"
            );
        }
        ensure!(
            self.intel_root_crl_url.as_deref() != Some(""),
            "collateral.intel_root_crl_url is empty; leave it out instead"
        );
        ensure!(
            self.intel_service != IntelService::Pccs || self.intel_api_key_file.is_none(),
            "collateral.intel_api_key_file is Intel's subscription key; a PCCS has no use for it and does not get it"
        );
        let interval = self.refresh_interval_seconds;
        ensure!(
            interval == 0 || (10..=86_400).contains(&interval),
            "collateral.refresh_interval_seconds is {interval}; expected 10 to 86400, or 0 for never"
        );
        for (key, found, most) in [
            ("deadline_seconds", self.deadline_seconds, 3600),
            ("refresh_age_hours", self.refresh_age_hours, 24 * 365),
            ("refresh_ahead_hours", self.refresh_ahead_hours, 24 * 365),
            ("refresh_unused_days", self.refresh_unused_days, 3650),
        ] {
            ensure!((1..=most).contains(&found), "collateral.{key} is {found}; expected 1 to {most}");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(text: &str) -> Collateral {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn where_intels_collateral_comes_from() {
        let root = "/IntelSGXRootCA.der";
        let intel = format!("https://certificates.trustedservices.intel.com{root}");
        for (text, urls) in [
            ("", Some(("https://api.trustedservices.intel.com", Some(intel.as_str())))),
            ("intel_service = \"none\"\nintel_url = \"https://a\"", None),
            ("intel_url = \"https://mirror.example/\"", Some(("https://mirror.example", None))),
            (
                "intel_root_crl_url = \"https://b/crl\"",
                Some(("https://api.trustedservices.intel.com", Some("https://b/crl"))),
            ),
            (
                "intel_service = \"pccs\"\nintel_url = \"https://pccs:8081\"",
                Some(("https://pccs:8081", Some("https://pccs:8081/sgx/certification/v4/rootcacrl"))),
            ),
            (
                "intel_service = \"pccs\"\nintel_url = \"https://pccs\"\nintel_root_crl_url = \"https://b\"",
                Some(("https://pccs", Some("https://b"))),
            ),
        ] {
            let urls = urls.map(|(service, root)| IntelUrls {
                service: service.into(),
                root_crl: root.map(str::to_owned),
            });
            assert!(settings(text).check().is_ok(), "{text}");
            assert_eq!(settings(text).intel_urls(), urls, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_meant_is_refused_by_name() {
        for (text, part) in [
            ("intel_service = \"pccs\"", "intel_url is needed"),
            ("intel_url = \"\"", "intel_service to none"),
            ("intel_url = \"https://a/sgx/certification/v4/\"", "the address alone"),
            ("intel_root_crl_url = \"\"", "intel_root_crl_url"),
            (
                "intel_service = \"pccs\"\nintel_url = \"https://a\"\nintel_api_key_file = \"k\"",
                "intel_api_key_file",
            ),
            ("refresh_interval_seconds = 9", "refresh_interval_seconds is 9"),
            ("refresh_age_hours = 0", "refresh_age_hours"),
            ("refresh_ahead_hours = 9000", "refresh_ahead_hours"),
            ("refresh_unused_days = 0", "refresh_unused_days"),
            ("deadline_seconds = 0", "deadline_seconds"),
        ] {
            let error = settings(text).check().unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
        for text in ["intel_service = \"PCS\"", "intel_update = \"late\"", "intel_key = \"x\""] {
            assert!(toml::from_str::<Collateral>(text).is_err(), "{text}");
        }
    }
}
