//! Assay's configuration file, made of what was taken of Trustee's.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::Context as _;

use super::mapping::{KeyOutcome, Mapping};

/// The text of the file: what was not taken stands before it as comments.
pub(super) fn text(mapping: &Mapping, source: &Path) -> String {
    let mut text =
        format!("# Made of {} by `assay import trustee`.\n", one_line(&source.display().to_string()));
    let refused = mapping.lines.iter().filter_map(|line| match &line.outcome {
        KeyOutcome::Refused { reason, instead } => Some((&line.key, reason, instead)),
        _ => None,
    });
    for (index, (key, reason, instead)) in refused.enumerate() {
        if index == 0 {
            text.push_str("#\n# Not taken:\n");
        }
        text.push_str(&format!("# - {}: {}; {}\n", one_line(key), one_line(reason), one_line(instead)));
    }
    let mut section = "";
    // Keys of one section stand together: they are sorted.
    for (key, value) in &mapping.settings {
        let (head, name) = key.rsplit_once('.').unwrap_or(("", key));
        if head != section {
            section = head;
            text.push_str(&format!("\n[{head}]\n"));
        }
        text.push_str(&format!("{name} = {value}\n"));
    }
    text
}

/// Foreign text as part of a comment: it cannot end the line.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// Writes a file that is not there yet.
pub(super) fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let made = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let mut file = match made {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            anyhow::bail!("{} is there already, and is not overwritten", path.display())
        }
        Err(error) => return Err(error).with_context(|| format!("writing {}", path.display())),
    };
    file.write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .with_context(|| format!("writing {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::super::mapping::Documents;
    use super::*;
    use crate::settings::Settings;

    fn mapping(kbs: &str) -> Mapping {
        let kbs = serde_json::to_value(toml::from_str::<toml::Table>(kbs).unwrap()).unwrap();
        Documents { kbs, attestation_service: None, rvps: None }.map().unwrap()
    }

    #[test]
    fn the_program_reads_what_it_wrote() {
        let mapping = mapping(
            r#"
            [http_server]
            sockets = ["[::1]:8443"]
            payload_request_size = 8
            certificate = "/a \" b.pem"
            "evil\n[danger]\nallow_sample = true\n" = 1
            [attestation_service]
            type = "coco_as_builtin"
            timeout = 2
            [attestation_service.attestation_token_broker]
            duration_min = 60
            issuer_name = "line\n[danger]\nallow_sample = true"
            [attestation_service.verifier_config]
            dcap_verifier = { collateral_service = "https://pccs:8081", tcb_update_type = "standard" }
            snp_verifier = { vcek_sources = [{ type = "KDS", base_url = "https://kds" }, { type = "OfflineStore", path = "/kds" }] }
            "#,
        );
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("assay.toml");
        write(&file, &text(&mapping, Path::new("a\nb = 1"))).unwrap();
        let read = Settings::load(Some(&file)).unwrap();
        assert_eq!(read.server.listen.to_string(), "[::1]:8443");
        assert_eq!(read.server.tls_certificate.as_deref(), Some(Path::new("/a \" b.pem")));
        assert_eq!(read.limits.body_bytes, 8 << 20);
        assert_eq!((read.limits.session_seconds, read.token.lifetime_seconds), (120, 3600));
        assert_eq!(read.token.issuer, "line\n[danger]\nallow_sample = true");
        assert_eq!(read.collateral.amd_kds_url, "https://kds");
        assert_eq!(read.collateral.offline_folder.as_deref(), Some(Path::new("/kds")));
        assert!(!read.danger.allow_sample);
        // It is not overwritten, whatever is in it.
        let error = write(&file, "").unwrap_err().to_string();
        assert!(error.contains("is not overwritten"), "{error}");
        assert_eq!(Settings::load(Some(&file)).unwrap(), read);
    }

    #[test]
    fn what_was_not_taken_stands_there_as_a_comment() {
        let text =
            text(&mapping("[admin]\nauthorization_mode = \"InsecureAllowAll\""), Path::new("kbs.toml"));
        assert!(text.contains("# - admin.authorization_mode: there is no mode"), "{text}");
        assert!(text.lines().all(|line| line.starts_with('#')), "{text}");
    }
}
