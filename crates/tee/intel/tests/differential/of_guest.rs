//! Changes of quotes and platforms.

use assay_emulator::intel::{
    Body, CertificateTemplate, Certification, IntelGuest, Name, PckCa, TcbLevelName, oid,
};
use assay_types::{UnixTime, Validity};

use crate::dice::Dice;
use crate::semantic::Draft;
use crate::support::now;

pub(crate) fn mutate(dice: &mut Dice, draft: &mut Draft<'_>) {
    match dice.below(9) {
        0 | 1 => platform(dice, draft),
        2 | 3 => body(dice, draft),
        4 => quoting_enclave(dice, draft),
        5 => header(dice, draft),
        6 => signatures(dice, draft),
        7 => certification(dice, draft),
        _ => certificates(dice, draft),
    }
}

fn platform(dice: &mut Dice, draft: &mut Draft<'_>) {
    match dice.below(8) {
        0 | 1 => {
            let level = dice.pick(&TcbLevelName::ALL);
            draft.note(format!("level {level:?}"));
            draft.guest(|guest| guest.tcb_level(level));
        }
        2 | 3 => {
            let (at, svn) = (dice.below(16), dice.below(9) as u8);
            draft.note(format!("SGX component {at} is {svn}"));
            draft.guest(|guest| {
                guest.platform(|p| {
                    p.cpu_svn[at] = svn;
                    p.components = p.cpu_svn;
                })
            });
        }
        4 => {
            let (at, svn) = (dice.below(3), dice.below(9) as u8);
            draft.note(format!("SGX component {at} is {svn}, not so CPUSVN"));
            draft.guest(|guest| guest.platform(|p| p.components[at] = svn));
        }
        5 => {
            let svn = dice.pick(&[0, 12, 13, 14, 127, 128, 255, 256, 0x7fff, 0x8000, 0xffff]);
            draft.note(format!("PCESVN {svn}"));
            draft.guest(|guest| guest.platform(|p| p.pce_svn = svn));
        }
        6 => {
            draft.note("under the Processor CA");
            draft.guest(|guest| {
                guest.platform(|p| {
                    p.ca = PckCa::Processor;
                    (p.platform_instance_id, p.configuration) = (None, None);
                })
            });
        }
        _ => {
            draft.note("another FMSPC, which the TCB info follows");
            let fmspc = [dice.byte(), dice.byte(), dice.byte(), 0xab, 0xcd, 0xef];
            draft.guest(|guest| guest.platform(|p| p.fmspc = fmspc));
        }
    }
}

fn tee_tcb_svn(dice: &mut Dice, svn: &mut [u8; 16]) -> String {
    let (at, value) = match dice.below(8) {
        0..=2 => (0, dice.below(9) as u8),
        3 | 4 => (1, dice.pick(&[0, 0, 1, 2, 3])),
        5 | 6 => (2, dice.below(9) as u8),
        _ => (dice.below(16), dice.below(3) as u8),
    };
    svn[at] = value;
    format!("component {at} is {value}")
}

fn body(dice: &mut Dice, draft: &mut Draft<'_>) {
    let is_td = draft.with_guest(|guest| matches!(guest.current_body(), Body::Td(_)));
    if !is_td {
        let (flags, random) = (1_u64 << dice.below(12), dice.byte());
        draft.note(format!("enclave flags {flags:#x}, bytes of {random}"));
        return draft.guest(|guest| {
            guest.enclave_report(|r| {
                r.flags ^= flags;
                r.mr_enclave[0] = random;
                r.config_id[1] = random;
                r.isv_svn = random.into();
                r.reserved3[3] = random;
            })
        });
    }
    let mut notes = Vec::new();
    draft.guest(|guest| {
        guest.td_report(|r| match dice.below(11) {
            0..=2 => {
                notes.push(format!("TEE_TCB_SVN {}", tee_tcb_svn(dice, &mut r.tee_tcb_svn)));
                if dice.one_in(2)
                    && let Some(extension) = &mut r.extension
                {
                    extension.tee_tcb_svn2 = r.tee_tcb_svn;
                }
            }
            3 | 4 => {
                if let Some(extension) = &mut r.extension {
                    notes.push(format!("TEE_TCB_SVN2 {}", tee_tcb_svn(dice, &mut extension.tee_tcb_svn2)));
                }
            }
            5..=7 => {
                let any = dice.below(64);
                let bit = dice.pick(&[0, 5, 17, 28, 29, 30, 63, any, any]);
                r.td_attributes ^= 1 << bit;
                notes.push(format!("TD attribute {bit}"));
            }
            8 => {
                let bit = dice.below(64);
                r.seam_attributes[bit / 8] ^= 1 << (bit % 8);
                notes.push(format!("SEAM attribute {bit}"));
            }
            9 => {
                r.mr_signer_seam[dice.below(48)] = dice.byte();
                notes.push("MRSIGNERSEAM".to_owned());
            }
            _ => {
                (r.mr_seam[0], r.xfam, r.mr_td[1], r.rtmr[2][3]) =
                    (dice.byte(), dice.next(), dice.byte(), dice.byte());
                if let Some(extension) = &mut r.extension {
                    extension.mr_service_td[0] = dice.byte();
                }
                notes.push("measurements".to_owned());
            }
        })
    });
    notes.into_iter().for_each(|note| draft.note(note));
}

