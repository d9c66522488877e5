//! The *state of a stage*: how programs of the image will run, and what variables stand for.

use std::collections::BTreeMap;

use pyro_environment::Process;

use super::dockerfile::{Argument, Instruction, Words};
use super::words::{expand, expand_document};
use crate::command_options::GUEST_PATH;

/// What a Dockerfile may ask for by `ARG` without a default.
const PLATFORM: [(&str, &str); 6] = [
    ("BUILDARCH", "amd64"),
    ("BUILDOS", "linux"),
    ("BUILDPLATFORM", "linux/amd64"),
    ("TARGETARCH", "amd64"),
    ("TARGETOS", "linux"),
    ("TARGETPLATFORM", "linux/amd64"),
];

/// The state after an instruction.
#[derive(Clone, Debug)]
pub(super) struct StageState {
    pub(super) process: Process,
    /// The arguments that the stage has asked for.
    args: BTreeMap<String, String>,
    shell: Vec<String>,
    /// Whether this stage, and not its base, has said what is run.
    has_cmd: bool,
}

/// The arguments that a build was given, and those before the first stage.
#[derive(Clone, Debug, Default)]
pub(super) struct Args {
    pub(super) given: BTreeMap<String, String>,
    pub(super) global: BTreeMap<String, String>,
}

impl Args {
    /// Sets the arguments before the first stage.
    pub(super) fn add_global(&mut self, args: &[Argument]) -> Result<(), String> {
        for (name, default) in args {
            let lookup = |name: &str| self.global.get(name).cloned();
            let default = default.as_deref().map(|text| expand(text, &lookup));
            let value = match self.given.get(name) {
                Some(given) => Some(given.clone()),
                None => default.transpose()?.or_else(|| of_platform(name)),
            };
            if let Some(value) = value {
                self.global.insert(name.clone(), value);
            }
        }
        Ok(())
    }

    /// Puts variables into the base of a stage.
    pub(super) fn base(&self, text: &str) -> Result<String, String> {
        expand(text, &|name| {
            self.global.get(name).cloned().or_else(|| of_platform(name))
        })
    }
}

fn of_platform(name: &str) -> Option<String> {
    let found = PLATFORM.iter().find(|(known, _)| *known == name);
    found.map(|(_, value)| (*value).to_owned())
}

impl StageState {
    pub(super) fn new(mut process: Process) -> Self {
        // Dockerfiles extend it, whether their base has one or not.
        if !process.env.iter().any(|word| word.starts_with("PATH=")) {
            process.env.insert(0, format!("PATH={GUEST_PATH}"));
        }
        Self {
            process,
            args: BTreeMap::new(),
            shell: vec!["/bin/sh".into(), "-c".into()],
            has_cmd: false,
        }
    }

    /// The value of a variable; those of the image come before arguments.
    pub(super) fn lookup(&self, name: &str) -> Option<String> {
        let mut env = self
            .process
            .env
            .iter()
            .filter_map(|word| word.split_once('='));
        let value = env.find(|(known, _)| *known == name);
        let value = value.map(|(_, value)| value.to_owned());
        value.or_else(|| self.args.get(name).cloned())
    }

    /// Puts variables into a text.
    pub(super) fn expand(&self, text: &str) -> Result<String, String> {
        expand(text, &|name| self.lookup(name))
    }

    /// Puts variables into a here-document.
    pub(super) fn expand_document(&self, text: &str) -> Result<String, String> {
        expand_document(text, &|name| self.lookup(name))
    }

    /// The variables of a command.
    pub(super) fn env(&self) -> Vec<(String, String)> {
        let mut env = self.args.clone();
        for (name, value) in self
            .process
            .env
            .iter()
            .filter_map(|word| word.split_once('='))
        {
            env.insert(name.to_owned(), value.to_owned());
        }
        env.into_iter().collect()
    }

    /// The words of a program.
    pub(super) fn argv(&self, words: &Words) -> Vec<String> {
        match words {
            Words::Exec(words) => words.clone(),
            Words::Line(line) => {
                let line = std::iter::once(line.clone());
                self.shell.iter().cloned().chain(line).collect()
            }
        }
    }

    /// A path in the guest, without `.` and `..`, from the working directory on.
    pub(super) fn path(&self, path: &str) -> String {
        let mut parts: Vec<&str> = Vec::new();
        let base = if path.starts_with('/') {
            ""
        } else {
            &self.process.working_dir
        };
        for part in base.split('/').chain(path.split('/')) {
            match part {
                "" | "." => {}
                ".." => drop(parts.pop()),
                part => parts.push(part),
            }
        }
        format!("/{}", parts.join("/"))
    }

