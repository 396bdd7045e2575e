//! Whether somebody stands out in a table: k-anonymity for the columns that are named.
//!
//! A *class* is what rows with the same values in the named columns are together. It is counted in customers, not in rows: five
//! rows of one customer hide nobody. Rows of classes with fewer than k customers are left out whole (suppressed); that takes nothing
//! from other classes, so one pass of counting and one of writing is enough.
//!
//! Limits: only the named columns are looked at. If all customers of a class have the same value in another column, whoever knows that
//! somebody is in the table knows that value: l-diversity and t-closeness are not claimed. If rows carry a pseudonym, what is
//! known of several rows of one customer may single them out, although each row alone does not.

use std::collections::HashMap;

/// Memory is bounded: a table with more classes than this is too fine to be given out.
pub const MOST_CLASSES: usize = 1_000_000;

/// The columns make more than [`MOST_CLASSES`] combinations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the columns make more than {MOST_CLASSES} combinations: make them coarser")]
pub struct TooFine;

/// What was counted, and what would be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Summary {
    /// Combinations of values.
    pub classes: usize,
    /// Customers of the smallest class that stays; none if nothing stays.
    pub smallest: Option<u32>,
    /// Classes that are left out.
    pub suppressed_classes: usize,
    /// Rows that stay.
    pub rows: u64,
    /// Rows that are left out.
    pub suppressed_rows: u64,
}

#[derive(Debug, Clone, Copy, Default)]
struct Counted {
    people: u32,
    rows: u64,
    last: Option<u128>,
}

/// Classes while they are counted.
#[derive(Debug, Default)]
pub struct Classes {
    counted: HashMap<Box<[Box<str>]>, Counted>,
}

impl Classes {
    /// Counts a row: whose it is, and its values in the named columns. All rows of one person must come one after the other;
    /// otherwise somebody is counted more than once.
    ///
    /// # Errors
    /// [`TooFine`]
    pub fn count(&mut self, person: u128, values: &[&str]) -> Result<(), TooFine> {
        let class: Box<[Box<str>]> = values.iter().map(|value| Box::from(*value)).collect();
        if self.counted.len() >= MOST_CLASSES && !self.counted.contains_key(&class) {
            return Err(TooFine);
        }
        let counted = self.counted.entry(class).or_default();
        counted.rows += 1;
        if counted.last != Some(person) {
            counted.people = counted.people.saturating_add(1);
            counted.last = Some(person);
        }
        Ok(())
    }

    /// Whether a row with these values stays: its class has at least k customers.
    pub fn stays(&self, k: u32, values: &[&str]) -> bool {
        let class: Box<[Box<str>]> = values.iter().map(|value| Box::from(*value)).collect();
        self.counted.get(&class).is_some_and(|counted| counted.people >= k)
    }

    /// What there is, and what is left out for this k.
    pub fn summary(&self, k: u32) -> Summary {
        let mut summary = Summary { classes: self.counted.len(), ..Summary::default() };
        for counted in self.counted.values() {
            if counted.people >= k {
                summary.rows += counted.rows;
                summary.smallest =
                    Some(summary.smallest.map_or(counted.people, |least| least.min(counted.people)));
            } else {
                summary.suppressed_classes += 1;
                summary.suppressed_rows += counted.rows;
            }
        }
        summary
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn many_rows_of_one_customer_hide_nobody() {
        let mut classes = Classes::default();
        for _ in 0..10 {
            classes.count(1, &["2026-W01", "main"]).unwrap();
        }
        classes.count(2, &["2026-W01", "main"]).unwrap();
        assert!(classes.stays(2, &["2026-W01", "main"]));
        assert!(!classes.stays(3, &["2026-W01", "main"]));
        assert!(!classes.stays(1, &["2026-W02", "main"]));
        let summary = classes.summary(3);
        assert_eq!((summary.rows, summary.suppressed_rows, summary.smallest), (0, 11, None));
    }

    proptest! {
        /// Against brute force: for every row, the customers who share its values are looked for in the whole table.
        #[test]
        fn as_brute_force_says(rows in prop::collection::vec((0_u8..6, 0_u8..3, 0_u8..3), 0..40), k in 1_u32..5) {
            let mut rows = rows;
            rows.sort();
            let mut classes = Classes::default();
            for (who, a, b) in &rows {
                classes.count(u128::from(*who), &[&a.to_string(), &b.to_string()]).unwrap();
            }
            let people = |a: u8, b: u8| rows.iter().filter(|row| (row.1, row.2) == (a, b)).map(|row| row.0).collect::<BTreeSet<_>>();
            let (mut stay, mut smallest) = (0, None::<u32>);
            for (_, a, b) in &rows {
                let n = u32::try_from(people(*a, *b).len()).unwrap();
                prop_assert_eq!(classes.stays(k, &[&a.to_string(), &b.to_string()]), n >= k);
                if n >= k {
                    stay += 1;
                    smallest = Some(smallest.map_or(n, |least| least.min(n)));
                }
            }
            let summary = classes.summary(k);
            prop_assert_eq!(summary.rows, stay);
            prop_assert_eq!(summary.suppressed_rows, rows.len() as u64 - stay);
            prop_assert_eq!(summary.smallest, smallest);
        }
    }
}