fn quoting_enclave(dice: &mut Dice, draft: &mut Draft<'_>) {
    let (kind, value, bit) = (dice.below(8), dice.byte(), dice.below(64));
    let svn = dice.below(10) as u16;
    draft.note(format!("quoting enclave {kind}: value {value}, bit {bit}, ISVSVN {svn}"));
    draft.guest(|guest| {
        guest.qe_report(move |r| match kind {
            0..=2 => r.isv_svn = svn,
            3 => r.flags ^= 1 << (bit % 12),
            4 => r.xfrm ^= 1 << bit,
            5 => r.misc_select = 1 << (bit % 32),
            6 => r.report_data[bit] ^= value,
            _ => (r.isv_prod_id, r.mr_signer[0]) = (value.into(), value),
        })
    });
}

fn header(dice: &mut Dice, draft: &mut Draft<'_>) {
    let (kind, value) = (dice.below(7), dice.byte());
    draft.note(format!("header {kind}: value {value}"));
    draft.guest(|guest| {
        guest.header(|h| match kind {
            0 => h.qe_vendor_id[usize::from(value % 16)] ^= value,
            1 => h.attestation_key_type = (value % 5).into(),
            2 => h.tee_type = [0, 0x81, 1][usize::from(value % 3)],
            3 => (h.qe_svn, h.pce_svn) = (value.into(), value.into()),
            4 => h.user_data[19] = value,
            _ => h.version = (value % 8).into(),
        })
    });
}

fn signatures(dice: &mut Dice, draft: &mut Draft<'_>) {
    let stray = draft.stray();
    let (kind, value, len) = (dice.below(8), dice.byte(), dice.pick(&[0, 1, 31, 32, 32, 33, 64, 1000]));
    draft.note(format!("signature data {kind}: value {value}, length {len}"));
    draft.guest(|guest| match kind {
        0 => guest.quote_signer(stray),
        1 => guest.qe_signer(stray),
        2 => guest.attestation_key(stray),
        3 | 4 => guest.auth_data(vec![value; len]),
        5 => guest.signature(move |s| s.signature[usize::from(value % 64)] ^= 1),
        6 => guest.quote_bytes(move |bytes| bytes.extend(std::iter::repeat_n(value % 2, 1 + len % 40))),
        _ => guest.signature(move |s| s.qe_report_signature = vec![value % 2; 64]),
    });
}

fn certification(dice: &mut Dice, draft: &mut Draft<'_>) {
    let kind = dice.below(5);
    let of = [
        Certification::Ppid,
        Certification::PpidRsa2048,
        Certification::PpidRsa3072,
        Certification::PckCertificate,
        Certification::Other(7, vec![1; 20]),
    ][kind]
        .clone();
    let (with_chain, other) = (!dice.one_in(4), dice.one_in(3));
    draft.note(format!(
        "certification {of:?}, chain among the collateral {with_chain}, of another TCB {other}"
    ));
    draft.guest(|guest| guest.certification(of));
    draft.collateral(move |c| {
        c.with_pck_chain = with_chain;
        if other {
            let mut platform = c.platform.clone();
            platform.cpu_svn[15] = 1;
            c.pck = c.silicon.pck_certificate(&platform);
        }
    });
}

