//! The *root file system*: built by mmdebstrap from the archive, made neutral, put in an image.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use super::apt::Archive;
use super::failure;
use super::output::Reader;
use super::sources;
use crate::Error;
use crate::Progress;
use crate::confined::{self, Network};
use crate::layout::ROOTFS;
use crate::progress::Listener;
use crate::recipe::Recipe;
use crate::tools::Tools;

/// Arguments: the release, the variant, the packages, the lines of sources.
const BOOTSTRAP: &str = r#"
set -eu
suite=$1 variant=$2 packages=$3; shift 3
mkdir "$0/tmp"
TMPDIR="$0/tmp" exec mmdebstrap --verbose --mode=root --format=directory --architectures=amd64 \
    --variant="$variant" --include="$packages" \
    --aptopt="$0/acquire.conf" --dpkgopt="$0/dpkg.conf" \
    "$suite" "$0/root" "$@"
"#;

/// Makes of a tree that was built on this machine one that could have been built on any, and an
/// image of it. Modification times stay: Python compares them with those in its compiled files.
///
/// * apt gets the image's own sources and settings; those of the build may hold credentials.
/// * Empty directories for manual pages stay: some packages fail to install without them.
/// * The agent gives each guest its name, resolver and machine id, and mounts `/dev`.
const FINISH: &str = r#"
set -eu
image=$1
cd "$0/root"
rm -f etc/apt/apt.conf.d/99mmdebstrap etc/apt/sources.list etc/apt/sources.list.d/*
[ ! -s "$0/image-apt.conf" ] || install -m 644 "$0/image-apt.conf" etc/apt/apt.conf.d/90archive
[ ! -s "$0/image.sources" ] || install -m 644 "$0/image.sources" etc/apt/sources.list.d/debian.sources
mv etc/dpkg/dpkg.cfg.d/99mmdebstrap etc/dpkg/dpkg.cfg.d/excludes
for section in 1 2 3 4 5 6 7 8; do mkdir -p "usr/share/man/man$section"; done
rm -f etc/hostname etc/resolv.conf
: >etc/machine-id
find dev -xdev -mindepth 1 -delete
cd "$0"
mkfs.erofs --quiet "$image" root
rm -rf --one-file-system root tmp
"#;

/// Builds the image in `partial/install`, where the kernel goes too. `needed` is what the build
/// was estimated to take, for the error of a full disk.
pub(crate) async fn build(
    tools: &Tools,
    archive: &Archive,
    recipe: &Recipe,
    partial: &Path,
    needed: u64,
    progress: Listener<'_>,
) -> Result<(), Error> {
    write_inputs(archive, recipe, partial)?;

    let packages: Vec<_> = recipe.packages().collect();
    let mut arguments = vec![
        recipe.release.to_owned(),
        recipe.variant.to_owned(),
        packages.join(","),
    ];
    arguments.extend(archive.sources.iter().map(sources::Source::line));
    let mut reader = Reader::default();
    confined::run(
        tools,
        partial,
        Network::Hosts,
        BOOTSTRAP,
        &arguments,
        |line| {
            if let Some(news) = reader.line(line) {
                progress(news);
            }
        },
    )
    .await?
    .map_err(|failure| failure::explain("mmdebstrap", failure, partial, needed))?;

    progress(Progress::Phase("image"));
    let image = partial.join("install").join(ROOTFS);
    confined::run(tools, partial, Network::None, FINISH, &[image], |_| {})
        .await?
        .map_err(|failure| failure::explain("mkfs.erofs", failure, partial, needed))
}

fn write_inputs(archive: &Archive, recipe: &Recipe, partial: &Path) -> Result<(), Error> {
    let mut dpkg = String::new();
    for path in recipe.excluded_paths {
        let _ = writeln!(dpkg, "path-exclude={path}");
    }
    for path in recipe.included_paths {
        let _ = writeln!(dpkg, "path-include={path}");
    }
    let acquire = format!("{}Acquire::Languages \"none\";\n", archive.acquire);
    for (name, contents) in [
        ("acquire.conf", &acquire),
        ("dpkg.conf", &dpkg),
        ("image-apt.conf", &archive.acquire_in_image),
        ("image.sources", &sources::for_image(&archive.sources)),
    ] {
        let path = partial.join(name);
        fs::write(&path, contents).map_err(Error::cache("write", path))?;
    }
    Ok(())
}
