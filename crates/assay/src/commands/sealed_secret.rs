//! `assay sealed-secret`: sealed secrets for their owner.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::Context as _;
use assay_sealed_secret::{
    Payload, Provider, SealedSecretError, SealingKey, Unverified, Vault, VerificationKey,
    parse_without_verification_danger, seal_envelope, seal_vault,
};
use assay_types::{Coded as _, ResourceUri, SecretBytes};
use serde_json::{Map, Value, json};

use crate::cli::{SealCommand, SealedSecretCommand, Signer};
use crate::exit::Exit;
use crate::output::{self, Output};

pub(crate) fn run(command: &SealedSecretCommand, out: Output) -> anyhow::Result<Exit> {
    match command {
        SealedSecretCommand::Keygen { kid, out_private, out_public } => {
            keygen(kid, out_private, out_public, out)
        }
        SealedSecretCommand::Seal(command) => {
            let text = seal(command)?;
            out.both(&text, &json!({ "sealed": text }))?;
            Ok(Exit::Success)
        }
        SealedSecretCommand::Show { file } => show(&output::read_text(file)?, out),
        SealedSecretCommand::Verify { file, key } => {
            let key = VerificationKey::from_jwk(&output::read(key)?)
                .with_context(|| format!("the key in {}", key.display()))?;
            verify(&output::read_text(file)?, &key, out)
        }
    }
}

fn keygen(kid: &str, private: &Path, public: &Path, out: Output) -> anyhow::Result<Exit> {
    let key = SealingKey::generate(kid)?;
    let mut public_jwk = serde_json::to_string_pretty(key.public_jwk())?;
    public_jwk.push('\n');
    create_private(private, &key.private_jwk()?)?;
    output::write(public, public_jwk.as_bytes())?;
    out.line(format!("private key  {}  keep it; who has it can seal", private.display()))?;
    let place = match kid.parse::<ResourceUri>() {
        Ok(uri) => format!("give it to the key broker as {uri}"),
        Err(_) => format!("put it into the guest as the file {kid}"),
    };
    out.line(format!("public key   {}  {place}", public.display()))?;
    out.value(&json!({ "kid": kid, "private": private, "public": public }))?;
    Ok(Exit::Success)
}

/// A new file that its owner alone can read; a key that is there is not lost by a second run.
fn create_private(path: &Path, bytes: &SecretBytes) -> anyhow::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .with_context(|| format!("making {}", path.display()))?;
    file.write_all(bytes.expose()).with_context(|| format!("writing {}", path.display()))
}

fn seal(command: &SealCommand) -> anyhow::Result<String> {
    match command {
        // The only provider that the command line takes.
        SealCommand::Vault { signer, resource, provider: _ } => {
            let vault = Vault {
                name: resource.to_string(),
                provider: Provider::kbs(),
                provider_settings: Map::new(),
                annotations: Map::new(),
            };
            Ok(seal_vault(&key(signer)?, &signer.kid, vault)?)
        }
        SealCommand::Envelope { signer, kek, key_id, file } => {
            let kek_bytes = SecretBytes::new(output::read(kek)?);
            let secret = SecretBytes::new(output::read(file)?);
            seal_envelope(&key(signer)?, &signer.kid, key_id, &kek_bytes, &secret)
                .with_context(|| format!("sealing with the key-encryption key in {}", kek.display()))
        }
    }
}

fn key(signer: &Signer) -> anyhow::Result<SealingKey> {
    SealingKey::from_jwk(&SecretBytes::new(output::read(&signer.signing_key)?))
        .with_context(|| format!("the key in {}", signer.signing_key.display()))
}

fn show(text: &str, out: Output) -> anyhow::Result<Exit> {
    let payload = match parse_without_verification_danger(text) {
        Ok(payload) => payload,
        Err(error) => return refused("not a sealed secret", &error, Exit::Malformed, out),
    };
    out.line("NOT VERIFIED: this is what the text says, whoever made it.\n")?;
    let mut said = said(&payload);
    match Unverified::parse(text) {
        Ok(unverified) => {
            out.line(format!("kid       {}", unverified.kid()))?;
            said.insert("kid".to_owned(), unverified.kid().into());
        }
        Err(error) => {
            out.line(format!("unsigned  {} {error}", error.code()))?;
            said.insert("unsigned".to_owned(), format!("{} {error}", error.code()).into());
        }
    }
    out.line(lines(&payload))?;
    said.insert("verified".to_owned(), false.into());
    out.value(&said)?;
    Ok(Exit::Success)
}