fn certificates(dice: &mut Dice, draft: &mut Draft<'_>) {
    if dice.one_in(3) {
        let kind = dice.below(6);
        draft.note(format!("chain {kind}"));
        return draft.guest(|guest| {
            guest.chain(move |chain| match kind {
                0 => chain.reverse(),
                1 => chain.swap(1, 2),
                2 => drop(chain.remove(2)),
                3 => drop(chain.remove(1)),
                4 => chain.push(chain[2].clone()),
                _ => chain[2] = chain[1].clone(),
            })
        });
    }
    let which = dice.below(3);
    let of_extension = which == 0 && dice.one_in(2);
    let (name, edit) = if of_extension { sgx_extension(dice, draft) } else { certificate(dice, draft) };
    draft.note(format!("{}: {name}", ["PCK", "authority", "root of the quote"][which]));
    draft.guest(|guest: IntelGuest<'static>| match which {
        0 => guest.pck(edit),
        1 => guest.authority(edit),
        _ => guest.root(edit),
    });
}

type CertificateEdit = Box<dyn FnOnce(&mut CertificateTemplate)>;

/// A change of any certificate.
pub(crate) fn certificate(dice: &mut Dice, draft: &Draft<'_>) -> (String, CertificateEdit) {
    let stray = draft.stray();
    let (kind, value) = (dice.below(12), dice.byte());
    let edit: CertificateEdit = match kind {
        0 => Box::new(move |c| c.validity = around(value)),
        1 => Box::new(|c| c.subject = Name::new("Intel SGX something")),
        2 => Box::new(|c| c.issuer = Name::new("Intel SGX something")),
        3 => Box::new(|c| c.broken_signature = true),
        4 => Box::new(move |c| c.signer = stray),
        5 => Box::new(move |c| {
            // Any of the first two bytes of usages.
            c.set_extension(oid::KEY_USAGE, vec![0x03, 0x02, 0x01, value & 0xfe]);
        }),
        6 => Box::new(|c| c.remove_extension(oid::KEY_USAGE)),
        7 => Box::new(|c| c.remove_extension(oid::BASIC_CONSTRAINTS)),
        8 => Box::new(|c| c.set_extension(oid::BASIC_CONSTRAINTS, vec![0x30, 3, 1, 1, 0xff])),
        9 => Box::new(move |c| c.serial = vec![value | 1]),
        10 => Box::new(move |c| c.public_key = stray.public_key_info()),
        _ => Box::new(move |c| {
            if !c.extensions.is_empty() {
                let at = usize::from(value) % c.extensions.len();
                c.extensions[at].critical ^= true;
            }
        }),
    };
    (format!("kind {kind}, value {value}"), edit)
}

/// Intel's extension of PCK certificates with something wrong in it.
fn sgx_extension(dice: &mut Dice, draft: &Draft<'_>) -> (String, CertificateEdit) {
    let mut extension = draft.with_guest(|guest| guest.current_platform().extension());
    let kind = dice.below(10);
    let all = [oid::PPID, oid::TCB, oid::PCE_ID, oid::FMSPC, oid::SGX_TYPE, oid::CONFIGURATION];
    match kind {
        0 => extension.set(oid::PPID, [&[4, 15][..], &[1; 15]].concat()),
        // A type that does not exist.
        1 => extension.set(oid::SGX_TYPE, vec![10, 1, 3]),
        2 => extension.set(oid::FMSPC, vec![4, 5, 1, 2, 3, 4, 5]),
        3 => extension.items.clear(),
        _ => extension.remove(all[kind - 4]),
    }
    let edit = Box::new(move |c: &mut CertificateTemplate| c.set_extension(oid::SGX, extension.to_der()));
    (format!("SGX extension {kind}"), edit)
}

/// Times in which the time of the tests is, is not, or just is.
pub(crate) fn around(value: u8) -> Validity {
    let day = 86_400;
    let (from, to) = match value % 6 {
        0 => (-day, -1),
        1 => (-day, 0),
        2 => (0, day),
        3 => (1, day),
        4 => (-2 * day, day),
        _ => (0, 0),
    };
    Validity { not_before: now().plus(from), not_after: UnixTime(now().0 + to) }
}
