//! A *registration* makes a host, the program that runs an agent, start the server: a few lines in
//! the host's own file, among other entries.

use std::fs;
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use jsonc_parser::ParseOptions;
use jsonc_parser::cst::{CstInputValue, CstObject, CstRootNode};
use toml_edit::{DocumentMut, Item, Table, value};

use crate::Error;

/// The server's name in hosts.
const NAME: &str = "pyro";
/// The limit on a tool's duration, for hosts whose own limit is shorter than a build.
const CALL_LIMIT_SECONDS: i64 = 600;
/// The mode of new files: they contain nothing secret.
const NEW_FILE_MODE: u32 = 0o644;

/// A program that runs agents.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Host {
    /// Claude Code.
    ClaudeCode,
    /// Codex.
    Codex,
    /// OpenCode.
    OpenCode,
    /// Cursor.
    Cursor,
    /// Visual Studio Code.
    VsCode,
    /// Gemini CLI.
    Gemini,
}

/// The range in which the server is registered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Scope {
    /// Everything that the user does with the host.
    User,
    /// Work in the current directory.
    Project,
}

/// The directories of hosts' configuration.
#[derive(Clone, Debug)]
pub struct Directories {
    /// The user's home.
    pub home: PathBuf,
    /// The user's directory for configuration.
    pub config: PathBuf,
    /// Codex's own directory.
    pub codex: PathBuf,
}

/// The command with which a host starts the server.
#[derive(Clone, Debug)]
pub struct Registration {
    /// The host.
    pub host: Host,
    /// The program, by its full path: hosts do not have a shell's search path.
    pub program: String,
    /// Its arguments.
    pub arguments: Vec<String>,
}

impl Host {
    /// All of them.
    pub const ALL: &[Self] = &[
        Self::ClaudeCode,
        Self::Codex,
        Self::OpenCode,
        Self::Cursor,
        Self::VsCode,
        Self::Gemini,
    ];

    /// Its name on a command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::ClaudeCode => "claude-code",
            Self::Codex => "codex",
            Self::OpenCode => "opencode",
            Self::Cursor => "cursor",
            Self::VsCode => "vscode",
            Self::Gemini => "gemini",
        }
    }

    /// Finds a host by its name.
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|host| host.name() == name)
    }

    /// The path of the host's file. For a project, it is relative to the project.
    pub fn file(self, scope: Scope, directories: &Directories) -> PathBuf {
        let (user, project) = match self {
            Self::ClaudeCode => (directories.home.join(".claude.json"), ".mcp.json"),
            Self::Codex => (directories.codex.join("config.toml"), ".codex/config.toml"),
            Self::OpenCode => (
                directories.config.join("opencode/opencode.json"),
                "opencode.json",
            ),
            Self::Cursor => (
                directories.home.join(".cursor/mcp.json"),
                ".cursor/mcp.json",
            ),
            Self::VsCode => (
                directories.config.join("Code/User/mcp.json"),
                ".vscode/mcp.json",
            ),
            Self::Gemini => (
                directories.home.join(".gemini/settings.json"),
                ".gemini/settings.json",
            ),
        };
        match scope {
            Scope::User => user,
            Scope::Project => project.into(),
        }
    }

    /// The key of the object with a host's servers.
    fn servers(self) -> &'static str {
        match self {
            Self::ClaudeCode | Self::Cursor | Self::Gemini => "mcpServers",
            Self::VsCode => "servers",
            Self::OpenCode => "mcp",
            Self::Codex => "mcp_servers",
        }
    }

    fn format(self) -> &'static str {
        match self {
            Self::Codex => "TOML",
            _ => "JSON",
        }
    }
}

impl Registration {
    /// The content of a file with only this registration.
    pub fn text(&self) -> String {
        self.merged_into("")
            .unwrap_or_else(|reason| unreachable!("nothing is in the way: {reason}"))
    }

