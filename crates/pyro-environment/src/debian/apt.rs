//! The machine's *apt*: its sources and settings, asked for with its own tools.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;
use std::process::Stdio;

use tokio::process::Command;

use super::sources::{self, Source};
use crate::Error;
use crate::tools::Tools;

/// What is needed to download from Debian's archive as this machine does.
#[derive(Debug)]
pub(crate) struct Archive {
    pub(super) release: &'static str,
    pub(super) sources: Vec<Source>,
    /// apt's settings for downloads, in the format of its configuration files.
    pub(super) acquire: String,
    /// Those of them that the guest's apt needs too.
    pub(super) acquire_in_image: String,
}

impl Archive {
    /// Asks apt for its sources of the release and its settings.
    pub(crate) async fn discover(tools: &Tools, release: &'static str) -> Result<Self, Error> {
        let targets = output(
            tools,
            "apt-get",
            &[
                "indextargets",
                "--no-release-info",
                "--format",
                sources::FORMAT,
            ],
        );
        let dump = output(tools, "apt-config", &["dump"]);
        let (targets, dump) = tokio::try_join!(targets, dump)?;
        let mut sources = sources::select(&targets, release);
        for source in &mut sources {
            sources::resolve_mirror_list(source, |path| fs::read_to_string(path).ok());
        }
        if !sources.iter().any(|source| source.suite == release) {
            return Err(Error::ArchiveNotConfigured { release });
        }
        let settings: Vec<_> = dump
            .lines()
            .filter(|line| is_about_downloads(line))
            .collect();
        let valid_until = |line: &&str| {
            line.starts_with("Acquire::Check-Valid-Until ")
                || line.starts_with("Acquire::Check-Date ")
        };
        Ok(Self {
            release,
            sources,
            acquire: with_defaults(&settings),
            acquire_in_image: settings
                .iter()
                .copied()
                .filter(valid_until)
                .fold(String::new(), |text, line| text + line + "\n"),
        })
    }

    /// Returns where packages come from, for people.
    pub(crate) fn source(&self) -> String {
        let main = self
            .sources
            .iter()
            .find(|source| source.suite == self.release);
        let uri = main.map_or("", |source| &source.uri);
        let uri = sources::without_credentials(uri);
        format!("archive:{} {}", uri.trim_end_matches('/'), self.release)
    }

    /// Writes a configuration with which apt uses this archive, trusts nothing but Debian, keeps
    /// everything it remembers in `directory`, and looks at nothing that is installed.
    pub(super) fn write_private_configuration(&self, directory: &Path) -> Result<(), Error> {
        let mut list = String::new();
        for source in &self.sources {
            let _ = writeln!(list, "{}", source.line());
        }
        let configuration = private_configuration(&directory.display().to_string(), &self.acquire);
        let write = |name: &str, contents: &str| {
            let path = directory.join(name);
            fs::write(&path, contents).map_err(Error::cache("write", path))
        };
        for name in ["state", "cache"] {
            let path = directory.join(name);
            fs::create_dir_all(&path).map_err(Error::cache("create", path))?;
        }
        write("sources.list", &list)?;
        write("status", "")?;
        write("apt.conf", &configuration)
    }
}

async fn output(tools: &Tools, program: &'static str, arguments: &[&str]) -> Result<String, Error> {
    let failed = |source| Error::Spawn {
        program: program.to_owned(),
        source,
    };
    let output = Command::new(tools.path(program))
        .args(arguments)
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .map_err(failed)?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(failed(io::Error::other(said.trim().to_owned())));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Whether a line of `apt-config dump` is a setting about how to download: proxies, certificates,
/// time limits. What to download, and how to store it, is not the machine's to say.
fn is_about_downloads(line: &str) -> bool {
    const OTHERS: &[&str] = &[
        "IndexTargets",
        "Changelogs",
        "CompressionTypes",
        "Languages",
        "cdrom",
        "GzipIndexes",
    ];
    let Some(rest) = line.strip_prefix("Acquire::") else {
        return false;
    };
    !line.ends_with(" \"\";") && !OTHERS.iter().any(|other| rest.starts_with(other))
}

/// Joins the settings, with limits that end in an error within half a minute where the machine
/// sets none.
fn with_defaults(settings: &[&str]) -> String {
    const DEFAULTS: &[(&str, &str)] = &[
        ("Acquire::Retries", "1"),
        ("Acquire::http::Timeout", "15"),
        ("Acquire::https::Timeout", "15"),
    ];
    let mut text = String::new();
    for (name, value) in DEFAULTS {
        let set = |line: &&str| {
            line.strip_prefix(name)
                .is_some_and(|rest| rest.starts_with(' '))
        };
        if !settings.iter().any(set) {
            let _ = writeln!(text, "{name} \"{value}\";");
        }
    }
    for line in settings {
        let _ = writeln!(text, "{line}");
    }
    text
}

fn private_configuration(directory: &str, acquire: &str) -> String {
    format!(
        r#"#clear APT::Update;
#clear APT::Architectures;
#clear Acquire;
#clear DPkg;
APT::Architecture "amd64";
APT::Architectures {{ "amd64"; }};
APT::Sandbox::User "root";
APT::Update::Error-Mode "any";
Acquire::AllowInsecureRepositories "false";
Acquire::Languages {{ "none"; }};
Acquire::IndexTargets::deb::Packages {{
    MetaKey "$(COMPONENT)/binary-$(ARCHITECTURE)/Packages";
    ShortDescription "Packages";
    Description "$(RELEASE)/$(COMPONENT) $(ARCHITECTURE) Packages";
}};
Acquire::CompressionTypes {{ xz "xz"; gz "gzip"; }};
Dir::Cache "{directory}/cache";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Dir::Etc::sourcelist "{directory}/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::State "{directory}/state";
Dir::State::status "{directory}/status";
{acquire}"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_about_downloads_are_handed_on() {
        let dump = "\
Acquire \"\";
Acquire::cdrom::mount \"/media/cdrom/\";
Acquire::IndexTargets::deb::Packages::Optional \"0\";
Acquire::Check-Valid-Until \"false\";
Acquire::GzipIndexes \"true\";
Acquire::Languages:: \"none\";
Acquire::http::Proxy \"http://proxy.example:3128\";
Acquire::http::Timeout \"5\";
Acquire::CompressionTypes::xz \"xz\";
APT::Architecture \"amd64\";";
        let kept: Vec<_> = dump
            .lines()
            .filter(|line| is_about_downloads(line))
            .collect();
        assert_eq!(
            with_defaults(&kept),
            "\
Acquire::Retries \"1\";
Acquire::https::Timeout \"15\";
Acquire::Check-Valid-Until \"false\";
Acquire::http::Proxy \"http://proxy.example:3128\";
Acquire::http::Timeout \"5\";
"
        );
    }
}
