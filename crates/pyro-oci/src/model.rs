//! The *documents* of an image: its manifest, the index of several, and its configuration. The
//! shapes are those of the OCI image specification 1.1 and of Docker's schema 2, which differ only
//! in their media types.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};

use crate::{Digest, Error};

/// The longest document that is read, in bytes: what registries themselves accept.
pub(crate) const DOCUMENT_LIMIT_BYTES: usize = 4 * 1024 * 1024;

/// The media type of a manifest.
pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_INDEX: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
pub(crate) const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
/// What BuildKit marks a statement about an image with, which looks like an image in an index.
const ATTESTATION: &str = "vnd.docker.reference.type";

/// What a registry is asked for.
pub(crate) const ACCEPTED: &str = "application/vnd.oci.image.manifest.v1+json, \
    application/vnd.oci.image.index.v1+json, \
    application/vnd.docker.distribution.manifest.v2+json, \
    application/vnd.docker.distribution.manifest.list.v2+json";

/// The only platform there are kernels for.
const OS: &str = "linux";
const ARCHITECTURE: &str = "amd64";

/// What points to a blob.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// What the blob is.
    pub media_type: String,
    /// Its digest.
    pub digest: Digest,
    /// Its length in bytes.
    pub size: u64,
    /// For which machines it is, in an index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// What else is said about it.
    #[serde(
        default,
        skip_serializing_if = "BTreeMap::is_empty",
        deserialize_with = "or_none"
    )]
    pub annotations: BTreeMap<String, String>,
}

/// A kind of machine.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Platform {
    /// Its architecture, in Go's names.
    pub architecture: String,
    /// Its operating system, in Go's names.
    pub os: String,
    /// Which variant of the architecture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
}

/// What an image consists of.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// Always 2.
    pub schema_version: u32,
    /// What this document is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// The configuration.
    pub config: Descriptor,
    /// The layers, the lowest first.
    pub layers: Vec<Descriptor>,
}

/// Manifests of one image for several platforms.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Index {
    pub(crate) manifests: Vec<Descriptor>,
}

/// A manifest, or an index of several.
pub(crate) enum Document {
    Manifest(Manifest),
    Index(Index),
}

/// What an image says about itself.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct ImageConfig {
    /// The architecture it is for.
    pub architecture: String,
    /// The operating system it is for.
    pub os: String,
    /// How its programs are started.
    #[serde(default, deserialize_with = "or_none")]
    pub config: Process,
    /// What its layers are when they are not compressed.
    pub rootfs: RootFs,
}

/// The layers of an image, not compressed.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct RootFs {
    /// Their digests, the lowest first.
    #[serde(deserialize_with = "or_none")]
    pub diff_ids: Vec<Digest>,
}

/// How the programs of an image are started.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Process {
    /// As whom: `USER[:GROUP]`, names or numbers. Empty for root.
    #[serde(deserialize_with = "or_none", skip_serializing_if = "String::is_empty")]
    pub user: String,
    /// Environment variables, as `NAME=VALUE`.
    #[serde(deserialize_with = "or_none", skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<String>,
    /// In which directory.
    #[serde(deserialize_with = "or_none", skip_serializing_if = "String::is_empty")]
    pub working_dir: String,
    /// The program, and its first arguments.
    #[serde(deserialize_with = "or_none", skip_serializing_if = "Vec::is_empty")]
    pub entrypoint: Vec<String>,
    /// More arguments, or the program if there is no entry point.
    #[serde(deserialize_with = "or_none", skip_serializing_if = "Vec::is_empty")]
    pub cmd: Vec<String>,
    /// Ports that it listens on, such as `80/tcp`.
    #[serde(deserialize_with = "keys", skip_serializing_if = "Vec::is_empty")]
    pub exposed_ports: Vec<String>,
    /// Directories that are meant to outlive a container.
    #[serde(deserialize_with = "keys", skip_serializing_if = "Vec::is_empty")]
    pub volumes: Vec<String>,
    /// The signal that ends it.
    #[serde(deserialize_with = "or_none", skip_serializing_if = "String::is_empty")]
    pub stop_signal: String,
    /// What its makers say about it.
    #[serde(
        deserialize_with = "or_none",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub labels: BTreeMap<String, String>,
}

/// Go's programs write `null` for what is empty.
fn or_none<'de, T: Default + Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// Sets are written as maps to nothing, and by this program as lists.
fn keys<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Set {
        Map(BTreeMap<String, serde_json::Value>),
        List(Vec<String>),
    }
    Ok(match Option::deserialize(deserializer)? {
        None => Vec::new(),
        Some(Set::Map(map)) => map.into_keys().collect(),
        Some(Set::List(list)) => list,
    })
}

