//! The *set-up* of this process for calls: the engine's configuration, and the runtime.

use std::ffi::{OsStr, OsString};

use clap::ArgMatches;
use pyro_engine::{Config, Error, Piece, Start};

use crate::signals;

/// Stands for all isolation mechanisms.
pub(crate) const ALL_PIECES: &str = "all";

/// Returns the value of an environment variable.
pub(crate) fn variable(name: &OsStr) -> Option<OsString> {
    std::env::var_os(name)
}

/// Returns the engine's configuration, from variables and global options.
pub(crate) fn configuration(matches: &ArgMatches) -> Result<Config, Error> {
    let mut config = Config::from_variables(|name| std::env::var_os(name))?;
    config.program = std::env::current_exe().ok();
    if let Some(pieces) = matches.get_many::<String>("require-isolation") {
        let parse = |piece: &String| match piece.as_str() {
            ALL_PIECES => Piece::ALL.to_vec(),
            piece => vec![piece.parse().expect("clap lets only these values through")],
        };
        config.required_isolation = pieces.flat_map(parse).collect();
    }
    if let Some(choice) = matches.get_one::<String>("accel") {
        config.accelerator = choice.parse().expect("clap lets only these values through");
    }
    if matches.get_flag("cold") {
        config.start = Start::Boot;
    }
    Ok(config)
}

/// Creates the runtime for the engine's calls, on this thread.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime, Error> {
    // Without enough file descriptors, creating the runtime would panic.
    pyro_engine::check_open_files()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::resource(&error))?;
    runtime.block_on(async { signals::survive_file_limit() });
    Ok(runtime)
}
