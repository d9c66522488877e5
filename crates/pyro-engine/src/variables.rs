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
        "The directory of Codex's configuration, for `pyro mcp config codex --write`.";
    DOCKER_CONFIG = "DOCKER_CONFIG", "$HOME/.docker",
        "Directory of Docker's `config.json`, whose credentials registries are shown.";
    HOME = "HOME", "none",
        "The user's home directory, from which the other directories are derived.";
    NO_COLOR = "NO_COLOR", "not set",
        "If set to any value, output has no colours.";
    PATH = "PATH", "none",
        "The directories in which QEMU and the programs that build environments are searched.";
    ACCELERATOR = "PYRO_ACCEL", "auto",
        "The accelerator for guests: `auto` (KVM once it has been shown to work on this host, software \
         emulation otherwise), `kvm` or `tcg`. The option `--accel` takes precedence.";
    BASE_DIR = "PYRO_BASE_DIR", "$XDG_STATE_HOME/pyro-mcp",
        "Directory for the files of machines, and for what was found out about this \
         host. It must belong to the user.";
    BOOT_TIMEOUT_SECONDS = "PYRO_BOOT_TIMEOUT_SECONDS", "60",
        "How long a guest may take to boot before the start fails, in whole seconds. The time in \
         which QEMU waits for a processor, because the host is busy, does not count.";
    CACHE_DIR = "PYRO_ENVIRONMENT_CACHE_DIR", "$XDG_CACHE_HOME/pyro-mcp/environments",
        "Directory for environments and kernels.";
    INSECURE_REGISTRIES = "PYRO_INSECURE_REGISTRIES", "those on this host",
        "Registries (`HOST` or `HOST:PORT`) that may be reached without TLS, separated by commas.";
    LOG = "PYRO_LOG", "not set",
        "Filter for log messages on standard error, for example `debug` or `pyro_machine=trace`.";
    MAX_ACTIVE_VMS = "PYRO_MAX_ACTIVE_VMS", "4 for each processor",
        "How many machines of this user may be active at a time; further ones wait.";
    MAX_DISK_MIB = "PYRO_MAX_DISK_MIB", "leaves 2048 MiB, or a twentieth, of the file system free",
        "How much of the host's disk all machines of this user may use for their private disks, \
         seeds and logs, in MiB. If they use more, no machine is started, and one that grows is ended.";
    MCP_TOKEN = "PYRO_MCP_TOKEN", "made when the server starts",
        "The bearer token that clients of `pyro mcp serve --transport http` must send.";
    MODEL_API_KEY = "PYRO_MODEL_API_KEY", "none is sent",
        "The key that `pyro demo ollama` sends to the model's server, as a bearer token. It is sent to \
         the server of `--base-url` and to no other.";
    NETWORK_ALLOW = "PYRO_NETWORK_ALLOW", "nothing",
        "What guests with a network may reach besides the Internet: IPv4 addresses or blocks of \
         them, each with all ports or one, separated by commas, for example \
         `10.1.0.0/16,192.168.1.7:443`. Every guest with a network can reach these addresses, even \
         those of this host, except 127.0.0.1.";
    PARKED_SECONDS = "PYRO_PARKED_SECONDS", "60",
        "How long a machine that was restored ahead of time is kept for the next `pyro run`, in \
         whole seconds; 0 keeps none.";
    PULL_FROM = "PYRO_PULL_FROM", "nothing",
        "What models may have `pyro mcp serve` pull, besides the catalog: registries or \
         repositories such as `docker.io/library,ghcr.io/acme`, separated by commas. What was pulled \
         before, models may use in any case.";
    REQUIRE_ISOLATION = "PYRO_REQUIRE_ISOLATION", "nothing",
        "Isolation mechanisms without which no machine runs: names that `pyro \
         doctor` shows, separated by commas, or `all`. Other mechanisms are used if the \
         host supports them. The option `--require-isolation` takes precedence.";
    REGISTRY_AUTH_FILE = "REGISTRY_AUTH_FILE", "not set",
        "A file with credentials for registries, as `podman login` writes it; it is looked at before \
         the others.";
    SSL_CERT_DIR = "SSL_CERT_DIR", "the host's own",
        "Directories with certificates of authorities that are trusted for registries and a model's server.";
    SSL_CERT_FILE = "SSL_CERT_FILE", "the host's own",
        "A file with certificates of such authorities.";
    XDG_CACHE_HOME = "XDG_CACHE_HOME", "$HOME/.cache",
        "The user's directory for caches.";
    XDG_CONFIG_HOME = "XDG_CONFIG_HOME", "$HOME/.config",
        "The user's directory for configuration, for `pyro mcp config --write`.";
    XDG_RUNTIME_DIR = "XDG_RUNTIME_DIR", "not set",
        "The user's directory for what lasts as long as a login, where `podman login` keeps its \
         credentials.";
    XDG_STATE_HOME = "XDG_STATE_HOME", "$HOME/.local/state",
        "The user's directory for state that survives a restart.";
}

/// The variables that are passed to processes of pyro that outlive their call. These processes get
/// directories and settings through their standard input.
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
