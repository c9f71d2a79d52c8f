//! Issuer chains in response headers, as Intel's PCS and PCCS send them: PEM text, percent-encoded
//! (PCS API version 4, response headers such as `TCB-Info-Issuer-Chain`).

use assay_types::{CollateralRequest, ServedCollateral};
use bytes::Bytes;
use reqwest::header::HeaderMap;

use crate::error::AttemptOutcome;

/// The longest chain, decoded, in bytes. Intel's two certificates have about 2 KiB.
const MAX_CHAIN: usize = 16 << 10;

/// The largest piece of collateral that an answer to `request` becomes, in bytes. Where a chain goes
/// with it, that is [`ServedCollateral`]: the body in base64, and the chain, each of whose characters
/// takes two at most.
pub(crate) fn largest_piece(request: &CollateralRequest) -> usize {
    if request.chain_headers.is_empty() {
        return request.max_len;
    }
    let body = request.max_len.div_ceil(3).saturating_mul(4);
    body.saturating_add(2 * MAX_CHAIN + 128).max(request.max_len)
}

/// The body, with the issuer chain where the request names headers for it.
pub(crate) fn with_chain(
    request: &CollateralRequest,
    headers: &HeaderMap,
    body: Bytes,
) -> Result<Bytes, AttemptOutcome> {
    if request.chain_headers.is_empty() {
        return Ok(body);
    }
    let found = request.chain_headers.iter().find_map(|name| Some((name, headers.get(name)?)));
    let issuer_chain = match found {
        Some((name, value)) => decode(value.as_bytes())
            .map_err(|why| AttemptOutcome::BadIssuerChain { header: name.clone(), why })?,
        None => String::new(),
    };
    Ok(ServedCollateral { issuer_chain, body: body.to_vec() }.to_bytes())
}

/// Percent-decoding (RFC 3986, 2.1) of the value of such a header to PEM text: printable ASCII and line
/// ends, at most 16 KiB.
///
/// # Errors
/// What the value is instead, in words.
pub fn decode(value: &[u8]) -> Result<String, &'static str> {
    if value.len() > 3 * MAX_CHAIN {
        return Err("it is longer than a chain of certificates can be");
    }
    let mut text = String::with_capacity(value.len());
    let mut rest = value.iter().copied();
    while let Some(byte) = rest.next() {
        let decoded = match byte {
            b'%' => {
                let (high, low) = (rest.next().and_then(digit), rest.next().and_then(digit));
                let (Some(high), Some(low)) = (high, low) else {
                    return Err("a percent sign is not followed by two hexadecimal digits");
                };
                high << 4 | low
            }
            other => other,
        };
        if !matches!(decoded, b' '..=b'~' | b'\n' | b'\r') {
            return Err("it is not PEM text");
        }
        text.push(char::from(decoded));
    }
    if text.len() > MAX_CHAIN { Err("it is longer than a chain of certificates can be") } else { Ok(text) }
}

fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use assay_types::{CollateralKind, Vendor};

    use super::*;

    fn request(max_len: usize) -> CollateralRequest {
        CollateralRequest {
            vendor: Vendor::Intel,
            kind: CollateralKind::TcbInformation,
            description: "TCB info".into(),
            cache_key: "tcb".into(),
            offline_paths: Vec::new(),
            service_path: "/tcb".into(),
            chain_headers: vec!["TCB-Info-Issuer-Chain".into()],
            required: true,
            max_len,
        }
    }

    #[test]
    fn pem_is_decoded() {
        let encoded = b"-----BEGIN%20CERTIFICATE-----%0AMII%2Bab%2f+%3D%3d%0a";
        assert_eq!(decode(encoded).unwrap(), "-----BEGIN CERTIFICATE-----\nMII+ab/+==\n");
        assert_eq!(decode(b"").unwrap(), "");
    }

    #[test]
    fn what_is_no_encoded_pem_is_refused() {
        let too_long = vec![b'a'; MAX_CHAIN + 1];
        for wrong in [&b"%"[..], b"%2", b"%2g", b"%-1", b"a%00", b"%80", b"\xff", b"a\tb", &too_long] {
            assert!(decode(wrong).is_err(), "{wrong:?}");
        }
        assert!(decode(&vec![b'a'; MAX_CHAIN]).is_ok());
        assert!(decode("%41".repeat(MAX_CHAIN).as_bytes()).is_ok());
        assert!(decode("%41".repeat(MAX_CHAIN + 1).as_bytes()).is_err());
    }

    #[test]
    fn the_largest_answer_with_the_longest_chain_is_within_the_bound() {
        for len in [0, 1, 2, 3, 4096] {
            for character in ['\n', '"', 'a'] {
                let issuer_chain: String = std::iter::repeat_n(character, MAX_CHAIN).collect();
                let piece = ServedCollateral { issuer_chain, body: vec![0; len] }.to_bytes();
                assert!(piece.len() <= largest_piece(&request(len)), "{len} {character:?}");
            }
        }
        assert_eq!(largest_piece(&CollateralRequest { chain_headers: Vec::new(), ..request(7) }), 7);
    }
}
