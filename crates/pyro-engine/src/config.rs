//! The *configuration* of an engine: directories, programs, and how guests are run.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use pyro_chat::Key;
use pyro_machine::{AcceleratorChoice, AllowList, DEFAULT_BOOT_LIMIT, Piece, Start, octets};
use serde::{Deserialize, Serialize};

use crate::registries::Registries;
use crate::{Error, variables};

/// The directory of pyro below the user's cache and state directories.
const DIRECTORY: &str = "pyro-mcp";
const DEFAULT_PARKED_IDLE: Duration = Duration::from_secs(60);

/// The hidden command of [`Config::program`] that keeps a parked machine.
pub const PARK_COMMAND: &str = "keep-parked";
/// The hidden command of [`Config::program`] that supervises an instance.
pub const SUPERVISE_COMMAND: &str = "supervise";

/// The configuration of an engine.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Config {
    /// The environment cache.
    #[serde(with = "octets::path")]
    pub cache_dir: PathBuf,
    /// The directory of machines and instances.
    #[serde(with = "octets::path")]
    pub base_dir: PathBuf,
    /// The search path for programs, in the form of `PATH`.
    pub search_path: OsString,
    /// The choice of the accelerator.
    pub accelerator: AcceleratorChoice,
    /// How long a guest may take to boot.
    pub boot_limit: Duration,
    /// How many machines may be active at a time.
    pub active_limit: usize,
    /// The limit on the disk space of all machines, in MiB. Without one, a part of the file system
    /// is kept free.
    pub max_disk_mib: Option<u64>,
    /// The addresses outside the Internet that guests with a network may reach.
    pub network_allow: AllowList,
    /// The isolation that must be in force around the VMM; without it no machine runs.
    pub required_isolation: Vec<Piece>,
    /// Whether machines are restored from templates or booted.
    pub start: Start,
    /// How long a parked machine is kept; with zero, none is parked.
    pub parked_idle: Duration,
    /// How the registries of images are reached. Processes that outlive a call pull none.
    #[serde(skip)]
    pub registries: Registries,
    /// The environment variables for pyro's processes that outlive the call which starts them. They
    /// get no others: the environment may contain secrets, and these processes may live long.
    pub passed_on: Vec<(String, OsString)>,
    /// The user's key for the server of a language model. Processes that outlive a call do not get
    /// it: none of them asks a model.
    #[serde(skip)]
    pub model_key: Option<Key>,
    /// The program `pyro`. It is run with [`PARK_COMMAND`] and with [`SUPERVISE_COMMAND`] for what
    /// outlives a call. Without it nothing is parked and no instance can start.
    #[serde(with = "octets::optional_path")]
    pub program: Option<PathBuf>,
}

impl Config {
    /// Reads the configuration from environment variables, which `lookup` returns by name. See
    /// [`variables`] for what each means.
    ///
    /// # Errors
    /// When the value of a variable is invalid, or there is no home directory.
    pub fn from_variables(lookup: impl Fn(&str) -> Option<OsString>) -> Result<Self, Error> {
        let get = |name: &str| lookup(name).filter(|value| !value.is_empty());
        let directory = |own: &str, xdg: &str, in_home: &[&str], rest: &[&str]| {
            let relative: PathBuf = rest.iter().collect();
            // The XDG specification says that relative paths are ignored.
            let xdg = get(xdg)
                .map(PathBuf::from)
                .filter(|path| path.is_absolute());
            let home = || Some(PathBuf::from(get(variables::HOME)?).join(in_home.join("/")));
            let named = get(own)
                .map(PathBuf::from)
                .or_else(|| Some(xdg.or_else(home)?.join(relative)))
                .ok_or_else(|| Error::no_home(own))?;
            // Other processes of pyro, and the VMM, have other working directories.
            std::path::absolute(&named).map_err(|error| Error::no_directory(own, &named, &error))
        };
        let number = |name: &str, least: u64| {
            let Some(value) = get(name) else {
                return Ok(None);
            };
            let parsed = value.to_str().and_then(|text| text.parse().ok());
            let wanted = || format!("a whole number, {least} or more");
            parsed
                .filter(|number| *number >= least)
                .map(Some)
                .ok_or_else(|| Error::bad_variable(name, &value, &wanted()))
        };
        Ok(Self {
            cache_dir: directory(
                variables::CACHE_DIR,
                variables::XDG_CACHE_HOME,
                &[".cache"],
                &[DIRECTORY, "environments"],
            )?,
            base_dir: directory(
                variables::BASE_DIR,
                variables::XDG_STATE_HOME,
                &[".local", "state"],
                &[DIRECTORY],
            )?,
            search_path: get(variables::PATH).unwrap_or_else(|| "/usr/bin:/bin".into()),
            accelerator: match get(variables::ACCELERATOR) {
                None => AcceleratorChoice::Auto,
                Some(value) => value
                    .to_str()
                    .and_then(|text| text.parse().ok())
                    .ok_or_else(|| {
                        Error::bad_variable(variables::ACCELERATOR, &value, "auto, kvm or tcg")
                    })?,
            },
            start: Start::default(),
            active_limit: number(variables::MAX_ACTIVE_VMS, 1)?
                .and_then(|limit| usize::try_from(limit).ok())
                .unwrap_or_else(default_active_limit),
            max_disk_mib: number(variables::MAX_DISK_MIB, 1)?,
            network_allow: match get(variables::NETWORK_ALLOW) {
                None => AllowList::default(),
                Some(value) => value
                    .to_str()
                    .and_then(|text| text.parse().ok())
                    .ok_or_else(|| {
                        let wanted = "IPv4 addresses such as 10.1.0.0/16 or 192.0.2.7:443, \
                                      separated by commas";
                        Error::bad_variable(variables::NETWORK_ALLOW, &value, wanted)
                    })?,
            },
            required_isolation: match get(variables::REQUIRE_ISOLATION) {
                None => Vec::new(),
                Some(value) => value.to_str().and_then(pieces).ok_or_else(|| {
                    let names = Piece::ALL.map(Piece::name).join(", ");
                    let wanted = format!("names of these, separated by commas: {names}");
                    Error::bad_variable(variables::REQUIRE_ISOLATION, &value, &wanted)
                })?,
            },
            passed_on: variables::PASSED_ON
                .iter()
                .filter_map(|name| Some(((*name).to_owned(), get(name)?)))
                .collect(),
            model_key: match get(variables::MODEL_API_KEY) {
                None => None,
                Some(key) => Some(Key::from(
                    key.into_string()
                        .map_err(|_| Error::from(pyro_chat::Error::Key))?,
                )),
            },
            registries: Registries::from_variables(get)?,
            program: None,
            boot_limit: number(variables::BOOT_TIMEOUT_SECONDS, 1)?
                .map_or(DEFAULT_BOOT_LIMIT, Duration::from_secs),
            parked_idle: number(variables::PARKED_SECONDS, 0)?
                .map_or(DEFAULT_PARKED_IDLE, Duration::from_secs),
        })
    }
}

