//! End-to-end tests: the real program with real virtual machines.
//!
//! Every test has its own home directory and directory for machines, and shares only the user's
//! environment cache, in which the first test that needs an environment builds it. When a test
//! ends, no process or file of it may be left.
//!
//! A test that needs something this machine lacks says so: `SKIPPED <test>: <why>`.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "all of this is test code"
)]

mod archives;
mod browsers;
mod builds;
mod catalog;
mod cell;
mod clocks;
mod clones;
mod commands;
mod container_tools;
mod context;
mod contract;
mod damage;
mod databases;
mod demo;
mod demo_failures;
mod demo_model;
mod diffs;
mod disks;
mod dockerfiles;
mod doctor;
mod durability;
mod endings;
mod environments;
mod examples;
mod exports;
mod failing_streams;
mod files;
mod forwards;
mod front;
mod full;
mod guest;
mod guest_files;
mod homecoming;
mod host;
mod host_compat;
mod hostile;
mod hostile_directory;
mod hostile_guest;
mod hostile_http;
mod hostile_model;
mod idle;
mod image_archives;
mod image_registry;
mod image_roots;
mod image_servers;
mod images;
mod instances;
mod isolation;
mod labels;
mod leftovers;
mod limits;
mod living_deaths;
mod many_clients;
mod mcp;
mod mcp_arguments;
mod mcp_client;
mod mcp_config;
mod mcp_consent;
mod mcp_ends;
mod mcp_nonsense;
mod mcp_prompts;
mod mcp_tasks;
mod messages;
mod names;
mod network;
mod network_limits;
mod parked;
mod patches;
mod ports;
mod prestarts;
mod process;
mod promised;
mod pulls;
mod pushes;
mod races;
mod real_registry;
mod records;
mod registry_faults;
mod registry_tags;
mod removed;
mod run;
mod saved;
mod scripts;
mod second_user;
mod secrets;
mod seeds;
mod service_ports;
mod services;
mod shells;
mod signals;
mod snapshot_diffs;
mod snapshots;
mod stand_in;
mod streams;
mod sudden_deaths;
mod surroundings;
mod templates;
mod terminals;
mod time_to_live;
mod trees;
mod unprivileged;
mod vanishing;
mod vms;
mod warm_ups;
mod wire;
mod workspaces;

/// Reports that a test was skipped.
macro_rules! skip {
    ($test:expr, $($why:tt)*) => {{
        eprintln!("SKIPPED {}: {}", $test, format!($($why)*));
        return;
    }};
}
pub(crate) use skip;
