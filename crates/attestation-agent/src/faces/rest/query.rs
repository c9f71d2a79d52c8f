//! Queries: `name=value&…`, percent-encoded, with `+` for a space.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::api::TokenKind;
use crate::error::AgentError;

/// The parameters of a query, decoded, each at most once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query(Vec<(String, String)>);

/// The query of `/aa/token`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenQuery {
    /// `token_type`.
    pub kind: TokenKind,
}

/// The query of `/aa/evidence` and `/aa/additional-evidence`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EvidenceQuery {
    /// `runtime_data`: the bytes of the text, or with `encoding=base64` (URL-safe, no padding) what it stands for.
    pub runtime_data: Vec<u8>,
}

fn bad(why: impl Into<String>) -> AgentError {
    AgentError::BadRequest(why.into())
}

fn shown(text: &str) -> String {
    text.chars().take(64).collect()
}

impl Query {
    /// Reads a query. One that takes a parameter twice, or is not percent-encoded UTF-8, is refused: what
    /// it means would depend on the reader.
    ///
    /// # Errors
    /// [`AgentError::BadRequest`].
    pub fn parse(text: &str) -> Result<Self, AgentError> {
        let mut parameters: Vec<(String, String)> = Vec::new();
        for part in text.split('&').filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let (name, value) = (decode(name)?, decode(value)?);
            if parameters.iter().any(|(known, _)| *known == name) {
                return Err(bad(format!("the query has {:?} twice", shown(&name))));
            }
            // Nothing here takes more; this bounds the comparisons above.
            if parameters.len() == 8 {
                return Err(bad("the query has more than 8 parameters"));
            }
            parameters.push((name, value));
        }
        Ok(Query(parameters))
    }

    fn value(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// A parameter that is not known may be one that is misspelt: it is refused, not passed over.
    fn only(&self, names: &[&str]) -> Result<(), AgentError> {
        match self.0.iter().find(|(name, _)| !names.contains(&name.as_str())) {
            Some((name, _)) => {
                Err(bad(format!("the query has {:?}; known are {}", shown(name), names.join(", "))))
            }
            None => Ok(()),
        }
    }
}

impl TokenQuery {
    /// Reads `token_type=kbs|coco_as`.
    ///
    /// # Errors
    /// [`AgentError::BadRequest`], [`AgentError::TokenType`].
    pub fn parse(text: &str) -> Result<Self, AgentError> {
        let query = Query::parse(text)?;
        query.only(&["token_type"])?;
        let name = query.value("token_type");
        let name = name.ok_or_else(|| bad("token_type is missing: add ?token_type=kbs or coco_as"))?;
        Ok(TokenQuery { kind: TokenKind::from_name(name)? })
    }
}

impl EvidenceQuery {
    /// Reads `runtime_data=<text>[&encoding=base64]`.
    ///
    /// # Errors
    /// [`AgentError::BadRequest`].
    pub fn parse(text: &str) -> Result<Self, AgentError> {
        let query = Query::parse(text)?;
        query.only(&["runtime_data", "encoding"])?;
        let data = query.value("runtime_data");
        let data = data.ok_or_else(|| bad("runtime_data is missing: add ?runtime_data=<text>"))?;
        let runtime_data = match query.value("encoding") {
            None => data.as_bytes().to_vec(),
            Some("base64") => URL_SAFE_NO_PAD.decode(data).map_err(|error| {
                bad(format!("runtime_data is not base64 (URL-safe, without padding): {error}"))
            })?,
            Some(other) => {
                return Err(bad(format!(
                    "the encoding {:?} is not known: \"base64\" is, or leave it out for plain text",
                    shown(other)
                )));
            }
        };
        Ok(EvidenceQuery { runtime_data })
    }
}

fn decode(text: &str) -> Result<String, AgentError> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    let digit = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16));
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => match (digit(bytes.next()), digit(bytes.next())) {
                (Some(high), Some(low)) => u8::try_from(high * 16 + low).unwrap_or_default(),
                _ => {
                    return Err(bad("a percent sign in the query is not followed by two hexadecimal digits"));
                }
            },
            byte => byte,
        });
    }
    String::from_utf8(decoded).map_err(|_| bad("the query is not UTF-8; for other bytes use encoding=base64"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

    use super::*;

    #[test]
    fn evidence_queries_give_the_bytes_that_are_bound() {
        for (text, bytes) in [
            ("runtime_data=abc", &b"abc"[..]),
            ("runtime_data=", b""),
            ("runtime_data", b""),
            ("runtime_data=a+b%20c%2B%26%3d", b"a b c+&="),
            ("runtime_data=%C3%BC", "ü".as_bytes()),
            ("&runtime_data=a=b&", b"a=b"),
            ("runtime_data=_-8&encoding=base64", &[0xff, 0xef]),
            ("encoding=base64&runtime_data=", b""),
            ("runtime%5Fdata=x", b"x"),
        ] {
            assert_eq!(EvidenceQuery::parse(text).unwrap().runtime_data, bytes, "{text}");
        }
    }

    #[test]
    fn queries_that_could_mean_two_things_are_refused() {
        for (text, why) in [
            ("", "runtime_data is missing"),
            ("encoding=base64", "runtime_data is missing"),
            ("runtime_data=a&runtime_data=a", "twice"),
            ("runtime_data=a&runtime%5fdata=a", "twice"),
            ("runtime_data=a&encodng=base64", "encodng"),
            ("runtime_data=a&encoding=hex", "hex"),
            ("runtime_data=a&encoding=", "encoding"),
            ("runtime_data=_-8%3d&encoding=base64", "base64"),
            ("runtime_data=/+8&encoding=base64", "base64"),
            ("runtime_data=%ff", "UTF-8"),
            ("runtime_data=%f", "percent"),
            ("runtime_data=%", "percent"),
            ("runtime_data=%+1", "percent"),
            ("a&b&c&d&e&f&g&h&i", "more than 8"),
        ] {
            let error = EvidenceQuery::parse(text).unwrap_err();
            assert!(matches!(error, AgentError::BadRequest(_)), "{text}");
            assert!(error.to_string().contains(why), "{text}: {error}");
        }
    }

    #[test]
    fn token_queries() {
        assert_eq!(TokenQuery::parse("token_type=kbs").unwrap().kind, TokenKind::Kbs);
        assert_eq!(TokenQuery::parse("token_type=coco%5fas").unwrap().kind, TokenKind::AttestationService);
        assert!(matches!(TokenQuery::parse("token_type=KBS"), Err(AgentError::TokenType { .. })));
        for text in ["", "type=kbs", "token_type=kbs&x=1"] {
            assert!(matches!(TokenQuery::parse(text), Err(AgentError::BadRequest(_))), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_survives_its_encoding(text in any::<String>(), bytes in any::<Vec<u8>>()) {
            let encoded: String = text.bytes().map(|byte| format!("%{byte:02X}")).collect();
            let query = EvidenceQuery::parse(&format!("runtime_data={encoded}")).unwrap();
            prop_assert_eq!(query.runtime_data, text.as_bytes());
            let encoded = URL_SAFE_NO_PAD.encode(&bytes);
            let query = EvidenceQuery::parse(&format!("encoding=base64&runtime_data={encoded}")).unwrap();
            prop_assert_eq!(query.runtime_data, bytes);
        }

        #[test]
        fn any_query_is_read_or_refused(text in any::<String>()) {
            if let Ok(query) = Query::parse(&text) {
                prop_assert!(query.0.len() <= 8);
            }
        }
    }
}
