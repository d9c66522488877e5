//! A *zip file* has its members in any order and a directory of them at its end.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;

use flate2::bufread::DeflateDecoder;
use rawzip::extra_fields::ExtraFieldId;
use rawzip::path::{RawPath, ZipFilePath};
use rawzip::time::ZipDateTimeKind;
use rawzip::{
    CompressionMethod, CreatorSystem, MAX_CENTRAL_DIRECTORY_RECORD_SIZE, ReaderAt, ZipArchive,
    ZipArchiveEntryWayfinder, ZipFileHeaderRecord, ZipLocator,
};

use crate::content::{Content, Nothing, Piece};
use crate::error::{self, Error, Refusal};
use crate::kind_of_file;
use crate::member::{IMPLIED_MODE, Member, MemberPath, What};
use crate::progress::Meter;
use crate::reading::Reading;
use crate::report::Reason;
use crate::selection::plain;
use crate::tar_member::LARGEST_FILE_BYTES;
use crate::time::Time;

const PLAIN_MODE: u32 = 0o644;
const TYPE_BITS: u32 = 0o170_000;
/// Linux takes no longer target, and none of this length.
const LONGEST_TARGET: u64 = 4096;
const BUFFER: usize = 64 * 1024;

/// What the directory says of a member.
struct Described {
    name: Vec<u8>,
    mode: u32,
    modified: Time,
    is_encrypted: bool,
    method: CompressionMethod,
    size: u64,
    place: ZipArchiveEntryWayfinder,
}

/// Reads all members, in the order of the directory.
pub(crate) fn each(
    file: &File,
    archive: &Path,
    meter: Meter<'_>,
    reading: &mut Reading<'_>,
) -> Result<(), Error> {
    let fault = fault(archive);
    let length = file.metadata().map_err(|error| fault(error.into()))?.len();
    let input = Input {
        file,
        meter: RefCell::new(meter),
    };
    let mut buffer = vec![0; MAX_CENTRAL_DIRECTORY_RECORD_SIZE.max(BUFFER)];
    let found = ZipLocator::new().locate_in_reader(&input, &mut buffer, length);
    let zip = found.map_err(|(_, error)| no_zip(file, archive, error))?;
    let mut entries = zip.entries(&mut buffer);
    let mut packed = 0_u64;
    while let Some(entry) = entries.next_entry().map_err(&fault)? {
        // Members that share their content are how a small file becomes a large one.
        packed = packed.saturating_add(entry.compressed_size_hint());
        if packed > length {
            return Err(damaged(archive, "its members overlap"));
        }
        let described = Described::new(&entry);
        member(&zip, archive, &described, reading)?;
    }
    input.meter.borrow_mut().report();
    Ok(())
}

fn member(
    zip: &ZipArchive<&Input<'_>>,
    archive: &Path,
    described: &Described,
    reading: &mut Reading<'_>,
) -> Result<(), Error> {
    let name = plain(&described.name);
    let kind = described.mode & TYPE_BITS;
    if reading.excludes(&name, kind == 0o040_000) {
        return Ok(());
    }
    let reason = match kind {
        0o140_000 => Some(Reason::Socket),
        0o020_000 | 0o060_000 => Some(Reason::Device),
        _ => None,
    };
    if let Some(reason) = reason {
        reading.leave_out(&name, reason);
        return Ok(());
    }
    let path = MemberPath::parse(&described.name)?;
    let refuse = |refusal| Error::refused(&described.name, refusal);
    if path.is_root() {
        return match kind {
            0o040_000 => Ok(()),
            _ => Err(refuse(Refusal::UnsafePath)),
        };
    }
    if described.is_encrypted {
        return Err(refuse(Refusal::Encrypted));
    }
    let member = |what| Member {
        path,
        mode: described.mode,
        modified: described.modified,
        what,
    };
    match kind {
        0o040_000 => return reading.take(member(What::Directory), &mut Nothing),
        0o010_000 => return reading.take(member(What::Fifo), &mut Nothing),
        _ => {}
    }
    let size = described.size;
    if size > LARGEST_FILE_BYTES {
        return Err(refuse(Refusal::BadHeader));
    }
    let entry = zip.get_entry(described.place).map_err(fault(archive))?;
    let stored = BufReader::with_capacity(BUFFER, entry.reader());
    let unpacked: Box<dyn Read + '_> = match described.method {
        CompressionMethod::STORE => Box::new(stored),
        CompressionMethod::DEFLATE => Box::new(DeflateDecoder::new(stored)),
        _ => return Err(refuse(Refusal::Method)),
    };
    let mut content = ZipContent {
        input: entry.verifying_reader(unpacked),
        left: size,
        archive,
    };
    if kind == 0o120_000 {
        let target = content
            .target(size)
            .ok_or_else(|| refuse(Refusal::LongPath))??;
        return reading.take(member(What::Symlink { target }), &mut Nothing);
    }
    let what = What::File {
        size,
        extents: None,
    };
    reading.take(member(what), &mut content)
}

