//! `assay token`: attestation result tokens.

use std::sync::Arc;

use assay_key_broker_service::{TrustError, TrustedIssuer, TrustedIssuerSettings};
use assay_token::{Jwk, JwkSet, TokenVerifier, TrustedKeys, VerifiedToken, decode_unverified};
use assay_types::{Clock as _, Coded as _, TrustTier, UnixTime};
use serde_json::{Value, json};

use crate::cli::TokenCommand;
use crate::clock::SystemClock;
use crate::commands::verify::tier_mark;
use crate::exit::Exit;
use crate::output::{self, Output};

pub(crate) fn run(command: &TokenCommand, out: Output) -> anyhow::Result<Exit> {
    match command {
        TokenCommand::Inspect { file } => {
            let text = output::read_text(file)?;
            match decode_unverified(text.trim()) {
                Ok((header, claims)) => {
                    out.line("NOT VERIFIED: this is what the token says, whoever made it.\n")?;
                    out.line(describe(&claims))?;
                    out.value(&json!({ "verified": false, "header": header, "claims": claims }))?;
                    Ok(Exit::Success)
                }
                Err(error) => failed(&error, Exit::Malformed, out),
            }
        }
        TokenCommand::Verify { file, jwks, discovery, certificate, issuer, at } => {
            anyhow::ensure!(
                jwks.is_some() || discovery.is_some() || !certificate.is_empty(),
                "give --jwks, --discovery or --certificate: what to trust"
            );
            let now = match at {
                Some(text) => UnixTime::parse_rfc3339(text)?,
                None => SystemClock.now(),
            };
            let text = output::read_text(file)?;
            if let Some(url) = discovery {
                let trusted = TrustedIssuerSettings {
                    keys: Some(url.clone()),
                    certificates: certificate.clone(),
                    issuer: issuer.clone(),
                    leeway_seconds: 0,
                    ..TrustedIssuerSettings::default()
                };
                let work = verify_at(trusted, text.trim(), now);
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
                return match runtime.block_on(work) {
                    Ok(token) => verified(&token, out),
                    Err(TrustError::Token(error)) => failed(&error, Exit::Rejected, out),
                    Err(error) => Err(error.into()),
                };
            }
            let jwks = match jwks {
                Some(file) => JwkSet::from_json(&output::read_text(file)?)?,
                None => JwkSet { keys: Vec::<Jwk>::new() },
            };
            let mut certificates = Vec::new();
            for file in certificate {
                certificates.extend(der_certificates(&output::read(file)?)?);
            }
            let verifier = TokenVerifier::new(TrustedKeys {
                jwks,
                certificates,
                issuer: issuer.clone(),
                audience: None,
                leeway_seconds: 0,
            })?;
            match verifier.verify(text.trim(), now) {
                Ok(token) => verified(&token, out),
                Err(error) => failed(&error, Exit::Rejected, out),
            }
        }
    }
}

/// What a relying party does that knows only where the issuer is.
pub(crate) async fn verify_by_discovery(
    url: &str,
    token: &str,
    now: UnixTime,
) -> Result<VerifiedToken, TrustError> {
    let keys = Some(url.to_owned());
    let settings = TrustedIssuerSettings { keys, leeway_seconds: 0, ..TrustedIssuerSettings::default() };
    verify_at(settings, token, now).await
}

async fn verify_at(
    settings: TrustedIssuerSettings,
    token: &str,
    now: UnixTime,
) -> Result<VerifiedToken, TrustError> {
    TrustedIssuer::new(settings, Arc::new(SystemClock))?.verify(token, now).await
}

fn verified(token: &VerifiedToken, out: Output) -> anyhow::Result<Exit> {
    out.line(format!("verified: signed by {}, ends {}\n", token.kid, token.expires))?;
    out.line(describe(&token.claims))?;
    out.value(&json!({
        "verified": true, "kid": token.kid, "expires": token.expires, "claims": token.claims,
    }))?;
    Ok(Exit::Success)
}

fn failed(error: &assay_token::TokenError, exit: Exit, out: Output) -> anyhow::Result<Exit> {
    out.both(
        format!("not verified: {} {error}", error.code()),
        &json!({ "verified": false, "code": error.code(), "detail": error.to_string() }),
    )?;
    Ok(exit)
}

/// PEM blocks, or the DER of one certificate.
fn der_certificates(bytes: &[u8]) -> anyhow::Result<Vec<Vec<u8>>> {
    use rustls_pki_types::CertificateDer;
    use rustls_pki_types::pem::PemObject as _;
    if !bytes.starts_with(b"-----") {
        return Ok(vec![bytes.to_vec()]);
    }
    CertificateDer::pem_slice_iter(bytes)
        .map(|block| Ok(block.map_err(|error| anyhow::anyhow!("PEM: {error}"))?.to_vec()))
        .collect()
}

/// The token in a few lines.
pub(crate) fn describe(claims: &Value) -> String {
    let text = |name: &str| claims.get(name).and_then(Value::as_str).unwrap_or("-").to_owned();
    let time = |name: &str| match claims.get(name).and_then(Value::as_i64) {
        Some(seconds) => UnixTime(seconds).to_string(),
        None => "-".into(),
    };
    let mut out = format!(
        "issuer   {}\nid       {}\nissued   {}\nends     {}\n",
        text("iss"),
        text("jti"),
        time("iat"),
        time("exp")
    );
    let submods = claims.get("submods").and_then(Value::as_object).cloned().unwrap_or_default();
    for (name, submod) in &submods {
        let status = submod.get("ear.status").and_then(Value::as_str).unwrap_or("none");
        let tier = [TrustTier::Affirming, TrustTier::Warning, TrustTier::Contraindicated]
            .into_iter()
            .find(|tier| tier.as_str() == status)
            .unwrap_or(TrustTier::None);
        out.push_str(&format!("{name:<8} {} {status}", tier_mark(tier)));
        if let Some(vector) = submod.get("ear.trustworthiness-vector").and_then(Value::as_object) {
            for (claim, value) in vector.iter().filter(|(_, value)| value.as_i64() != Some(0)) {
                out.push_str(&format!("  {claim} {value}"));
            }
        }
        out.push('\n');
        if submod.get("ear.assay.emulated") == Some(&Value::Bool(true)) {
            out.push_str("         EMULATED: no hardware stands behind it\n");
        }
    }
    out.trim_end().to_owned()
}
