//! The *private disk* is the writable layer of one machine: a sparse ext4 image, copied from a
//! blank one that is formatted once.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::Error;

/// Size of a private disk as the guest sees it, in MiB. On the host it takes only what is written.
pub const PRIVATE_DISK_MIB: u64 = 8 * 1024;

/// Part of the blank disk's file name; increased when the formatting changes.
const FORMAT: u32 = 5;

/// The features of the file system, independent of the host's defaults: each further feature is
/// more to copy for every machine, or may be unknown to a guest's kernel. The file system never
/// grows, so it has no `resize_inode`; `orphan_file` alone would take 2 MiB.
const FEATURES: &str = "none,has_journal,ext_attr,dir_index,filetype,extent,64bit,flex_bg,\
                        sparse_super,large_file,huge_file,dir_nlink,extra_isize,metadata_csum";

/// Makes the private disk of one machine at `path`. `directory` belongs to the machine and is below
/// `base`; the disk may be in another file system.
pub(crate) async fn create(path: &Path, base: &Path, directory: &Path) -> Result<(), Error> {
    prepare_blank(base, directory).await?;
    copy(&blank(base, &directory.join("blank"))?, path)
}

/// Makes a private disk that begins as a copy of another.
pub(crate) fn copy(from: &Path, path: &Path) -> Result<(), Error> {
    copy_sparse(from, path).map_err(|error| failed(path, &error))
}

/// Copies the private disk of a machine that does not write to it: without its holes, and with
/// shared blocks where the file system can do that. The copy is flushed to the host's disk.
///
/// # Errors
/// When it cannot be written; a part of it may be left then.
pub fn copy_disk(from: &Path, to: &Path) -> Result<(), Error> {
    copy(from, to)?;
    let flushed = File::open(to).and_then(|file| file.sync_all());
    flushed.map_err(|error| failed(to, &error))
}

/// Formats the blank disk below `base` if there is none yet, on another thread: it takes some time.
pub(super) async fn prepare_blank(base: &Path, directory: &Path) -> Result<(), Error> {
    if blank_path(base).exists() {
        return Ok(());
    }
    let (base, scratch) = (base.to_owned(), directory.join("blank"));
    let made = tokio::task::spawn_blocking(move || blank(&base, &scratch)).await;
    made.expect("formatting does not panic, and is not aborted")?;
    Ok(())
}

fn blank_path(base: &Path) -> PathBuf {
    base.join(format!("blank-{PRIVATE_DISK_MIB}-{FORMAT}.ext4"))
}

/// Returns the blank disk below `base`; formats it if there is none yet. That is done in `scratch`,
/// which belongs to the machine, so that a sweep removes it if this process dies meanwhile. It is in
/// the same file system as `base`, so that it can be renamed.
fn blank(base: &Path, scratch: &Path) -> Result<PathBuf, Error> {
    let path = blank_path(base);
    if path.exists() {
        return Ok(path);
    }
    pyro_store::create_private_directory(base)?;
    let error = |error: &io::Error| failed(&path, error);
    // Two processes may format at the same time; either result may stay.
    let made = format(scratch).and_then(|image| {
        let file = File::open(&image)?;
        file.set_permissions(fs::Permissions::from_mode(0o600))?;
        file.sync_all()?;
        fs::rename(&image, &path)
    });
    let removed = fs::remove_dir_all(scratch);
    made.map_err(|source| error(&source))?;
    removed.map_err(|source| error(&source))?;
    Ok(path)
}

/// Makes a blank ext4 image at `path`, of the form of a private disk. It must not exist.
///
/// # Errors
/// When it cannot be made.
pub fn make_image(path: &Path, mib: u64) -> Result<(), Error> {
    let made = File::options()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    made.and_then(|_| make_file_system(path, mib))
        .map_err(|error| failed(path, &error))
}

/// Formats an image that contains the two directories of an overlay's upper layer, and the staging
/// directory of the agent. They are created in the image, not copied into it: copies would belong
/// to the user who runs this, and the owner of the upper layer is the owner of the guest's root
/// directory.
fn format(scratch: &Path) -> io::Result<PathBuf> {
    fs::DirBuilder::new().mode(0o700).create(scratch)?;
    let image = scratch.join("image");
    make_file_system(&image, PRIVATE_DISK_MIB)?;
    for request in [
        "mkdir upper",
        "mkdir work",
        "mkdir upper/.pyro",
        "set_inode_field upper/.pyro mode 040700",
    ] {
        let mut debugfs = Command::new(system_program("debugfs"));
        debugfs.args(["-w", "-R", request]).arg(&image);
        run(debugfs)?;
    }
    Ok(image)
}

