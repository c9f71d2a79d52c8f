//! Who takes which place: each place at most one candidate, each candidate at most one place, as many
//! as possible (augmenting paths; Kuhn's algorithm, breadth first).

use std::collections::{BTreeMap, VecDeque};

/// For each candidate, the places that it fits, in the order of preference → candidate by place.
/// The same input gives the same result.
pub(super) fn assign(fits: &[Vec<usize>]) -> BTreeMap<usize, usize> {
    let mut holders: BTreeMap<usize, usize> = BTreeMap::new();
    for candidate in 0..fits.len() {
        seat(candidate, fits, &mut holders);
    }
    holders
}

/// Finds a place for `candidate`, by moving others where needed; leaves all as it is where there is none.
fn seat(candidate: usize, fits: &[Vec<usize>], holders: &mut BTreeMap<usize, usize>) {
    // By place: the candidate from which it was reached.
    let mut reached: BTreeMap<usize, usize> = BTreeMap::new();
    let mut queue = VecDeque::from([candidate]);
    while let Some(mover) = queue.pop_front() {
        for &place in fits.get(mover).into_iter().flatten() {
            if reached.contains_key(&place) {
                continue;
            }
            reached.insert(place, mover);
            match holders.get(&place) {
                Some(&holder) => queue.push_back(holder),
                None => return settle(place, candidate, &reached, holders),
            }
        }
    }
}

/// Moves everyone on the way from the free `place` back to `candidate`.
fn settle(
    mut place: usize,
    candidate: usize,
    reached: &BTreeMap<usize, usize>,
    holders: &mut BTreeMap<usize, usize>,
) {
    while let Some(&mover) = reached.get(&place) {
        let left = holders.iter().find(|(_, holder)| **holder == mover).map(|(left, _)| *left);
        holders.insert(place, mover);
        match left {
            Some(left) if mover != candidate => place = left,
            _ => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The most that can be seated, by trying everything.
    fn most(fits: &[Vec<usize>], taken: u32) -> usize {
        let Some((first, rest)) = fits.split_first() else { return 0 };
        let seated = first.iter().filter(|place| taken & (1 << **place) == 0);
        let best = seated.map(|place| 1 + most(rest, taken | 1 << *place)).max().unwrap_or(0);
        best.max(most(rest, taken))
    }

    proptest! {
        #[test]
        fn as_many_as_possible_are_seated_each_once_where_it_fits(
            fits in prop::collection::vec(prop::collection::vec(0_usize..6, 0..4), 0..6)
        ) {
            let holders = assign(&fits);
            prop_assert_eq!(holders.len(), most(&fits, 0));
            let mut seated: Vec<usize> = holders.values().copied().collect();
            seated.sort_unstable();
            seated.dedup();
            prop_assert_eq!(seated.len(), holders.len());
            for (place, holder) in holders {
                prop_assert!(fits[holder].contains(&place));
            }
        }
    }
}
