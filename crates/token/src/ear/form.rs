//! In which form a client gets an attestation result, by the media types it accepts.

use std::fmt;

use assay_types::{Coded, Fault};

use super::EarDialect;
use super::accept::{MAX_ACCEPT_BYTES, MediaRange, ranges};
use crate::error::shown;

/// How the claims are signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EarEncoding {
    /// A JWT in compact form.
    Jwt,
    /// A CWT.
    Cwt,
}

/// The media type under which an attestation result travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EarMedia {
    /// `application/json`: a JWT within the message that the endpoint has of old.
    Json,
    /// `application/eat+jwt` (RFC 9782): the JWT alone.
    EatJwt,
    /// `application/eat+cwt` (RFC 9782): the CWT alone.
    EatCwt,
    /// `application/jwt` (RFC 7519, 10.3.1): the JWT alone.
    Jwt,
}

impl EarMedia {
    /// `type/subtype`.
    pub const fn as_str(self) -> &'static str {
        match self {
            EarMedia::Json => "application/json",
            EarMedia::EatJwt => "application/eat+jwt",
            EarMedia::EatCwt => "application/eat+cwt",
            EarMedia::Jwt => "application/jwt",
        }
    }
}

/// The form of an attestation result: one of [`EarForm::ALL`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EarForm {
    media: EarMedia,
    dialect: EarDialect,
}

/// Nothing that the client accepts can be given: `TOK-030`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no attestation result is written in the form asked for by Accept ({asked}); there are {known}")]
pub struct NotAcceptable {
    /// The header's value, cut after 64 characters.
    pub asked: String,
    /// Every form there is, separated by commas.
    pub known: String,
}

impl Coded for NotAcceptable {
    fn code(&self) -> &'static str {
        "TOK-030"
    }

    fn fault(&self) -> Fault {
        Fault::NotAcceptable
    }
}

const fn form(media: EarMedia, dialect: EarDialect) -> EarForm {
    EarForm { media, dialect }
}

impl EarForm {
    /// Every form, the one that is preferred where the client has no preference first. A CWT is written
    /// in the draft's dialect only: the other two define no integer keys.
    pub const ALL: [EarForm; 6] = [
        form(EarMedia::Json, EarDialect::Trustee2024),
        form(EarMedia::EatJwt, EarDialect::Trustee2024),
        form(EarMedia::EatJwt, EarDialect::Veraison2023),
        form(EarMedia::EatJwt, EarDialect::Ietf),
        form(EarMedia::EatCwt, EarDialect::Ietf),
        form(EarMedia::Jwt, EarDialect::Trustee2024),
    ];

    /// The form that the value of an `Accept` header asks for (RFC 9110, 12.5.1); the default without one.
    ///
    /// Understood are `application/eat+jwt` and `application/eat+cwt`, each with or without the parameter
    /// `eat_profile` (RFC 9782), quoted or not; `application/jwt`, `application/json`, `application/*`,
    /// `*/*`. The greatest weight wins; of equal ones the more exact range, so that `application/eat+cwt,
    /// */*` is a CWT; then the order of [`EarForm::ALL`].
    ///
    /// # Errors
    /// [`NotAcceptable`] when there is no form in any range, or the header has more than 4096 bytes.
    pub fn negotiate(accept: Option<&str>) -> Result<Self, NotAcceptable> {
        let Some(header) = accept else { return Ok(EarForm::default()) };
        let ranges = if header.len() <= MAX_ACCEPT_BYTES { ranges(header) } else { Vec::new() };
        let mut best: Option<(u16, u8, EarForm)> = None;
        for form in EarForm::ALL {
            // The most exact range decides about the form (RFC 9110, 12.5.1).
            let matching = ranges.iter().filter_map(|range| Some((form.exactness(range)?, range.weight)));
            let Some((exactness, weight)) = matching.max() else { continue };
            if weight > 0 && best.is_none_or(|(w, e, _)| (weight, exactness) > (w, e)) {
                best = Some((weight, exactness, form));
            }
        }
        best.map(|(_, _, form)| form).ok_or_else(|| NotAcceptable {
            asked: shown(header),
            known: EarForm::ALL.map(|form| form.content_type()).join(", "),
        })
    }

    /// How exactly a range names this form; `None` when it does not.
    fn exactness(self, range: &MediaRange) -> Option<u8> {
        let exactness = match range.essence.as_str() {
            "*/*" => 0,
            "application/*" => 1,
            essence if essence == self.media.as_str() => 2,
            _ => return None,
        };
        match &range.profile {
            None => Some(exactness),
            Some(profile) if EarDialect::from_profile(profile) == Some(self.dialect) => {
                self.has_profile().then_some(exactness + 1)
            }
            Some(_) => None,
        }
    }

    /// Whether the media type says which dialect it is.
    fn has_profile(self) -> bool {
        matches!(self.media, EarMedia::EatJwt | EarMedia::EatCwt)
    }

    /// The media type.
    pub fn media(self) -> EarMedia {
        self.media
    }

