use std::path::Path;

use serde_json::{Value, json};

use super::*;

/// A packed archive whose files lie in a directory.
struct Packed {
    directory: tempfile::TempDir,
    archive: Archive,
    count: usize,
}

impl Packed {
    fn new() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
            archive: Archive::packed("x.tar"),
            count: 0,
        }
    }

    fn put(&mut self, name: &str, content: &[u8]) -> &mut Self {
        let path = self.directory.path().join(self.count.to_string());
        self.count += 1;
        fs::write(&path, content).unwrap();
        let held = Held {
            path,
            size: content.len() as u64,
            digest: Some(Digest::of(content)),
        };
        self.archive.add_file(name.as_bytes(), held).unwrap();
        self
    }

    fn json(&mut self, name: &str, value: &Value) -> &mut Self {
        self.put(name, &serde_json::to_vec(value).unwrap())
    }

    fn link(&mut self, name: &str, target: &str) -> &mut Self {
        let (name, target) = (name.as_bytes(), target.as_bytes());
        self.archive.add_link(name, target, true).unwrap();
        self
    }

    fn saved(&self, tag: Option<&str>) -> Result<Found, Error> {
        self.archive.find(Form::Saved, tag)
    }

    fn layout(&self, tag: Option<&str>) -> Result<Found, Error> {
        self.archive.find(Form::Layout, tag)
    }

    fn blob(&mut self, content: &[u8]) -> Value {
        let digest = Digest::of(content);
        self.put(&blob(&digest), content);
        json!({"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": digest,
            "size": content.len()})
    }

    /// Puts an image of a layout there, and returns what points to it.
    fn image(&mut self, layer: &[u8]) -> Value {
        let mut config = self.blob(b"{}");
        config["mediaType"] = "application/vnd.oci.image.config.v1+json".into();
        let layer = self.blob(layer);
        let manifest = json!({"schemaVersion": 2, "config": config, "layers": [layer]});
        let mut descriptor = self.blob(&serde_json::to_vec(&manifest).unwrap());
        descriptor["mediaType"] = "application/vnd.oci.image.manifest.v1+json".into();
        descriptor
    }

    fn index(&mut self, manifests: &[Value]) {
        let index = json!({"schemaVersion": 2, "manifests": manifests});
        self.json("index.json", &index);
    }
}

fn named(mut descriptor: Value, name: &str) -> Value {
    descriptor["annotations"] = json!({NAME_ANNOTATION: name});
    descriptor
}

#[track_caller]
fn fails(found: Result<Found, Error>, code: &str, with: &str) {
    let error = found.unwrap_err();
    assert_eq!(error.code(), code, "{error}");
    assert!(error.to_string().contains(with), "{error}");
}

#[test]
fn what_podman_saves_is_found_through_its_links() {
    let mut packed = Packed::new();
    packed
        .put("abc.tar", b"layer")
        .link("deep/layer.tar", "../abc.tar")
        .put("c.json", b"{}")
        .json(
            "manifest.json",
            &json!([{"Config": "c.json", "RepoTags": ["localhost/app:1"], "Layers": ["deep/layer.tar"]}]),
        );
    for tag in [None, Some("1"), Some("app:1"), Some("localhost/app:1")] {
        let found = packed.saved(tag).unwrap();
        let layer = &found.image.manifest.layers[0];
        assert_eq!((&layer.digest, layer.size), (&Digest::of(b"layer"), 5));
        assert!(found.blobs.contains_key(&layer.digest));
        assert_eq!(found.image.digest, Digest::of(&found.image.bytes));
    }
    fails(
        packed.saved(Some("2")),
        "image_not_found",
        "localhost/app:1",
    );
    // The name of the archive's kind decides only where there is a choice.
    packed.layout(None).unwrap();
}

#[test]
fn of_several_images_one_has_to_be_named() {
    let mut packed = Packed::new();
    let image = |name: &str| json!({"Config": "c.json", "RepoTags": [name], "Layers": []});
    packed
        .put("c.json", b"{}")
        .json("manifest.json", &json!([image("app:1"), image("app:2")]));
    fails(packed.saved(None), "image_not_found", "app:1, app:2");
    fails(packed.saved(Some("3")), "image_not_found", "no image '3'");
    packed.saved(Some("app:2")).unwrap();

    let mut packed = Packed::new();
    let images = [b"a", b"b"].map(|layer| packed.image(layer));
    let [one, two] = images;
    packed.index(&[named(one.clone(), "1"), named(two.clone(), "2")]);
    fails(packed.layout(None), "image_not_found", "2 images");
    let found = packed.layout(Some("2")).unwrap();
    assert_eq!(found.image.digest.as_str(), two["digest"]);
    packed.index(&[one]);
    packed.layout(None).unwrap();
}

