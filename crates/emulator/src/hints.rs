//! Where the RSA primes of the published seeds lie (see [`crate::rsa_key`]).

use crate::seed::Seed;

/// The distances from the start of the search to `p` and `q`, for each seed of
/// [`Seed::PUBLISHED`] in turn.
type Row = (&'static str, [(u32, u32); 3]);

/// By the label of the key.
const TABLE: [Row; 9] = [
    ("snp/Milan/ark", [(1656, 306), (382, 528), (562, 606)]),
    ("snp/Milan/ask", [(1800, 536), (334, 1428), (4562, 2360)]),
    ("snp/Milan/asvk", [(516, 1712), (1546, 1654), (2016, 1370)]),
    ("snp/Genoa/ark", [(1312, 1800), (2574, 414), (2820, 5492)]),
    ("snp/Genoa/ask", [(1166, 1238), (876, 262), (1662, 624)]),
    ("snp/Genoa/asvk", [(692, 1822), (446, 1436), (108, 554)]),
    ("snp/Turin/ark", [(794, 1782), (2652, 1740), (1040, 660)]),
    ("snp/Turin/ask", [(296, 1236), (628, 1230), (120, 5874)]),
    ("snp/Turin/asvk", [(1502, 1202), (172, 180), (1124, 3402)]),
];

/// The distances of the key called `label`, where they are known.
pub(crate) fn of(seed: &Seed, label: &str) -> (Option<u32>, Option<u32>) {
    let found = seed.published().and_then(|place| {
        TABLE.iter().find(|(name, _)| *name == label).and_then(|(_, by_seed)| by_seed.get(place))
    });
    (found.map(|(p, _)| *p), found.map(|(_, q)| *q))
}

/// The labels in the table.
#[cfg(test)]
pub(crate) fn labels() -> impl Iterator<Item = &'static str> {
    TABLE.iter().map(|(label, _)| *label)
}
