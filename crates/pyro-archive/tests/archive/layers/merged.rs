//! Whatever layers there are, they amount to what the model says.

use proptest::collection::vec;
use proptest::prelude::*;

use super::model::Model;
use super::{Entry, Tree, tree};
use crate::Tar;

/// What every image gets has none of these names.
const NAME: &str = "(/|\\./)?[abc](/[abc]){0,3}/?";
const TARGET: &str = "(/|(\\.\\./){1,3})?[abc](/([abc]|\\.\\.)){0,2}";
const MARKED: &str = "([abc]/){0,3}\\.wh\\.([abc]|\\.wh\\.\\.opq|\\.wh\\.x|\\.|\\.\\.|)";

#[derive(Clone, Debug)]
struct Made {
    kind: u8,
    name: String,
    target: String,
    content: String,
    mode: u32,
}

fn entry() -> impl Strategy<Value = Made> {
    let kind = prop::sample::select(&b"0001223555566"[..]);
    let name = prop_oneof![6 => NAME, 1 => MARKED];
    (kind, name, NAME, TARGET, "[xyz]{0,3}", 0_u32..0o1000).prop_map(
        |(kind, name, linked, target, content, mode)| Made {
            // A directory is one by its slash too.
            kind: match kind {
                b'0' if name.ends_with('/') => b'5',
                b'3' => b'6',
                kind => kind,
            },
            target: match kind {
                b'1' => linked,
                b'2' => target,
                _ => String::new(),
            },
            content: if kind == b'0' && !name.ends_with('/') {
                content
            } else {
                String::new()
            },
            name,
            mode,
        },
    )
}

impl Made {
    fn entry(&self) -> Entry<'_> {
        Entry {
            kind: self.kind,
            name: &self.name,
            target: &self.target,
            content: self.content.as_bytes(),
            mode: self.mode,
            owner: (self.mode, 70_000),
            ..Entry::default()
        }
    }
}

fn cases(few: u32, many: u32) -> u32 {
    if std::env::var_os("PYRO_TEST_FULL").is_some() {
        many
    } else {
        few
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: cases(500, 20_000),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn layers_amount_to_what_the_model_says(layers in vec(vec(entry(), 0..10), 2..5)) {
        let mut model = Model::default();
        let mut tars = Vec::new();
        let mut is_good = true;
        for (number, layer) in layers.iter().enumerate() {
            let entries: Vec<_> = layer.iter().map(Made::entry).collect();
            is_good = is_good && model.add(number, &entries).is_some();
            tars.push(entries.iter().fold(Tar::default(), Tar::entry).end());
        }
        match tree(&tars) {
            Ok(tree) => {
                prop_assert!(is_good, "it should have been refused");
                compare(&model, &tree)?;
            }
            Err(error) => prop_assert!(!is_good, "{error}"),
        }
    }
}

fn compare(model: &Model, tree: &Tree) -> Result<(), TestCaseError> {
    let of_model: Vec<&str> = model.items.keys().map(String::as_str).collect();
    prop_assert_eq!(of_model, super::names(tree));
    for (path, item) in &model.items {
        let seen = &tree[path.as_bytes()];
        prop_assert_eq!(item.kind, seen.kind(), "{}", path);
        prop_assert_eq!(item.mode, seen.mode & 0o7777, "{}", path);
        prop_assert_eq!(item.owner, seen.owner, "{}", path);
        if item.kind != 'd' {
            prop_assert_eq!(&item.text, &seen.text(), "{}", path);
            prop_assert_eq!(model.links(item.file), seen.links, "{}", path);
        }
        for (other_path, other) in &model.items {
            let is_same = tree[other_path.as_bytes()].inode == seen.inode;
            prop_assert_eq!(is_same, other.file == item.file, "{} {}", path, other_path);
        }
    }
    Ok(())
}
