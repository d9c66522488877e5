//! *Compressed* parts of a kernel package. They are decompressed in memory, to no more than a
//! limit, whatever they announce. Errors complete a sentence that begins with the part's name.

use std::fmt::Display;
use std::io::{self, Read};

use lzma_rust2::XzReader;
use ruzstd::decoding::StreamingDecoder;

/// More than the strongest setting of xz needs, which is 65 MiB. A file states how much memory its
/// decompression needs, up to 4 GiB.
const XZ_MEMORY_KIB: u32 = 128 * 1024;

/// Decompresses LZ4, in the format that kernels have ("legacy").
pub(crate) fn lz4(stream: &[u8], limit: u64) -> Result<Vec<u8>, String> {
    read(lz4_flex::frame::FrameDecoder::new(stream), limit)
}

/// Decompresses xz.
pub(crate) fn xz(stream: &[u8], limit: u64) -> Result<Vec<u8>, String> {
    read(XzReader::new_mem_limit(stream, false, XZ_MEMORY_KIB), limit)
}

/// Decompresses a frame of zstd.
pub(crate) fn zstd(stream: &[u8], limit: u64) -> Result<Vec<u8>, String> {
    let mut header = [0; 6];
    let length = stream.len().min(header.len());
    let (start, rest) = stream.split_at(length);
    header[..length].copy_from_slice(start);
    limit_window(&mut header, limit);
    let input = header[..length].chain(rest);

    let mut decoder = StreamingDecoder::new(input).map_err(damaged)?;
    // A frame that announces its size may keep all of it until its end.
    if decoder.decoder.content_size() > limit {
        return Err(too_long(limit));
    }
    let contents = read(&mut decoder, limit)?;
    let sum = decoder.decoder.get_checksum_from_data();
    if sum.is_some() && sum != decoder.decoder.get_calculated_checksum() {
        return Err(damaged("its checksum is wrong"));
    }
    Ok(contents)
}

/// Makes the window in a frame's header no larger than what can be in the frame. Kernels are
/// compressed for a window of 128 MiB; the decoder keeps as much as the window has, and states
/// that it takes no more than 100 MiB. A window that is larger than the contents is of no use.
fn limit_window(header: &mut [u8; 6], limit: u64) {
    /// Set if there is no window: the contents are one.
    const SINGLE_SEGMENT: u8 = 1 << 5;
    let size = |window: u8| (8 + u64::from(window & 7)) << (7 + (window >> 3));
    let [_, _, _, _, descriptor, window] = header;
    if *descriptor & SINGLE_SEGMENT == 0 {
        *window = (0..*window)
            .find(|less| size(*less) >= limit)
            .unwrap_or(*window);
    }
}

fn read(decompressed: impl Read, limit: u64) -> Result<Vec<u8>, String> {
    let mut contents = Vec::new();
    decompressed
        .take(limit + 1)
        .read_to_end(&mut contents)
        .map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => damaged("it ends too early"),
            _ => damaged(error),
        })?;
    if contents.len() as u64 > limit {
        return Err(too_long(limit));
    }
    Ok(contents)
}

fn damaged(error: impl Display) -> String {
    format!("cannot be decompressed: {error}")
}

