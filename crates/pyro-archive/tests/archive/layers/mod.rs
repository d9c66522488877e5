//! Layers of OCI images: what they amount to, as a reader of EROFS sees it that is not the kernel's and
//! not the writer's.

mod erofs;
mod hostile;
mod merged;
mod model;
mod random;
mod rules;
mod umoci;

use std::collections::BTreeMap;

use pyro_archive::{Error, Flattened, LayerImage, LayerLimits, Wanted};

use crate::Tar;
use erofs::Seen;

/// What an image has, by path: nothing is in front of the first slash.
type Tree = BTreeMap<Vec<u8>, Seen>;

/// Flattens layers, the lowest first.
fn flatten(layers: &[Vec<u8>], wanted: &Wanted) -> Result<Flattened, Error> {
    flatten_within(layers, wanted, LayerLimits::default())
}

fn flatten_within(
    layers: &[Vec<u8>],
    wanted: &Wanted,
    limits: LayerLimits,
) -> Result<Flattened, Error> {
    let mut image = LayerImage::create(tempfile::tempfile().unwrap(), limits)?;
    for (number, layer) in layers.iter().enumerate() {
        image.add_layer(&format!("number {number}"), &layer[..])?;
    }
    image.finish(wanted)
}

/// What layers amount to.
fn tree(layers: &[Vec<u8>]) -> Result<Tree, Error> {
    Ok(erofs::read(&bytes(flatten(layers, &Wanted::default())?)))
}

fn bytes(image: Flattened) -> Vec<u8> {
    use std::io::{Read as _, Seek as _};
    let mut file = image.into_file();
    let mut bytes = Vec::new();
    file.rewind().unwrap();
    file.read_to_end(&mut bytes).unwrap();
    bytes
}

/// Without what every image gets.
fn names(tree: &Tree) -> Vec<String> {
    let made = ["", "dev", "etc", "proc", "run", "sys", "tmp"];
    let names = tree
        .keys()
        .map(|name| String::from_utf8_lossy(name).into_owned());
    names.filter(|name| !made.contains(&&**name)).collect()
}

/// An entry with whatever its header may have.
#[derive(Clone, Debug)]
struct Entry<'a> {
    kind: u8,
    name: &'a str,
    target: &'a str,
    content: &'a [u8],
    mode: u32,
    owner: (u32, u32),
    modified: u64,
}

impl Default for Entry<'_> {
    fn default() -> Self {
        Self {
            kind: b'0',
            name: "",
            target: "",
            content: b"",
            mode: 0o644,
            owner: (0, 0),
            modified: 1_700_000_000,
        }
    }
}

impl Tar {
    fn entry(self, entry: &Entry<'_>) -> Self {
        let field = |header: &mut [u8; 512], at: usize, digits: usize, number: u64| {
            let text = format!("{number:0digits$o}\0");
            header[at..at + text.len()].copy_from_slice(text.as_bytes());
        };
        self.odd(entry.kind, entry.name, entry.content, |header| {
            field(header, 100, 7, entry.mode.into());
            field(header, 108, 7, entry.owner.0.into());
            field(header, 116, 7, entry.owner.1.into());
            field(header, 136, 11, entry.modified);
            header[157..157 + entry.target.len()].copy_from_slice(entry.target.as_bytes());
        })
    }

    fn device(self, kind: u8, name: &str, major: u32, minor: u32) -> Self {
        self.odd(kind, name, b"", |header| {
            for (at, number) in [(329, major), (337, minor)] {
                header[at..at + 8].copy_from_slice(format!("{number:07o}\0").as_bytes());
            }
        })
    }
}