    /// The names of the claims.
    pub fn dialect(self) -> EarDialect {
        self.dialect
    }

    /// How the claims are signed.
    pub fn encoding(self) -> EarEncoding {
        match self.media {
            EarMedia::EatCwt => EarEncoding::Cwt,
            EarMedia::Json | EarMedia::EatJwt | EarMedia::Jwt => EarEncoding::Jwt,
        }
    }

    /// The value of `Content-Type`.
    pub fn content_type(self) -> String {
        let media = self.media.as_str();
        if self.has_profile() {
            format!("{media}; eat_profile=\"{}\"", self.dialect.profile())
        } else {
            media.to_owned()
        }
    }
}

impl Default for EarForm {
    /// A JWT in Trustee's dialect, within JSON.
    fn default() -> Self {
        form(EarMedia::Json, EarDialect::Trustee2024)
    }
}

impl fmt::Display for EarForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.content_type())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use EarDialect::{Ietf, Trustee2024, Veraison2023};
    use EarMedia::{EatCwt, EatJwt, Json, Jwt};

    #[test]
    fn what_is_accepted_is_given() {
        for (header, media, dialect) in [
            ("*/*", Json, Trustee2024),
            ("application/*", Json, Trustee2024),
            ("application/json", Json, Trustee2024),
            ("application/json, text/plain, */*", Json, Trustee2024),
            ("text/html, image/gif, *; q=.2, */*; q=.2", Json, Trustee2024),
            ("application/jwt", Jwt, Trustee2024),
            ("application/eat+jwt", EatJwt, Trustee2024),
            ("application/eat+cwt", EatCwt, Ietf),
            ("application/eat+cwt, */*", EatCwt, Ietf),
            ("application/eat+cwt;q=0.5, */*", Json, Trustee2024),
            ("application/json;q=0.5, application/eat+cwt;q=0.6", EatCwt, Ietf),
            ("application/json;q=0, */*", EatJwt, Trustee2024),
            ("application/json;q=0, application/eat+jwt;q=0, */*", EatCwt, Ietf),
            (r#"application/eat+jwt; eat_profile="tag:github.com,2023:veraison/ear""#, EatJwt, Veraison2023),
            ("application/eat+jwt;eat_profile=tag:github.com,2023:veraison/ear, a/b", EatJwt, Veraison2023),
            (r#"application/eat+jwt; eat_profile="tag:ietf.org,2026:rats/ear#03""#, EatJwt, Ietf),
            (r#"application/eat+jwt; eat_profile="TAG:ietf.org,2026:rats/EAR#04""#, EatJwt, Ietf),
            (r#"application/eat+cwt; eat_profile="tag:ietf.org,2026:rats/ear#04""#, EatCwt, Ietf),
            // The exact range decides, whichever stands first.
            (r#"application/eat+jwt, application/eat+jwt;eat_profile="ear#04";q=0"#, EatJwt, Trustee2024),
            (r#"application/eat+jwt;q=0.1, application/eat+jwt;eat_profile="ear#04""#, EatJwt, Ietf),
            // What is unknown matches nothing, but what else is asked for does.
            (r#"application/eat+jwt;eat_profile="x", application/json;q=0.1"#, Json, Trustee2024),
        ] {
            assert_eq!(EarForm::negotiate(Some(header)), Ok(EarForm { media, dialect }), "{header}");
        }
        assert_eq!(EarForm::negotiate(None), Ok(EarForm::default()));
    }

    #[test]
    fn what_nobody_writes_is_refused_with_what_there_is() {
        let long = format!("{}, */*", "a/b, ".repeat(1000));
        for header in [
            "",
            "text/html",
            "*/*;q=0",
            "application/json;q=0",
            "application/eat-ucs+json",
            r#"application/eat+jwt; eat_profile="tag:example.com,2020:x""#,
            r#"application/eat+cwt; eat_profile="tag:github.com,2023:veraison/ear""#,
            r#"application/json; eat_profile="tag:ietf.org,2026:rats/ear#04""#,
            long.as_str(),
        ] {
            let error = EarForm::negotiate(Some(header)).unwrap_err();
            assert_eq!((error.code(), error.fault()), ("TOK-030", Fault::NotAcceptable), "{header}");
            for dialect in EarDialect::ALL {
                assert!(error.known.contains(dialect.profile()), "{error}");
            }
            assert!(error.asked.chars().count() <= 64);
        }
    }

    #[test]
    fn every_form_is_given_to_who_asks_for_its_content_type() {
        for form in EarForm::ALL {
            assert_eq!(EarForm::negotiate(Some(&form.content_type())), Ok(form));
            assert_eq!(form.encoding() == EarEncoding::Cwt, form.content_type().contains("cwt"));
        }
        assert_eq!(EarForm::default().content_type(), "application/json");
        assert_eq!(
            form(EatCwt, Ietf).to_string(),
            r#"application/eat+cwt; eat_profile="tag:ietf.org,2026:rats/ear#04""#
        );
    }
}
