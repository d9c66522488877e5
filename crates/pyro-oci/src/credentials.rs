//! The *credentials* that a registry knows its user by, from where `docker login` and
//! `podman login` put them: files as containers-auth.json(5) describes them, and helper programs
//! that a file names.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use std::{fs, io};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;
use tokio::time::timeout;

use crate::{Error, Reference};

/// A helper may ask the user's key ring, and that the user.
const HELPER_LIMIT: Duration = Duration::from_secs(30);
/// What the default registry is called in these files.
const DEFAULT_REGISTRY_KEY: &str = "https://index.docker.io/v1/";
/// The name of a user that is none: the password is a token.
const TOKEN_USER: &str = "<token>";
/// How a helper says that it has nothing for a registry.
const NOTHING_FOUND: &str = "credentials not found";

/// What a registry knows its user by. It is shown nowhere.
#[derive(Clone, Eq, PartialEq)]
pub(crate) enum Credentials {
    Password {
        user: String,
        password: String,
    },
    /// What is exchanged for a token.
    Identity(String),
}

impl fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Credentials")
    }
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ConfigFile {
    auths: BTreeMap<String, Auth>,
    cred_helpers: BTreeMap<String, String>,
    creds_store: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Auth {
    #[serde(rename = "auth")]
    encoded: String,
    username: String,
    password: String,
    identitytoken: String,
}

/// An entry that cannot be read.
struct Damaged;

/// What a helper answers with.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    username: String,
    secret: String,
}

/// Finds the credentials for an image in the first of the files that has any. A file that is not
/// there has none.
///
/// # Errors
/// When a file is none, or a helper that it names fails. What is secret is in no error.
pub(crate) async fn find(
    files: &[PathBuf],
    reference: &Reference,
) -> Result<Option<Credentials>, Error> {
    for path in files {
        if let Some(found) = find_in(path, reference).await? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

async fn find_in(path: &Path, reference: &Reference) -> Result<Option<Credentials>, Error> {
    let registry = reference.registry();
    let unusable = |problem: String| Error::Credentials {
        registry: registry.to_owned(),
        problem,
    };
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unusable(format!("{}: {error}", path.display()))),
    };
    // Serde's message would show a part of the file.
    let file: ConfigFile = serde_json::from_slice(&bytes).map_err(|error| {
        unusable(format!(
            "{} is no configuration (line {})",
            path.display(),
            error.line()
        ))
    })?;
    let keys = keys(reference);
    if let Some((_, helper)) = lookup(&file.cred_helpers, &keys) {
        return ask(helper, server(reference)).await.map_err(unusable);
    }
    if let Some((key, auth)) = lookup(&file.auths, &keys) {
        let found = auth.read().map_err(|Damaged| {
            unusable(format!(
                "the entry of {key} in {} is damaged",
                path.display()
            ))
        })?;
        if found.is_some() {
            return Ok(found);
        }
    }
    if file.creds_store.is_empty() {
        return Ok(None);
    }
    ask(&file.creds_store, server(reference))
        .await
        .map_err(unusable)
}

/// The keys that an entry may have, the most specific first.
fn keys(reference: &Reference) -> Vec<String> {
    let mut keys = Vec::new();
    let mut name = reference.name();
    while let Some((shorter, _)) = name
        .rsplit_once('/')
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
    {
        keys.push(std::mem::replace(&mut name, shorter));
    }
    keys.push(name);
    keys
}

/// What a helper is asked for.
fn server(reference: &Reference) -> &str {
    if reference.registry() == reference.registry_host() {
        reference.registry()
    } else {
        DEFAULT_REGISTRY_KEY
    }
}

fn lookup<'a, T>(map: &'a BTreeMap<String, T>, keys: &[String]) -> Option<(&'a String, &'a T)> {
    keys.iter()
        .find_map(|key| map.iter().find(|(written, _)| normal(written) == *key))
}

/// A key as it is meant: some tools write the URL of an interface.
fn normal(written: &str) -> String {
    let rest = written
        .trim_start_matches("https://")
        .trim_start_matches("http://");
    let rest = rest.trim_end_matches('/');
    let rest = rest
        .strip_suffix("/v1")
        .or_else(|| rest.strip_suffix("/v2"))
        .unwrap_or(rest);
    match rest.strip_prefix("index.docker.io") {
        Some(more) if more.is_empty() || more.starts_with('/') => format!("docker.io{more}"),
        _ => rest.to_owned(),
    }
}

