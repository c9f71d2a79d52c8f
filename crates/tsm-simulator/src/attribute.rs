//! The files of a report entry (Linux, Documentation/ABI/testing/configfs-tsm-report).

use assay_types::Tee;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attribute {
    Provider,
    Generation,
    InBlob,
    OutBlob,
    AuxBlob,
    ManifestBlob,
    PrivLevel,
    PrivLevelFloor,
    ServiceProvider,
    ServiceGuid,
    ServiceManifestVersion,
}

impl Attribute {
    pub(crate) const ALL: [Attribute; 11] = [
        Attribute::Provider,
        Attribute::Generation,
        Attribute::InBlob,
        Attribute::OutBlob,
        Attribute::AuxBlob,
        Attribute::ManifestBlob,
        Attribute::PrivLevel,
        Attribute::PrivLevelFloor,
        Attribute::ServiceProvider,
        Attribute::ServiceGuid,
        Attribute::ServiceManifestVersion,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Attribute::Provider => "provider",
            Attribute::Generation => "generation",
            Attribute::InBlob => "inblob",
            Attribute::OutBlob => "outblob",
            Attribute::AuxBlob => "auxblob",
            Attribute::ManifestBlob => "manifestblob",
            Attribute::PrivLevel => "privlevel",
            Attribute::PrivLevelFloor => "privlevel_floor",
            Attribute::ServiceProvider => "service_provider",
            Attribute::ServiceGuid => "service_guid",
            Attribute::ServiceManifestVersion => "service_manifest_version",
        }
    }

    /// The place in [`Attribute::ALL`].
    pub(crate) fn place(self) -> u64 {
        Attribute::ALL.iter().zip(0..).find(|(other, _)| **other == self).map_or(0, |(_, place)| place)
    }

    /// Whether the driver of this TEE shows it.
    pub(crate) fn is_of(self, tee: Tee) -> bool {
        let of_all = [Attribute::Provider, Attribute::Generation, Attribute::InBlob, Attribute::OutBlob];
        tee == Tee::Snp || of_all.contains(&self)
    }

    /// A report or what comes with it: made when it is first read.
    pub(crate) fn is_made(self) -> bool {
        matches!(self, Attribute::OutBlob | Attribute::AuxBlob | Attribute::ManifestBlob)
    }

    pub(crate) fn is_written(self) -> bool {
        matches!(
            self,
            Attribute::InBlob
                | Attribute::PrivLevel
                | Attribute::ServiceProvider
                | Attribute::ServiceGuid
                | Attribute::ServiceManifestVersion
        )
    }

    /// The permissions: no file is both read and written.
    pub(crate) fn mode(self) -> u16 {
        if self.is_written() { 0o200 } else { 0o444 }
    }
}

/// What `provider` says.
pub(crate) fn provider(tee: Tee) -> &'static str {
    match tee {
        Tee::Snp => "sev_guest",
        Tee::Tdx => "tdx_guest",
        _ => "arm_cca_guest",
    }
}
