//! The two checks of binding, by one rule for every TEE with fixed fields.

use crate::{Binding, Check, Checks, ReportData, TeeClaimText};

impl Checks {
    /// Records whether `found`, the report data of the evidence, are the expected ones, padded to 64
    /// bytes with zeros ([`ReportData::padded`]).
    pub fn report_data(&mut self, check: &Check, binding: &Binding, found: &[u8; 64]) {
        let Some(expected) = &binding.report_data else {
            return self.not_checked(check, "no report data were asked for");
        };
        match ReportData::padded(expected) {
            Ok(expected) if expected.as_bytes() == found => self.pass(check, found.to_claim()),
            Ok(expected) => {
                let detail = "expected is padded to 64 bytes with zeros";
                self.fail(check, expected.to_string(), found.to_claim(), detail);
            }
            Err(e) => self.fail(check, expected.to_claim(), found.to_claim(), e.to_string()),
        }
    }

    /// Records whether `found`, the field of the evidence for init data, is their digest. A shorter
    /// digest is padded with zeros on the right; of a longer one the first bytes count, as many as the
    /// field has. Guests and Trustee do the same (`regularize_data`); the finding says it.
    pub fn init_data(&mut self, check: &Check, binding: &Binding, found: &[u8]) {
        let Some(digest) = &binding.init_data else {
            return self.not_checked(check, "no init data were asked for");
        };
        let (bytes, len) = (digest.as_bytes(), found.len());
        let mut expected: Vec<u8> = bytes.iter().copied().take(len).collect();
        expected.resize(len, 0);
        let note = match bytes.len().cmp(&len) {
            std::cmp::Ordering::Greater => {
                format!("the first {len} bytes of the {} digest count", digest.algorithm())
            }
            std::cmp::Ordering::Less => {
                format!("expected is the {} digest, padded with zeros to {len} bytes", digest.algorithm())
            }
            std::cmp::Ordering::Equal => String::new(),
        };
        if expected == found {
            let note = if note.is_empty() { note } else { format!(" ({note})") };
            self.pass(check, format!("{}{note}", found.to_claim()));
        } else {
            self.fail(check, expected.to_claim(), found.to_claim(), note);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Digest, Outcome};

    const CHECK: Check = Check { code: "T-001", name: "t", remedy: "", source: "" };

    fn init_data(digest: Digest, found: &[u8]) -> (Outcome, String) {
        let mut checks = Checks::new(&[CHECK]);
        let binding = Binding { report_data: None, init_data: Some(digest) };
        checks.init_data(&CHECK, &binding, found);
        let finding = &checks.findings()[0];
        (finding.outcome, format!("{}{}", finding.found, finding.detail))
    }

    #[test]
    fn digests_are_padded_or_cut_to_the_field_and_the_finding_says_so() {
        let (short, long) = (Digest::sha256(b"x"), Digest::sha384(b"x"));
        let padded = [short.as_bytes(), &[0; 32]].concat();
        let (outcome, text) = init_data(short.clone(), &padded);
        assert!(outcome == Outcome::Passed && text.contains("padded with zeros to 64 bytes"), "{text}");
        let (outcome, text) = init_data(long.clone(), &long.as_bytes()[..32]);
        assert!(outcome == Outcome::Passed && text.contains("the first 32 bytes"), "{text}");
        assert_eq!(init_data(long.clone(), long.as_bytes()).0, Outcome::Passed);
        assert_eq!(init_data(long, &[0; 48]).0, Outcome::Failed);
        let mut off = padded;
        off[63] = 1;
        assert_eq!(init_data(short, &off).0, Outcome::Failed);
    }

    #[test]
    fn report_data_are_compared_whole() {
        let outcome = |expected: Option<Vec<u8>>, found: [u8; 64]| {
            let mut checks = Checks::new(&[CHECK]);
            checks.report_data(&CHECK, &Binding { report_data: expected, init_data: None }, &found);
            checks.findings()[0].outcome
        };
        let mut found = [0; 64];
        found[..48].copy_from_slice(&[7; 48]);
        assert_eq!(outcome(Some(vec![7; 48]), found), Outcome::Passed);
        found[63] = 1;
        assert_eq!(outcome(Some(vec![7; 48]), found), Outcome::Failed);
        assert_eq!(outcome(Some(vec![7; 65]), found), Outcome::Failed);
        assert_eq!(outcome(None, found), Outcome::NotChecked);
    }
}
