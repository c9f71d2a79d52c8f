//! The error codes of the services, in words. The tables of checks stand with the verifiers.

/// Every error code and what it means. A test compares the list with the sources.
pub(crate) const ERROR_CODES: &[(&str, &str)] = &[
    ("AS-001", "The evidence cannot be read as evidence of that TEE."),
    ("AS-002", "The evidence is of a kind or version that the verifier does not know."),
    ("AS-003", "A check of the verifier failed; the findings name it."),
    ("AS-004", "Evidence of this TEE is not taken here."),
    ("AS-005", "The runtime data have no canonical form."),
    ("AS-006", "The init data cannot be read."),
    ("AS-007", "The additional evidence cannot be read."),
    ("AS-008", "A policy that was asked for does not exist."),
    ("AS-009", "A policy failed."),
    ("AS-010", "More policies were asked for than are applied to one piece of evidence."),
    ("AS-020", "A policy id is not of the allowed form."),
    ("AS-021", "There are too many policies of one kind."),
    ("AS-030", "The store names an algorithm that this build does not have."),
    ("AS-031", "The store has no key although one was just made: somebody deletes keys."),
    (
        "CLI-001",
        "The server understood and refused: evidence not accepted, policy, request not acceptable. It is not asked again.",
    ),
    ("CLI-002", "What was asked for does not exist."),
    ("CLI-003", "The server does not accept the token, not even a new one."),
    ("CLI-004", "The server cannot be reached or cannot answer now."),
    ("CLI-005", "The server does not speak the protocol as it must."),
    ("CLI-006", "The secret came, but cannot be decrypted."),
    ("CLI-007", "There is no evidence, or no key to go with it."),
    ("CLI-008", "The client's settings cannot be used."),
    ("CLI-009", "An argument cannot be sent."),
    ("COL-001", "A source may have it a little later."),
    ("COL-002", "No source has it, and waiting does not help."),
    ("COL-003", "The offline folder is not there or is no folder."),
    ("COL-004", "The URL of a vendor's service is not acceptable."),
    ("COL-005", "Plain HTTP to another machine."),
    ("COL-006", "The TLS settings cannot be used."),
    ("COL-007", "The header with the vendor's API key cannot be sent."),
    ("COL-008", "The file is not a collateral bundle: no COSE_Sign1 of that content type."),
    ("COL-009", "The bundle is not signed by any of the signers given."),
    ("COL-010", "The content of the bundle or file is not that of collateral."),
    ("COL-011", "The key cannot sign bundles."),
    (
        "COL-012",
        "Pieces of a bundle or file are not fit: not genuine, older, or there twice. Nothing was taken over.",
    ),
    ("COL-013", "The cache failed; nothing was taken over."),
    ("COR-001", "The document, or a document within it, is not CBOR as it is read here."),
    ("COR-002", "An item of the CoRIM is not of the type, length or form that it must have."),
    ("COR-003", "A mandatory member of the CoRIM is missing."),
    ("COR-004", "The CoRIM has more tags, triples or other items than are read."),
    ("COR-005", "The document is neither an unsigned CoRIM (tag 501) nor a signed one (tag 18)."),
    ("COR-006", "The signed CoRIM is not a COSE_Sign1 as it is read here."),
    ("COR-007", "The signed message is not about a CoRIM: its content type is another."),
    ("COR-008", "A validity of the CoRIM ends before it begins."),
    (
        "END-001",
        "The CoRIM breaks the rules of its profile; each rule has a code of its own, CCA-201 to CCA-224.",
    ),
    ("END-002", "The file is not the JSON of a store of trust anchors or reference values."),
    ("END-003", "Entries of the JSON store cannot be; the error names each and its place."),
    ("END-004", "The JSON store is too large."),
    ("JWE-001", "The guest's public key is of a kind or on a curve that is not supported."),
    ("JWE-002", "The key asks for another algorithm than the one for its type."),
    ("JWE-003", "`RSA1_5`, in a key or in a header."),
    ("JWE-004", "The guest's public key is none."),
    ("JWE-005", "The RSA key is too short or too long."),
    ("JWE-006", "A member of the message is not base64url without padding."),
    ("JWE-007", "The protected header is not JSON with the members it must have."),
    (
        "JWE-008",
        "The protected header has a member that changes the meaning and that no server of this protocol sends: `crit`, `zip`, `apu` or `apv`.",
    ),
    ("JWE-009", "The header's `alg` is not the one of the key."),
    ("JWE-010", "The header's `enc` is not `A256GCM`."),
    ("JWE-011", "A member of the message has the wrong length."),
    ("JWE-012", "The header's ephemeral key is missing, of another curve, or no point of it."),
    ("JWE-013", "The content encryption key does not come out: made for another key, or changed on the way."),
    ("JWE-014", "The content does not come out: something was changed on the way."),
    ("JWE-015", "Longer than a secret may be."),
    ("JWE-016", "A private key that cannot be read."),
    ("JWE-017", "The cryptographic library failed at what cannot fail by the input."),
    ("KBS-001", "The body is not the JSON that it must be."),
    ("KBS-002", "A protocol version that is not spoken here."),
    ("KBS-003", "No TEE has that name."),
    ("KBS-004", "The TEE exists, but its evidence is not taken here."),
    ("KBS-005", "`attest` without the cookie of `auth`."),
    ("KBS-006", "The cookie is not one of ours, or was changed."),
    ("KBS-007", "The cookie was sealed with a key that this server does not have."),
    ("KBS-008", "The cookie's time is over."),
    ("KBS-009", "The runtime data name another nonce than the cookie."),
    ("KBS-010", "The challenge gave its one token already."),
    ("KBS-011", "Neither a session cookie nor a bearer token."),
    ("KBS-012", "The session exists, but has not attested."),
    ("KBS-013", "The token is good but names no usable guest key."),
    ("KBS-014", "The resource policy says no."),
    ("KBS-015", "The resource policy cannot be used; nothing is released."),
    ("KBS-016", "The path is not a resource path."),
    ("KBS-017", "The path has escapes that are not allowed."),
    ("KBS-018", "Nothing is there."),
    ("KBS-019", "No endpoint and no plugin has this path."),
    ("KBS-020", "The path is served, but not with this method."),
    ("KBS-021", "The body is too large."),
    ("KBS-022", "The body did not arrive in time."),
    ("KBS-023", "The body ended before it was complete."),
    ("KBS-024", "Too many requests from this address."),
    ("KBS-025", "The work took too long."),
    ("KBS-026", "An admin endpoint without an admin token."),
    ("KBS-027", "The admin token does not hold."),
    ("KBS-028", "The admin token lives too long, or does not say how long."),
    ("KBS-029", "The admin token has no role, or one that does not exist."),
    ("KBS-030", "The role may not do this."),
    ("KBS-031", "A member is not base64url without padding."),
    ("KBS-032", "A policy that is not text."),
    ("KBS-033", "A policy in another language."),
    ("KBS-034", "The query string cannot be read."),
    ("KBS-035", "The server is about to stop."),
    ("KBS-036", "The store does not answer in time."),
    ("KBS-037", "What must not happen."),
    ("KBS-038", "The `Accept` header does not take the answer."),
    ("KBS-039", "The body is of a media type that is not taken here."),
    ("KBS-040", "The nonce that was asked for cannot be."),
    ("KBS-041", "The identifier of a challenge-response session is no UUID."),
    ("KBS-042", "The challenge-response session is not there, or has ended."),
    ("KBS-043", "The challenge-response session took its evidence already."),
    ("KBS-044", "The body is empty."),
    ("KBS-045", "The wrapper around evidence cannot be read."),
    ("POL-001", "The text, one of its lines, or the number of its parts is beyond the limit."),
    ("POL-002", "Brackets are nested too deep; the time to parse grows exponentially with the depth."),
    ("POL-003", "The text is not Rego v1."),
    ("POL-004", "The language has it, but it has no place in a policy here."),
    ("POL-005", "Rules or functions depend on themselves."),
    ("POL-006", "A function that does not exist or may not be used."),
    ("POL-007", "The rule that gives the verdict is missing."),
    ("POL-008", "What the rules build can grow beyond the limit."),
    (
        "POL-009",
        "A function or rule passes the limits while it is tried out, or the trial could not be made.",
    ),
    ("POL-010", "A name in `trust_claims` that AR4SI does not have."),
    ("POL-011", "A value in `trust_claims` that is not a whole number from -128 to 127."),
    ("POL-012", "A result of the wrong shape, or none."),
    ("POL-013", "A limit of evaluation was passed."),
    ("POL-014", "The policy fails on this input."),
    ("POL-015", "The result is larger than the limit."),
    ("POL-016", "The policy is of the other kind. A fault of the caller's code."),
    ("POL-017", "The input or data given to the policy is nested too deep or not an object."),
    ("RV-001", "The message is not the JSON object it must be."),
    ("RV-002", "The message is too large."),
    ("RV-003", "The message has another version."),
    ("RV-004", "There is no extractor for this type."),
    ("RV-005", "The payload is not standard base64 with padding."),
    ("RV-006", "The payload is not what its type says."),
    ("RV-007", "There are too many values."),
    ("RV-008", "A name is not of the allowed form."),
    ("RV-009", "A value is too large."),
    ("RV-010", "`expires` is not a time, or lies in the past."),
    ("RV-011", "The work was cut off by the end of the program."),
    (
        "RV-012",
        "The name is one of endorsements, which come as messages of type `corim`, `cca-trust-anchors` or `cca-reference-values`.",
    ),
    ("RV-013", "The endorsements are not signed, and unsigned ones are not taken."),
    ("RV-014", "The CoRIM is signed, but no signer is configured."),
    ("RV-015", "The CoRIM is signed by nobody who is configured, or was altered."),
    ("RV-016", "The CoRIM's signature does not hold under the key that it names."),
    ("RV-017", "The certificate that came with the CoRIM is not trusted."),
    ("RV-018", "The CoRIM, its signature, or a certificate of its signer is not valid now."),
    ("RV-019", "The configured signers of CoRIMs cannot be used."),
    ("SIM-001", "No guest files are simulated for this TEE."),
    ("SIM-002", "The emulator refuses a setting of the simulated guest."),
    ("SIM-003", "The simulated guest asked for what the kernel or the platform refuses."),
    ("SIM-004", "A FUSE file system cannot be mounted here."),
    ("SIM-005", "A simulator that was killed is still mounted there."),
    ("SIM-006", "The files of another simulator are there."),
    ("SIM-007", "The directory for a simulated guest is not empty."),
    ("SIM-008", "A file of the simulator cannot be used."),
    ("SIM-009", "The state file is not one, or of another guest."),
    ("STORE-001", "Another process held the database longer than the time allowed for waiting."),
    ("STORE-002", "The disk, or the size allowed for the database, is full."),
    ("STORE-003", "The database file is damaged."),
    ("STORE-004", "The file is a database of some other program."),
    ("STORE-005", "The database was written by a newer version of the program."),
    ("STORE-006", "The schema could not be brought up to date, or is not what this program made."),
    ("STORE-007", "The data were encrypted with another key-encryption key."),
    ("STORE-008", "A sealed record does not open: it was altered, or moved from elsewhere."),
    ("STORE-009", "The database or its folder cannot be opened, created or written."),
    ("STORE-010", "The key file cannot be opened, read or created."),
    ("STORE-011", "The key file can be read or written by others than its owner."),
    ("STORE-012", "The key file belongs to another user."),
    ("STORE-013", "The key file is not a regular file of exactly 32 bytes."),
    ("STORE-014", "The challenge was answered before, or the session or token identifier is taken."),
    ("STORE-015", "There is a record of that name already."),
    ("STORE-016", "The value is larger than the store takes."),
    ("STORE-017", "The store was closed."),
    ("STORE-018", "The disk failed, or the database's thread ended."),
    ("STORE-019", "A cryptographic operation failed that has no reason to."),
    ("STORE-020", "The database refused a statement: a fault of this program."),
    ("STORE-021", "As many challenge-response sessions are open as are allowed at a time."),
    ("TOK-001", "Not `header.payload.signature`, each in base64url without padding."),
    ("TOK-002", "Longer than a token may be."),
    ("TOK-003", "The header is not a JSON object with the members a JWS header must have."),
    ("TOK-004", "An algorithm that is not accepted: `none`, a symmetric one, or an unknown one."),
    ("TOK-005", "The header has `crit`; no extension is understood (RFC 7515, 4.1.11)."),
    ("TOK-006", "The algorithm does not belong to the key (RFC 8725, 3.1)."),
    ("TOK-007", "Neither `kid`, nor `jwk`, nor `x5c`."),
    ("TOK-008", "The named key is not a trusted one."),
    ("TOK-009", "The token brings its own key, and nothing trusted vouches for it."),
    ("TOK-010", "A certificate cannot be read."),
    ("TOK-011", "The certificate in the header belongs to another key than the header's `jwk`."),
    ("TOK-012", "The certificate is not a trusted one, and none of those issued it."),
    ("TOK-013", "The certificate, or the one that issued it, is not valid now."),
    ("TOK-014", "The signature does not hold."),
    (
        "TOK-015",
        "The payload is not a JSON object or a map in CBOR, or a registered claim has the wrong type.",
    ),
    ("TOK-016", "A claim that must be there is not."),
    ("TOK-017", "The token has ended."),
    ("TOK-018", "The token has not begun."),
    ("TOK-019", "The token claims to be issued later than now."),
    ("TOK-020", "Another issuer than the pinned one."),
    ("TOK-021", "The token is meant for someone else."),
    ("TOK-022", "A public key that is none, or that may not be used so."),
    ("TOK-023", "A private key that cannot be read."),
    ("TOK-024", "Claims or header members that cannot be written."),
    ("TOK-025", "The claims are no attestation result."),
    ("TOK-026", "The cryptographic library failed at what cannot fail by the input."),
    (
        "TOK-027",
        "A member of an attestation result is there in both spellings, with dots and with underscores.",
    ),
    ("TOK-028", "Not a CWT: a COSE_Sign1 with its tag, a protected algorithm and a payload."),
    ("TOK-029", "The CWT's header says that it is something else than an attestation token."),
    ("TOK-030", "No attestation result is written in a form that the client accepts."),
    ("VER-201", "A setting of the Veraison client cannot be used."),
    ("VER-202", "The Veraison service cannot be reached, or the connection broke."),
    ("VER-203", "The TLS certificate of the Veraison service is not trusted."),
    ("VER-204", "The Veraison service did not answer by the deadline."),
    ("VER-205", "The Veraison service asks to be left alone for a while (429, or 5xx with `Retry-After`)."),
    ("VER-206", "The Veraison service failed (408 or 5xx)."),
    ("VER-207", "The Veraison service answered with a status that the API does not have there."),
    ("VER-208", "The Veraison service does not take evidence of this media type."),
    ("VER-209", "The Veraison service cannot answer with the media type of the API (406)."),
    ("VER-210", "The session is gone: it expired, or another instance of the Veraison service made it."),
    ("VER-211", "The Veraison service redirects; evidence is not sent elsewhere."),
    ("VER-212", "An answer of the Veraison service is longer than allowed."),
    ("VER-213", "An answer is not of Veraison's API: another media type, or other JSON."),
    ("VER-214", "The Veraison service names a session that is not one of its own."),
    ("VER-215", "The Veraison service made a session for another nonce."),
    ("VER-216", "The Veraison service gave up on the session."),
    ("VER-217", "The Veraison service was still working on the evidence at the deadline."),
    ("VER-218", "The session is complete and holds no attestation result."),
    (
        "VER-221",
        "The attestation result is no signed JWT: malformed, or of an algorithm that is not accepted.",
    ),
    (
        "VER-222",
        "The attestation result does not verify under the pinned key, or the key that the service names.",
    ),
    ("VER-223", "The claims of the attestation result are not those of an EAR on Arm CCA."),
    ("VER-224", "The attestation result has a profile that is not known."),
    ("VER-225", "The attestation result was made for another nonce."),
    ("VER-226", "The attestation result was not made during this session, or has ended."),
    ("VER-227", "The attestation result has other submodules than those of a CCA token."),
    ("VER-228", "The attestation result has a status that is better than its trust vector."),
    ("VER-229", "The verifier says that it failed itself (AR4SI, -1)."),
    ("VER-230", "The Veraison service cannot be asked without the expected challenge of the token."),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use assay_attestation_service::{APPRAISAL_CHECKS, catalogue};

    /// Every `"ABC-001"` in the sources of all crates.
    fn codes_in(dir: &Path, found: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                if !matches!(path.file_name().unwrap().to_str(), Some("tests" | "benches" | "target")) {
                    codes_in(&path, found);
                }
            } else if path.extension().is_some_and(|e| e == "rs") && !path.ends_with("assay/src/codes.rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                // Tests at the end of a file have codes of their own.
                let text = text.split("#[cfg(test)]\nmod tests").next().unwrap();
                found.extend(text.split('"').filter(|part| is_code(part)).map(str::to_owned));
            }
        }
    }

    fn is_code(text: &str) -> bool {
        let Some((area, number)) = text.split_once('-') else { return false };
        area.len() >= 2
            && area != "SHA"
            && area.bytes().all(|b| b.is_ascii_uppercase())
            && number.len() == 3
            && number.bytes().all(|b| b.is_ascii_digit())
    }

    #[test]
    fn every_code_in_the_sources_is_documented_and_no_other() {
        let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let mut found = BTreeSet::new();
        codes_in(crates, &mut found);
        let mut documented: BTreeSet<String> =
            super::ERROR_CODES.iter().map(|(code, _)| (*code).to_owned()).collect();
        assert_eq!(documented.len(), super::ERROR_CODES.len(), "a code stands there twice");
        for (_, checks) in catalogue() {
            documented.extend(checks.iter().map(|check| check.code.to_owned()));
        }
        for check in APPRAISAL_CHECKS {
            documented.insert(check.code.to_owned());
        }
        assert_eq!(found, documented);
    }
}
