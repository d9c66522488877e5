//! The *kernel package* of the distribution: found, downloaded and checked by apt, unpacked here.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use tokio::process::Command;

use super::apt::Archive;
use super::failure;
use crate::Error;
use crate::compressed;
use crate::confined::{self, Network};
use crate::modules;
use crate::partial::Partial;
use crate::tools::Tools;

/// The package that depends on the current kernel for virtual machines.
const META_PACKAGE: &str = "linux-image-cloud-amd64";

/// Bytes of a package list, a kernel package and what it unpacks to, rounded up.
const NEEDED_BYTES: u64 = 300 << 20;

/// The largest file that is read from the package: far above any kernel or module.
const FILE_LIMIT: u64 = 256 << 20;

/// The largest module that is decompressed: ten times the largest there is.
const MODULE_LIMIT: u64 = 32 << 20;

/// How the files of modules end: compressed from Debian 13 on.
const MODULE: &str = ".ko";
const MODULE_XZ: &str = ".ko.xz";

/// A kernel package of the archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KernelPackage {
    /// For example `linux-image-6.1.0-56-cloud-amd64`.
    pub(crate) name: String,
    /// For example `6.1.192-2`.
    pub(crate) version: String,
}

/// What was found in a package.
#[derive(Debug)]
pub(crate) struct Unpacked {
    /// The kernel as the distribution ships it.
    pub(crate) image: Vec<u8>,
    /// What `uname -r` says under it.
    pub(crate) kernel_version: String,
    /// The modules to load, in that order, with their contents.
    pub(crate) modules: Vec<(String, Vec<u8>)>,
}

impl KernelPackage {
    /// Finds the current kernel package, keeping what apt needs for that in `partial`.
    pub(crate) async fn find(
        tools: &Tools,
        archive: &Archive,
        partial: &Path,
    ) -> Result<Self, Error> {
        const SCRIPT: &str = r#"
set -eu
apt-get -c "$0/apt.conf" -qq update
exec apt-cache -c "$0/apt.conf" show --no-all-versions "$1"
"#;
        archive.write_private_configuration(partial)?;
        let mut lines = Vec::new();
        confined::run(
            tools,
            partial,
            Network::Hosts,
            SCRIPT,
            &[META_PACKAGE],
            |line| {
                lines.push(line.to_owned());
            },
        )
        .await?
        .map_err(|failure| failure::explain("apt-get", failure, partial, NEEDED_BYTES))?;
        parse(&lines).ok_or_else(|| Error::KernelPackage {
            package: META_PACKAGE.into(),
            problem: "it does not say which kernel it stands for".into(),
        })
    }

    /// Downloads the package and returns what is needed of it. [`find`](Self::find) has prepared
    /// `partial`.
    pub(crate) async fn download(
        &self,
        tools: &Tools,
        partial: &Arc<Partial>,
    ) -> Result<Unpacked, Error> {
        const SCRIPT: &str = r#"
set -eu
mkdir "$0/download"
cd "$0/download"
exec apt-get -c "$0/apt.conf" -qq download "$1"
"#;
        let directory = partial.path();
        let arguments = [format!("{}={}", self.name, self.version)];
        confined::run(tools, directory, Network::Hosts, SCRIPT, &arguments, |_| {})
            .await?
            .map_err(|failure| failure::explain("apt-get", failure, directory, NEEDED_BYTES))?;
        let package = self.downloaded(&directory.join("download"))?;

        let failed = |source| Error::Spawn {
            program: "dpkg-deb".into(),
            source,
        };
        let mut child = Command::new(tools.path("dpkg-deb"))
            .arg("--fsys-tarfile")
            .arg(package)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(failed)?;
        let output = child
            .stdout
            .take()
            .ok_or_else(|| failed(io::ErrorKind::BrokenPipe.into()))?;
        let output = fs::File::from(output.into_owned_fd().map_err(failed)?);
        // If this future is dropped, the task still writes for a moment: the directory is its too.
        let partial = Arc::clone(partial);
        let unpacked =
            tokio::task::spawn_blocking(move || unpack(output, &partial.path().join("modules")));
        let unpacked = unpacked
            .await
            .unwrap_or_else(|error| Err(error.to_string()));
        let status = child.wait().await.map_err(failed)?;
        if !status.success() && unpacked.is_ok() {
            return Err(self.problem(format!("dpkg-deb ended with {status}")));
        }
        unpacked.map_err(|problem| self.problem(problem))
    }