impl Auth {
    /// Returns what it says: nothing if it is empty, as when a helper has the rest. The error is that
    /// it cannot be read.
    fn read(&self) -> Result<Option<Credentials>, Damaged> {
        if !self.identitytoken.is_empty() {
            return Ok(Some(Credentials::Identity(self.identitytoken.clone())));
        }
        if !self.encoded.is_empty() {
            let decoded = STANDARD.decode(self.encoded.trim()).map_err(|_| Damaged)?;
            let decoded = String::from_utf8(decoded).map_err(|_| Damaged)?;
            let (user, password) = decoded.split_once(':').ok_or(Damaged)?;
            // Docker pads the password.
            return Ok(Some(credentials(user, password.trim_end_matches('\0'))));
        }
        if !self.username.is_empty() {
            return Ok(Some(credentials(&self.username, &self.password)));
        }
        Ok(None)
    }
}

fn credentials(user: &str, password: &str) -> Credentials {
    if user == TOKEN_USER {
        return Credentials::Identity(password.to_owned());
    }
    Credentials::Password {
        user: user.to_owned(),
        password: password.to_owned(),
    }
}

/// Asks the helper `docker-credential-<helper>`. The error says what is wrong.
async fn ask(helper: &str, server: &str) -> Result<Option<Credentials>, String> {
    let program = format!("docker-credential-{helper}");
    if helper.contains('/') {
        return Err(format!(
            "'{}' is no name of a helper",
            pyro_text::line(helper)
        ));
    }
    let run = async {
        let mut child = Command::new(&program)
            .arg("get")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        if let Some(mut input) = child.stdin.take() {
            // One that does not read has nothing to say.
            let _ = input.write_all(server.as_bytes()).await;
        }
        child.wait_with_output().await
    };
    let output = timeout(HELPER_LIMIT, run)
        .await
        .map_err(|_| {
            format!(
                "{program} did not answer within {} s",
                HELPER_LIMIT.as_secs()
            )
        })?
        .map_err(|error| format!("{program} cannot be run: {error}"))?;
    if !output.status.success() {
        // Helpers explain themselves on standard output.
        let said = String::from_utf8_lossy(&output.stdout);
        if said.contains(NOTHING_FOUND) {
            return Ok(None);
        }
        return Err(format!("{program} failed ({})", output.status));
    }
    let answer: Answer = serde_json::from_slice(&output.stdout)
        .map_err(|_| format!("{program} answered with no credentials"))?;
    Ok(Some(credentials(&answer.username, &answer.secret)))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn found(config: &str, image: &str) -> Result<Option<Credentials>, Error> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config.json");
        fs::write(&path, config).unwrap();
        let files = [directory.path().join("absent.json"), path];
        find(&files, &image.parse().unwrap()).await
    }

    #[tokio::test]
    async fn the_most_specific_entry_counts() {
        // ada:s3:cret, bob:b, eve:e
        let config = r#"{"auths": {
            "localhost:5000": {"auth": "YWRhOnMzOmNyZXQ="},
            "localhost:5000/team/app": {"auth": "Ym9iOmI="},
            "https://index.docker.io/v1/": {"auth": "ZXZlOmU="},
            "https://other.example/v2/": {"username": "u", "password": "p"},
            "token.example": {"auth": "YWRhOg==", "identitytoken": "t"},
            "token2.example": {"auth": "PHRva2VuPjp0"},
            "empty.example": {}
        }}"#;
        for (image, expected) in [
            ("localhost:5000/x", Some(credentials("ada", "s3:cret"))),
            ("localhost:5000/team/app", Some(credentials("bob", "b"))),
            (
                "localhost:5000/team/apple",
                Some(credentials("ada", "s3:cret")),
            ),
            ("debian", Some(credentials("eve", "e"))),
            ("docker.io/ada/x", Some(credentials("eve", "e"))),
            ("other.example/a/b", Some(credentials("u", "p"))),
            ("token.example/a", Some(Credentials::Identity("t".into()))),
            ("token2.example/a", Some(Credentials::Identity("t".into()))),
            ("empty.example/a", None),
            ("localhost:5001/x", None),
        ] {
            assert_eq!(found(config, image).await.unwrap(), expected, "{image}");
        }
    }

    #[tokio::test]
    async fn nothing_secret_is_in_an_error() {
        for config in [
            "{\"auths\": {\"localhost\": {\"auth\": s3cret}}}",
            "{\"auths\": {\"localhost\": {\"auth\": \"s3cret\"}}}",
            "{\"credHelpers\": {\"localhost\": \"../s\"}}",
            "{\"credsStore\": \"of-nobody\"}",
        ] {
            let error = found(config, "localhost/app").await.unwrap_err();
            assert_eq!(error.code(), "registry_credentials_unusable");
            assert!(!format!("{error:?}").contains("s3cret"), "{error}");
        }
    }
}
