//! The firmware in the evidence against a set of reference values.

use std::collections::{BTreeMap, BTreeSet};

use super::assignment::assign;
use crate::endorsement::ComponentReference;
use crate::platform::SoftwareComponent;

/// A place in the firmware: any of the alternatives may stand there, once.
#[derive(Debug)]
pub(super) struct Place<'a> {
    /// The role; `None` for a reference component without a name, which has a place of its own.
    pub(super) name: Option<&'a str>,
    /// What may stand there; one or more.
    pub(super) alternatives: Vec<&'a ComponentReference>,
}

/// How the firmware in the evidence compares with a set.
#[derive(Debug, Default)]
pub(super) struct Comparison<'a> {
    /// Components that stand where the set wants them.
    pub(super) matched: Vec<&'a SoftwareComponent>,
    /// Components whose place is known, with the alternative that is most like them and what may stand
    /// there in all.
    pub(super) differing: Vec<Difference<'a>>,
    /// Components for which the set has no place.
    pub(super) unexpected: Vec<&'a SoftwareComponent>,
    /// Components whose place another one has taken.
    pub(super) duplicate: Vec<&'a SoftwareComponent>,
    /// Places that nothing stands for.
    pub(super) missing: Vec<Place<'a>>,
    /// Whether the set has no component at all.
    pub(super) nothing_expected: bool,
}

/// A component that is not as it should be.
#[derive(Debug)]
pub(super) struct Difference<'a> {
    /// The component.
    pub(super) found: &'a SoftwareComponent,
    /// What is most like it.
    pub(super) closest: &'a ComponentReference,
    /// Every measurement that may stand there, in hexadecimal.
    pub(super) measurements: String,
}

impl Comparison<'_> {
    /// How many reasons there are against a match.
    pub(super) fn mismatches(&self) -> usize {
        self.differing.len() + self.unexpected.len() + self.duplicate.len() + self.missing.len()
    }

    /// Whether the firmware is what the set says, no less and no more. A set without components matches
    /// nothing.
    pub(super) fn holds(&self) -> bool {
        self.mismatches() == 0 && !self.nothing_expected
    }
}

/// Which members of a component differ from a reference component.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Differs {
    /// The measurement.
    pub(super) measurement: bool,
    /// The signer.
    pub(super) signer: bool,
    /// The version, where the reference has one.
    pub(super) version: bool,
}

impl Differs {
    pub(super) fn between(found: &SoftwareComponent, reference: &ComponentReference) -> Self {
        Differs {
            measurement: !reference.measurement.accepts(&found.measurement),
            signer: found.signer_id != reference.signer_id,
            version: reference.version.is_some() && found.version != reference.version,
        }
    }

    fn count(self) -> usize {
        [self.measurement, self.signer, self.version].into_iter().filter(|differs| *differs).count()
    }
}

impl<'a> Place<'a> {
    /// Whether a component of this type may have this role. A component that does not state its type
    /// may: the type is optional.
    fn is_for(&self, found: &SoftwareComponent) -> bool {
        match (self.name, &found.component_type) {
            (Some(name), Some(component_type)) => name == component_type,
            _ => true,
        }
    }

    fn accepts(&self, found: &SoftwareComponent) -> bool {
        let same = |reference: &&ComponentReference| Differs::between(found, reference).count() == 0;
        self.is_for(found) && self.alternatives.iter().any(same)
    }

    fn closest(&self, found: &SoftwareComponent) -> Option<&'a ComponentReference> {
        let distance = |reference: &&ComponentReference| {
            let differs = Differs::between(found, reference);
            (differs.count(), differs)
        };
        self.alternatives.iter().copied().min_by_key(distance)
    }

    /// Whether `found` was meant for this place though it does not fit: it has its name, or its
    /// measurement where one of the two has no name.
    fn was_meant_for(&self, found: &SoftwareComponent) -> bool {
        let named = self.name.is_some() && found.component_type.is_some();
        let measured = |reference: &&ComponentReference| reference.measurement.accepts(&found.measurement);
        self.is_for(found) && (named || self.alternatives.iter().any(measured))
    }

    /// Every measurement that may stand here.
    pub(super) fn measurements(&self) -> String {
        let all: BTreeSet<String> = self.alternatives.iter().map(|one| one.measurement.to_hex()).collect();
        all.into_iter().collect::<Vec<_>>().join(" | ")
    }
}

/// The places that a set has: the named ones by name, then those without a name. What a set says twice
/// it says once.
fn places(reference: &[ComponentReference]) -> Vec<Place<'_>> {
    let said = |component: &&ComponentReference| {
        let digests: BTreeSet<Vec<u8>> = component.measurement.0.iter().map(|d| d.value.clone()).collect();
        (component.name.clone(), digests, component.signer_id.clone(), component.version.clone())
    };
    let mut components: Vec<&ComponentReference> = reference.iter().collect();
    components.sort_by_cached_key(said);
    components.dedup_by(|a, b| said(&&**a) == said(&&**b));
    let mut named: BTreeMap<&str, Vec<&ComponentReference>> = BTreeMap::new();
    let mut unnamed = Vec::new();
    for component in components {
        match &component.name {
            Some(name) => named.entry(name).or_default().push(component),
            None => unnamed.push(Place { name: None, alternatives: vec![component] }),
        }
    }
    let named = named.into_iter().map(|(name, alternatives)| Place { name: Some(name), alternatives });
    named.chain(unnamed).collect()
}

/// Compares; the order of components on either side does not matter.
pub(super) fn compare<'a>(
    evidence: &'a [SoftwareComponent],
    reference: &'a [ComponentReference],
) -> Comparison<'a> {
    let mut evidence: Vec<&SoftwareComponent> = evidence.iter().collect();
    evidence.sort_by_key(|c| (&c.component_type, &c.measurement, &c.signer_id, &c.version));
    let places = places(reference);
    let fits: Vec<Vec<usize>> = evidence
        .iter()
        .map(|found| {
            places.iter().enumerate().filter(|(_, place)| place.accepts(found)).map(|(i, _)| i).collect()
        })
        .collect();
    let holders = assign(&fits);
    let seated: BTreeSet<usize> = holders.values().copied().collect();
    let mut out = Comparison { nothing_expected: places.is_empty(), ..Comparison::default() };
    let mut accounted: BTreeSet<usize> = holders.into_keys().collect();
    for (index, (found, fits)) in evidence.into_iter().zip(&fits).enumerate() {
        if seated.contains(&index) {
            out.matched.push(found);
        } else if !fits.is_empty() {
            out.duplicate.push(found);
        } else {
            // A place that nothing has taken explains more than one that is taken.
            let meant = places.iter().enumerate().filter(|(_, place)| place.was_meant_for(found));
            let meant = meant.min_by_key(|(i, _)| accounted.contains(i));
            match meant.and_then(|(i, place)| Some((i, place, place.closest(found)?))) {
                Some((i, place, closest)) => {
                    accounted.insert(i);
                    out.differing.push(Difference { found, closest, measurements: place.measurements() });
                }
                None => out.unexpected.push(found),
            }
        }
    }
    out.missing = places
        .into_iter()
        .enumerate()
        .filter(|(i, _)| !accounted.contains(i))
        .map(|(_, place)| place)
        .collect();
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_compared_with_nothing_is_no_match() {
        assert!(!compare(&[], &[]).holds());
    }
}
