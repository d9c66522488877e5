//! The *VMM* is the process on the host in which a machine runs. Code for one particular VMM is in
//! a module of its name.

pub(crate) mod qemu;
mod resources;

pub(crate) use resources::{Disks, Memory};