fn verify(text: &str, key: &VerificationKey, out: Output) -> anyhow::Result<Exit> {
    let (unverified, payload) =
        match Unverified::parse(text).and_then(|it| it.verify(key).map(|payload| (it, payload))) {
            Ok(verified) => verified,
            Err(error @ SealedSecretError::Signature { .. }) => {
                return refused("not verified", &error, Exit::Rejected, out);
            }
            Err(error) => return refused("not a sealed secret", &error, Exit::Malformed, out),
        };
    out.line(format!("verified: sealed with that key, named {}\n", unverified.kid()))?;
    out.line(lines(&payload))?;
    let mut said = said(&payload);
    said.insert("verified".to_owned(), true.into());
    said.insert("kid".to_owned(), unverified.kid().into());
    out.value(&said)?;
    Ok(Exit::Success)
}

fn refused(what: &str, error: &SealedSecretError, exit: Exit, out: Output) -> anyhow::Result<Exit> {
    out.both(
        format!("{what}: {} {error}", error.code()),
        &json!({ "verified": false, "code": error.code(), "detail": error.to_string() }),
    )?;
    Ok(exit)
}

/// The payload for programs, without the encrypted parts.
fn said(payload: &Payload) -> Map<String, Value> {
    let value = match payload {
        Payload::Vault(vault) => json!({
            "type": "vault", "name": vault.name, "provider": vault.provider,
            "provider_settings": vault.provider_settings, "annotations": vault.annotations,
        }),
        Payload::Envelope(envelope) => json!({
            "type": "envelope", "key_id": envelope.key_id, "provider": envelope.provider,
            "wrap_type": envelope.wrap_type.as_str(), "encrypted_bytes": envelope.encrypted_data.len(),
            "provider_settings": envelope.provider_settings, "annotations": envelope.annotations,
        }),
    };
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

/// The payload in a few lines.
fn lines(payload: &Payload) -> String {
    match payload {
        Payload::Vault(vault) => {
            format!("type      vault\nprovider  {}\nname      {}", vault.provider.as_str(), vault.name)
        }
        Payload::Envelope(envelope) => format!(
            "type      envelope, {}, {} bytes\nprovider  {}\nkey       {}",
            envelope.wrap_type.as_str(),
            envelope.encrypted_data.len(),
            envelope.provider.as_str(),
            envelope.key_id
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::PathBuf;

    use super::*;

    const OUT: Output = Output { json: false };

    fn signer(file: PathBuf) -> Signer {
        Signer { signing_key: file, kid: "owner".to_owned() }
    }

    #[test]
    fn what_the_owner_makes_verifies_and_nothing_else_does() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let run = |command: SealedSecretCommand| run(&command, OUT);
        let keygen = |n: u8| SealedSecretCommand::Keygen {
            kid: "owner".to_owned(),
            out_private: at(&format!("private{n}")),
            out_public: at(&format!("public{n}")),
        };
        assert_eq!(run(keygen(1)).unwrap(), Exit::Success);
        assert_eq!(run(keygen(2)).unwrap(), Exit::Success);
        let before = std::fs::read(at("private1")).unwrap();
        assert!(run(keygen(1)).is_err(), "a private key was overwritten");
        assert_eq!(std::fs::read(at("private1")).unwrap(), before);
        assert_eq!(std::fs::metadata(at("private1")).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(!std::fs::read_to_string(at("public1")).unwrap().contains("\"d\""));

        let (resource, key_id) = ("kbs:///a/b/c".parse().unwrap(), "kbs:///a/kek/1".parse().unwrap());
        std::fs::write(at("kek"), [7; 32]).unwrap();
        std::fs::write(at("secret"), b"hunter2").unwrap();
        let vault =
            SealCommand::Vault { signer: signer(at("private1")), resource, provider: "kbs".to_owned() };
        let envelope = SealCommand::Envelope {
            signer: signer(at("private1")),
            kek: at("kek"),
            key_id,
            file: at("secret"),
        };
        for command in [vault, envelope] {
            std::fs::write(at("sealed"), seal(&command).unwrap()).unwrap();
            let verify = |key: &str| run(SealedSecretCommand::Verify { file: at("sealed"), key: at(key) });
            assert_eq!(verify("public1").unwrap(), Exit::Success);
            assert_eq!(verify("public2").unwrap(), Exit::Rejected);
            assert!(format!("{:#}", verify("private1").unwrap_err()).contains("PRIVATE"));
            assert_eq!(run(SealedSecretCommand::Show { file: at("sealed") }).unwrap(), Exit::Success);
        }
        std::fs::write(at("sealed"), "sealed.x").unwrap();
        let verify = SealedSecretCommand::Verify { file: at("sealed"), key: at("public1") };
        assert_eq!(run(verify).unwrap(), Exit::Malformed);
        assert_eq!(run(SealedSecretCommand::Show { file: at("sealed") }).unwrap(), Exit::Malformed);
        std::fs::write(at("kek"), [7; 31]).unwrap();
        let short = SealCommand::Envelope {
            signer: signer(at("private1")),
            kek: at("kek"),
            key_id: "kbs:///a/kek/1".parse().unwrap(),
            file: at("secret"),
        };
        assert!(format!("{:#}", seal(&short).unwrap_err()).contains("32"));
    }
}
