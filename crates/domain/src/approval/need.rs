//! How many people, and of which groups, must agree.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::roster::Group;

/// The most people that a rule can ask for.
pub const MAX_QUORUM: u32 = 20;

/// One element of a rule: `n` people, each of whom belongs to one of these groups.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The groups.
    pub any_of: BTreeSet<Group>,
    /// How many people.
    pub n: u32,
}

/// The places that must all be filled, each person filling one (C3, L9). In the order of their groups; no set of groups
/// stands twice.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Vec<Place>", try_from = "Vec<Place>")]
pub struct Need(BTreeMap<BTreeSet<Group>, u32>);

/// The places of a rule are no rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "all_of: each place has one or more groups and n of at least 1, no set of groups stands twice, and together they ask for at most 20 people"
)]
pub struct MalformedNeed;

impl Need {
    /// Nobody besides the maker is needed.
    pub const NOBODY: Self = Self(BTreeMap::new());

    /// Takes the places.
    ///
    /// # Errors
    /// [`MalformedNeed`] when a place is empty, two have the same groups, or they ask for too many.
    pub fn new(places: Vec<Place>) -> Result<Self, MalformedNeed> {
        let mut need = BTreeMap::new();
        for Place { any_of, n } in places {
            let is_sound = (1..=MAX_QUORUM).contains(&n) && !any_of.is_empty();
            if !is_sound || need.insert(any_of, n).is_some() {
                return Err(MalformedNeed);
            }
        }
        let need = Self(need);
        if need.quorum() > MAX_QUORUM {
            return Err(MalformedNeed);
        }
        Ok(need)
    }

    /// `n` people of one group; nobody when `n` is 0.
    #[must_use]
    pub fn of(group: Group, n: u32) -> Self {
        let place = (BTreeSet::from([group]), n.min(MAX_QUORUM));
        Self(
            BTreeMap::from([place])
                .into_iter()
                .filter(|(_, n)| *n > 0)
                .collect(),
        )
    }

    /// How many people it takes.
    #[must_use]
    pub fn quorum(&self) -> u32 {
        self.0.values().fold(0, |sum, n| sum.saturating_add(*n))
    }

    /// The places.
    pub fn places(&self) -> impl Iterator<Item = (&BTreeSet<Group>, u32)> {
        self.0.iter().map(|(any_of, n)| (any_of, *n))
    }

    /// What asks for at least what either asks for: for each set of groups the larger number (C7).
    #[must_use]
    pub fn stricter(&self, other: &Self) -> Self {
        let mut need = self.0.clone();
        for (any_of, n) in &other.0 {
            let place = need.entry(any_of.clone()).or_default();
            *place = (*place).max(*n);
        }
        Self(need)
    }

    /// Whether it asks for at least what `other` asks for, place by place.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        self.stricter(other) == *self
    }

    /// How far the people who agree fill the places. `people` has one entry per person: the groups they belong to.
    ///
    /// A person who fits several places is put where they help most (a largest matching), never in two.
    #[must_use]
    pub fn progress<'a>(&self, people: impl IntoIterator<Item = &'a BTreeSet<Group>>) -> Progress {
        let people: Vec<_> = people.into_iter().collect();
        let mut seats: Vec<Option<usize>> = vec![None; people.len()];
        let places: Vec<_> = self.places().collect();
        for (place, (_, n)) in places.iter().enumerate() {
            for _ in 0..*n {
                let mut asked = vec![false; people.len()];
                seat(place, &places, &people, (&mut seats, &mut asked));
            }
        }
        let have = |place| seats.iter().filter(|seat| **seat == Some(place)).count();
        let places = places.iter().enumerate().map(|(index, (any_of, n))| {
            let have = u32::try_from(have(index)).unwrap_or(*n);
            let place = Place {
                any_of: (*any_of).clone(),
                n: *n,
            };
            (place, have)
        });
        Progress(places.collect())
    }
}

/// Finds somebody for one more seat of a place, moving others to other places where that helps.
fn seat(
    place: usize,
    places: &[(&BTreeSet<Group>, u32)],
    people: &[&BTreeSet<Group>],
    (seats, asked): (&mut Vec<Option<usize>>, &mut Vec<bool>),
) -> bool {
    for person in 0..people.len() {
        if asked[person] || people[person].is_disjoint(places[place].0) {
            continue;
        }
        asked[person] = true;
        let is_free = match seats[person] {
            None => true,
            Some(other) => other != place && seat(other, places, people, (seats, asked)),
        };
        if is_free {
            seats[person] = Some(place);
            return true;
        }
    }
    false
}

