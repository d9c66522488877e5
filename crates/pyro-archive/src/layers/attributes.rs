//! The extended *attributes* that an image keeps: those that programs in the guest rely on, and
//! none that control the guest's overlay or its security modules.

use crate::erofs::{self, Namespace};
use crate::pax::ExtendedAttributes;
use crate::tar_member::Form;

/// The largest size of an inode's attributes. They must be in one block with the inode.
const MOST_BYTES: usize = 2048;
/// The longest name that Linux accepts.
const LONGEST_NAME: usize = 255;

/// Returns the attributes that are kept for a file of this type, in the encoding of EROFS. None if
/// there are too many or they are too long.
///
/// It drops `trusted.*`, which control an overlay, the labels of security modules, `security.ima`
/// and `security.evm`. It also drops attributes that Linux does not allow on a file of this type:
/// an overlay could not copy them when the file is changed.
pub(crate) fn kept(all: &ExtendedAttributes, form: Form) -> Option<Box<[u8]>> {
    let mut kept = Vec::new();
    for (name, value) in &all.values {
        let Some((namespace, rest)) = namespace(name, form) else {
            continue;
        };
        if name.len() > LONGEST_NAME || name.contains(&0) {
            return None;
        }
        kept.push((namespace, rest, &value[..]));
    }
    if all.are_too_many {
        return None;
    }
    let room: usize = kept
        .iter()
        .map(|(_, name, value)| 8 + name.len() + value.len())
        .sum();
    (room <= MOST_BYTES).then(|| erofs::attributes(kept.into_iter()))
}

/// Returns the namespace of an attribute and the rest of its name. None if the attribute is
/// dropped.
fn namespace(name: &[u8], form: Form) -> Option<(Namespace, &[u8])> {
    let is_file = matches!(form, Form::File | Form::OldSparse | Form::Sparse);
    let is_directory = form == Form::Directory;
    if let Some(rest) = name.strip_prefix(b"user.") {
        return (!rest.is_empty() && (is_file || is_directory)).then_some((Namespace::User, rest));
    }
    match name {
        b"security.capability" if is_file => Some((Namespace::Security, b"capability")),
        b"system.posix_acl_access" if !matches!(form, Form::Symlink | Form::HardLink) => {
            Some((Namespace::AccessList, b""))
        }
        b"system.posix_acl_default" if is_directory => Some((Namespace::DefaultAccessList, b"")),
        _ => None,
    }
}
