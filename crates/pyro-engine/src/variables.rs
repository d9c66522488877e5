//! Every environment *variable* that pyro reads, with its meaning. Nothing else in the project
//! names a variable; the reference page is generated from this list.

/// One environment variable.
#[derive(Clone, Copy, Debug)]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// What happens when it is not set.
    pub default: &'static str,
    /// What it does.
    pub meaning: &'static str,
}

macro_rules! variables {
    ($($constant:ident = $name:literal, $default:literal, $meaning:literal;)*) => {
        $(#[doc = $meaning] pub const $constant: &str = $name;)*

        /// All of them, by name.
        pub const ALL: &[Variable] = &[
            $(Variable { name: $name, default: $default, meaning: $meaning },)*
        ];
    };
}

variables! {
    CODEX_HOME = "CODEX_HOME", "$HOME/.codex",
        "Where Codex has its configuration, for `pyro mcp config codex --write`.";
    DOCKER_CONFIG = "DOCKER_CONFIG", "$HOME/.docker",
        "Directory of Docker's `config.json`, whose credentials registries are shown.";
    HOME = "HOME", "none",
        "The user's home directory, from which the other directories are derived.";
    NO_COLOR = "NO_COLOR", "not set",
        "When set to anything, nothing is coloured.";
    PATH = "PATH", "none",
        "Where QEMU and the programs that build environments are searched.";
    ACCELERATOR = "PYRO_ACCEL", "auto",
        "The accelerator for guests: `auto` (KVM once it is proved to work on this host, software \
         emulation otherwise), `kvm` or `tcg`. The option `--accel` wins over it.";
    BASE_DIR = "PYRO_BASE_DIR", "$XDG_STATE_HOME/pyro-mcp",
        "Directory for what machines need while they run, and for what was found out about this \
         host. It must belong to the user.";
    BOOT_TIMEOUT_SECONDS = "PYRO_BOOT_TIMEOUT_SECONDS", "60",
        "How long a guest may take to boot before the start fails, in whole seconds. The time in \
         which QEMU waits for a processor, because the host is busy, does not count.";
    CACHE_DIR = "PYRO_ENVIRONMENT_CACHE_DIR", "$XDG_CACHE_HOME/pyro-mcp/environments",
        "Directory for environments and kernels.";
    INSECURE_REGISTRIES = "PYRO_INSECURE_REGISTRIES", "those on this host",
        "Registries (`HOST` or `HOST:PORT`) that may be reached without TLS, separated by commas.";
    LOG = "PYRO_LOG", "not set",
        "What is logged to standard error, for example `debug` or `pyro_machine=trace`.";
    MAX_ACTIVE_VMS = "PYRO_MAX_ACTIVE_VMS", "4 for each processor",
        "How many machines of this user may be active at a time; later ones wait in line.";
    MAX_DISK_MIB = "PYRO_MAX_DISK_MIB", "what leaves 2048 MiB, or a twentieth, of the file system free",
        "How much all machines of this user may take of the host's disk with their private disks, \
         seeds and logs, in MiB. When they take more, none is started, and one that grows is ended.";
    MCP_TOKEN = "PYRO_MCP_TOKEN", "made when the server starts",
        "The bearer token that `pyro mcp serve --transport http` asks its clients for.";
    MODEL_API_KEY = "PYRO_MODEL_API_KEY", "none is sent",
        "The key that `pyro demo ollama` sends to the model's server, as a bearer token. It goes to \
         whatever server `--base-url` names, and to no other.";
    NETWORK_ALLOW = "PYRO_NETWORK_ALLOW", "nothing",
        "What guests with a network may reach besides the Internet: IPv4 addresses or blocks of \
         them, each with all ports or one, separated by commas, for example \
         `10.1.0.0/16,192.168.1.7:443`. It opens what it names, addresses of this host \
         included, to every guest with a network; 127.0.0.1 is never reached.";
    PARKED_SECONDS = "PYRO_PARKED_SECONDS", "60",
        "How long a machine that was restored ahead of time is kept for the next `pyro run`, in \
         whole seconds; 0 keeps none.";
    PULL_FROM = "PYRO_PULL_FROM", "nothing",
        "What models may have `pyro mcp serve` pull, besides the catalog: registries or \
         repositories such as `docker.io/library,ghcr.io/acme`, separated by commas. What was pulled \
         before, models may use in any case.";
    REQUIRE_ISOLATION = "PYRO_REQUIRE_ISOLATION", "nothing",
        "What must be in force around the VMM, or no machine runs: names of pieces that `pyro \
         doctor` shows, separated by commas, or `all`. What is not named is in force where the \
         host has it. The option `--require-isolation` wins over it.";
    REGISTRY_AUTH_FILE = "REGISTRY_AUTH_FILE", "not set",
        "A file with credentials for registries, as `podman login` writes it; it is looked at before \
         the others.";
    SSL_CERT_DIR = "SSL_CERT_DIR", "the host's own",
        "Directories with certificates of the authorities that may vouch for registries and a model's server.";
    SSL_CERT_FILE = "SSL_CERT_FILE", "the host's own",
        "A file with such certificates.";
    XDG_CACHE_HOME = "XDG_CACHE_HOME", "$HOME/.cache",
        "The user's directory for what can be made again.";
    XDG_CONFIG_HOME = "XDG_CONFIG_HOME", "$HOME/.config",
        "The user's directory for configuration, for `pyro mcp config --write`.";
    XDG_RUNTIME_DIR = "XDG_RUNTIME_DIR", "not set",
        "The user's directory for what lasts as long as a login, where `podman login` keeps its \
         credentials.";
    XDG_STATE_HOME = "XDG_STATE_HOME", "$HOME/.local/state",
        "The user's directory for what should survive a restart.";
}

/// The variables that are passed on to pyro's processes that outlive their call. Directories and
/// settings reach these processes through their input.
pub(crate) const PASSED_ON: &[&str] = &[HOME, PATH, TMPDIR, LOG, TEST_CELL];
/// The directory for temporary files.
const TMPDIR: &str = "TMPDIR";
/// For tests only; programs that are built for tests read it: see pyro-machine.
const TEST_CELL: &str = "PYRO_TEST_CELL";

#[cfg(test)]
mod tests {
    use super::ALL;

    #[test]
    fn names_are_unique_and_ours_are_sorted() {
        let ours: Vec<_> = ALL
            .iter()
            .map(|variable| variable.name)
            .filter(|n| n.starts_with("PYRO_"))
            .collect();
        let mut sorted = ours.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(ours, sorted);
    }
}