fn make_file_system(image: &Path, mib: u64) -> io::Result<()> {
    let mut mke2fs = Command::new(system_program("mke2fs"));
    mke2fs
        .args([
            "-q",
            "-t",
            "ext4",
            "-m",
            "0",
            "-E",
            "root_owner=0:0,lazy_itable_init=1,lazy_journal_init=1",
        ])
        .args(["-O", FEATURES])
        .args(["-b", "4096", "-I", "256", "-i", "16384"])
        // A small journal, because it is written when the disk is first mounted.
        .args(["-J", "size=8"])
        .arg(image)
        .arg(format!("{mib}M"));
    run(mke2fs)
}

fn run(mut command: Command) -> io::Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|source| io::Error::new(source.kind(), format!("{name}: {source}")))?;
    if output.status.success() {
        return Ok(());
    }
    let mut words = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    if words.is_empty() {
        words = output.status.to_string();
    }
    // Programs report a full disk only in words; without this the remedy would be wrong.
    let kind = if words.contains("No space left on device") {
        io::ErrorKind::StorageFull
    } else {
        io::ErrorKind::Other
    };
    Err(io::Error::new(kind, format!("{name}: {words}")))
}

/// On Debian, system programs are not in the search path of ordinary users.
fn system_program(name: &str) -> PathBuf {
    ["/usr/sbin", "/sbin"]
        .into_iter()
        .map(|directory| Path::new(directory).join(name))
        .find(|path| path.exists())
        .unwrap_or_else(|| name.into())
}

/// Copies a file without its holes to a new one; shares the data where the file system can.
fn copy_sparse(from: &Path, to: &Path) -> io::Result<()> {
    let mut source = File::open(from)?;
    let target = File::options()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(to)?;
    if rustix::fs::ioctl_ficlone(&target, &source).is_ok() {
        return Ok(());
    }
    let length = source.metadata()?.len();
    target.set_len(length)?;
    let mut position = 0;
    let mut buffer = vec![0; 256 * 1024];
    loop {
        let data = match rustix::fs::seek(&source, rustix::fs::SeekFrom::Data(position)) {
            Ok(data) => data,
            // There is no data after `position`.
            Err(rustix::io::Errno::NXIO) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let hole = rustix::fs::seek(&source, rustix::fs::SeekFrom::Hole(data))?;
        source.seek(SeekFrom::Start(data))?;
        position = data;
        while position < hole {
            let wanted = usize::try_from(hole - position)
                .unwrap_or(usize::MAX)
                .min(buffer.len());
            source.read_exact(&mut buffer[..wanted])?;
            target.write_all_at(&buffer[..wanted], position)?;
            position += wanted as u64;
        }
    }
}

pub(super) fn failed(path: &Path, error: &io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Error::NoSpace {
            path: path.to_owned(),
        },
        _ => Error::Disk {
            path: path.to_owned(),
            detail: error.to_string(),
        },
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[tokio::test]
    async fn a_copy_is_equal_and_as_sparse() {
        let base = tempfile::tempdir().unwrap();
        let disk = base.path().join("disk");
        create(&disk, base.path(), base.path()).await.unwrap();
        let blank = blank(base.path(), &base.path().join("scratch")).unwrap();
        let (original, copy) = (fs::metadata(&blank).unwrap(), fs::metadata(&disk).unwrap());
        assert_eq!(original.len(), PRIVATE_DISK_MIB * 1024 * 1024);
        assert_eq!(copy.len(), original.len());
        assert!(copy.blocks() <= original.blocks());
        assert!(
            original.blocks() * 512 < 1024 * 1024,
            "{} blocks",
            original.blocks()
        );
        let compared = Command::new("cmp")
            .arg("-n")
            .arg("100000000")
            .args([&blank, &disk])
            .status();
        assert!(compared.unwrap().success());
        let left: Vec<_> = fs::read_dir(base.path()).unwrap().flatten().collect();
        assert_eq!(left.len(), 2, "{left:?}");
    }

    #[tokio::test]
    async fn a_disk_may_be_in_another_file_system_than_the_blank_one() {
        // A template's is where the templates are.
        let base = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir_in("/dev/shm").unwrap();
        let disk = elsewhere.path().join("disk");
        create(&disk, base.path(), base.path()).await.unwrap();
        assert_eq!(
            fs::metadata(&disk).unwrap().len(),
            PRIVATE_DISK_MIB * 1024 * 1024
        );
    }
}
