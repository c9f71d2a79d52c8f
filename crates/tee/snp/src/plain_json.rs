//! A quick reader for the JSON of evidence as guests write it.
//!
//! Evidence is some four thousand numbers, nearly all of them bytes, and reading them one by one
//! through `serde` costs a fifth of the signature verification that follows. This reader takes the
//! plain form only: known members, each once and none missing, numbers in decimal digits, names
//! without escapes, in any order and with any white space. On anything else it gives up
//! (`None`) without a reason, and `serde` reads the text again, with its errors. So it may refuse
//! too much, but must never accept or understand anything otherwise than `serde` does; a property
//! test holds the two against each other.

use crate::evidence::{CertEntry, CertType, MAX_CERTIFICATE_LEN, MAX_CERTIFICATES};
use crate::report::{FirmwareVersion, Report, Signature};
use crate::tcb::TcbVersion;

/// Reads the whole text.
pub(crate) fn read(text: &[u8]) -> Option<(Report, Option<Vec<CertEntry>>)> {
    let mut reader = Reader(text);
    let mut report = None;
    let mut cert_chain = None;
    reader.object(2, |r, name| match name {
        b"attestation_report" => {
            report = Some(r.report()?);
            Some(0)
        }
        b"cert_chain" => {
            cert_chain = r.optional(Reader::entries)?;
            Some(1)
        }
        _ => None,
    })?;
    reader.white_space();
    reader.0.is_empty().then_some(())?;
    Some((report?, cert_chain))
}

