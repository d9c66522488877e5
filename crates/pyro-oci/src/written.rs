//! To *write* the documents of an image.

use serde_json::{Map, Value, json};

use crate::digest::Digest;
use crate::model::{OCI_CONFIG, OCI_MANIFEST, Process};

const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// Returns the configuration and the manifest of an image with one layer, for this architecture.
/// `diff_id` is the digest of the layer's tar file, `digest` and `size` are those of the file
/// compressed with gzip. The same image always has the same documents: there are no times in them.
pub fn written_image(
    process: &Process,
    diff_id: &Digest,
    digest: &Digest,
    size: u64,
) -> (Vec<u8>, Vec<u8>) {
    let config = json!({
        "architecture": "amd64",
        "os": "linux",
        "config": process_document(process),
        "rootfs": {"type": "layers", "diff_ids": [diff_id]},
    });
    let config = config.to_string().into_bytes();
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": {
            "mediaType": OCI_CONFIG, "digest": Digest::of(&config), "size": config.len(),
        },
        "layers": [{"mediaType": LAYER, "digest": digest, "size": size}],
    });
    (config, manifest.to_string().into_bytes())
}

/// How programs are started, in the form of the specification: ports and volumes are the keys of
/// objects there.
fn process_document(process: &Process) -> Value {
    let mut document = serde_json::to_value(process).unwrap_or_default();
    for name in ["ExposedPorts", "Volumes"] {
        if let Some(Value::Array(words)) = document.get_mut(name).map(Value::take) {
            let words = words.into_iter().filter_map(|word| match word {
                Value::String(word) => Some((word, json!({}))),
                _ => None,
            });
            document[name] = Value::Object(words.collect::<Map<_, _>>());
        }
    }
    document
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ImageConfig, read_manifest};

    #[test]
    fn what_is_written_is_read_again() {
        let process = Process {
            user: "ada".into(),
            env: vec!["A=1".into()],
            exposed_ports: vec!["80/tcp".into()],
            ..Process::default()
        };
        let (layer, packed) = (Digest::of(b"layer"), Digest::of(b"packed"));
        let (config, manifest) = written_image(&process, &layer, &packed, 6);
        let read = read_manifest(&manifest).unwrap();
        assert_eq!((&read.layers[0].digest, read.layers[0].size), (&packed, 6));
        assert_eq!(read.config.digest, Digest::of(&config));
        let config = ImageConfig::read(&config, &read).unwrap();
        assert_eq!(
            (config.config, config.rootfs.diff_ids),
            (process, vec![layer])
        );
    }
}
