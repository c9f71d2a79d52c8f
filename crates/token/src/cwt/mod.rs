//! Attestation results as CBOR Web Tokens (RFC 8392, RFC 9711): a COSE_Sign1 (RFC 9052) over a map with
//! the integer keys of draft-ietf-rats-ear.
//!
//! ```text
//! 18([ << {1: alg, 4: kid, 16: "application/eat+cwt"} >>, {}, << claims >>, signature ])
//! claims = {1: iss, 4: exp, 5: nbf, 6: iat, 7: jti, 10: nonce, 265: profile,
//!           266: {text => {1000: status, 1001: {claim => value}, 1003: [policy ids], …}},
//!           1004: {0: developer, 1: build}}
//! ```
//!
//! - `kid` is the bytes of the key's name as it stands in the JWKS.
//! - The type of the whole is in `typ` (16, RFC 9596), protected. The content type (3) is left out: it
//!   would name the type of the payload, which is a bare claims set and no EAT of its own (RFC 9052, 3.1;
//!   RFC 9711, 6 and RFC 9782 require neither).
//! - The tag 18 is written, the tag 61 of RFC 8392 is not (RFC 9711, 6.3.4 leaves it to the profile); read
//!   are both.
//! - Claims without an integer key have text keys, under their names with underscores
//!   (`ear_assay_emulated`). In between, CBOR is handled as the JSON of that dialect.

mod json;
mod keys;
mod read;
mod token;
mod write;
