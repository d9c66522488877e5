//! *Starts* of machines, a file for each way.

mod boot;
mod claim;
mod launch;
mod make_template;
mod park;
mod plan;
mod restore;
mod slot;
mod warm_up;
