//! *Random* images as tools make them: each layer is the difference between two trees, with its parents,
//! and each path is in it once.

use std::collections::{BTreeMap, BTreeSet};

use super::Entry;
use crate::Tar;

/// Numbers that depend on nothing but where they begin.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ mixed >> 31) % limit as u64).unwrap()
    }

    fn one_of<'a, T: ?Sized>(&mut self, all: &[&'a T]) -> &'a T {
        all[self.below(all.len())]
    }
}

/// Makes an image of two to four layers, the lowest first.
pub(crate) fn image(random: &mut Random) -> Vec<Vec<u8>> {
    let mut there = BTreeMap::new();
    let count = 2 + random.below(3);
    (0..count).map(|_| layer(random, &mut there)).collect()
}

/// What a path has: a type of tar.
type There = BTreeMap<String, u8>;

struct Layer<'a> {
    there: &'a mut There,
    mine: BTreeSet<String>,
    tar: Tar,
}

fn layer(random: &mut Random, there: &mut There) -> Vec<u8> {
    let lower: Vec<String> = there.keys().cloned().collect();
    let mut layer = Layer {
        there,
        mine: BTreeSet::new(),
        tar: Tar::default(),
    };
    for _ in 0..random.below(4) {
        let Some(path) = lower.get(random.below(lower.len().max(1))) else {
            break;
        };
        // No tool deletes what it has added in the same layer.
        let below = format!("{path}/");
        let mut mine = layer.mine.iter();
        let is_mine = mine.any(|mine| mine == path || mine.starts_with(&below));
        if layer.there.contains_key(path) && !is_mine {
            layer.delete(random, path);
        }
    }
    for _ in 0..=random.below(7) {
        let parts = 1 + random.below(3);
        let path: Vec<&str> = (0..parts)
            .map(|_| random.one_of(&["a", "b", "c"]))
            .collect();
        layer.add(random, &path.join("/"));
    }
    layer.tar.end()
}

impl Layer<'_> {
    fn delete(&mut self, random: &mut Random, path: &str) {
        self.parents(random, path);
        let is_opaque = self.there[path] == b'5' && random.below(3) == 0;
        let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
        if is_opaque {
            self.forget(path, false);
            self.directory(random, path);
            self.entry(random, b'0', &format!("{path}/.wh..wh..opq"), "");
        } else {
            self.forget(path, true);
            self.mine.insert(path.into());
            self.entry(random, b'0', &format!("{parent}/.wh.{name}"), "");
        }
    }

    fn add(&mut self, random: &mut Random, path: &str) {
        let below = |path: &str, other: &str| path.starts_with(&format!("{other}/"));
        let is_in_the_way = |mine: &String| {
            mine == path
                || below(mine, path)
                || below(path, mine) && self.there.get(mine) != Some(&b'5')
        };
        if self.mine.iter().any(is_in_the_way) {
            return;
        }
        let kind = *random.one_of(&[&b'0', &b'0', &b'5', &b'2', &b'1', &b'6']);
        let mut target = random
            .one_of(&["a", "b", "a/b", "/a", "../b", "c/a", "nowhere"])
            .to_owned();
        if kind == b'1' {
            let is_fine = |other: &&String| {
                self.there[*other] == b'0'
                    && *other != path
                    && !below(other, path)
                    && !below(path, other)
            };
            let files: Vec<&String> = self.there.keys().filter(is_fine).collect();
            if files.is_empty() {
                return;
            }
            target = files[random.below(files.len())].clone();
        }
        self.parents(random, path);
        if kind != b'5' || self.there.get(path) != Some(&b'5') {
            self.forget(path, true);
        }
        if kind == b'5' {
            return self.directory(random, path);
        }
        self.there
            .insert(path.into(), if kind == b'1' { b'0' } else { kind });
        self.mine.insert(path.into());
        let target = if matches!(kind, b'1' | b'2') {
            &target[..]
        } else {
            ""
        };
        self.entry(random, kind, path, target);
    }

    /// Has directories above a path, and most of the time entries for them.
    fn parents(&mut self, random: &mut Random, path: &str) {
        for (end, _) in path.match_indices('/') {
            let parent = &path[..end];
            let is_there = self.there.get(parent) == Some(&b'5');
            if !is_there {
                self.forget(parent, true);
            }
            if !is_there || !self.mine.contains(parent) && random.below(3) > 0 {
                self.directory(random, parent);
            }
        }
    }

    fn directory(&mut self, random: &mut Random, path: &str) {
        self.there.insert(path.into(), b'5');
        self.mine.insert(path.into());
        self.entry(random, b'5', path, "");
    }

    fn forget(&mut self, path: &str, itself: bool) {
        let below = format!("{path}/");
        self.there
            .retain(|name, _| !(name.starts_with(&below) || itself && name == path));
    }

    fn entry(&mut self, random: &mut Random, kind: u8, name: &str, target: &str) {
        let number = u32::try_from(random.below(1000)).unwrap();
        let content = number.to_string();
        let mut tar = std::mem::take(&mut self.tar);
        if random.below(4) == 0 && matches!(kind, b'0' | b'5') {
            tar = tar.pax(&[("SCHILY.xattr.user.note", content.as_bytes())]);
        }
        self.tar = tar.entry(&Entry {
            kind,
            name: name.trim_start_matches('/'),
            target,
            content: if kind == b'0' {
                content.as_bytes()
            } else {
                b""
            },
            mode: 0o600 | number & 0o7177,
            owner: (number, 70_000),
            modified: 1_000_000 + u64::from(number),
        });
    }
}
