//! The catalogue: every check that the verifiers make, with its stable code.

use assay_types::Check;

macro_rules! checks {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $what:literal, $remedy:literal, $source:literal;)*) => {
        $($(#[$doc])* pub const $name: Check =
            Check { code: $code, name: $what, remedy: $remedy, source: $source };)*
    };
}

checks! {
    /// The bytes are a quote, or the JSON of one.
    EVIDENCE_FORM = "INTEL-001", "evidence is a quote, raw or in JSON",
        "send the quote unchanged, or {\"quote\": base64, \"cc_eventlog\": base64 or null}",
        "Intel DCAP quoting library API, A.3 and A.4; Trustee, evidence of tdx and sgx";
    /// The quote's version is one that the TEE has.
    QUOTE_VERSION = "INTEL-002", "quote version is known",
        "update the verifier, or attest from software that writes version 3 (SGX), 4 or 5 (TDX)",
        "Intel DCAP quoting library API, A.3.1 and A.4.1";
    /// The quote is of the TEE that the sender named.
    TEE_TYPE = "INTEL-003", "quote is of the TEE that was named",
        "name the TEE that the quote is of: sgx (type 0) or tdx (type 0x81)",
        "Intel DCAP quoting library API, A.3.1 and A.4.1";
    /// The attestation key is on P-256.
    ATTESTATION_KEY_TYPE = "INTEL-004", "attestation key type is ECDSA P-256",
        "attest from a platform whose quoting enclave signs with ECDSA P-256 (type 2)",
        "Intel DCAP quoting library API, A.3.1 and A.4.1";
    /// The quoting enclave is Intel's.
    VENDOR_ID = "INTEL-005", "quoting enclave vendor is Intel",
        "attest with Intel's quoting enclave; no other is endorsed",
        "Intel DCAP quoting library API, A.3.1 and A.4.1";
    /// The certification data are of a known type and read well.
    CERTIFICATION_DATA = "INTEL-006", "certification data are of a supported type",
        "have the quoting service certify by PCK certificate chain (type 5), or give the PCK certificate as collateral",
        "Intel DCAP quoting library API, A.4.11";
    /// The report data are what the verifier expects.
    REPORT_DATA = "INTEL-007", "report data are the expected ones",
        "attest again with the present challenge; the evidence belongs to another session or key",
        "Intel DCAP quoting library API, A.3.2 and A.4.4; RCAR, runtime data";
    /// MRCONFIGID (TDX) or CONFIGID (SGX) is the digest of the init data.
    INIT_DATA = "INTEL-008", "MRCONFIGID or CONFIGID is the digest of the init data",
        "launch the guest with the init data whose digest the field holds",
        "Intel TDX module ABI, TD_PARAMS; CoCo init data specification";
    /// Each piece of collateral can be read.
    COLLATERAL_FORM = "INTEL-010", "collateral is well-formed",
        "fetch the collateral anew from Intel's PCS or a PCCS, and keep its bytes unchanged",
        "Intel PCS API v4; RFC 5280, sections 4.1 and 5.1";
    /// The PCK certificate chain is there, leaf first, three certificates.
    PCK_CHAIN = "INTEL-011", "PCK certificate chain is complete and in order",
        "have the quote carry its chain: PCK certificate, platform or processor CA, root",
        "Intel DCAP quoting library API, A.4.11; Intel PCK certificate specification, section 1";
    /// Every chain ends at a pinned root.
    ROOT_PINNED = "INTEL-012", "root certificate is a pinned one",
        "the chain is not Intel's: evidence of an emulator needs its anchors admitted explicitly",
        "Intel PCK certificate specification, section 1.3.1";
    /// The root signed the platform or processor CA.
    CA_SIGNATURE = "INTEL-013", "PCK CA certificate is signed by the root",
        "fetch the PCK certificate chain anew",
        "Intel PCK certificate specification, section 1.3.2; RFC 5280, section 6.1.3";
    /// The CA signed the PCK certificate.
    PCK_SIGNATURE = "INTEL-014", "PCK certificate is signed by its CA",
        "fetch the PCK certificate chain anew; the certificate was altered or is of another CA",
        "Intel PCK certificate specification, section 1.3.3; RFC 5280, section 6.1.3";
    /// Subjects and issuers link up and are Intel's.
    CERTIFICATE_NAMES = "INTEL-015", "certificate names link up to the root and are Intel's",
        "fetch the certificates anew from Intel's PCS or a PCCS",
        "Intel PCK certificate specification, section 1.3; RFC 5280, section 6.1.3";
    /// Authorities are authorities, and the leaves are not.
    CERTIFICATE_ROLES = "INTEL-016", "certificate constraints allow their use",
        "fetch the certificates anew from Intel's PCS or a PCCS",
        "RFC 5280, sections 4.2.1.3 and 4.2.1.9";
    /// Keys on P-256, signatures by ECDSA with SHA-256.
    CERTIFICATE_ALGORITHMS = "INTEL-017", "certificate keys and algorithms are Intel's",
        "fetch the certificates anew from Intel's PCS or a PCCS",
        "Intel PCK certificate specification, section 1.3";
    /// Every certificate is valid now.
    CERTIFICATE_DATES = "INTEL-018", "certificates are valid now",
        "fetch new certificates, or set the clock right",
        "RFC 5280, section 4.1.2.5";
    /// The PCK certificate has Intel's SGX extension, strictly encoded.
    PCK_EXTENSIONS = "INTEL-019", "PCK certificate has Intel's extensions, strictly encoded",
        "fetch the PCK certificate anew",
        "Intel PCK certificate specification, section 1.3.5";
    /// The revocation list of the CA that issued the PCK certificate, signed by it.
    PCK_CRL = "INTEL-020", "revocation list of the PCK CA is at hand and signed by it",
        "give the CRL as collateral, or allow Intel's PCS or a PCCS",
        "Intel PCS API v4, Get Revocation List; RFC 5280, section 6.3.3";
    /// The revocation list of the root, signed by it.
    ROOT_CRL = "INTEL-021", "revocation list of the root is at hand and signed by it",
        "give the root CA CRL as collateral, or allow Intel's PCS or a PCCS",
        "Intel PCS API v4; RFC 5280, section 6.3.3";
    /// Both lists are in force now.
    CRL_DATES = "INTEL-022", "revocation lists are in force now",
        "refresh the collateral, or set the clock right",
        "RFC 5280, sections 5.1.2.4 and 5.1.2.5";
    /// The PCK certificate is not revoked.
    PCK_NOT_REVOKED = "INTEL-023", "PCK certificate is not revoked",
        "do not trust this platform; follow Intel's security advisory for the revocation",
        "RFC 5280, section 6.3.3";
    /// Neither the CA nor the TCB signing certificate is revoked.
    CA_NOT_REVOKED = "INTEL-024", "PCK CA and TCB signing certificate are not revoked",
        "fetch the collateral and the PCK certificate anew; follow Intel's announcement",
        "RFC 5280, section 6.3.3";
    /// There is TCB info for the platform and TEE.
    TCB_INFO = "INTEL-030", "TCB info of the platform is at hand",
        "give the TCB info of the FMSPC as collateral, or allow Intel's PCS or a PCCS",
        "Intel PCS API v4, Get TCB Info";
    /// The signature over the TCB info, and the chain of who signed it.
    TCB_INFO_SIGNATURE = "INTEL-031", "TCB info is signed by Intel's TCB signing key",
        "keep the TCB info byte for byte as served; its signature is over these bytes",
        "Intel PCS API v4, Get TCB Info";
    /// Identifier, version and type are known.
    TCB_INFO_FORM = "INTEL-032", "TCB info is of a known version, for the TEE",
        "fetch TCB info of version 3 (or 2, SGX only) for the TEE of the quote",
        "Intel PCS API v4, TCB info";
    /// The FMSPC is the PCK certificate's.
    TCB_INFO_FMSPC = "INTEL-033", "TCB info is for the platform's FMSPC",
        "give the TCB info of the FMSPC that the PCK certificate names",
        "Intel PCS API v4, TCB info, fmspc";
    /// The PCE id is the PCK certificate's.
    TCB_INFO_PCEID = "INTEL-034", "TCB info is for the platform's PCE id",
        "give the TCB info of the PCE id that the PCK certificate names",
        "Intel PCS API v4, TCB info, pceId";
    /// The TCB info is in force now.
    TCB_INFO_DATES = "INTEL-035", "TCB info is in force now",
        "refresh the collateral, or set the clock right",
        "Intel PCS API v4, TCB info, issueDate and nextUpdate";
    /// There is an identity of the quoting enclave.
    QE_IDENTITY = "INTEL-040", "QE identity is at hand",
        "give the QE identity (SGX) or TD QE identity (TDX) as collateral, or allow Intel's PCS or a PCCS",
        "Intel PCS API v4, Get Quoting Enclave Identity";
    /// The signature over the identity, and the chain of who signed it.
    QE_IDENTITY_SIGNATURE = "INTEL-041", "QE identity is signed by Intel's TCB signing key",
        "keep the QE identity byte for byte as served; its signature is over these bytes",
        "Intel PCS API v4, Get Quoting Enclave Identity";
    /// Identifier and version are those for the TEE.
    QE_IDENTITY_FORM = "INTEL-042", "QE identity is of a known version, for the TEE",
        "fetch the identity QE (SGX) or TD_QE (TDX), version 2",
        "Intel PCS API v4, enclave identity";
    /// The identity is in force now.
    QE_IDENTITY_DATES = "INTEL-043", "QE identity is in force now",
        "refresh the collateral, or set the clock right",
        "Intel PCS API v4, enclave identity, issueDate and nextUpdate";
    /// TCB info and QE identity are not older than the operator's minimum.
    EVALUATION_NUMBER = "INTEL-044", "TCB evaluation data number reaches the minimum",
        "refresh the collateral, or lower the minimum in the settings",
        "Intel PCS API v4, tcbEvaluationDataNumber";
    /// The PCK signed the report of the quoting enclave.
    QE_REPORT_SIGNATURE = "INTEL-050", "QE report is signed by the PCK",
        "attest again; if it fails again, the quote was altered or is certified by another PCK",
        "Intel DCAP quoting library API, A.4.12";
    /// The report data of the quoting enclave are the hash of the attestation key.
    QE_REPORT_DATA = "INTEL-051", "QE report data bind the attestation key",
        "attest again; the quote was put together from two",
        "Intel DCAP quoting library API, A.4.12: SHA-256 of attestation key and QE authentication data";
    /// MRSIGNER of the quoting enclave.
    QE_MRSIGNER = "INTEL-052", "QE is signed by Intel",
        "attest with Intel's quoting enclave",
        "Intel PCS API v4, enclave identity, mrsigner";
    /// Product id of the quoting enclave.
    QE_ISVPRODID = "INTEL-053", "QE product id is the identity's",
        "attest with Intel's quoting enclave",
        "Intel PCS API v4, enclave identity, isvprodid";
    /// MISCSELECT of the quoting enclave, masked.
    QE_MISCSELECT = "INTEL-054", "QE MISCSELECT is the identity's",
        "attest with Intel's quoting enclave",
        "Intel PCS API v4, enclave identity, miscselect and miscselectMask";
    /// Attributes of the quoting enclave, masked; the debug bit is among them.
    QE_ATTRIBUTES = "INTEL-055", "QE attributes are the identity's",
        "attest with Intel's production quoting enclave",
        "Intel PCS API v4, enclave identity, attributes and attributesMask";
    /// The quoting enclave's SVN reaches a TCB level.
    QE_TCB_LEVEL = "INTEL-056", "QE SVN reaches a TCB level that is not revoked",
        "update the quoting enclave; its version is older than all that Intel lists, or revoked",
        "Intel PCS API v4, enclave identity, tcbLevels";
    /// The attestation key signed the quote.
    QUOTE_SIGNATURE = "INTEL-060", "quote signature",
        "attest again; if it fails again, the quote was altered",
        "Intel DCAP quoting library API, A.3.7 and A.4.7; FIPS 186-5";
    /// The platform reaches a TCB level of the TCB info.
    TCB_LEVEL = "INTEL-070", "platform reaches a TCB level",
        "update the platform's firmware; it is older than all that Intel lists",
        "Intel PCS API v4, Get TCB Info, TCB level comparison";
    /// The status of that level is not terminal.
    TCB_NOT_REVOKED = "INTEL-071", "TCB level is not revoked",
        "do not trust this platform until it is updated; follow the advisories",
        "Intel PCS API v4, tcbStatus Revoked";
    /// The TDX module is the one that the TCB info names.
    TDX_MODULE = "TDX-001", "TDX module is signed and configured as the TCB info says",
        "run Intel's TDX module of a version that the TCB info lists",
        "Intel PCS API v4, TCB info, tdxModule and tdxModuleIdentities";
    /// The TDX module's SVN reaches a TCB level of its identity.
    TDX_MODULE_TCB_LEVEL = "TDX-002", "TDX module reaches a TCB level that is not revoked",
        "update the TDX module",
        "Intel PCS API v4, TCB info, tdxModuleIdentities, tcbLevels";
    /// The event log can be read.
    EVENT_LOG_FORM = "TDX-003", "event log is well-formed",
        "send the CCEL table's data unchanged, or none",
        "TCG PC Client platform firmware profile, section 10; UEFI 2.10, section 38";
    /// Replaying the event log gives the registers of the quote.
    EVENT_LOG_REPLAY = "TDX-004", "event log replays to RTMR 0 to 3",
        "send the complete log of the running guest; an event was altered, added, left out or moved",
        "Intel TDX virtual firmware design guide, section 8; UEFI 2.10, section 38.4.1";
}

