//! Extended *attributes* that an image keeps: those that a program in the guest may rely on, and none
//! that the guest's kernel obeys.

use crate::erofs::{self, Namespace};
use crate::pax::ExtendedAttributes;
use crate::tar_member::Form;

/// All of an inode have to be in one block with it.
const MOST_BYTES: usize = 2048;
/// Linux takes no longer name.
const LONGEST_NAME: usize = 255;

/// Returns the attributes that are kept of a file of this form, as an image has them. None if they are
/// too many or too long.
///
/// What is dropped: `trusted.*`, by which an overlay finds its way, labels of security modules, sums of
/// `security.ima` and `security.evm`; and what Linux permits of no such file, because an overlay could
/// not copy it when the file is changed.
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

/// Returns what an attribute's name begins with, and the rest of it. None if it is dropped.
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