/// What is left of the text.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn white_space(&mut self) {
        while let [b' ' | b'\t' | b'\n' | b'\r', rest @ ..] = self.0 {
            self.0 = rest;
        }
    }

    /// The next byte that is not white space.
    fn next(&mut self) -> Option<u8> {
        self.white_space();
        let (byte, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*byte)
    }

    fn expect(&mut self, wanted: u8) -> Option<()> {
        (self.next()? == wanted).then_some(())
    }

    /// A string of printable ASCII without escapes.
    fn text(&mut self) -> Option<&'a [u8]> {
        self.expect(b'"')?;
        let len = self.0.iter().position(|b| !matches!(b, b' '..=b'~') || matches!(b, b'"' | b'\\'))?;
        let (text, rest) = self.0.split_at_checked(len)?;
        // White space before the quote would be part of the string, so it is not skipped here.
        self.0 = rest.strip_prefix(b"\"")?;
        Some(text)
    }

    /// An object with each of `members` members once. `member` reads the value of the named one
    /// and says its number, counted from zero.
    fn object(
        &mut self,
        members: u32,
        mut member: impl FnMut(&mut Self, &'a [u8]) -> Option<u32>,
    ) -> Option<()> {
        self.expect(b'{')?;
        let mut seen = 0_u64;
        loop {
            let name = self.text()?;
            self.expect(b':')?;
            let bit = 1_u64.checked_shl(member(self, name)?)?;
            (seen & bit == 0).then_some(())?;
            seen |= bit;
            match self.next()? {
                b',' => {}
                b'}' => break,
                _ => return None,
            }
        }
        (seen.count_ones() == members).then_some(())
    }

    /// An integer without sign, fraction and exponent.
    fn number(&mut self) -> Option<u64> {
        self.white_space();
        let len = self.0.iter().position(|b| !b.is_ascii_digit())?;
        let (digits, rest) = self.0.split_at_checked(len)?;
        if matches!(digits, [b'0', _, ..]) || matches!(rest, [b'.' | b'e' | b'E', ..]) {
            return None;
        }
        self.0 = rest;
        std::str::from_utf8(digits).ok()?.parse().ok()
    }

    fn u32(&mut self) -> Option<u32> {
        self.number()?.try_into().ok()
    }

    fn u8(&mut self) -> Option<u8> {
        self.number()?.try_into().ok()
    }

    /// `null`, or what `read` reads.
    fn optional<T>(&mut self, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<Option<T>> {
        self.white_space();
        match self.0 {
            [b'n', b'u', b'l', b'l', rest @ ..] => {
                self.0 = rest;
                Some(None)
            }
            _ => read(self).map(Some),
        }
    }

    /// One byte of an array and what ends it: a comma, or the bracket. Written without branches
    /// on the number of digits, which no processor can foresee.
    fn element(&mut self) -> Option<(u8, u8)> {
        if matches!(self.0, [b' ' | b'\t' | b'\n' | b'\r', ..]) {
            self.white_space();
        }
        let [a, b, c, ..] = *self.0 else { return None };
        let [a, b, c] = [a, b, c].map(|digit| u32::from(digit.wrapping_sub(b'0')));
        let two = u32::from(b <= 9);
        let three = two & u32::from(c <= 9);
        let value = a * (1 + 9 * two + 90 * three) + two * b * (1 + 9 * three) + three * c;
        let leading_zero = a == 0 && two == 1;
        if a > 9 || leading_zero {
            return None;
        }
        self.0 = self.0.get(usize::try_from(1 + two + three).ok()?..)?;
        // A fourth digit, a point or an exponent is neither comma nor bracket.
        let end = self.next()?;
        Some((u8::try_from(value).ok()?, end))
    }

    /// An array of bytes that fills `bytes`.
    fn fill(&mut self, bytes: &mut [u8]) -> Option<()> {
        self.expect(b'[')?;
        let (last, others) = bytes.split_last_mut()?;
        for place in others {
            let (byte, end) = self.element()?;
            *place = byte;
            (end == b',').then_some(())?;
        }
        let (byte, end) = self.element()?;
        *last = byte;
        (end == b']').then_some(())
    }

    fn bytes<const N: usize>(&mut self) -> Option<[u8; N]> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Some(bytes)
    }

    /// An array of any number of bytes, up to the length of a certificate.
    fn data(&mut self) -> Option<Vec<u8>> {
        self.expect(b'[')?;
        self.white_space();
        if let [b']', rest @ ..] = self.0 {
            self.0 = rest;
            return Some(Vec::new());
        }
        let mut bytes = Vec::with_capacity(2048);
        while bytes.len() < MAX_CERTIFICATE_LEN {
            let (byte, end) = self.element()?;
            bytes.push(byte);
            match end {
                b',' => {}
                b']' => return Some(bytes),
                _ => return None,
            }
        }
        None
    }

    fn entries(&mut self) -> Option<Vec<CertEntry>> {
        self.expect(b'[')?;
        self.white_space();
        if let [b']', rest @ ..] = self.0 {
            self.0 = rest;
            return Some(Vec::new());
        }
        let mut entries = Vec::new();
        while entries.len() < MAX_CERTIFICATES {
            entries.push(self.entry()?);
            match self.next()? {
                b',' => {}
                b']' => return Some(entries),
                _ => return None,
            }
        }
        None
    }

    fn entry(&mut self) -> Option<CertEntry> {
        let mut cert_type = CertType::Empty;
        let mut data = Vec::new();
        self.object(2, |r, name| match name {
            b"cert_type" => {
                cert_type = match r.text()? {
                    b"ARK" => CertType::Ark,
                    b"ASK" => CertType::Ask,
                    b"VCEK" => CertType::Vcek,
                    b"VLEK" => CertType::Vlek,
                    b"CRL" => CertType::Crl,
                    b"Empty" => CertType::Empty,
                    _ => return None,
                };
                Some(0)
            }
            b"data" => {
                data = r.data()?;
                Some(1)
            }
            _ => None,
        })?;
        Some(CertEntry { cert_type, data })
    }

    fn tcb(&mut self) -> Option<TcbVersion> {
        let mut tcb = TcbVersion::default();
        self.object(5, |r, name| {
            let number = match name {
                b"fmc" => {
                    tcb.fmc = r.optional(Reader::u8)?;
                    return Some(0);
                }
                b"bootloader" => (&mut tcb.bootloader, 1),
                b"tee" => (&mut tcb.tee, 2),
                b"snp" => (&mut tcb.snp, 3),
                b"microcode" => (&mut tcb.microcode, 4),
                _ => return None,
            };
            *number.0 = r.u8()?;
            Some(number.1)
        })?;
        Some(tcb)
    }

    fn firmware(&mut self) -> Option<FirmwareVersion> {
        let mut version = FirmwareVersion::default();
        self.object(3, |r, name| {
            let (place, number) = match name {
                b"major" => (&mut version.major, 0),
                b"minor" => (&mut version.minor, 1),
                b"build" => (&mut version.build, 2),
                _ => return None,
            };
            *place = r.u8()?;
            Some(number)
        })?;
        Some(version)
    }

    fn signature(&mut self) -> Option<Signature> {
        let mut signature = Signature::default();
        self.object(2, |r, name| {
            let (place, number) = match name {
                b"r" => (&mut signature.r, 0),
                b"s" => (&mut signature.s, 1),
                _ => return None,
            };
            *place = r.bytes()?;
            Some(number)
        })?;
        Some(signature)
    }

    fn report(&mut self) -> Option<Report> {
        macro_rules! put {
            ($place:expr, $value:expr, $number:literal) => {{
                $place = $value?;
                $number
            }};
        }
        let mut t = Report::default();
        // Each arm reads one member and gives its number; the numbers tell doubled members.
        self.object(29, |r, name| {
            Some(match name {
                b"version" => put!(t.version, r.u32(), 0),
                b"guest_svn" => put!(t.guest_svn, r.u32(), 1),
                b"policy" => put!(t.policy, r.number(), 2),
                b"family_id" => put!(t.family_id, r.bytes(), 3),
                b"image_id" => put!(t.image_id, r.bytes(), 4),
                b"vmpl" => put!(t.vmpl, r.u32(), 5),
                b"sig_algo" => put!(t.sig_algo, r.u32(), 6),
                b"current_tcb" => put!(t.current_tcb, r.tcb(), 7),
                b"plat_info" => put!(t.plat_info, r.number(), 8),
                b"key_info" => put!(t.key_info, r.u32(), 9),
                b"report_data" => put!(t.report_data, r.bytes(), 10),
                b"measurement" => put!(t.measurement, r.bytes(), 11),
                b"host_data" => put!(t.host_data, r.bytes(), 12),
                b"id_key_digest" => put!(t.id_key_digest, r.bytes(), 13),
                b"author_key_digest" => put!(t.author_key_digest, r.bytes(), 14),
                b"report_id" => put!(t.report_id, r.bytes(), 15),
                b"report_id_ma" => put!(t.report_id_ma, r.bytes(), 16),
                b"reported_tcb" => put!(t.reported_tcb, r.tcb(), 17),
                b"cpuid_fam_id" => put!(t.cpuid_fam_id, r.optional(Reader::u8), 18),
                b"cpuid_mod_id" => put!(t.cpuid_mod_id, r.optional(Reader::u8), 19),
                b"cpuid_step" => put!(t.cpuid_step, r.optional(Reader::u8), 20),
                b"chip_id" => put!(t.chip_id, r.bytes(), 21),
                b"committed_tcb" => put!(t.committed_tcb, r.tcb(), 22),
                b"current" => put!(t.current, r.firmware(), 23),
                b"committed" => put!(t.committed, r.firmware(), 24),
                b"launch_tcb" => put!(t.launch_tcb, r.tcb(), 25),
                b"launch_mit_vector" => put!(t.launch_mit_vector, r.optional(Reader::number), 26),
                b"current_mit_vector" => put!(t.current_mit_vector, r.optional(Reader::number), 27),
                b"signature" => put!(t.signature, r.signature(), 28),
                _ => return None,
            })
        })?;
        Some(t)
    }
}