macro_rules! list {
    ($($(#[$doc:meta])* $list:ident: $($name:ident)*;)*) => {
        $($(#[$doc])* pub const $list: &[Check] = &[$($name),*];)*
    };
}

list! {
    /// Every check of an SGX quote.
    SGX_CHECKS: EVIDENCE_FORM QUOTE_VERSION TEE_TYPE ATTESTATION_KEY_TYPE VENDOR_ID CERTIFICATION_DATA
        REPORT_DATA INIT_DATA COLLATERAL_FORM PCK_CHAIN ROOT_PINNED CA_SIGNATURE PCK_SIGNATURE
        CERTIFICATE_NAMES CERTIFICATE_ROLES CERTIFICATE_ALGORITHMS CERTIFICATE_DATES PCK_EXTENSIONS PCK_CRL
        ROOT_CRL CRL_DATES PCK_NOT_REVOKED CA_NOT_REVOKED TCB_INFO TCB_INFO_SIGNATURE TCB_INFO_FORM
        TCB_INFO_FMSPC TCB_INFO_PCEID TCB_INFO_DATES QE_IDENTITY QE_IDENTITY_SIGNATURE QE_IDENTITY_FORM
        QE_IDENTITY_DATES EVALUATION_NUMBER QE_REPORT_SIGNATURE QE_REPORT_DATA QE_MRSIGNER QE_ISVPRODID
        QE_MISCSELECT QE_ATTRIBUTES QE_TCB_LEVEL QUOTE_SIGNATURE TCB_LEVEL TCB_NOT_REVOKED;
    /// Every check of a TDX quote: those of SGX, and TDX's own.
    TDX_CHECKS: EVIDENCE_FORM QUOTE_VERSION TEE_TYPE ATTESTATION_KEY_TYPE VENDOR_ID CERTIFICATION_DATA
        REPORT_DATA INIT_DATA COLLATERAL_FORM PCK_CHAIN ROOT_PINNED CA_SIGNATURE PCK_SIGNATURE
        CERTIFICATE_NAMES CERTIFICATE_ROLES CERTIFICATE_ALGORITHMS CERTIFICATE_DATES PCK_EXTENSIONS PCK_CRL
        ROOT_CRL CRL_DATES PCK_NOT_REVOKED CA_NOT_REVOKED TCB_INFO TCB_INFO_SIGNATURE TCB_INFO_FORM
        TCB_INFO_FMSPC TCB_INFO_PCEID TCB_INFO_DATES QE_IDENTITY QE_IDENTITY_SIGNATURE QE_IDENTITY_FORM
        QE_IDENTITY_DATES EVALUATION_NUMBER QE_REPORT_SIGNATURE QE_REPORT_DATA QE_MRSIGNER QE_ISVPRODID
        QE_MISCSELECT QE_ATTRIBUTES QE_TCB_LEVEL QUOTE_SIGNATURE TCB_LEVEL TCB_NOT_REVOKED
        TDX_MODULE TDX_MODULE_TCB_LEVEL EVENT_LOG_FORM EVENT_LOG_REPLAY;
}
