//! A *map* lists the positions of the content of a file with holes.

/// The map of one file.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Map {
    pub(super) size: u64,
    /// In order.
    pub(super) extents: Vec<Extent>,
}

/// A part of a file that has content.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Extent {
    pub(super) offset: u64,
    pub(super) length: u64,
}

impl Map {
    /// Parses offsets and lengths, alternating and separated by commas. `None` if they are not
    /// numbers, are out of order, or exceed the file.
    pub(super) fn parse(size: u64, text: &str) -> Option<Self> {
        let mut numbers = text.split(',').map(|number| number.parse::<u64>().ok());
        let mut extents = Vec::new();
        let mut end = 0;
        while let Some(offset) = numbers.next() {
            let (offset, length) = (offset?, numbers.next()??);
            if offset < end {
                return None;
            }
            end = offset.checked_add(length).filter(|end| *end <= size)?;
            extents.push(Extent { offset, length });
        }
        Some(Self { size, extents })
    }

    /// The expected size of the content.
    pub(super) fn stored(&self) -> Option<u64> {
        let mut lengths = self.extents.iter().map(|extent| extent.length);
        lengths.try_fold(0_u64, u64::checked_add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_is_in_order_and_inside() {
        let map = Map::parse(100, "0,10,20,5,100,0").unwrap();
        assert_eq!(map.stored(), Some(15));
        assert_eq!(map.extents.len(), 3);
        for text in [
            "",
            "1",
            "0,10,5,1",
            "90,11",
            "a,b",
            "0,-1",
            "18446744073709551615,1",
        ] {
            assert_eq!(Map::parse(100, text), None, "{text}");
        }
    }
}