#[test]
fn what_leads_nowhere_or_in_a_circle_is_refused() {
    let saved = json!([{"Config": "c.json", "Layers": ["l.tar"]}]);
    for target in ["l.tar", "other", "../../../etc/passwd", "/etc/passwd"] {
        let mut packed = Packed::new();
        packed.put("c.json", b"{}").json("manifest.json", &saved);
        packed.link("l.tar", target).link("other", "l.tar");
        fails(packed.saved(None), "image_invalid", "no file 'l.tar'");
    }
    let mut packed = Packed::new();
    // An index cannot hold its own digest, but may claim to.
    let mut circle = packed.blob(b"x");
    circle["mediaType"] = "application/vnd.oci.image.index.v1+json".into();
    let index =
        json!({"schemaVersion": 2, "mediaType": circle["mediaType"], "manifests": [circle]});
    let bytes = serde_json::to_vec(&index).unwrap();
    let digest: Digest = circle["digest"].as_str().unwrap().parse().unwrap();
    packed.put(&blob(&digest), &bytes);
    circle["size"] = bytes.len().into();
    packed.index(&[circle]);
    fails(packed.layout(None), "image_invalid", "damaged");
}

#[test]
fn what_is_missing_cut_or_changed_is_refused_by_name() {
    let mut packed = Packed::new();
    let image = packed.image(b"layer");
    let digest = Digest::of(b"layer");
    packed.index(std::slice::from_ref(&image));
    packed.layout(None).unwrap();
    for (content, code, why) in [
        (&b"laye"[..], "image_invalid", "4 bytes instead of 5"),
        (b"LAYER", "image_invalid", "arrived damaged"),
    ] {
        packed.put(&blob(&digest), content);
        fails(packed.layout(None), code, why);
    }
    let Files::Unpacked(files) = &mut packed.archive.files else {
        panic!("it is packed")
    };
    files.remove(&blob(&digest));
    fails(packed.layout(None), "image_invalid", digest.hex());

    let mut packed = Packed::new();
    fails(packed.layout(None), "image_invalid", "it is no image");
    packed.put("index.json", b"[");
    fails(packed.layout(None), "image_invalid", "index");
    packed.put("index.json", &vec![b' '; DOCUMENT_LIMIT_BYTES + 1]);
    fails(packed.layout(None), "image_invalid", "index.json");
}

#[test]
fn a_directory_is_read_where_it_is_and_must_have_everything() {
    let mut packed = Packed::new();
    let image = packed.image(b"layer");
    packed.index(&[named(image, "1")]);
    let layout = tempfile::tempdir().unwrap();
    let Files::Unpacked(files) = &packed.archive.files else {
        panic!("it is packed")
    };
    fs::create_dir_all(layout.path().join("blobs/sha256")).unwrap();
    for (name, file) in files {
        if let Unpacked::File(held) = file {
            fs::copy(&held.path, layout.path().join(name)).unwrap();
        }
    }
    let find = |path: &Path| Archive::directory(path).find(Form::Layout, Some("1"));
    let found = find(layout.path()).unwrap();
    assert_eq!(found.blobs.len(), 2);
    fs::remove_file(layout.path().join(blob(&Digest::of(b"layer")))).unwrap();
    fails(find(layout.path()), "image_invalid", "not all of the image");
    fails(
        find(Path::new("/nonexistent")),
        "image_invalid",
        "it is no image",
    );
}

#[test]
fn names_and_numbers_have_limits() {
    let mut archive = Archive::packed("x.tar");
    let long = vec![b'a'; NAME_LIMIT + 1];
    archive.add_link(&long, b"x", false).unwrap_err();
    archive.add_link(b"x", &long, true).unwrap_err();
    for number in 0..FILES_LIMIT {
        archive
            .add_link(number.to_string().as_bytes(), b"x", false)
            .unwrap();
    }
    archive.add_link(b"more", b"x", false).unwrap_err();
}
