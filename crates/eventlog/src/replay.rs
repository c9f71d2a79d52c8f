//! The registers that a log says.

use std::collections::BTreeMap;

use aws_lc_rs::digest as lc;

use crate::{EventLog, TcgAlgorithm, UnsupportedAlgorithm};

/// The longest digest that is computed, in bytes (SHA-512).
const LONGEST: usize = 64;

/// The registers that the replay of a log gives: those that an event extends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registers {
    algorithm: TcgAlgorithm,
    values: BTreeMap<u32, Vec<u8>>,
    zero: Vec<u8>,
}

impl Registers {
    /// The algorithm.
    pub fn algorithm(&self) -> TcgAlgorithm {
        self.algorithm
    }

    /// The value of a register, as many bytes as the algorithm's digest has. Zeros where no event extends
    /// it.
    pub fn value(&self, index: u32) -> &[u8] {
        self.values.get(&index).unwrap_or(&self.zero)
    }

    /// The registers that an event extends, by index, each with its value.
    pub fn extended(&self) -> impl Iterator<Item = (u32, &[u8])> {
        self.values.iter().map(|(index, value)| (*index, value.as_slice()))
    }
}

impl EventLog {
    /// Folds the events into registers: each begins with zeros, and each event that is extended makes
    /// it `H(register || digest)` (TCG PC Client Platform Firmware Profile 1.06, 10.1). Registers that
    /// begin with something else (PCR 17 to 22, PCR 0 after a start at another locality) are not
    /// known here.
    ///
    /// `EV_NO_ACTION` events are not extended. An event without a digest of `algorithm`, or with
    /// several, is left out; it is then not among [`EventLog::bound`] either.
    ///
    /// # Errors
    /// [`UnsupportedAlgorithm`] for SHA-1, SM3 and algorithms that are not known.
    pub fn replay(&self, algorithm: impl Into<TcgAlgorithm>) -> Result<Registers, UnsupportedAlgorithm> {
        let algorithm = algorithm.into();
        let implementation = algorithm.implementation()?;
        let zero = vec![0; implementation.output_len()];
        let mut values: BTreeMap<u32, Vec<u8>> = BTreeMap::new();
        for event in self.events().filter(|event| event.is_extended()) {
            let Some(digest) = event.digest(algorithm) else { continue };
            let register = values.entry(event.index).or_insert_with(|| zero.clone());
            fold(implementation, register, digest);
        }
        Ok(Registers { algorithm, values, zero })
    }
}

/// `register = H(register || digest)`. Both have the algorithm's length: the log's table was checked.
fn fold(implementation: &'static lc::Algorithm, register: &mut Vec<u8>, digest: &[u8]) {
    let mut both = [0; 2 * LONGEST];
    let (at_register, rest) = both.split_at_mut(register.len());
    at_register.copy_from_slice(register);
    let (at_digest, _) = rest.split_at_mut(digest.len());
    at_digest.copy_from_slice(digest);
    let len = register.len().saturating_add(digest.len());
    let folded = lc::digest(implementation, both.get(..len).unwrap_or_default());
    register.clear();
    register.extend_from_slice(folded.as_ref());
}