    pub(crate) fn problem(&self, problem: String) -> Error {
        Error::KernelPackage {
            package: self.name.clone(),
            problem,
        }
    }

    fn downloaded(&self, directory: &Path) -> Result<PathBuf, Error> {
        let entries = fs::read_dir(directory).map_err(Error::cache("read", directory))?;
        entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .find(|path| path.extension().is_some_and(|extension| extension == "deb"))
            .ok_or_else(|| Error::BuildFailed {
                step: "apt-get",
                status: format!("it did not download {}", self.name),
                output: Vec::new(),
            })
    }
}

/// Reads the package that the meta-package depends on from what `apt-cache show` printed.
fn parse(lines: &[String]) -> Option<KernelPackage> {
    let field = |name: &str| lines.iter().find_map(|line| line.strip_prefix(name));
    let dependency = field("Depends: ")?
        .split(',')
        .map(str::trim)
        .find(|dependency| dependency.starts_with("linux-image-"))?;
    let (name, version) = match dependency.split_once(" (= ") {
        Some((name, version)) => (name, version.strip_suffix(')')?),
        None => (dependency, field("Version: ")?),
    };
    Some(KernelPackage {
        name: name.to_owned(),
        version: version.to_owned(),
    })
}

/// Reads a package's file tree. All modules are kept in `directory`, as they are, for as long as
/// it is not known which are needed.
fn unpack(tree: impl Read, directory: &Path) -> Result<Unpacked, String> {
    let damaged = |error: io::Error| format!("it cannot be read: {error}");
    fs::create_dir(directory).map_err(damaged)?;
    let mut kernel = None;
    let mut built_in = BTreeSet::new();
    let mut files = BTreeMap::new();
    let mut tree = tar::Archive::new(tree);
    for entry in tree.entries().map_err(damaged)? {
        let mut entry = entry.map_err(damaged)?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let path = entry
            .path()
            .map_err(damaged)?
            .to_string_lossy()
            .into_owned();
        let mut read = || {
            let mut contents = Vec::new();
            (&mut entry)
                .take(FILE_LIMIT)
                .read_to_end(&mut contents)
                .map_err(damaged)?;
            Ok::<_, String>(contents)
        };
        let name = path.rsplit('/').next().unwrap_or_default();
        if let Some(version) = path.strip_prefix("./boot/vmlinuz-") {
            kernel = Some((version.to_owned(), read()?));
        } else if name == "modules.builtin" {
            built_in = modules::parse_built_in(&String::from_utf8_lossy(&read()?));
        } else if let Some(module) = [MODULE, MODULE_XZ]
            .into_iter()
            .find_map(|end| name.strip_suffix(end))
        {
            let file = directory.join(name);
            fs::write(&file, read()?).map_err(damaged)?;
            files.insert(modules::canonical(module), file);
        }
    }
    let (kernel_version, image) = kernel.ok_or("it holds no kernel")?;
    // Of more than a thousand modules a dozen are decompressed.
    let mut contents = BTreeMap::new();
    let order = modules::load_order(modules::WANTED, &built_in, &mut |name| {
        let file = files
            .get(name)
            .ok_or_else(|| format!("it has no module {name}"))?;
        let module = module(file).map_err(|problem| format!("its module {name} {problem}"))?;
        let depends = modules::depends(&module)
            .ok_or_else(|| format!("its module {name} is not a 64-bit ELF module"))?;
        contents.insert(name.to_owned(), module);
        Ok(depends)
    })?;
    let modules = order
        .into_iter()
        .filter_map(|name| contents.remove_entry(&name))
        .collect();
    Ok(Unpacked {
        image,
        kernel_version,
        modules,
    })
}

