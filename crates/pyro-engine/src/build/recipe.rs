//! A *recipe* is a build without a Dockerfile: packages and commands above an environment.

use super::dockerfile::{Dockerfile, Instruction, Network, Place, Stage, Step, Words};

/// What is done, in this order.
#[derive(Clone, Debug)]
pub(crate) struct Recipe {
    pub(crate) from: String,
    /// Names of packages of the distribution.
    pub(crate) packages: Vec<String>,
    /// Lines for the shell.
    pub(crate) run: Vec<String>,
}

/// Installs its arguments with whatever installs packages in the distribution.
const INSTALL: &str = r#"set -e
if command -v apt-get >/dev/null; then
    export DEBIAN_FRONTEND=noninteractive
    apt-get update
    apt-get install -y --no-install-recommends "$@"
    rm -rf /var/lib/apt/lists/*
elif command -v apk >/dev/null; then
    apk add --no-cache "$@"
elif command -v dnf >/dev/null; then
    dnf install -y --setopt=install_weak_deps=False "$@"
    dnf clean all
elif command -v microdnf >/dev/null; then
    microdnf install -y "$@"
else
    echo 'no program is here that installs packages: apt-get, apk, dnf' >&2
    exit 127
fi"#;

impl Recipe {
    /// Returns the same as a Dockerfile. Packages come from the network.
    pub(super) fn dockerfile(&self) -> Dockerfile {
        let mut steps = Vec::new();
        let mut add = |option, text: String, words: Words, network: Network| {
            steps.push(Step {
                place: Place::Option(option),
                text,
                instruction: Instruction::Run { words, network },
            });
        };
        if !self.packages.is_empty() {
            let install = ["/bin/sh", "-c", INSTALL, "sh"].map(str::to_owned);
            let words = install.into_iter().chain(self.packages.iter().cloned());
            let text = format!("install {}", self.packages.join(" "));
            add(
                "packages",
                text,
                Words::Exec(words.collect()),
                Network::Always,
            );
        }
        for line in &self.run {
            let text = format!("RUN {}", pyro_text::line(line));
            add("run", text, Words::Line(line.clone()), Network::OfBuild);
        }
        Dockerfile {
            args: Vec::new(),
            stages: vec![Stage {
                name: None,
                base: self.from.replace('$', "\\$"),
                place: Place::Option("from"),
                steps,
            }],
        }
    }
}