impl Document {
    /// Reads a manifest or an index. What the registry says it is does not count: the document
    /// says so itself, or its fields do.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Head {
            schema_version: u32,
            media_type: Option<String>,
            artifact_type: Option<String>,
            #[serde(default)]
            manifests: Option<serde::de::IgnoredAny>,
        }
        let head: Head = json("manifest", bytes)?;
        if head.schema_version != 2 {
            return Err(Error::unsupported(format!(
                "a manifest of schema {}; only schema 2 and OCI are known",
                head.schema_version
            )));
        }
        match head.media_type.as_deref() {
            Some(OCI_INDEX | DOCKER_INDEX) => return Ok(Self::Index(json("index", bytes)?)),
            None if head.manifests.is_some() => return Ok(Self::Index(json("index", bytes)?)),
            Some(OCI_MANIFEST | DOCKER_MANIFEST) | None => {}
            Some(other) => {
                let other = pyro_text::line(other);
                return Err(Error::unsupported(format!("a manifest of type '{other}'")));
            }
        }
        let manifest: Manifest = json("manifest", bytes)?;
        let config = manifest.config.media_type.as_str();
        if !matches!(config, OCI_CONFIG | DOCKER_CONFIG) {
            let what = head.artifact_type.unwrap_or_else(|| config.to_owned());
            let what = pyro_text::line(&what);
            return Err(Error::unsupported(format!(
                "an artifact of type '{what}', which is no image of a file system"
            )));
        }
        for layer in &manifest.layers {
            if !is_layer(&layer.media_type) {
                let other = pyro_text::line(&layer.media_type);
                return Err(Error::unsupported(format!("a layer of type '{other}'")));
            }
        }
        Ok(Self::Manifest(manifest))
    }
}

impl Index {
    /// Returns the manifest for this platform.
    pub(crate) fn choose(&self) -> Result<&Descriptor, Error> {
        let images = self.manifests.iter().filter(|one| {
            !one.annotations.contains_key(ATTESTATION)
                && matches!(
                    one.media_type.as_str(),
                    OCI_MANIFEST | DOCKER_MANIFEST | OCI_INDEX | DOCKER_INDEX
                )
        });
        let rank = |platform: Option<&Platform>| match platform {
            // Only one index in an index is written without.
            None => Some(2),
            Some(one) if one.os != OS || one.architecture != ARCHITECTURE => None,
            Some(one) => match one.variant.as_deref() {
                None | Some("" | "v1") => Some(0),
                Some(_) => Some(1),
            },
        };
        let found = images
            .clone()
            .filter_map(|one| Some((rank(one.platform.as_ref())?, one)))
            .min_by_key(|(rank, _)| *rank);
        found.map(|(_, one)| one).ok_or_else(|| {
            let mut platforms: Vec<_> = images
                .filter_map(|one| one.platform.as_ref())
                .map(|one| pyro_text::line(&format!("{}/{}", one.os, one.architecture)))
                .collect();
            platforms.dedup();
            Error::Platform { platforms }
        })
    }
}

impl Manifest {
    /// Returns a manifest of these blobs.
    pub(crate) fn new(config: Descriptor, layers: Vec<Descriptor>) -> Self {
        Self {
            schema_version: 2,
            media_type: Some(OCI_MANIFEST.into()),
            config,
            layers,
        }
    }
}

impl Descriptor {
    /// Returns what points to the configuration of an image.
    pub(crate) fn config(digest: Digest, size: u64) -> Self {
        Self::new(OCI_CONFIG, digest, size)
    }

    /// Returns what points to a layer. Whether it is compressed is seen by its content.
    pub(crate) fn layer(digest: Digest, size: u64) -> Self {
        Self::new("application/vnd.oci.image.layer.v1.tar", digest, size)
    }

    fn new(media_type: &str, digest: Digest, size: u64) -> Self {
        Self {
            media_type: media_type.into(),
            digest,
            size,
            platform: None,
            annotations: BTreeMap::new(),
        }
    }
}

impl ImageConfig {
    /// Reads the configuration of an image, and compares it with its manifest.
    ///
    /// # Errors
    /// When it is none, is for another platform, or has another number of layers.
    pub fn read(bytes: &[u8], manifest: &Manifest) -> Result<Self, Error> {
        let image: Self = json("configuration", bytes)?;
        if image.os != OS || image.architecture != ARCHITECTURE {
            let platform = format!("{}/{}", image.os, image.architecture);
            return Err(Error::Platform {
                platforms: vec![pyro_text::line(&platform)],
            });
        }
        let (layers, diffs) = (manifest.layers.len(), image.rootfs.diff_ids.len());
        if layers != diffs {
            return Err(Error::invalid(format!(
                "its manifest has {layers} layers and its configuration {diffs}"
            )));
        }
        Ok(image)
    }
}

