//! An *image* is a file system in a file: what an archive becomes when it is mounted and not
//! unpacked.
//!
//! It is written in one pass: a block left free for the superblock, then the files' contents as
//! they come, then what is known only at the end (`metadata`).

use std::io::{Seek, Write};

use crate::Report;
use crate::blocks::Blocks;
use crate::chunks::Budget;
use crate::error::{Error, Refusal};
use crate::member::{MemberPath, What};
use crate::metadata::{self, Identity};
use crate::progress::Progress;
use crate::source::Source;
use crate::time::Time;
use crate::tree::Tree;

/// Writes an EROFS image that has all of a source below one directory, `prefix`, of its root.
/// Both belong to root, have mode 0755 and the current time.
///
/// The output has to be empty and at its beginning; blocks of zeros are not written but left out,
/// so that a file stays as sparse as it can. It is not flushed to the disk. After an error it is
/// not a file system, and has no other use.
///
/// Fails with [`Error::Refused`] if the prefix is not one plain name.
pub fn write_image(
    source: &Source,
    output: impl Write + Seek,
    prefix: &str,
    progress: &dyn Fn(Progress),
) -> Result<Report, Error> {
    let prefix = MemberPath::parse(prefix.as_bytes())?;
    if prefix.parts().count() != 1 {
        return Err(Error::refused(prefix.as_bytes(), Refusal::UnsafePath));
    }
    let now = Time::now();
    let mut tree = Tree::below(&prefix, now);
    let mut budget = Budget::default();
    let mut blocks = Blocks::after_superblock(output)?;
    let report = source.each(progress, &mut |member, content| {
        let added = tree.add(&member)?;
        let What::File { size, extents } = member.what else {
            return Ok(());
        };
        let stored = metadata::store(&mut blocks, content, size, extents.as_ref(), &mut budget)?;
        tree.set_stored(added.node, stored);
        Ok(())
    })?;
    let identity = Identity {
        built: now,
        uuid: random(),
    };
    metadata::write(tree.nodes(), blocks, &identity)?;
    Ok(report)
}

/// A random one, of version 4: an overlay tells its layers apart by them.
fn random() -> [u8; 16] {
    let mut uuid = [0; 16];
    let _filled = rustix::rand::getrandom(&mut uuid, rustix::rand::GetRandomFlags::empty());
    metadata::as_uuid(uuid)
}
