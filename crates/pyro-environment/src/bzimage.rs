//! A *bzImage*, the kernel as a distribution ships it: a loader with the ELF kernel compressed
//! inside. The ELF kernel boots faster, and some VMMs take nothing else.

use crate::compressed;
use crate::modules::number;

/// Offsets in the setup header of the x86 boot protocol.
const SETUP_SECTORS: usize = 0x1f1;
const MAGIC: usize = 0x202;
const VERSION: usize = 0x206;
const PAYLOAD_OFFSET: usize = 0x248;
const PAYLOAD_LENGTH: usize = 0x24c;

/// The first protocol version whose header says where the payload is.
const PAYLOAD_VERSION: usize = 0x0208;

/// More than any kernel is, decompressed.
const KERNEL_LIMIT: u64 = 512 << 20;

const LZ4_LEGACY: &[u8] = &[0x02, 0x21, 0x4c, 0x18];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];

/// Returns the ELF kernel inside, or what is wrong with the image.
pub(crate) fn vmlinux(image: &[u8]) -> Result<Vec<u8>, String> {
    let payload = payload(image)?;
    let decompress = match payload {
        _ if payload.starts_with(LZ4_LEGACY) => compressed::lz4,
        _ if payload.starts_with(ZSTD) => compressed::zstd,
        _ => {
            return Err(format!(
                "its payload is compressed with {}, not LZ4 or zstd",
                compression(payload)
            ));
        }
    };
    // The kernel's build appends the decompressed size, which is no part of the stream.
    let Some((stream, size)) = payload.split_last_chunk::<4>() else {
        return Err("its payload is too short".into());
    };
    let size = u64::from(u32::from_le_bytes(*size));
    if size > KERNEL_LIMIT {
        return Err(format!(
            "its payload has {size} bytes: too many for a kernel"
        ));
    }
    let kernel = decompress(stream, size).map_err(|problem| format!("its payload {problem}"))?;
    if kernel.len() as u64 != size {
        return Err(format!(
            "its payload has {} bytes instead of {size}",
            kernel.len()
        ));
    }
    if !kernel.starts_with(b"\x7fELF\x02\x01") {
        return Err("its payload is not a 64-bit ELF file".into());
    }
    Ok(kernel)
}

fn payload(image: &[u8]) -> Result<&[u8], String> {
    let too_short = || "it is too short for a kernel image".to_owned();
    if image.get(MAGIC..MAGIC + 4) != Some(b"HdrS") {
        return Err("it is not a bzImage".into());
    }
    let version = number::<2>(image, VERSION).ok_or_else(too_short)?;
    if version < PAYLOAD_VERSION {
        return Err(format!(
            "its boot protocol {version:#06x} does not tell where the payload is"
        ));
    }
    let sectors = match number::<1>(image, SETUP_SECTORS).ok_or_else(too_short)? {
        0 => 4, // What zero means, for historical reasons.
        sectors => sectors,
    };
    let offset = number::<4>(image, PAYLOAD_OFFSET).ok_or_else(too_short)?;
    let length = number::<4>(image, PAYLOAD_LENGTH).ok_or_else(too_short)?;
    let start = (sectors + 1) * 512 + offset;
    image.get(start..start + length).ok_or_else(too_short)
}

fn compression(payload: &[u8]) -> &'static str {
    match payload {
        [0x1f, 0x8b, ..] => "gzip",
        [0xfd, b'7', b'z', b'X', b'Z', ..] => "xz",
        [b'B', b'Z', b'h', ..] => "bzip2",
        _ => "something unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(payload: &[u8]) -> Vec<u8> {
        let mut image = vec![0; 3 * 512];
        image[SETUP_SECTORS] = 1;
        image[MAGIC..MAGIC + 4].copy_from_slice(b"HdrS");
        image[VERSION..VERSION + 2].copy_from_slice(&0x020f_u16.to_le_bytes());
        image[PAYLOAD_OFFSET..PAYLOAD_OFFSET + 4].copy_from_slice(&512_u32.to_le_bytes());
        let length = u32::try_from(payload.len()).unwrap();
        image[PAYLOAD_LENGTH..PAYLOAD_LENGTH + 4].copy_from_slice(&length.to_le_bytes());
        image.extend_from_slice(payload);
        image
    }

    fn with_size(mut stream: Vec<u8>, size: usize) -> Vec<u8> {
        stream.extend_from_slice(&u32::try_from(size).unwrap().to_le_bytes());
        stream
    }

    fn legacy_lz4(contents: &[u8]) -> Vec<u8> {
        let block = lz4_flex::block::compress(contents);
        let mut stream = LZ4_LEGACY.to_vec();
        stream.extend_from_slice(&u32::try_from(block.len()).unwrap().to_le_bytes());
        stream.extend_from_slice(&block);
        with_size(stream, contents.len())
    }

    fn zstd(contents: &[u8]) -> Vec<u8> {
        with_size(compressed::tests::zstd(contents), contents.len())
    }

    #[test]
    fn the_kernel_inside_is_found() {
        let kernel = [b"\x7fELF\x02\x01".as_slice(), &[7; 5000]].concat();
        assert_eq!(vmlinux(&image(&legacy_lz4(&kernel))).unwrap(), kernel);
        assert_eq!(vmlinux(&image(&zstd(&kernel))).unwrap(), kernel);
    }

    #[test]
    fn other_images_are_refused_with_a_reason() {
        let refusal = |image: &[u8]| vmlinux(image).unwrap_err();
        assert_eq!(refusal(b"nothing"), "it is not a bzImage");
        assert_eq!(
            refusal(&image(&[0xfd, b'7', b'z', b'X', b'Z', 0])),
            "its payload is compressed with xz, not LZ4 or zstd"
        );
        assert_eq!(
            refusal(&image(&legacy_lz4(b"no elf file"))),
            "its payload is not a 64-bit ELF file"
        );
        let mut short = image(&legacy_lz4(b"\x7fELF\x02\x01"));
        short.truncate(short.len() - 1);
        assert_eq!(refusal(&short), "it is too short for a kernel image");
        let mut damaged = image(&legacy_lz4(b"\x7fELF\x02\x01"));
        *damaged.last_mut().unwrap() = 1;
        assert!(refusal(&damaged).contains("bytes instead of"));
        *damaged.last_mut().unwrap() = 0x40;
        assert!(refusal(&damaged).ends_with("too many for a kernel"));
        let longer = image(&with_size(compressed::tests::zstd(b"\x7fELF\x02\x01"), 7));
        assert_eq!(refusal(&longer), "its payload has 6 bytes instead of 7");
        for shorter in [zstd(&[7; 5000]), legacy_lz4(&[7; 5000])] {
            let (stream, _) = shorter.split_last_chunk::<4>().unwrap();
            let shorter = image(&with_size(stream.to_vec(), 4999));
            assert_eq!(
                refusal(&shorter),
                "its payload is longer than its limit of 4999 bytes"
            );
        }
        let mut damaged = zstd(b"\x7fELF\x02\x01 a kernel");
        let in_the_checksum = damaged.len() - 4 - 1;
        damaged[in_the_checksum] ^= 1;
        assert_eq!(
            refusal(&image(&damaged)),
            "its payload cannot be decompressed: its checksum is wrong"
        );
    }
}