impl Described {
    fn new(entry: &ZipFileHeaderRecord<'_>) -> Self {
        let system = entry.version_made_by().creator_system();
        let mut name = name(entry, system);
        let is_directory = name.ends_with(b"/");
        let mut mode = entry.mode().value();
        // Others have attributes of their own, which say nothing about who may do what.
        let is_unix = matches!(system, CreatorSystem::UNIX | CreatorSystem::MACOS);
        let has_mode = is_unix && entry.external_attributes() >> 16 != 0;
        if is_directory || mode & TYPE_BITS == 0o040_000 {
            let permissions = if has_mode {
                mode & 0o7777
            } else {
                IMPLIED_MODE
            };
            mode = 0o040_000 | permissions;
            // The last slash is how the kind is told, and no part of a name.
            while name.len() > 1 && name.ends_with(b"/") {
                name.pop();
            }
        } else if !has_mode {
            mode = 0o100_000 | PLAIN_MODE;
        }
        Self {
            name,
            mode,
            modified: modified(&entry.last_modified()),
            is_encrypted: entry.flags().is_encrypted(),
            method: entry.compression_method(),
            size: entry.uncompressed_size_hint(),
            place: entry.wayfinder(),
        }
    }
}

/// Returns the name as bytes of UTF-8, if it can be known which characters are meant.
fn name(entry: &ZipFileHeaderRecord<'_>, system: CreatorSystem) -> Vec<u8> {
    let raw: ZipFilePath<RawPath<'_>> = entry.file_path();
    let raw = raw.as_bytes();
    let in_unicode = entry
        .extra_fields()
        .find(|(id, _)| *id == ExtraFieldId::INFO_ZIP_UNICODE_PATH)
        .and_then(|(_, field)| unicode_name(field, raw));
    let is_dos = matches!(
        system,
        CreatorSystem::FAT | CreatorSystem::NTFS | CreatorSystem::VFAT
    );
    let mut name = match in_unicode {
        Some(name) => name,
        None if is_dos && !entry.flags().is_utf8() && std::str::from_utf8(raw).is_err() => raw
            .iter()
            .map(|byte| of_code_page_437(*byte))
            .collect::<String>()
            .into_bytes(),
        None => raw.to_vec(),
    };
    if is_dos && !name.contains(&b'/') {
        for byte in name.iter_mut().filter(|byte| **byte == b'\\') {
            *byte = b'/';
        }
    }
    name
}

/// Returns the name in an additional field, if it belongs to the one in the header.
fn unicode_name(field: &[u8], raw: &[u8]) -> Option<Vec<u8>> {
    let (version, rest) = field.split_first()?;
    let (sum, name) = rest.split_first_chunk::<4>()?;
    let is_right = *version == 1 && u32::from_le_bytes(*sum) == rawzip::crc32(raw);
    (is_right && std::str::from_utf8(name).is_ok()).then(|| name.to_vec())
}