    /// Adds the registration to a file, and leaves the rest unchanged. Returns whether the file had
    /// to be changed.
    ///
    /// # Errors
    /// When the host could not read the file, or it cannot be read or written. It is then
    /// unchanged.
    pub fn write(&self, path: &Path) -> Result<bool, Error> {
        let failed = |action, source| Error::File {
            action,
            path: path.to_owned(),
            source,
        };
        let old = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
            Err(error) => return Err(failed("read", error)),
        };
        let new = self.merged_into(&old).map_err(|reason| Error::Unreadable {
            path: path.to_owned(),
            format: self.host.format(),
            host: self.host.name(),
            reason,
        })?;
        if new == old {
            return Ok(false);
        }
        replace(path, &new).map_err(|error| failed("write", error))?;
        Ok(true)
    }

    /// Returns the text of a file with the registration added, or why that is impossible.
    fn merged_into(&self, text: &str) -> Result<String, String> {
        match self.host {
            Host::Codex => self.merged_into_toml(text),
            _ => self.merged_into_json(text),
        }
    }

    fn merged_into_json(&self, text: &str) -> Result<String, String> {
        // All these hosts except one allow comments.
        let comments = self.host != Host::ClaudeCode;
        let options = ParseOptions {
            allow_comments: comments,
            allow_trailing_commas: comments,
            allow_loose_object_property_names: false,
            allow_missing_commas: false,
            allow_single_quoted_strings: false,
            allow_hexadecimal_numbers: false,
            allow_unary_plus_numbers: false,
        };
        let root = CstRootNode::parse(text, &options).map_err(|error| error.to_string())?;
        let file = root
            .object_value_or_create()
            .ok_or("it does not hold an object")?;
        let servers = object_in(&file, self.host.servers())?;
        let server = object_in(&servers, NAME)?;
        for (key, wanted) in self.properties() {
            match server.get(key) {
                // An equal entry stays as it is written.
                Some(there) if same(&there, &wanted) => {}
                Some(there) => there.set_value(wanted),
                None => drop(server.append(key, wanted)),
            }
        }
        let mut text = root.to_string();
        if !text.ends_with('\n') {
            text.push('\n');
        }
        Ok(text)
    }

    fn properties(&self) -> Vec<(&'static str, CstInputValue)> {
        let string = |text: &str| CstInputValue::String(text.to_owned());
        let strings = |texts: &[String]| texts.iter().map(|text| string(text)).collect();
        let program = string(&self.program);
        let arguments = CstInputValue::Array(strings(&self.arguments));
        match self.host {
            Host::OpenCode => {
                let mut command = vec![program];
                command.extend::<Vec<_>>(strings(&self.arguments));
                let milliseconds = (CALL_LIMIT_SECONDS * 1000).to_string();
                vec![
                    ("type", string("local")),
                    ("command", CstInputValue::Array(command)),
                    ("enabled", CstInputValue::Bool(true)),
                    ("timeout", CstInputValue::Number(milliseconds)),
                ]
            }
            Host::VsCode | Host::ClaudeCode => vec![
                ("type", string("stdio")),
                ("command", program),
                ("args", arguments),
            ],
            Host::Codex | Host::Cursor | Host::Gemini => {
                vec![("command", program), ("args", arguments)]
            }
        }
    }

    fn merged_into_toml(&self, text: &str) -> Result<String, String> {
        let mut file: DocumentMut = text
            .parse()
            .map_err(|error: toml_edit::TomlError| error.to_string())?;
        let mut only_holds_tables = Table::new();
        only_holds_tables.set_implicit(true);
        let servers = file
            .entry(self.host.servers())
            .or_insert(Item::Table(only_holds_tables))
            .as_table_like_mut()
            .ok_or_else(|| format!("{} is not a table", self.host.servers()))?;
        let server = servers
            .entry(NAME)
            .or_insert(Item::Table(Table::new()))
            .as_table_like_mut()
            .ok_or_else(|| format!("{}.{NAME} is not a table", self.host.servers()))?;
        let arguments: toml_edit::Array = self.arguments.iter().collect();
        for (key, wanted) in [
            ("command", value(&self.program)),
            ("args", value(arguments)),
            ("tool_timeout_sec", value(CALL_LIMIT_SECONDS)),
        ] {
            let there = server.get(key).map(ToString::to_string);
            if there.as_deref().map(str::trim) != Some(wanted.to_string().trim()) {
                server.insert(key, wanted);
            }
        }
        Ok(file.to_string())
    }
}

