//! A *stream set* contains the stream numbers that were used, for as long as the machine lives.

use std::collections::BTreeMap;

/// Used stream numbers as ranges, so that a host that counts upwards needs only one entry for any
/// number of commands.
#[derive(Debug, Default)]
pub(super) struct StreamSet {
    /// First number of each range → last number of it. Ranges neither overlap nor touch.
    ranges: BTreeMap<u32, u32>,
}

impl StreamSet {
    /// Whether `stream` was used.
    pub(super) fn contains(&self, stream: u32) -> bool {
        self.range_at_or_before(stream)
            .is_some_and(|(_, last)| stream <= last)
    }

    /// Marks `stream` as used; returns whether it was unused.
    pub(super) fn insert(&mut self, stream: u32) -> bool {
        let before = self.range_at_or_before(stream);
        if before.is_some_and(|(_, last)| stream <= last) {
            return false;
        }
        let first = match before {
            Some((first, last)) if last + 1 == stream => first,
            _ => stream,
        };
        let last = stream
            .checked_add(1)
            .and_then(|next| self.ranges.remove(&next))
            .unwrap_or(stream);
        self.ranges.insert(first, last);
        true
    }

    fn range_at_or_before(&self, stream: u32) -> Option<(u32, u32)> {
        let (&first, &last) = self.ranges.range(..=stream).next_back()?;
        Some((first, last))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_a_set(streams in proptest::collection::vec(0u32..40, 0..80)) {
            let mut set = StreamSet::default();
            let mut model = BTreeSet::new();
            for stream in streams {
                prop_assert_eq!(set.contains(stream), model.contains(&stream));
                prop_assert_eq!(set.insert(stream), model.insert(stream));
                prop_assert!(set.contains(stream));
            }
        }
    }

    #[test]
    fn counting_upwards_costs_one_range() {
        let mut set = StreamSet::default();
        assert!((1..10_000).all(|stream| set.insert(stream)));
        assert_eq!(set.ranges.len(), 1);
    }

    #[test]
    fn the_last_number_there_is_can_be_used_once() {
        let mut set = StreamSet::default();
        assert!(set.insert(u32::MAX));
        assert!(!set.insert(u32::MAX));
        assert!(set.insert(u32::MAX - 1));
        assert_eq!(set.ranges.len(), 1);
    }
}