    /// Carries out an instruction that changes no file.
    ///
    /// # Errors
    /// What is wrong with it, in a few words.
    pub(super) fn apply(&mut self, instruction: &Instruction, args: &Args) -> Result<(), String> {
        match instruction {
            Instruction::Run { .. } | Instruction::Copy(_) => {}
            Instruction::Env(pairs) => {
                // All see the variables as they were before.
                for (name, value) in self.pairs(pairs)? {
                    let prefix = format!("{name}=");
                    let word = format!("{prefix}{value}");
                    let mut env = self.process.env.iter_mut();
                    match env.find(|known| known.starts_with(&prefix)) {
                        Some(known) => *known = word,
                        None => self.process.env.push(word),
                    }
                }
            }
            Instruction::Label(pairs) => {
                let pairs = self.pairs(pairs)?;
                self.process.labels.extend(pairs);
            }
            Instruction::Arg(arguments) => {
                for (name, default) in arguments {
                    let value = match (args.given.get(name), default) {
                        (Some(given), _) => Some(given.clone()),
                        (None, Some(default)) => Some(self.expand(default)?),
                        (None, None) => {
                            let global = args.global.get(name).cloned();
                            global.or_else(|| of_platform(name))
                        }
                    };
                    if let Some(value) = value {
                        self.args.insert(name.clone(), value);
                    }
                }
            }
            Instruction::Workdir(path) => {
                self.process.working_dir = self.path(&self.expand(path)?);
            }
            Instruction::User(user) => self.process.user = self.expand(user)?,
            Instruction::StopSignal(signal) => self.process.stop_signal = self.expand(signal)?,
            Instruction::Expose(ports) => {
                for port in ports {
                    let port = self.expand(port)?;
                    let port = if port.contains('/') {
                        port
                    } else {
                        format!("{port}/tcp")
                    };
                    add(&mut self.process.exposed_ports, port);
                }
            }
            Instruction::Volume(paths) => {
                for path in paths {
                    let path = self.path(&self.expand(path)?);
                    add(&mut self.process.volumes, path);
                }
            }
            Instruction::Shell(words) => self.shell.clone_from(words),
            Instruction::Cmd(words) => {
                self.process.cmd = self.argv(words);
                self.has_cmd = true;
            }
            Instruction::Entrypoint(words) => {
                self.process.entrypoint = self.argv(words);
                if !self.has_cmd {
                    // The arguments of the base's entry point are not those of this one.
                    self.process.cmd.clear();
                }
            }
        }
        Ok(())
    }

    fn pairs(&self, pairs: &[(String, String)]) -> Result<Vec<(String, String)>, String> {
        let pair = |(name, value): &(String, String)| {
            let (name, value) = (self.expand(name)?, self.expand(value)?);
            if name.is_empty() || name.contains(['=', '\0']) || value.contains('\0') {
                return Err(format!("'{name}' cannot be a name with a value"));
            }
            Ok((name, value))
        };
        pairs.iter().map(pair).collect()
    }
}

fn add(list: &mut Vec<String>, word: String) {
    if !list.contains(&word) {
        list.push(word);
    }
}

#[cfg(test)]
mod tests {
    use super::super::dockerfile::parse;
    use super::*;

    fn built(text: &str, given: &[(&str, &str)]) -> StageState {
        let dockerfile = parse(text).unwrap();
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let mut args = Args {
            given: given.iter().map(own).collect(),
            ..Args::default()
        };
        args.add_global(&dockerfile.args).unwrap();
        let mut state = StageState::new(Process {
            cmd: vec!["base".into()],
            env: vec!["PATH=/bin".into()],
            ..Process::default()
        });
        for step in &dockerfile.stages[0].steps {
            state.apply(&step.instruction, &args).unwrap();
        }
        state
    }

    #[test]
    fn instructions_change_how_programs_run() {
        let text = "ARG V=1\nFROM x\nARG V\nARG W=w$V\nARG TARGETARCH\n\
            ENV A=$V B=\"$A x\" PATH=$PATH:/opt\nWORKDIR /srv\nWORKDIR ../a/./b\n\
            EXPOSE 80 53/udp 80\nVOLUME /data data\nLABEL k=\"v $A\"\nUSER app:$V\n\
            SHELL [\"/bin/bash\", \"-ec\"]\nENTRYPOINT echo hi\nSTOPSIGNAL SIGINT\n";
        let state = built(text, &[("V", "2")]);
        let process = &state.process;
        assert_eq!(process.env, ["PATH=/bin:/opt", "A=2", "B= x"]);
        assert_eq!(process.working_dir, "/a/b");
        assert_eq!(process.exposed_ports, ["80/tcp", "53/udp"]);
        assert_eq!(process.volumes, ["/data", "/a/b/data"]);
        assert_eq!(process.labels["k"], "v 2");
        assert_eq!(process.user, "app:2");
        assert_eq!(process.entrypoint, ["/bin/bash", "-ec", "echo hi"]);
        assert_eq!(process.stop_signal, "SIGINT");
        assert_eq!(process.cmd, Vec::<String>::new());
        let env = state.env();
        let of = |name: &str| {
            let found = env.iter().find(|(known, _)| known == name);
            found.map(|(_, value)| value.as_str())
        };
        assert_eq!(
            (of("W"), of("A"), of("TARGETARCH")),
            (Some("w2"), Some("2"), Some("amd64"))
        );
    }

    #[test]
    fn an_entry_point_keeps_the_arguments_of_its_own_stage() {
        let state = built("FROM x\nCMD [\"a\"]\nENTRYPOINT [\"b\"]\n", &[]);
        assert_eq!(state.process.cmd, ["a"]);
        let state = built("FROM x\nENV LATER=x\n", &[]);
        assert_eq!(state.process.cmd, ["base"]);
    }
}
