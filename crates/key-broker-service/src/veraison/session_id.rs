//! The identifier of a session: a random UUID (RFC 9562, version 4). Who knows it may use the session;
//! the store knows its hash only.

use std::fmt;

use aws_lc_rs::rand;
use http::Uri;

use crate::RequestError;
use crate::resource::rest_of_path;
use assay_attestation_service::sha256;

/// The lengths of a UUID's five groups.
const GROUPS: [usize; 5] = [8, 4, 4, 4, 12];

/// A session's identifier, in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SessionId(String);

impl SessionId {
    /// A new one, of 122 random bits.
    pub(super) fn random() -> Result<Self, RequestError> {
        let mut bytes = [0_u8; 16];
        rand::fill(&mut bytes).map_err(|_| RequestError::internal("no random bytes"))?;
        let [.., version, _, variant, _, _, _, _, _, _, _] = &mut bytes;
        *version = *version & 0x0f | 0x40;
        *variant = *variant & 0x3f | 0x80;
        let mut digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 0x0f]);
        let groups = GROUPS.map(|len| {
            let digits = digits.by_ref().take(len);
            digits.filter_map(|digit| char::from_digit(u32::from(digit), 16)).collect::<String>()
        });
        Ok(SessionId(groups.join("-")))
    }

    /// The one at the end of the path.
    pub(super) fn of_path(uri: &Uri) -> Result<Self, RequestError> {
        let text = rest_of_path(uri, "/challenge-response/v1/session/")?;
        SessionId::parse(&text).ok_or(RequestError::SessionId)
    }

    /// Any UUID in its usual form; others than ours lead to no session.
    fn parse(text: &str) -> Option<Self> {
        let groups: Vec<&str> = text.split('-').collect();
        let fits = groups.len() == GROUPS.len()
            && groups.iter().zip(GROUPS).all(|(group, len)| {
                group.len() == len && group.bytes().all(|digit| digit.is_ascii_hexdigit())
            });
        fits.then(|| SessionId(text.to_ascii_lowercase()))
    }

    /// The name of the session in the store.
    pub(super) fn hash(&self) -> [u8; 32] {
        sha256(self.0.as_bytes())
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_identifier_is_a_random_uuid_and_reads_back() {
        let (one, two) = (SessionId::random().unwrap(), SessionId::random().unwrap());
        assert_ne!(one, two);
        let text = one.to_string();
        assert_eq!((text.len(), &text[14..15]), (36, "4"));
        assert!(matches!(&text[19..20], "8" | "9" | "a" | "b"), "{text}");
        assert_eq!(SessionId::parse(&text.to_uppercase()), Some(one));
    }

    #[test]
    fn what_is_no_uuid_is_refused() {
        let good = "12345678-1234-4234-8234-123456789abc";
        assert!(SessionId::parse(good).is_some());
        for text in [
            "",
            "x",
            &good[1..],
            &good.replace('-', ""),
            &good.replace('c', "g"),
            &format!("{{{good}}}"),
            &format!("{good}-"),
            &good.replace("1234-4234", "12344-234"),
        ] {
            assert_eq!(SessionId::parse(text), None, "{text}");
        }
    }
}