fn object_in(parent: &CstObject, name: &str) -> Result<CstObject, String> {
    parent
        .object_value_or_create(name)
        .ok_or_else(|| format!("its \"{name}\" is not an object"))
}

/// Whether a property has this value.
fn same(property: &jsonc_parser::cst::CstObjectProp, wanted: &CstInputValue) -> bool {
    let there = property.value().map(|value| value.to_string());
    let there = there.and_then(|text| serde_json::from_str::<serde_json::Value>(&text).ok());
    there == Some(plain(wanted))
}

fn plain(value: &CstInputValue) -> serde_json::Value {
    match value {
        CstInputValue::Null => serde_json::Value::Null,
        CstInputValue::Bool(truth) => (*truth).into(),
        CstInputValue::Number(text) => serde_json::from_str(text).unwrap_or_default(),
        CstInputValue::String(text) => text.clone().into(),
        CstInputValue::Array(values) => values.iter().map(plain).collect(),
        CstInputValue::Object(properties) => {
            let properties = properties.iter();
            properties
                .map(|(name, value)| (name.clone(), plain(value)))
                .collect()
        }
    }
}

/// Writes a file atomically: at any time it is the old one or the new one.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    // Some users keep their configuration elsewhere and link to it.
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let directory = match target.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    fs::create_dir_all(directory)?;
    let mode = match fs::metadata(&target) {
        Ok(metadata) => metadata.permissions().mode(),
        Err(_) => NEW_FILE_MODE,
    };
    let mut file = tempfile::NamedTempFile::new_in(directory)?;
    file.write_all(text.as_bytes())?;
    file.as_file()
        .set_permissions(fs::Permissions::from_mode(mode))?;
    file.as_file().sync_all()?;
    file.persist(&target)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn registration(host: Host) -> Registration {
        Registration {
            host,
            program: "/opt/pyro \"1\"/pyro".into(),
            arguments: vec!["mcp".into(), "serve".into()],
        }
    }

    fn json_hosts() -> impl Iterator<Item = Host> {
        let hosts = Host::ALL.iter().copied();
        hosts.filter(|host| *host != Host::Codex)
    }

    #[test]
    fn every_host_gets_its_own_shape() {
        let parsed = |host| serde_json::from_str::<Value>(&registration(host).text()).unwrap();
        let program = "/opt/pyro \"1\"/pyro";
        let server = json!({"command": program, "args": ["mcp", "serve"]});
        assert_eq!(
            parsed(Host::Cursor),
            json!({"mcpServers": {"pyro": server}})
        );
        assert_eq!(
            parsed(Host::Gemini),
            json!({"mcpServers": {"pyro": server}})
        );
        let server = json!({"type": "stdio", "command": program, "args": ["mcp", "serve"]});
        assert_eq!(parsed(Host::VsCode), json!({"servers": {"pyro": server}}));
        assert_eq!(
            parsed(Host::ClaudeCode),
            json!({"mcpServers": {"pyro": server}})
        );
        let server = json!({
            "type": "local", "enabled": true, "timeout": 600_000,
            "command": [program, "mcp", "serve"],
        });
        assert_eq!(parsed(Host::OpenCode), json!({"mcp": {"pyro": server}}));

        let codex: DocumentMut = registration(Host::Codex).text().parse().unwrap();
        let server = &codex["mcp_servers"]["pyro"];
        assert_eq!(server["command"].as_str(), Some(program));
        assert_eq!(server["args"].as_array().unwrap().len(), 2);
        assert_eq!(server["tool_timeout_sec"].as_integer(), Some(600));
        assert!(codex.to_string().starts_with("[mcp_servers.pyro]\n"));
    }

    #[test]
    fn what_is_there_stays_in_order_and_twice_is_once() {
        for host in json_hosts() {
            let servers = host.servers();
            let old = format!(
                "{{\n  \"z\": 1,\n  \"{servers}\": {{\n    \"other\": {{\"command\": \"x\"}},\n    \
                 \"pyro\": {{\"command\": \"old\", \"env\": {{\"A\": \"b\"}}}}\n  }},\n  \"a\": [1,  2]\n}}\n"
            );
            let new = registration(host).merged_into(&old).unwrap();
            assert!(new.starts_with("{\n  \"z\": 1,\n"), "{new}");
            assert!(new.ends_with("\"a\": [1,  2]\n}\n"), "{new}");
            let parsed: Value = serde_json::from_str(&new).unwrap();
            assert_eq!(parsed[servers]["other"]["command"], "x");
            assert_eq!(parsed[servers]["pyro"]["env"]["A"], "b");
            assert!(new.contains("/opt/pyro") && !new.contains("old"), "{new}");
            assert_eq!(registration(host).merged_into(&new).unwrap(), new);
        }
        let old = "# mine\nmodel = \"m\"  # best\n\n[mcp_servers.other]\ncommand = \"x\"\n\n\
                   [mcp_servers.pyro]\nstartup_timeout_sec = 3\n";
        let new = registration(Host::Codex).merged_into(old).unwrap();
        assert!(new.starts_with(old), "{new}");
        assert_eq!(registration(Host::Codex).merged_into(&new).unwrap(), new);
    }

    #[test]
    fn comments_stay_where_their_reader_allows_them() {
        let old = "{\n  // mine\n  \"servers\": {},\n}\n";
        let new = registration(Host::VsCode).merged_into(old).unwrap();
        assert!(new.contains("// mine") && new.contains("pyro"), "{new}");
        assert!(registration(Host::ClaudeCode).merged_into(old).is_err());
    }

    #[test]
    fn what_cannot_be_read_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        for host in Host::ALL {
            for text in [
                "{\"a\": ",
                "[1, 2]",
                "\"x\"",
                "{\"mcpServers\": 3, \"servers\": [], \"mcp\": 1}",
            ] {
                fs::write(&path, text).unwrap();
                let error = registration(*host).write(&path).unwrap_err();
                assert!(matches!(error, Error::Unreadable { .. }), "{error}");
                assert_eq!(fs::read_to_string(&path).unwrap(), text);
            }
        }
        fs::write(&path, "mcp_servers = 3\n").unwrap();
        assert!(registration(Host::Codex).write(&path).is_err());
    }

    #[test]
    fn files_are_replaced_whole_with_their_mode_and_through_links() {
        let directory = tempfile::tempdir().unwrap();
        let real = directory.path().join("real.json");
        let link = directory.path().join("link.json");
        fs::write(&real, "{}").unwrap();
        fs::set_permissions(&real, fs::Permissions::from_mode(0o600)).unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        let registration = registration(Host::Cursor);
        assert!(registration.write(&link).unwrap());
        assert!(!registration.write(&link).unwrap());
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(
            fs::metadata(&real).unwrap().permissions().mode() & 0o777,
            0o600
        );
        let new = directory.path().join("a/b/new.json");
        assert!(registration.write(&new).unwrap());
        assert_eq!(fs::read_to_string(&new).unwrap(), registration.text());
        let names = fs::read_dir(directory.path()).unwrap().count();
        assert_eq!(names, 3, "nothing else is left");
    }
}