/// Parses a comma-separated list of pieces; `all` stands for all of them.
fn pieces(text: &str) -> Option<Vec<Piece>> {
    if text == "all" {
        return Some(Piece::ALL.into());
    }
    let names = text.split(',').map(str::trim);
    names.map(|name| name.parse().ok()).collect()
}

/// Several machines for each processor, because many only wait for input or a timer. Machines that
/// compute share the processors; more of them would only slow each other down.
fn default_active_limit() -> usize {
    4 * std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn config(variables: &[(&str, &str)]) -> Result<Config, Error> {
        let map: HashMap<_, _> = variables.iter().copied().collect();
        Config::from_variables(|name| map.get(name).map(OsString::from))
    }

    #[test]
    fn directories_come_from_the_closest_variable() {
        let home = config(&[("HOME", "/h")]).unwrap();
        assert_eq!(
            home.cache_dir,
            PathBuf::from("/h/.cache/pyro-mcp/environments")
        );
        assert_eq!(home.base_dir, PathBuf::from("/h/.local/state/pyro-mcp"));
        let xdg = config(&[
            ("HOME", "/h"),
            ("XDG_CACHE_HOME", "/c"),
            ("XDG_STATE_HOME", "rel"),
        ]);
        let xdg = xdg.unwrap();
        assert_eq!(xdg.cache_dir, PathBuf::from("/c/pyro-mcp/environments"));
        assert_eq!(xdg.base_dir, PathBuf::from("/h/.local/state/pyro-mcp"));
        let own = config(&[
            ("PYRO_ENVIRONMENT_CACHE_DIR", "/e"),
            ("PYRO_BASE_DIR", "/b"),
        ])
        .unwrap();
        assert_eq!((own.cache_dir, own.base_dir), ("/e".into(), "/b".into()));
        let relative = config(&[("HOME", "/h"), ("PYRO_BASE_DIR", "b/c")]).unwrap();
        let here = std::env::current_dir().unwrap();
        assert_eq!(relative.base_dir, here.join("b/c"));
    }

    #[test]
    fn nonsense_is_refused_and_names_the_variable() {
        let error = config(&[]).unwrap_err();
        assert!(
            error.message.contains("PYRO_ENVIRONMENT_CACHE_DIR"),
            "{error:?}"
        );
        for (name, value) in [
            ("PYRO_ACCEL", "fast"),
            ("PYRO_MAX_DISK_MIB", "0"),
            ("PYRO_MAX_DISK_MIB", "1 GiB"),
            ("PYRO_NETWORK_ALLOW", "localhost"),
            ("PYRO_REQUIRE_ISOLATION", "landlock,moat"),
            ("PYRO_BOOT_TIMEOUT_SECONDS", "0"),
        ] {
            let error = config(&[("HOME", "/h"), (name, value)]).unwrap_err();
            assert!(
                error.message.contains(name) && error.message.contains(value),
                "{error:?}"
            );
        }
    }
}