/// Whether the type is one of a layer's; whether and how it is compressed is seen by its content.
fn is_layer(media_type: &str) -> bool {
    let tar = [
        "application/vnd.oci.image.layer.v1.tar",
        "application/vnd.oci.image.layer.nondistributable.v1.tar",
        "application/vnd.docker.image.rootfs.diff.tar",
        "application/vnd.docker.image.rootfs.foreign.diff.tar",
    ];
    tar.iter().any(|tar| {
        let rest = media_type.strip_prefix(tar);
        rest.is_some_and(|rest| matches!(rest, "" | "+gzip" | "+zstd" | ".gzip" | ".zstd"))
    })
}

/// Reads the manifest of an image.
///
/// # Errors
/// When it is none, or an index of several.
pub fn read_manifest(bytes: &[u8]) -> Result<Manifest, Error> {
    match Document::read(bytes)? {
        Document::Manifest(manifest) => Ok(manifest),
        Document::Index(_) => Err(Error::unsupported("an index of images".into())),
    }
}

/// Reads a document.
pub(crate) fn json<'de, T: Deserialize<'de>>(
    what: &'static str,
    bytes: &'de [u8],
) -> Result<T, Error> {
    serde_json::from_slice(bytes).map_err(|source| Error::Document { what, source })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn descriptor(media_type: &str) -> serde_json::Value {
        json!({"mediaType": media_type, "digest": Digest::of(b"x"), "size": 1})
    }

    fn read(value: &serde_json::Value) -> Result<Document, Error> {
        Document::read(&serde_json::to_vec(value).unwrap())
    }

    #[test]
    fn the_manifest_of_this_platform_is_chosen_and_no_statement_about_it() {
        let entry = |digest: &str, platform: serde_json::Value| {
            json!({
                "mediaType": OCI_MANIFEST, "digest": Digest::of(digest.as_bytes()), "size": 1,
                "platform": platform,
            })
        };
        let mut attestation = entry("a", json!({"os": "linux", "architecture": "amd64"}));
        attestation["annotations"] = json!({ATTESTATION: "attestation-manifest"});
        let mut index = json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [
            attestation,
            entry("b", json!({"os": "linux", "architecture": "arm64"})),
            entry("c", json!({"os": "linux", "architecture": "amd64", "variant": "v3"})),
            entry("d", json!({"os": "linux", "architecture": "amd64"})),
        ]});
        let Ok(Document::Index(read_index)) = read(&index) else {
            panic!("no index")
        };
        assert_eq!(read_index.choose().unwrap().digest, Digest::of(b"d"));
        index["manifests"].as_array_mut().unwrap().truncate(2);
        let Ok(Document::Index(read_index)) = read(&index) else {
            panic!("no index")
        };
        let error = read_index.choose().unwrap_err();
        assert!(error.to_string().contains("linux/arm64"), "{error}");
    }

    #[test]
    fn what_is_no_image_is_refused_by_name() {
        for (document, why) in [
            (json!({"schemaVersion": 1}), "schema 1"),
            (
                json!({"schemaVersion": 2, "mediaType": "text/plain"}),
                "text/plain",
            ),
            (
                json!({"schemaVersion": 2, "config": descriptor("application/vnd.x"), "layers": []}),
                "application/vnd.x",
            ),
            (
                json!({"schemaVersion": 2, "config": descriptor(OCI_CONFIG), "layers": [
                    descriptor("application/vnd.in-toto+json")
                ]}),
                "in-toto",
            ),
        ] {
            let error = read(&document).err().unwrap();
            assert!(error.to_string().contains(why), "{error}");
        }
        assert!(Document::read(b"[").is_err());
    }

    #[test]
    fn empty_parts_may_be_null() {
        let manifest =
            json!({"schemaVersion": 2, "config": descriptor(DOCKER_CONFIG), "layers": []});
        let Ok(Document::Manifest(manifest)) = read(&manifest) else {
            panic!("no manifest")
        };
        let config = json!({
            "architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": null},
            "config": {"Env": null, "Cmd": ["sh"], "Volumes": {"/data": {}}, "Labels": null},
        });
        let image = ImageConfig::read(&serde_json::to_vec(&config).unwrap(), &manifest).unwrap();
        assert_eq!(image.config.cmd, ["sh"]);
        assert_eq!(image.config.volumes, ["/data"]);
    }
}
