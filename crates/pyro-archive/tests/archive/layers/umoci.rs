//! Images are flattened as `umoci unpack` unpacks them, which is another program's idea of the same
//! rules. It needs root, for owners.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

use rustix::fs::{lgetxattr, llistxattr};
use sha2::{Digest, Sha256};

use super::random::{self, Random};
use super::tree;

/// What both have of a path. Times of directories are those of what was last done in them.
#[derive(Debug, Eq, PartialEq)]
struct Known {
    mode: u32,
    owner: (u32, u32),
    seconds: Option<i64>,
    links: Option<u32>,
    content: Vec<u8>,
    attributes: BTreeMap<String, Vec<u8>>,
}

type Tree = BTreeMap<String, Known>;

#[test]
fn random_images_are_what_umoci_unpacks_or_skip() {
    let test = "random_images_are_what_umoci_unpacks_or_skip";
    if Command::new("umoci").arg("--version").output().is_err() {
        eprintln!("SKIPPED {test}: umoci is not installed (apt-get install umoci)");
        return;
    }
    if !rustix::process::geteuid().is_root() {
        eprintln!("SKIPPED {test}: needs root");
        return;
    }
    let count = if std::env::var_os("PYRO_TEST_FULL").is_some() {
        1000
    } else {
        100
    };
    for seed in 0..count {
        let layers = random::image(&mut Random(seed));
        let directory = tempfile::tempdir().unwrap();
        let unpacked = unpack(&layers, directory.path());
        let mut ours = known(&tree(&layers).unwrap());
        for made in ["dev", "etc", "proc", "run", "sys", "tmp"] {
            ours.remove(made).unwrap();
        }
        let theirs = look(&unpacked);
        assert_eq!(
            ours.keys().collect::<Vec<_>>(),
            theirs.keys().collect::<Vec<_>>(),
            "{seed}"
        );
        for (path, ours) in &ours {
            assert_eq!(*ours, theirs[path], "image {seed}, {path}");
        }
    }
}

/// Writes an image's directory and has it unpacked.
fn unpack(layers: &[Vec<u8>], place: &Path) -> std::path::PathBuf {
    let blobs = place.join("image/blobs/sha256");
    fs::create_dir_all(&blobs).unwrap();
    let blob = |bytes: &[u8]| {
        let digest = Sha256::digest(bytes);
        let hex = digest
            .iter()
            .fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
        fs::write(blobs.join(&hex), bytes).unwrap();
        format!("sha256:{hex}")
    };
    let described = |kind: &str, bytes: &[u8]| {
        let (digest, size) = (blob(bytes), bytes.len());
        format!(
            r#"{{"mediaType":"application/vnd.oci.image.{kind}","digest":"{digest}","size":{size}}}"#
        )
    };
    let diff_ids: Vec<_> = layers
        .iter()
        .map(|layer| format!("\"{}\"", blob(layer)))
        .collect();
    let config = format!(
        r#"{{"architecture":"amd64","os":"linux","config":{{}},"rootfs":{{"type":"layers","diff_ids":[{}]}},"history":[]}}"#,
        diff_ids.join(",")
    );
    let layers: Vec<_> = layers
        .iter()
        .map(|layer| described("layer.v1.tar", layer))
        .collect();
    let manifest = format!(
        r#"{{"schemaVersion":2,"config":{},"layers":[{}]}}"#,
        described("config.v1+json", config.as_bytes()),
        layers.join(",")
    );
    let manifest = described("manifest.v1+json", manifest.as_bytes());
    let index = format!(
        r#"{{"schemaVersion":2,"manifests":[{},"annotations":{{"org.opencontainers.image.ref.name":"t"}}}}]}}"#,
        manifest.trim_end_matches('}')
    );
    fs::write(place.join("image/index.json"), index).unwrap();
    fs::write(
        place.join("image/oci-layout"),
        r#"{"imageLayoutVersion":"1.0.0"}"#,
    )
    .unwrap();
    let image = format!("{}:t", place.join("image").display());
    let mut command = Command::new("umoci");
    command
        .args(["unpack", "--image", &image])
        .arg(place.join("bundle"));
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    place.join("bundle/rootfs")
}

fn known(tree: &super::Tree) -> Tree {
    let known = tree
        .iter()
        .filter(|(path, _)| !path.is_empty())
        .map(|(path, seen)| {
            let is_directory = seen.kind() == 'd';
            let known = Known {
                mode: seen.mode,
                owner: seen.owner,
                seconds: (!is_directory).then_some(seen.seconds),
                links: (!is_directory).then_some(seen.links),
                content: seen.content.clone(),
                attributes: seen.attributes.clone(),
            };
            (String::from_utf8(path.clone()).unwrap(), known)
        });
    known.collect()
}

fn look(root: &Path) -> Tree {
    let mut tree = Tree::new();
    let mut ahead = vec![root.to_owned()];
    while let Some(directory) = ahead.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let metadata = fs::symlink_metadata(&path).unwrap();
            let is_directory = metadata.is_dir();
            let content = if metadata.is_symlink() {
                fs::read_link(&path)
                    .unwrap()
                    .into_os_string()
                    .into_encoded_bytes()
            } else if metadata.is_file() {
                fs::read(&path).unwrap()
            } else {
                Vec::new()
            };
            if is_directory {
                ahead.push(path.clone());
            }
            let known = Known {
                mode: metadata.mode(),
                owner: (metadata.uid(), metadata.gid()),
                seconds: (!is_directory).then_some(metadata.mtime()),
                links: (!is_directory).then_some(metadata.nlink().try_into().unwrap()),
                content,
                attributes: attributes(&path),
            };
            let name = path.strip_prefix(root).unwrap().to_str().unwrap();
            tree.insert(name.into(), known);
        }
    }
    tree
}

fn attributes(path: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut names = vec![0; 4096];
    let length = llistxattr(path, &mut names[..]).unwrap();
    let names = names[..length]
        .split(|byte| *byte == 0)
        .filter(|name| !name.is_empty());
    let names = names.map(|name| String::from_utf8(name.to_vec()).unwrap());
    names
        .filter(|name| name.starts_with("user."))
        .map(|name| {
            let mut value = vec![0; 4096];
            let length = lgetxattr(path, &name, &mut value[..]).unwrap();
            value.truncate(length);
            (name, value)
        })
        .collect()
}
