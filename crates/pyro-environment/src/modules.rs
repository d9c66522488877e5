//! The kernel *modules* a guest needs before it can reach its disks, and the order to load them.

use std::collections::BTreeSet;

/// What the agent needs: a transport, the two disks with their file systems, the channel to the
/// host and a network card. What these depend on is found out.
pub(crate) const WANTED: &[&str] = &[
    "virtio_mmio",
    "virtio_console",
    "virtio_blk",
    "erofs",
    "overlay",
    "virtio_net",
];

/// Returns the name as the kernel uses it: `-` and `_` are the same in a file name.
pub(crate) fn canonical(name: &str) -> String {
    name.replace('-', "_")
}

/// Returns the wanted modules and all they depend on, each after its dependencies.
///
/// `built_in` names those that are part of the kernel and need no loading. `dependencies` is asked
/// once for each of the others, by its canonical name; it fails if there is no such module.
pub(crate) fn load_order(
    wanted: &[&str],
    built_in: &BTreeSet<String>,
    dependencies: &mut dyn FnMut(&str) -> Result<Vec<String>, String>,
) -> Result<Vec<String>, String> {
    fn visit(
        name: &str,
        built_in: &BTreeSet<String>,
        dependencies: &mut dyn FnMut(&str) -> Result<Vec<String>, String>,
        seen: &mut BTreeSet<String>,
        order: &mut Vec<String>,
    ) -> Result<(), String> {
        let name = canonical(name);
        if built_in.contains(&name) || !seen.insert(name.clone()) {
            return Ok(());
        }
        for dependency in dependencies(&name)? {
            visit(&dependency, built_in, dependencies, seen, order)?;
        }
        order.push(name);
        Ok(())
    }

    let mut seen = BTreeSet::new();
    let mut order = Vec::new();
    for name in wanted {
        visit(name, built_in, dependencies, &mut seen, &mut order)?;
    }
    Ok(order)
}

/// Returns the names in a `modules.builtin` file, whose lines are paths of would-be modules.
pub(crate) fn parse_built_in(text: &str) -> BTreeSet<String> {
    text.lines()
        .filter_map(|line| line.rsplit('/').next()?.strip_suffix(".ko"))
        .map(canonical)
        .collect()
}

/// Returns what the module depends on, from its `.modinfo` section; `None` if it is no 64-bit
/// little-endian ELF file with such a section.
pub(crate) fn depends(module: &[u8]) -> Option<Vec<String>> {
    let information = section(module, b".modinfo")?;
    let names = information
        .split(|byte| *byte == 0)
        .find_map(|text| text.strip_prefix(b"depends="))
        .unwrap_or_default();
    let names = std::str::from_utf8(names).ok()?;
    Some(
        names
            .split(',')
            .filter(|name| !name.is_empty())
            .map(canonical)
            .collect(),
    )
}

/// Returns the contents of a section of an ELF file.
fn section<'a>(elf: &'a [u8], wanted: &[u8]) -> Option<&'a [u8]> {
    const CLASS_64_LITTLE_ENDIAN: &[u8] = b"\x7fELF\x02\x01";
    if !elf.starts_with(CLASS_64_LITTLE_ENDIAN) {
        return None;
    }
    let headers = number::<8>(elf, 0x28)?;
    let header_size = number::<2>(elf, 0x3a)?;
    let count = number::<2>(elf, 0x3c)?;
    let header = |index: usize| elf.get(headers.checked_add(index.checked_mul(header_size)?)?..);
    let contents = |header: &[u8]| {
        let start = number::<8>(header, 0x18)?;
        elf.get(start..start.checked_add(number::<8>(header, 0x20)?)?)
    };
    let names = contents(header(number::<2>(elf, 0x3e)?)?)?;
    (0..count).filter_map(header).find_map(|header| {
        let name = names.get(number::<4>(header, 0)?..)?;
        if name.starts_with(wanted) && name.get(wanted.len()) == Some(&0) {
            contents(header)
        } else {
            None
        }
    })
}

/// Reads `N` bytes at `offset` as a little-endian number.
pub(crate) fn number<const N: usize>(bytes: &[u8], offset: usize) -> Option<usize> {
    let mut wide = [0; 8];
    wide[..N].copy_from_slice(bytes.get(offset..offset.checked_add(N)?)?);
    usize::try_from(u64::from_le_bytes(wide)).ok()
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// The smallest ELF file with a section of that contents.
    pub(crate) fn elf_with_modinfo(contents: &[u8]) -> Vec<u8> {
        let names = b"\0.modinfo\0.shstrtab\0";
        let mut elf = b"\x7fELF\x02\x01\x01".to_vec();
        elf.resize(64, 0);
        let contents_at = elf.len();
        elf.extend_from_slice(contents);
        let names_at = elf.len();
        elf.extend_from_slice(names);
        let headers_at = elf.len();
        for (name, at, size) in [
            (0, 0, 0),
            (1, contents_at, contents.len()),
            (10, names_at, names.len()),
        ] {
            let mut header = [0; 64];
            header[0] = name;
            header[0x18..0x20].copy_from_slice(&(at as u64).to_le_bytes());
            header[0x20..0x28].copy_from_slice(&(size as u64).to_le_bytes());
            elf.extend_from_slice(&header);
        }
        elf[0x28..0x30].copy_from_slice(&(headers_at as u64).to_le_bytes());
        elf[0x3a] = 64;
        elf[0x3c] = 3;
        elf[0x3e] = 2;
        elf
    }

    #[test]
    fn dependencies_are_read_from_modinfo() {
        let module = elf_with_modinfo(b"license=GPL\0depends=virtio,virtio-ring\0name=x\0");
        assert_eq!(depends(&module).unwrap(), ["virtio", "virtio_ring"]);
        let none = elf_with_modinfo(b"license=GPL\0depends=\0");
        assert!(depends(&none).unwrap().is_empty());
    }

    #[test]
    fn damaged_modules_are_refused_not_trusted() {
        let module = elf_with_modinfo(b"depends=a\0");
        assert_eq!(depends(b"not an elf file"), None);
        for length in 0..module.len() {
            let _ = depends(&module[..length]);
        }
        let mut wild = module;
        wild[0x28..0x30].fill(0xff);
        assert_eq!(depends(&wild), None);
    }

    #[test]
    fn every_module_comes_after_what_it_needs() {
        let dependencies: BTreeMap<String, Vec<String>> = [
            ("virtio_ring", ""),
            ("virtio", "virtio_ring"),
            ("virtio_mmio", "virtio virtio_ring"),
            ("failover", ""),
            ("net_failover", "failover"),
            ("virtio_net", "net_failover virtio"),
            ("virtio_rng", "virtio rng_core"),
        ]
        .map(|(name, needs)| {
            (
                name.into(),
                needs.split_whitespace().map(Into::into).collect(),
            )
        })
        .into();
        let built_in = parse_built_in("kernel/drivers/char/hw_random/rng-core.ko\n");
        let mut needs = |name: &str| dependencies.get(name).cloned().ok_or(name.to_owned());
        let wanted = ["virtio_mmio", "virtio_net", "virtio-rng"];
        let order = load_order(&wanted, &built_in, &mut needs);
        let expected = [
            "virtio_ring",
            "virtio",
            "virtio_mmio",
            "failover",
            "net_failover",
            "virtio_net",
            "virtio_rng",
        ];
        assert_eq!(order.unwrap(), expected);
        let missing = load_order(&["erofs"], &built_in, &mut needs);
        assert_eq!(missing.unwrap_err(), "erofs");
    }
}
