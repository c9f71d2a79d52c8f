//! The kernel's command line, where kata and others put the key broker's address.

use anyhow::Context as _;

/// `agent.aa_kbc_params=<kbc>::<url>`, or the same in the variable `AA_KBC_PARAMS`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KbcParameters {
    kbc: String,
    url: String,
}

/// The only client of a key broker that is meant by `kbc`; others are older protocols.
const CC_KBC: &str = "cc_kbc";

impl KbcParameters {
    /// What the environment says, or else the kernel's command line; `None` when neither does.
    ///
    /// # Errors
    /// When the value is not of that form.
    pub fn of_this_machine() -> anyhow::Result<Option<Self>> {
        if let Ok(value) = std::env::var("AA_KBC_PARAMS") {
            return Self::parse(&value).context("AA_KBC_PARAMS").map(Some);
        }
        match std::fs::read_to_string("/proc/cmdline") {
            Ok(line) => Self::of_command_line(&line),
            Err(_) => Ok(None),
        }
    }

    /// What a kernel command line says; the last value counts, as with the kernel's own parameters.
    ///
    /// # Errors
    /// When the value is not of that form.
    pub fn of_command_line(line: &str) -> anyhow::Result<Option<Self>> {
        let mut values =
            line.split_ascii_whitespace().filter_map(|part| part.strip_prefix("agent.aa_kbc_params="));
        let Some(value) = values.next_back() else { return Ok(None) };
        Self::parse(value).context("agent.aa_kbc_params on the kernel's command line").map(Some)
    }

    /// Reads `<kbc>::<url>`. Only the first `::` parts them, so that IPv6 addresses have their own.
    fn parse(value: &str) -> anyhow::Result<Self> {
        let (kbc, url) = value
            .split_once("::")
            .with_context(|| format!("{value:?} is not <kbc>::<url>, such as {CC_KBC}::https://kbs:8080"))?;
        Ok(KbcParameters { kbc: kbc.to_owned(), url: url.to_owned() })
    }

    /// The key broker's address, where the parameters speak of one.
    pub fn kbs_url(&self) -> Option<String> {
        if self.kbc == CC_KBC && !self.url.is_empty() {
            return Some(self.url.clone());
        }
        tracing::warn!(
            kbc = self.kbc,
            "aa_kbc_params names no key broker service ({CC_KBC}); it is not used"
        );
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_gives_the_address_also_with_ipv6() {
        for (line, url) in [
            ("quiet agent.aa_kbc_params=cc_kbc::https://kbs:8080 ro", Some("https://kbs:8080")),
            ("agent.aa_kbc_params=cc_kbc::https://[2001:db8::1]:8080\n", Some("https://[2001:db8::1]:8080")),
            ("agent.aa_kbc_params=cc_kbc::a agent.aa_kbc_params=cc_kbc::b", Some("b")),
            ("agent.aa_kbc_params=offline_fs_kbc::null", None),
            ("agent.aa_kbc_params=cc_kbc::", None),
            ("quiet ro", None),
        ] {
            let parameters = KbcParameters::of_command_line(line).unwrap();
            assert_eq!(parameters.and_then(|p| p.kbs_url()).as_deref(), url, "{line}");
        }
        let error = KbcParameters::of_command_line("agent.aa_kbc_params=https://kbs").unwrap_err();
        assert!(format!("{error:#}").contains("cc_kbc::"), "{error:#}");
    }
}