impl From<Need> for Vec<Place> {
    fn from(need: Need) -> Self {
        let places = need.0.into_iter();
        places.map(|(any_of, n)| Place { any_of, n }).collect()
    }
}

impl TryFrom<Vec<Place>> for Need {
    type Error = MalformedNeed;

    fn try_from(places: Vec<Place>) -> Result<Self, MalformedNeed> {
        Self::new(places)
    }
}

/// How many people each place has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress(Vec<(Place, u32)>);

impl Progress {
    /// How many people it takes.
    #[must_use]
    pub fn need(&self) -> u32 {
        self.0.iter().map(|(place, _)| place.n).sum()
    }

    /// How many of them have agreed.
    #[must_use]
    pub fn have(&self) -> u32 {
        self.0.iter().map(|(_, have)| have).sum()
    }

    /// Whether every place is filled.
    #[must_use]
    pub fn is_met(&self) -> bool {
        self.have() >= self.need()
    }

    /// Each place, and how many have agreed for it.
    #[must_use]
    pub fn places(&self) -> &[(Place, u32)] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::roster::Role;

    fn group(name: &str) -> Group {
        name.parse().unwrap()
    }

    fn groups(names: &[&str]) -> BTreeSet<Group> {
        names.iter().map(|name| group(name)).collect()
    }

    fn need(places: &[(&[&str], u32)]) -> Need {
        let places = places.iter().map(|(names, n)| Place {
            any_of: groups(names),
            n: *n,
        });
        Need::new(places.collect()).unwrap()
    }

    fn have(need: &Need, people: &[&[&str]]) -> (u32, bool) {
        let people: Vec<_> = people.iter().map(|names| groups(names)).collect();
        let progress = need.progress(&people);
        (progress.have(), progress.is_met())
    }

    #[test]
    fn l9_every_group_must_agree_and_a_person_fills_one_place() {
        let both = need(&[(&["security"], 1), (&["finance"], 1)]);
        assert_eq!(have(&both, &[&["security", "finance"]]), (1, false));
        assert_eq!(have(&both, &[&["security"], &["security"]]), (1, false));
        assert_eq!(have(&both, &[&["security"], &["finance"]]), (2, true));
    }

    #[test]
    fn l9_whoever_fits_two_places_is_put_where_they_help_most() {
        let both = need(&[(&["a"], 1), (&["b"], 1), (&["c"], 1)]);
        let chain: [&[&str]; 3] = [&["a", "b"], &["b", "c"], &["a"]];
        for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0], [1, 0, 2]] {
            assert_eq!(have(&both, &order.map(|at| chain[at])), (3, true));
        }
    }

    #[test]
    fn l9_any_of_takes_either_group() {
        let either = need(&[(&["a", "b"], 2)]);
        assert_eq!(have(&either, &[&["a"], &["b"]]), (2, true));
        assert_eq!(have(&either, &[&["a"], &["c"]]), (1, false));
    }

    #[test]
    fn c7_the_stricter_need_is_the_larger_number_for_each_group() {
        let (old, new) = (
            need(&[(&["a"], 2), (&["b"], 1)]),
            need(&[(&["a"], 1), (&["c"], 1)]),
        );
        let stricter = old.stricter(&new);
        assert_eq!(stricter, need(&[(&["a"], 2), (&["b"], 1), (&["c"], 1)]));
        assert_eq!(stricter, new.stricter(&old));
        assert!(stricter.covers(&old) && stricter.covers(&new) && !old.covers(&new));
        assert_eq!(Need::NOBODY.stricter(&old), old);
    }

    #[test]
    fn a_need_without_groups_without_people_or_with_too_many_is_refused() {
        let place = |names: &[&str], n| Place {
            any_of: groups(names),
            n,
        };
        for places in [
            vec![place(&[], 1)],
            vec![place(&["a"], 0)],
            vec![place(&["a"], 1), place(&["a"], 1)],
            vec![place(&["a"], 21)],
            vec![place(&["a"], 12), place(&["b"], 12)],
        ] {
            assert_eq!(Need::new(places), Err(MalformedNeed));
        }
        assert_eq!(
            Need::of(Group::Approvers(Role::PolicyApprover), 0),
            Need::NOBODY
        );
    }
}
