//! The names of the TEEs and of their classes.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A kind of attester, by the name it has on the wire (`kbs_types::Tee`, lower case).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Tee {
    /// AMD SEV-SNP behind Azure's paravisor, through the vTPM.
    #[serde(rename = "az-snp-vtpm")]
    AzSnpVtpm,
    /// Intel TDX behind Azure's paravisor, through the vTPM.
    #[serde(rename = "az-tdx-vtpm")]
    AzTdxVtpm,
    /// Arm Confidential Compute Architecture.
    Cca,
    /// Hygon CSV.
    Csv,
    /// Hygon DCU.
    HygonDcu,
    /// NVIDIA GPU or NVSwitch.
    Nvidia,
    /// NVIDIA BlueField DPU.
    #[serde(rename = "nvidia-dpu", alias = "nvidiadpu")]
    NvidiaDpu,
    /// No TEE: evidence for development.
    Sample,
    /// No TEE: device evidence for development.
    SampleDevice,
    /// IBM Secure Execution.
    Se,
    /// Intel SGX.
    Sgx,
    /// AMD SEV-SNP.
    Snp,
    /// Intel TDX.
    Tdx,
    /// A TPM without a TEE around it.
    Tpm,
}

/// The class of a TEE. It decides the name of the submodule in the token (`cpu0`, `gpu1`, …) and
/// the policy that appraises it (`<policy id>_<class>`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum TeeClass {
    /// Every CPU TEE, the TPM and the sample.
    Cpu,
    /// Hygon DCU.
    Dcu,
    /// A GPU, or the sample device.
    Gpu,
    /// An NVIDIA DPU.
    NvidiaDpu,
    /// The claims on a protected PCIe topology.
    Ppcie,
    /// An NVSwitch.
    Switch,
}

/// A TEE name that is not one of [`Tee::ALL`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown TEE {name:?}; known are {known}", known = known_names())]
pub struct UnknownTee {
    /// The name as received, cut after 64 characters.
    pub name: String,
}

fn known_names() -> String {
    Tee::ALL.map(Tee::as_str).join(", ")
}

impl Tee {
    /// Every TEE, in the order of its name.
    pub const ALL: [Tee; 14] = [
        Tee::AzSnpVtpm,
        Tee::AzTdxVtpm,
        Tee::Cca,
        Tee::Csv,
        Tee::HygonDcu,
        Tee::Nvidia,
        Tee::NvidiaDpu,
        Tee::Sample,
        Tee::SampleDevice,
        Tee::Se,
        Tee::Sgx,
        Tee::Snp,
        Tee::Tdx,
        Tee::Tpm,
    ];

    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Tee::AzSnpVtpm => "az-snp-vtpm",
            Tee::AzTdxVtpm => "az-tdx-vtpm",
            Tee::Cca => "cca",
            Tee::Csv => "csv",
            Tee::HygonDcu => "hygondcu",
            Tee::Nvidia => "nvidia",
            Tee::NvidiaDpu => "nvidia-dpu",
            Tee::Sample => "sample",
            Tee::SampleDevice => "sampledevice",
            Tee::Se => "se",
            Tee::Sgx => "sgx",
            Tee::Snp => "snp",
            Tee::Tdx => "tdx",
            Tee::Tpm => "tpm",
        }
    }
}

impl TeeClass {
    /// The name in policy ids and submodule names.
    pub const fn as_str(self) -> &'static str {
        match self {
            TeeClass::Cpu => "cpu",
            TeeClass::Dcu => "dcu",
            TeeClass::Gpu => "gpu",
            TeeClass::NvidiaDpu => "nvidia-dpu",
            TeeClass::Ppcie => "ppcie",
            TeeClass::Switch => "switch",
        }
    }
}

impl fmt::Display for Tee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for TeeClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Tee {
    type Err = UnknownTee;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        if name == "nvidiadpu" {
            return Ok(Tee::NvidiaDpu);
        }
        Tee::ALL
            .into_iter()
            .find(|tee| tee.as_str() == name)
            .ok_or_else(|| UnknownTee { name: name.chars().take(64).collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_survives_a_round_trip_by_text_and_by_serde() {
        for tee in Tee::ALL {
            assert_eq!(tee.as_str().parse::<Tee>(), Ok(tee));
            let json = serde_json::to_string(&tee).unwrap();
            assert_eq!(json, format!("\"{}\"", tee.as_str()));
            assert_eq!(serde_json::from_str::<Tee>(&json).unwrap(), tee);
        }
    }

    #[test]
    fn an_unknown_name_is_refused_and_cut() {
        let error = "x".repeat(1000).parse::<Tee>().unwrap_err();
        assert_eq!(error.name.len(), 64);
        assert!("SNP".parse::<Tee>().is_err());
        assert!("".parse::<Tee>().is_err());
    }
}
