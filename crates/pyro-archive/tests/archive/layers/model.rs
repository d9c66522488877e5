//! A *model* of how layers are merged: the rules once more, on paths, written without a look at the
//! code.

use std::collections::BTreeMap;

use super::Entry;

/// What a path has.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Item {
    pub(crate) kind: char,
    pub(crate) mode: u32,
    pub(crate) owner: (u32, u32),
    /// Content or target.
    pub(crate) text: String,
    /// The same for all names of one file.
    pub(crate) file: usize,
    layer: usize,
}

#[derive(Debug, Default)]
pub(crate) struct Model {
    pub(crate) items: BTreeMap<String, Item>,
    files: usize,
}

type Path = Vec<String>;

impl Model {
    /// Adds a layer. None if one of its entries has to be refused.
    pub(crate) fn add(&mut self, layer: usize, entries: &[Entry<'_>]) -> Option<()> {
        let last = |entry: &Entry<'_>| parts(entry.name).pop().unwrap_or_default();
        for entry in entries {
            let mut path = parts(entry.name);
            let name = path.pop().unwrap_or_default();
            let is_directory = |path: &[String]| {
                path.is_empty()
                    || self
                        .items
                        .get(&path.join("/"))
                        .is_some_and(|i| i.kind == 'd')
            };
            if !(0..=path.len()).all(|end| is_directory(&path[..end])) {
                continue;
            }
            if name == ".wh..wh..opq" {
                self.remove(&path, false);
            } else if let Some(name) = name.strip_prefix(".wh.")
                && !(["", ".", ".."].contains(&name) || name.starts_with(".wh."))
            {
                path.push(name.into());
                self.remove(&path, true);
            }
        }
        let real = entries
            .iter()
            .filter(|entry| !last(entry).starts_with(".wh."));
        real.into_iter()
            .try_for_each(|entry| self.entry(layer, entry))
    }

    fn entry(&mut self, layer: usize, entry: &Entry<'_>) -> Option<()> {
        let mut path = parts(entry.name);
        let name = path.pop()?;
        let linked = if entry.kind == b'1' {
            let mut target = parts(entry.target);
            let last = target.pop()?;
            let mut found = self.resolve(layer, &target, false)?;
            found.push(last);
            Some(
                self.items
                    .get(&found.join("/"))
                    .filter(|item| item.kind != 'd')?
                    .clone(),
            )
        } else {
            None
        };
        let mut place = self.resolve(layer, &path, true)?;
        place.push(name);
        let kind = match entry.kind {
            b'5' => 'd',
            b'2' => 'l',
            b'6' => 'p',
            _ => 'f',
        };
        self.files += 1;
        let item = linked.unwrap_or_else(|| Item {
            kind,
            mode: if kind == 'l' { 0o777 } else { entry.mode },
            owner: entry.owner,
            text: match kind {
                'l' => entry.target.into(),
                _ => String::from_utf8_lossy(entry.content).into_owned(),
            },
            file: self.files,
            layer,
        });
        let there = self.items.get(&place.join("/"));
        if kind != 'd' || entry.kind == b'1' || there.is_some_and(|there| there.kind != 'd') {
            self.remove(&place, true);
        }
        self.items.insert(place.join("/"), item);
        Some(())
    }

    /// Where a path of directories leads, through links of the same layer. What is missing or no
    /// directory is made one, if it may be.
    fn resolve(&mut self, layer: usize, path: &[String], makes: bool) -> Option<Path> {
        let mut ahead: Path = path.iter().rev().cloned().collect();
        let mut here = Path::new();
        let mut links = 0;
        while let Some(part) = ahead.pop() {
            if part == ".." {
                here.pop();
                continue;
            }
            here.push(part);
            let item = self.items.get(&here.join("/"));
            match item.map(|item| (item.kind, item.layer)) {
                Some(('d', _)) => {}
                Some(('l', of)) if of == layer => {
                    links += 1;
                    if links > 40 {
                        return None;
                    }
                    let target = item?.text.clone();
                    here.pop();
                    if target.starts_with('/') {
                        here.clear();
                    }
                    ahead.extend(parts(&target).into_iter().rev());
                }
                _ if makes => {
                    self.remove(&here, true);
                    self.files += 1;
                    let item = Item {
                        kind: 'd',
                        mode: 0o755,
                        owner: (0, 0),
                        text: String::new(),
                        file: self.files,
                        layer,
                    };
                    self.items.insert(here.join("/"), item);
                }
                _ => return None,
            }
        }
        Some(here)
    }

    fn remove(&mut self, path: &[String], itself: bool) {
        let path = path.join("/");
        let below = if path.is_empty() {
            String::new()
        } else {
            format!("{path}/")
        };
        self.items
            .retain(|name, _| !(name.starts_with(&below) || itself && *name == path));
    }

    pub(crate) fn links(&self, file: usize) -> u32 {
        let names = self.items.values().filter(|item| item.file == file);
        names.count().try_into().unwrap()
    }
}

fn parts(path: &str) -> Path {
    let parts = path.split('/').filter(|part| !["", "."].contains(part));
    parts.map(Into::into).collect()
}
