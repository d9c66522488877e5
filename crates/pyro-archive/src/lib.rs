//! An *archive* is what goes into a workspace: a directory tree, a tar file or a zip file, checked
//! entry by entry, and written either as an image that a guest mounts or as a tar stream that it
//! unpacks.
//!
//! ```no_run
//! use pyro_archive::{Source, write_image};
//!
//! # fn seed() -> Result<(), pyro_archive::Error> {
//! let source = Source::open("seed_path", "project.tar.gz".as_ref())?;
//! let image = std::fs::File::create("seed.erofs").unwrap();
//! let report = write_image(&source, image, "workspace", &|_| ())?;
//! println!("{} entries, {} bytes", report.entry_count, report.bytes_written);
//! # Ok(())
//! # }
//! ```
//!
//! # What may be in an archive
//!
//! Directories, regular files with their holes, hard links between files, symbolic links, FIFOs.
//! Names are bytes; permissions (with setuid, setgid and sticky), modification times to the
//! nanosecond and links are kept. Ownership is not: in the guest everything belongs to root.
//! Extended attributes are not kept either. A symbolic link is text, wherever it leads: none is
//! followed, here or when an archive is unpacked, and no member may be below one.
//!
//! Sockets and devices are left out. So are entries that a [`Selection`] excludes, and entries that
//! disappear while their directory is read. The [`Report`] counts and names them.
//!
//! Everything else is refused with [`Error::Refused`], which names the entry: see [`Refusal`]. Both
//! ways of writing read their source once and check each entry before it is written, so that what
//! was checked is what is written; a failure may leave an unfinished image or stream behind.
//! Neither can be taken for a finished one: the image has no superblock, the stream no last member.
//!
//! If several members have one name, the last one wins, as with `tar`; but a directory does not
//! replace anything else, and nothing else replaces a directory. Parent directories that an archive
//! does not mention get mode 0755 and the current time. The table in `tests/archive/odd` lists
//! archives that other programs read in different ways, and how they are read here.
//!
//! Memory does not grow with the size of files, only with their number: about 200 bytes and the
//! name for each of at most [`MAX_ENTRIES`].
//!
//! # Layers
//!
//! A [`LayerImage`] is not made from an archive but from the layers of an OCI image, which it
//! flattens into one image of a root file system. It keeps owners, devices and some extended
//! attributes. An entry may be below a symbolic link of its own layer, and may replace an entry of
//! another type. The rules are in `docs/design/0042-layers.md`.
//!
//! The words are in `docs/glossary.md`.

mod blocks;
mod chunks;
mod compressed;
mod content;
mod directory;
mod erofs;
mod error;
mod extract;
mod file_content;
mod git_rules;
mod header;
mod image;
mod kind_of_file;
mod layers;
mod member;
mod metadata;
mod node;
mod numbers;
mod packer;
mod path_list;
mod pax;
mod progress;
mod reading;
mod report;
mod selection;
mod source;
mod sparse;
mod stream;
mod tar_file;
mod tar_files;
mod tar_member;
mod tar_members;
mod tar_reader;
mod tar_sparse;
mod time;
mod tree;
mod zip_file;

pub use compressed::with_decompressed;
pub use error::{Error, Refusal};
pub use extract::{Extracted, Target, Top, UnfinishedDirectory, extract};
pub use image::write_image;
pub use layers::{Flattened, LayerImage, LayerLimits, LayerReport, Wanted};
pub use packer::{Packer, Packing};
pub use path_list::PathLimits;
pub use progress::Progress;
pub use report::{LeftOut, NAMED, Reason, Report, Warning};
pub use selection::Selection;
pub use source::{Source, SourceKind, real_path};
pub use stream::{END_MEMBER, write_tar};
pub use tar_files::{TarFile, read_tar_files};

/// The largest number of members that an archive may have.
pub const MAX_ENTRIES: u64 = 1 << 21;
