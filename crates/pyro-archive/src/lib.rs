//! An *archive* is what goes into a workspace: a directory tree or a tar file, checked entry by
//! entry, and written either as an image that a guest mounts or as a tar stream that it unpacks.
//!
//! ```no_run
//! use pyro_archive::{Source, write_image};
//!
//! # fn seed() -> Result<(), pyro_archive::Error> {
//! let source = Source::open("seed_path", "project.tar.gz".as_ref())?;
//! let image = std::fs::File::create("seed.erofs").unwrap();
//! let counts = write_image(&source, image, "workspace", &|_| ())?;
//! println!("{} entries, {} bytes", counts.entry_count, counts.bytes_written);
//! # Ok(())
//! # }
//! ```
//!
//! # What may be in an archive
//!
//! Directories, regular files, hard links between them, and symbolic links that stay inside. Names
//! are bytes; permissions (with setuid, setgid and sticky), modification times to the nanosecond
//! and links are kept. Ownership is not: in the guest everything belongs to root. Extended
//! attributes are not kept either.
//!
//! Everything else is refused with [`Error::Refused`], which names the entry: see [`Refusal`]. Both
//! ways of writing read their source once and check each entry before it is written, so that what
//! was checked is what is written; some checks need the whole archive, so a failure may leave an
//! unfinished image or stream behind. Neither can be taken for a finished one: the image has no
//! superblock, the stream no last member.
//!
//! Of several members with one name the last wins, as with `tar`, but neither a directory replaces
//! anything else nor anything else a directory. Parents that a tar file does not mention get mode
//! 0755 and the current time.
//!
//! Memory does not grow with the size of files, only with their number: about 200 bytes and the
//! name for each of at most [`MAX_ENTRIES`].

mod compressed;
mod directory;
mod erofs;
mod error;
mod image;
mod member;
mod progress;
mod source;
mod stream;
mod tar_file;
mod time;
mod tree;

pub use error::{Error, Refusal};
pub use image::write_image;
pub use progress::{Counts, Progress};
pub use source::{Kind, Source};
pub use stream::{END_MEMBER, write_tar};

/// Most members that an archive may have.
pub const MAX_ENTRIES: u64 = 1 << 21;