/// Returns what is in the file of a module.
fn module(file: &Path) -> Result<Vec<u8>, String> {
    let contents = fs::read(file).map_err(|error| format!("cannot be read: {error}"))?;
    if file.extension().is_some_and(|extension| extension == "xz") {
        compressed::xz(&contents, MODULE_LIMIT)
    } else {
        Ok(contents)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::modules::tests::elf_with_modinfo;

    #[test]
    fn the_meta_package_names_the_kernel() {
        let shown = "\
Package: linux-image-cloud-amd64
Source: linux-signed-amd64 (6.1.192+2)
Version: 6.1.192-2
Provides: linux-latest-modules-6.1.0-56-cloud-amd64, wireguard-modules (= 1.0.0)
Depends: linux-image-6.1.0-56-cloud-amd64 (= 6.1.192-2)
Description: Linux for x86-64 cloud (meta-package)";
        let lines: Vec<_> = shown.lines().map(str::to_owned).collect();
        let expected = KernelPackage {
            name: "linux-image-6.1.0-56-cloud-amd64".into(),
            version: "6.1.192-2".into(),
        };
        assert_eq!(parse(&lines), Some(expected.clone()));
        let lines = [lines[2].clone(), lines[4].replace(" (= 6.1.192-2)", "")];
        assert_eq!(parse(&lines), Some(expected));
        assert_eq!(parse(&[]), None);
    }

    fn tree(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut tree = tar::Builder::new(Vec::new());
        for (path, contents) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(contents.len() as u64);
            header.set_mode(0o644);
            // As Debian's packages have them, with "./", which no function writes.
            header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
            header.set_cksum();
            tree.append(&header, *contents).unwrap();
        }
        tree.into_inner().unwrap()
    }

    /// A package whose kernel has all that is wanted but two modules, which are compressed.
    fn unpack_with(overlay: &[u8]) -> Result<Unpacked, String> {
        const MODULES: &str = "./usr/lib/modules/6.12.1-cloud-amd64";
        let built_in: Vec<_> = modules::WANTED
            .iter()
            .filter(|name| **name != "overlay")
            .map(|name| format!("kernel/{name}.ko"))
            .collect();
        let built_in = built_in.join("\n");
        let helper = compressed::tests::xz(&elf_with_modinfo(b"depends=\0name=helper\0"));
        let tree = tree(&[
            ("./boot/vmlinuz-6.12.1-cloud-amd64", b"image"),
            (&format!("{MODULES}/modules.builtin"), built_in.as_bytes()),
            (&format!("{MODULES}/kernel/fs/a-helper.ko.xz"), &helper),
            (&format!("{MODULES}/kernel/fs/overlay.ko.xz"), overlay),
            (&format!("{MODULES}/kernel/other.ko.xz"), b"nobody reads it"),
        ]);
        let directory = tempfile::tempdir().unwrap();
        unpack(&tree[..], &directory.path().join("modules"))
    }

    #[test]
    fn compressed_modules_are_decompressed_if_they_are_needed() {
        let overlay = elf_with_modinfo(b"depends=a-helper\0name=overlay\0");
        let unpacked = unpack_with(&compressed::tests::xz(&overlay)).unwrap();
        assert_eq!(unpacked.kernel_version, "6.12.1-cloud-amd64");
        assert_eq!(unpacked.image, b"image");
        let names: Vec<_> = unpacked.modules.iter().map(|(name, _)| &**name).collect();
        assert_eq!(names, ["a_helper", "overlay"]);
        assert_eq!(unpacked.modules[1].1, overlay);
    }

    #[test]
    fn a_module_that_cannot_be_used_is_named() {
        let overlay = compressed::tests::xz(&elf_with_modinfo(b"depends=a-helper\0"));
        let short = unpack_with(&overlay[..overlay.len() / 2]).unwrap_err();
        assert!(
            short.starts_with("its module overlay cannot be decompressed: "),
            "{short}"
        );
        let other = unpack_with(&compressed::tests::xz(b"no module")).unwrap_err();
        assert_eq!(other, "its module overlay is not a 64-bit ELF module");
        let too_large = vec![0; usize::try_from(MODULE_LIMIT).unwrap() + 1];
        let too_large = unpack_with(&compressed::tests::xz(&too_large)).unwrap_err();
        assert_eq!(
            too_large,
            "its module overlay is longer than its limit of 33554432 bytes"
        );
        let needs = compressed::tests::xz(&elf_with_modinfo(b"depends=nothing\0"));
        let missing = unpack_with(&needs).unwrap_err();
        assert_eq!(missing, "it has no module nothing");
    }

    #[test]
    fn a_package_without_a_kernel_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let tree = tree(&[("./usr/share/doc/copyright", b"x")]);
        let problem = unpack(&tree[..], &directory.path().join("m")).unwrap_err();
        assert_eq!(problem, "it holds no kernel");
        let problem = unpack(&b"junk that is no archive"[..], &directory.path().join("n"));
        assert!(problem.unwrap_err().starts_with("it cannot be read"));
    }
}