/// The upper half of what DOS wrote, in its order.
const CODE_PAGE_437: &str = "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u{a0}";

fn of_code_page_437(byte: u8) -> char {
    match byte.checked_sub(0x80) {
        None => char::from(byte),
        Some(upper) => CODE_PAGE_437.chars().nth(upper.into()).unwrap_or('_'),
    }
}

/// Returns a time; one whose zone nobody knows is taken for UTC.
fn modified(time: &ZipDateTimeKind) -> Time {
    let seconds = Time::of_date(time.year(), time.month(), time.day());
    let clock = [time.hour(), time.minute(), time.second()].map(i64::from);
    Time {
        seconds: seconds + clock[0] * 3600 + clock[1] * 60 + clock[2],
        nanoseconds: time.nanosecond(),
    }
}

/// The file, as its members are read from it.
struct Input<'a> {
    file: &'a File,
    meter: RefCell<Meter<'a>>,
}

impl ReaderAt for Input<'_> {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let read = FileExt::read_at(self.file, buffer, offset)?;
        self.meter.borrow_mut().add(read);
        Ok(read)
    }
}

struct ZipContent<'a, R> {
    /// Fails at the end if that is not what the directory says.
    input: R,
    left: u64,
    archive: &'a Path,
}

impl<R: Read> ZipContent<'_, R> {
    /// Reads the target of a symbolic link; none if it is too long for one.
    fn target(&mut self, size: u64) -> Option<Result<Vec<u8>, Error>> {
        if size >= LONGEST_TARGET {
            return None;
        }
        let mut target = Vec::new();
        let mut buffer = [0; 512];
        loop {
            match self.read(&mut buffer) {
                Ok(Piece::Data(read)) => target.extend_from_slice(&buffer[..read]),
                Ok(_) => return Some(Ok(target)),
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

impl<R: Read> Content for ZipContent<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<Piece, Error> {
        loop {
            let wanted = usize::try_from(self.left).map_or(buffer.len(), |l| l.min(buffer.len()));
            // One more than there should be, so that the end is seen and checked.
            let read = match wanted {
                0 => self.input.read(&mut [0]),
                wanted => self.input.read(&mut buffer[..wanted]),
            };
            match read {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error::fault(self.archive)(error)),
                Ok(0) if self.left == 0 => return Ok(Piece::End),
                Ok(read) if (1..=wanted).contains(&read) => {
                    self.left -= read as u64;
                    return Ok(Piece::Data(read));
                }
                Ok(_) => return Err(damaged(self.archive, "a member has another size")),
            }
        }
    }
}

fn fault(archive: &Path) -> impl Fn(rawzip::Error) -> Error {
    move |error| match error.into_kind() {
        rawzip::ErrorKind::IO(error) => error::fault(archive)(error),
        rawzip::ErrorKind::Eof => damaged(archive, "it ends too early"),
        kind => damaged(archive, &kind.to_string()),
    }
}

fn damaged(archive: &Path, problem: &str) -> Error {
    Error::Damaged {
        path: archive.to_owned(),
        problem: problem.to_owned(),
    }
}

/// Says what a file is that has no directory of a zip file.
fn no_zip(file: &File, archive: &Path, error: rawzip::Error) -> Error {
    let is_missing = matches!(
        error.kind(),
        rawzip::ErrorKind::MissingEndOfCentralDirectory
    );
    if !is_missing {
        return fault(archive)(error);
    }
    let mut start = [0; 512];
    let read = file.read_at(&mut start, 0).unwrap_or_default();
    if start.starts_with(b"PK") {
        return damaged(archive, "it ends too early");
    }
    Error::OtherKind {
        path: archive.to_owned(),
        kind: kind_of_file::of(&start[..read]),
    }
}
