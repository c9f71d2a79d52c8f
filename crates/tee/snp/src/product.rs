//! The product lines of AMD EPYC with SEV-SNP, and their names in each place.

use std::fmt;

use crate::tcb::TcbLayout;

/// A product line. It decides the root key, the layout of TCB versions and the length of the
/// hardware id. Siena and Bergamo belong to Genoa.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Product {
    /// EPYC 7003 (Zen 3).
    Milan,
    /// EPYC 9004, 8004 and 97x4 (Zen 4).
    Genoa,
    /// EPYC 9005 (Zen 5).
    Turin,
}

/// The kind of the key that signs reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum KeyKind {
    /// Versioned Chip Endorsement Key: derived from the chip's secret and its TCB version.
    Vcek,
    /// Versioned Loaded Endorsement Key: derived from a seed that AMD gives a cloud provider.
    Vlek,
}

impl KeyKind {
    /// Both kinds.
    pub const ALL: [KeyKind; 2] = [KeyKind::Vcek, KeyKind::Vlek];

    /// The name in words and in claims: `VCEK` or `VLEK`.
    pub const fn as_str(self) -> &'static str {
        match self {
            KeyKind::Vcek => "VCEK",
            KeyKind::Vlek => "VLEK",
        }
    }

    /// The common name of the certificate: `SEV-VCEK` or `SEV-VLEK` (57230, section 3).
    pub const fn common_name(self) -> &'static str {
        match self {
            KeyKind::Vcek => "SEV-VCEK",
            KeyKind::Vlek => "SEV-VLEK",
        }
    }

    /// The name of the authority that signs the certificate: `ASK` or `ASVK`.
    pub const fn authority(self) -> &'static str {
        match self {
            KeyKind::Vcek => "ASK",
            KeyKind::Vlek => "ASVK",
        }
    }

    /// The first part of the path at the key distribution service: `vcek` or `vlek`.
    pub const fn path(self) -> &'static str {
        match self {
            KeyKind::Vcek => "vcek",
            KeyKind::Vlek => "vlek",
        }
    }
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Product {
    /// Every product line.
    pub const ALL: [Product; 3] = [Product::Milan, Product::Genoa, Product::Turin];

    /// The name, as the key distribution service and certificates spell it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Product::Milan => "Milan",
            Product::Genoa => "Genoa",
            Product::Turin => "Turin",
        }
    }

    /// The product line of that name, spelled exactly so.
    pub fn from_name(name: &str) -> Option<Self> {
        Product::ALL.into_iter().find(|p| p.as_str() == name)
    }

    /// The product line of a processor, by combined family and combined model of CPUID
    /// Fn8000_0001 (what reports carry from version 3 on). `None` for any other processor.
    pub const fn from_cpuid(family: u8, model: u8) -> Option<Self> {
        match (family, model) {
            (0x19, 0x00..=0x0f) => Some(Product::Milan),
            // 0x10.. is Genoa, 0xa0..=0xaf Bergamo and Siena.
            (0x19, 0x10..=0x1f | 0xa0..=0xaf) => Some(Product::Genoa),
            (0x1a, 0x00..=0x11) => Some(Product::Turin),
            _ => None,
        }
    }

    /// The product line named by the product name extension of a certificate (`Milan-B0`,
    /// `Genoa`, `Siena-…`, `Bergamo-…`, `Turin`): what stands before the first hyphen counts, the
    /// rest is the stepping.
    pub fn from_product_name(name: &str) -> Option<Self> {
        match name.split_once('-').map_or(name, |(line, _)| line) {
            "Milan" => Some(Product::Milan),
            "Genoa" | "Siena" | "Bergamo" => Some(Product::Genoa),
            "Turin" => Some(Product::Turin),
            _ => None,
        }
    }

    /// The product line and the kind of key that the authority with this common name certifies
    /// (`SEV-Milan` → Milan, VCEK; `SEV-VLEK-Milan` → Milan, VLEK).
    pub fn from_authority_name(common_name: &str) -> Option<(Self, KeyKind)> {
        let rest = common_name.strip_prefix("SEV-")?;
        match rest.strip_prefix("VLEK-") {
            Some(name) => Some((Product::from_name(name)?, KeyKind::Vlek)),
            None => Some((Product::from_name(rest)?, KeyKind::Vcek)),
        }
    }

    /// The common name of the root key's certificate: `ARK-Milan`.
    pub const fn root_name(self) -> &'static str {
        match self {
            Product::Milan => "ARK-Milan",
            Product::Genoa => "ARK-Genoa",
            Product::Turin => "ARK-Turin",
        }
    }

    /// The common name of the authority that certifies keys of `kind`: `SEV-Milan` (the ASK) or
    /// `SEV-VLEK-Milan` (the ASVK).
    pub const fn authority_name(self, kind: KeyKind) -> &'static str {
        match (self, kind) {
            (Product::Milan, KeyKind::Vcek) => "SEV-Milan",
            (Product::Genoa, KeyKind::Vcek) => "SEV-Genoa",
            (Product::Turin, KeyKind::Vcek) => "SEV-Turin",
            (Product::Milan, KeyKind::Vlek) => "SEV-VLEK-Milan",
            (Product::Genoa, KeyKind::Vlek) => "SEV-VLEK-Genoa",
            (Product::Turin, KeyKind::Vlek) => "SEV-VLEK-Turin",
        }
    }

    /// How TCB versions are laid out.
    pub const fn tcb_layout(self) -> TcbLayout {
        match self {
            Product::Milan | Product::Genoa => TcbLayout::Legacy,
            Product::Turin => TcbLayout::Turin,
        }
    }

    /// The length of the hardware id in bytes: 64, but 8 on Turin, where the other 56 bytes of
    /// the report's chip id are zero.
    pub const fn hwid_len(self) -> usize {
        match self {
            Product::Milan | Product::Genoa => 64,
            Product::Turin => 8,
        }
    }
}

impl fmt::Display for Product {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_leads_back_to_its_product() {
        for product in Product::ALL {
            assert_eq!(Product::from_name(product.as_str()), Some(product));
            for kind in KeyKind::ALL {
                assert_eq!(Product::from_authority_name(product.authority_name(kind)), Some((product, kind)));
            }
        }
        assert_eq!(Product::from_product_name("Milan-B0"), Some(Product::Milan));
        assert_eq!(Product::from_product_name("Siena-B1"), Some(Product::Genoa));
        assert_eq!(Product::from_product_name("Bergamo-A0"), Some(Product::Genoa));
        for name in ["", "milan", "MilanB0", "Venice-A0", "-Milan"] {
            assert_eq!(Product::from_product_name(name), None, "{name}");
        }
        for name in ["SEV-", "SEV-VLEK-", "SEV-VLEK-SEV-Milan", "Milan", "ARK-Milan"] {
            assert_eq!(Product::from_authority_name(name), None, "{name}");
        }
    }

    #[test]
    fn siena_and_bergamo_are_genoa_to_the_last_model() {
        assert_eq!(Product::from_cpuid(0x19, 0xa0), Some(Product::Genoa));
        assert_eq!(Product::from_cpuid(0x19, 0xaf), Some(Product::Genoa));
        for (family, model) in [(0x19, 0x20), (0x19, 0x9f), (0x19, 0xb0), (0x1a, 0x12), (0x17, 0x31), (0, 0)]
        {
            assert_eq!(Product::from_cpuid(family, model), None, "{family:x} {model:x}");
        }
    }
}
