//! The catalogue: every check that the verifier makes, with its stable code.

use assay_types::Check;

macro_rules! catalogue {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $what:literal, $remedy:literal, $source:literal;)*) => {
        $($(#[$doc])* pub const $name: Check =
            Check { code: $code, name: $what, remedy: $remedy, source: $source };)*

        /// Every check, in the order of the codes.
        pub const CHECKS: &[Check] = &[$($name),*];
    };
}

catalogue! {
    /// The bytes are a report of 1184 bytes, or the JSON of one, with a certificate table at most.
    EVIDENCE_FORM = "SNP-001", "evidence is a report, raw or in JSON",
        "send the report of SNP_GET_REPORT or SNP_GET_EXT_REPORT unchanged, or the JSON of the sev crate",
        "AMD 56860, ATTESTATION_REPORT";
    /// The report's version is 2, 3, 4 or 5.
    REPORT_VERSION = "SNP-002", "report version is known",
        "update the verifier, or attest from firmware that writes a known version",
        "AMD 56860, ATTESTATION_REPORT, VERSION";
    /// The CPUID fields name a processor whose product line is known.
    PROCESSOR = "SNP-003", "processor belongs to a known product line",
        "update the verifier: it must know the product line to read TCB versions and to choose a root key",
        "AMD 56860, ATTESTATION_REPORT, CPUID_FAM_ID and CPUID_MOD_ID; AMD 57230, section 1";
    /// Reserved bits have their prescribed values.
    RESERVED = "SNP-004", "reserved bits of the report are as prescribed",
        "if the firmware is newer than the verifier, update the verifier; else the report was altered",
        "AMD 56860, ATTESTATION_REPORT and guest policy";
    /// The signature algorithm is ECDSA on P-384 with SHA-384.
    SIGNATURE_ALGORITHM = "SNP-005", "signature algorithm is ECDSA P-384 with SHA-384",
        "attest again; no firmware signs in another way",
        "AMD 56860, ATTESTATION_REPORT, SIGNATURE_ALGO";
    /// Each certificate and CRL can be read and is of the kind that its label says.
    CERTIFICATE_FORM = "SNP-006", "certificates and CRLs are well-formed and rightly labelled",
        "fetch the certificates anew from AMD's key distribution service and load them into the host",
        "RFC 5280, sections 4.1 and 5.1; AMD 56421, certificate table";
    /// There is a certificate for the key that signed the report, and one for who certified it.
    CHAIN_COMPLETE = "SNP-007", "certificate chain is complete",
        "give the VCEK or VLEK certificate with the evidence, in the offline folder, or allow the key distribution service",
        "AMD 57230, section 2";
    /// The report says it was signed with the kind of key that the certificate is for.
    SIGNING_KEY = "SNP-008", "signing key kind of the report is the certificate's",
        "give the certificate of the kind the report names; a report that names none is unsigned",
        "AMD 56860, ATTESTATION_REPORT, SIGNING_KEY";
    /// The chain ends at a pinned root key.
    ROOT_PINNED = "SNP-009", "root key is a pinned one",
        "the chain is not AMD's: evidence of an emulator needs its anchors admitted explicitly",
        "AMD 57230, section 4";
    /// The root key signed the ASK or ASVK.
    AUTHORITY_SIGNATURE = "SNP-010", "ASK or ASVK is signed by the root key",
        "leave the ASK out of the evidence (AMD's are built in) or fetch it anew",
        "AMD 57230, section 4; RFC 8017, section 8.1.2";
    /// The ASK signed the VCEK, or the ASVK the VLEK.
    KEY_SIGNATURE = "SNP-011", "VCEK or VLEK is signed by its authority",
        "fetch the certificate anew; it was altered or belongs to another product line",
        "AMD 57230, section 3; RFC 8017, section 8.1.2";
    /// Issuer and subject names link up and are those of the product line.
    CERTIFICATE_NAMES = "SNP-012", "certificate names link up to the root",
        "fetch the certificates anew from AMD's key distribution service",
        "AMD 57230, section 3; RFC 5280, section 6.1.3";
    /// The authorities are authorities, and the signing key's certificate is not.
    CERTIFICATE_ROLES = "SNP-013", "certificate constraints allow their use",
        "fetch the certificates anew from AMD's key distribution service",
        "RFC 5280, sections 4.2.1.3 and 4.2.1.9";
    /// RSA-4096 with RSASSA-PSS for the authorities, P-384 for the signing key.
    CERTIFICATE_ALGORITHMS = "SNP-014", "certificate keys and algorithms are AMD's",
        "fetch the certificates anew from AMD's key distribution service",
        "AMD 57230, section 3";
    /// Every certificate of the chain is valid now.
    CERTIFICATE_DATES = "SNP-015", "certificates are valid now",
        "fetch new certificates (a VLEK lives one year, a VCEK seven), or set the clock right",
        "RFC 5280, section 4.1.2.5";
    /// A CRL of the root key is there when the settings require one.
    CRL_PRESENT = "SNP-016", "a revocation list of the root key is at hand",
        "give the CRL with --collateral or in the offline folder, or allow the key distribution service",
        "AMD 57230, section 4; RFC 5280, section 6.3";
    /// Each CRL of the chain is signed by its issuer, who may do so.
    CRL_SIGNATURE = "SNP-017", "revocation lists are signed by their issuer",
        "fetch the CRL anew from AMD's key distribution service",
        "RFC 5280, section 6.3.3";
    /// The newest CRL of the root key is in force now.
    CRL_DATES = "SNP-018", "revocation list is in force now",
        "fetch the CRL anew from AMD's key distribution service, or set the clock right",
        "RFC 5280, sections 5.1.2.4 and 5.1.2.5";
    /// No certificate of the chain is on a CRL.
    NOT_REVOKED = "SNP-019", "no certificate of the chain is revoked",
        "do not trust this platform; follow AMD's security bulletin for the revocation",
        "RFC 5280, section 6.3.3";
    /// The certificate has the extensions of its kind, each encoded as AMD does.
    KEY_EXTENSIONS = "SNP-020", "VCEK or VLEK has AMD's extensions, strictly encoded",
        "fetch the certificate anew from AMD's key distribution service",
        "AMD 57230, sections 3.1 and 3.2";
    /// Report, issuer and product name extension speak of the same product line.
    PRODUCT = "SNP-021", "product line of report and certificate agree",
        "give the certificate of this platform; the one found is of another product line",
        "AMD 57230, section 3.1, productName";
    /// Boot loader of the reported TCB.
    TCB_BOOTLOADER = "SNP-022", "reported boot loader version is the certificate's",
        "give the certificate for the reported TCB version; the host's copy may be outdated",
        "AMD 57230, section 3.1, blSPL";
    /// TEE (PSP operating system) of the reported TCB.
    TCB_TEE = "SNP-023", "reported TEE version is the certificate's",
        "give the certificate for the reported TCB version; the host's copy may be outdated",
        "AMD 57230, section 3.1, teeSPL";
    /// SNP firmware of the reported TCB.
    TCB_SNP = "SNP-024", "reported SNP firmware version is the certificate's",
        "give the certificate for the reported TCB version; the host's copy may be outdated",
        "AMD 57230, section 3.1, snpSPL";
    /// Microcode of the reported TCB.
    TCB_MICROCODE = "SNP-025", "reported microcode version is the certificate's",
        "give the certificate for the reported TCB version; the host's copy may be outdated",
        "AMD 57230, section 3.1, ucodeSPL";
    /// FMC of the reported TCB: on Turin, and nowhere else.
    TCB_FMC = "SNP-026", "reported FMC version is the certificate's",
        "give the certificate for the reported TCB version; the host's copy may be outdated",
        "AMD 57230, section 3.1, fmcSPL";
    /// Components that the report has no field for (its bytes are reserved and zero).
    TCB_RESERVED = "SNP-027", "reserved TCB versions of the certificate are zero",
        "update the verifier: the certificate has a TCB component that it does not know",
        "AMD 57230, section 3.1, spl4 to spl7";
    /// The chip id is the hardware id of the VCEK's certificate.
    HARDWARE_ID = "SNP-028", "chip id is the VCEK's hardware id",
        "give the VCEK of this chip; where the host hides the chip id, use a VLEK or have it shown",
        "AMD 57230, section 3.1, hwID; AMD 56860, CHIP_ID";
    /// The key of the certificate signed the report.
    REPORT_SIGNATURE = "SNP-029", "report signature",
        "attest again; if it fails again, the report was altered or the certificate is of another key",
        "AMD 56860, ATTESTATION_REPORT, SIGNATURE; FIPS 186-5";
    /// The privilege level is an allowed one.
    VMPL = "SNP-030", "report was asked for at an allowed privilege level",
        "attest at VMPL 0, or allow the level in the settings if a trusted layer runs below the guest",
        "AMD 56860, ATTESTATION_REPORT, VMPL";
    /// The report data are what the verifier expects.
    REPORT_DATA = "SNP-031", "report data are the expected ones",
        "attest again with the present challenge; the evidence belongs to another session or key",
        "AMD 56860, ATTESTATION_REPORT, REPORT_DATA; RCAR, runtime data";
    /// The host data are the digest of the init data.
    INIT_DATA = "SNP-032", "host data are the digest of the init data",
        "launch the guest with the init data whose digest the host data hold",
        "AMD 56860, ATTESTATION_REPORT, HOST_DATA; CoCo init data specification";
}