fn too_long(limit: u64) -> String {
    format!("is longer than its limit of {limit} bytes")
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// The header of what the kernel's build makes: a window of 128 MiB, a checksum, no size.
    const KERNELS_HEADER: [u8; 6] = [0x28, 0xb5, 0x2f, 0xfd, 0x04, 0x88];

    /// A file of xz with the smaller of its checksums and no filters, as modules have it, whose
    /// contents are not compressed.
    pub(crate) fn xz(contents: &[u8]) -> Vec<u8> {
        let crc = |bytes: &[u8]| crc32(bytes).to_le_bytes();
        let flags = [0, 1];
        let mut file = b"\xfd7zXZ\0".to_vec();
        file.extend_from_slice(&flags);
        file.extend_from_slice(&crc(&flags));

        // One filter, LZMA2, with a dictionary of 1 MiB.
        let begin = file.len();
        let header = [2, 0, 0x21, 1, 16, 0, 0, 0];
        file.extend_from_slice(&header);
        file.extend_from_slice(&crc(&header));
        for (index, chunk) in contents.chunks(1 << 16).enumerate() {
            file.push(if index == 0 { 1 } else { 2 });
            let length = u16::try_from(chunk.len() - 1).unwrap();
            file.extend_from_slice(&length.to_be_bytes());
            file.extend_from_slice(chunk);
        }
        file.push(0);
        let unpadded = file.len() - begin + 4;
        file.resize(file.len().next_multiple_of(4), 0);
        file.extend_from_slice(&crc(contents));

        let mut index = vec![0, 1];
        for mut number in [unpadded, contents.len()] {
            while number >= 0x80 {
                index.push(u8::try_from(number & 0x7f).unwrap() | 0x80);
                number >>= 7;
            }
            index.push(u8::try_from(number).unwrap());
        }
        index.resize(index.len().next_multiple_of(4), 0);
        index.extend_from_slice(&crc(&index));
        let backward = u32::try_from(index.len() / 4 - 1).unwrap().to_le_bytes();
        let end = [&backward[..], &flags].concat();
        file.extend_from_slice(&index);
        file.extend_from_slice(&crc(&end));
        file.extend_from_slice(&end);
        file.extend_from_slice(b"YZ");
        file
    }

    fn crc32(bytes: &[u8]) -> u32 {
        !bytes.iter().fold(!0, |sum, byte| {
            (0..8).fold(sum ^ u32::from(*byte), |sum, _| {
                (sum >> 1) ^ (0xedb8_8320 & (sum & 1).wrapping_neg())
            })
        })
    }

    /// A frame of zstd as the kernel's build makes it.
    pub(crate) fn zstd(contents: &[u8]) -> Vec<u8> {
        use ruzstd::encoding::{CompressionLevel, compress_to_vec};

        let frame = compress_to_vec(contents, CompressionLevel::Fastest);
        let header = header_length(&frame);
        [&KERNELS_HEADER, &frame[header..]].concat()
    }

    /// The length of a frame's header.
    fn header_length(frame: &[u8]) -> usize {
        let descriptor = frame[4];
        assert!(descriptor & 4 != 0, "it has a checksum");
        let window = usize::from(descriptor & 0x20 == 0);
        let size = match (descriptor >> 6, window) {
            (0, 1) => 0,
            (0, _) => 1,
            (exponent, _) => 1 << exponent,
        };
        5 + window + size
    }

    #[test]
    fn what_was_compressed_comes_back() {
        let contents: Vec<u8> = (0..200_000_u32).map(|index| (index % 251) as u8).collect();
        assert_eq!(super::xz(&xz(&contents), 200_000).unwrap(), contents);
        assert_eq!(super::zstd(&zstd(&contents), 200_000).unwrap(), contents);
        for empty in [super::xz(&xz(b""), 0), super::zstd(&zstd(b""), 0)] {
            assert!(empty.unwrap().is_empty());
        }
    }

    #[test]
    fn no_more_than_the_limit_is_decompressed() {
        let contents = vec![7; 200_000];
        for error in [
            super::xz(&xz(&contents), 199_999),
            super::zstd(&zstd(&contents), 199_999),
        ] {
            assert_eq!(
                error.unwrap_err(),
                "is longer than its limit of 199999 bytes"
            );
        }
        // A single segment of 2^60 bytes, of which none comes.
        let announced = [
            &[0x28, 0xb5, 0x2f, 0xfd, 0xe0][..],
            &(1_u64 << 60).to_le_bytes(),
        ];
        let error = super::zstd(&announced.concat(), 1000).unwrap_err();
        assert_eq!(error, "is longer than its limit of 1000 bytes");
        // A dictionary of 4 GiB.
        let mut greedy = xz(b"x");
        let header = [2, 0, 0x21, 1, 40, 0, 0, 0];
        greedy[12..20].copy_from_slice(&header);
        greedy[20..24].copy_from_slice(&crc32(&header).to_le_bytes());
        assert!(super::xz(&greedy, 1000).is_err());
    }

    #[test]
    fn a_window_is_no_larger_than_the_contents() {
        let window_of = |limit| {
            let mut header = KERNELS_HEADER;
            limit_window(&mut header, limit);
            header[5]
        };
        // 56 MiB are 32 and six eighths of it.
        assert_eq!(window_of(57_575_096), 15 << 3 | 6);
        assert_eq!(window_of(1), 0);
        assert_eq!(window_of(1 << 30), 0x88);
    }

    #[test]
    fn damage_is_found() {
        let contents: Vec<u8> = (0..1000_u32).map(|index| (index % 7) as u8).collect();
        let (packed_xz, packed_zstd) = (xz(&contents), zstd(&contents));
        for length in 0..packed_xz.len() {
            assert!(super::xz(&packed_xz[..length], 1000).is_err(), "{length}");
        }
        for length in 0..packed_zstd.len() {
            assert!(
                super::zstd(&packed_zstd[..length], 1000).is_err(),
                "{length}"
            );
        }
        for index in 0..packed_xz.len() {
            let mut damaged = packed_xz.clone();
            damaged[index] ^= 0x20;
            let outcome = super::xz(&damaged, 1000);
            assert!(outcome.is_err(), "xz, byte {index}");
        }
        for index in 6..packed_zstd.len() {
            let mut damaged = packed_zstd.clone();
            damaged[index] ^= 0x20;
            let outcome = super::zstd(&damaged, 1000);
            // There are bits that nothing depends on.
            let harmless = outcome.as_ref().is_ok_and(|found| *found == contents);
            assert!(outcome.is_err() || harmless, "zstd, byte {index}");
        }
    }
}
