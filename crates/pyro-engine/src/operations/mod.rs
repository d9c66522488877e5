//! The operations, a file each.

pub mod doctor;
pub mod env;
pub mod vm;
pub mod workspace;
