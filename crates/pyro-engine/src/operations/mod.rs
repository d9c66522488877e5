//! The operations, a file each.

pub mod demo;
pub mod doctor;
pub mod env;
mod machine;
pub mod vm;
pub mod workspace;

pub use machine::Machine;
