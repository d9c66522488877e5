//! Images are pulled from registries that misbehave in every way that was met elsewhere.

#![expect(
    clippy::unwrap_used,
    clippy::format_push_string,
    reason = "a failed test says where"
)]

mod server;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use std::{error, fs};

use base64::Engine as _;
use pyro_oci::{Digest, Error, Reference, Registry, Resolved, Settings};
use serde_json::json;
use tempfile::TempDir;

use server::{Identity, Image, Reply, Server};

/// Longer than what a socket holds, and all over the place.
fn layer() -> Vec<u8> {
    (0..3_000_000_u32)
        .map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect()
}

struct Pull {
    directory: TempDir,
    settings: Settings,
    reference: Reference,
}

impl Pull {
    fn new(port: u16) -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
            settings: Settings::default(),
            reference: format!("localhost:{port}/team/app:1").parse().unwrap(),
        }
    }

    /// Gives the client a configuration file as `docker login` writes it.
    fn with_config(mut self, config: &serde_json::Value) -> Self {
        let path = self.directory.path().join("config.json");
        fs::write(&path, config.to_string()).unwrap();
        self.settings.credentials.push(path);
        self
    }

    fn part(&self) -> PathBuf {
        self.directory.path().join("blob.part")
    }

    async fn resolve(&self) -> Result<Resolved, Error> {
        Registry::new(&self.settings, &self.reference)
            .resolve()
            .await
    }

    async fn layer(&self) -> Result<Vec<u8>, Error> {
        let registry = Registry::new(&self.settings, &self.reference);
        let manifest = registry.resolve().await?.manifest;
        let config = registry.blob(&manifest.config).await?;
        pyro_oci::ImageConfig::read(&config, &manifest)?;
        let last = AtomicU64::new(0);
        let progress = |bytes| last.store(bytes, Ordering::Relaxed);
        registry
            .download(&manifest.layers[0], &self.part(), &progress)
            .await?;
        let layer = fs::read(self.part()).unwrap();
        assert_eq!(last.into_inner(), layer.len() as u64);
        Ok(layer)
    }
}

fn causes(error: &Error) -> String {
    let mut all = error.to_string();
    let mut next = error::Error::source(error);
    while let Some(cause) = next {
        all += ": ";
        all += &cause.to_string();
        next = cause.source();
    }
    all
}

fn basic(user_and_password: &str) -> String {
    base64::engine::general_purpose::STANDARD.encode(user_and_password)
}

#[tokio::test]
async fn a_registry_without_tls_on_this_host() {
    let image = Image::new(layer());
    let server = Server::plain({
        let image = image.clone();
        move |request, _| image.answer(request)
    });
    let pull = Pull::new(server.port);
    assert!(pull.layer().await.unwrap() == image.layer);
    assert_eq!(
        pull.resolve().await.unwrap().digest,
        Digest::of(&image.manifest)
    );
}

fn identity() -> (Identity, String) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = made.signing_key.serialize_der().try_into().unwrap();
    let encoded = base64::engine::general_purpose::STANDARD.encode(made.cert.der());
    let pem = format!("-----BEGIN CERTIFICATE-----\n{encoded}\n-----END CERTIFICATE-----\n");
    ((made.cert.der().clone(), key), pem)
}

#[tokio::test]
async fn an_authority_of_ones_own_is_trusted_where_it_is_named() {
    let image = Image::new(layer());
    let (identity, pem) = identity();
    let server = Server::tls(identity, {
        let image = image.clone();
        move |request, _| image.answer(request)
    });
    let mut pull = Pull::new(server.port);
    let error = pull.layer().await.unwrap_err();
    assert_eq!(error.code(), "registry_unavailable");
    assert!(causes(&error).contains("certificate"), "{}", causes(&error));
    assert!(server.requests().is_empty());

    let directory = pull.directory.path().join("certs.d");
    let own = directory.join(format!("localhost:{}", server.port));
    fs::create_dir_all(&own).unwrap();
    fs::write(own.join("ca.crt"), pem).unwrap();
    pull.settings.certificates.push(directory);
    assert!(pull.layer().await.unwrap() == image.layer);
}

#[tokio::test]
async fn a_password_is_sent_when_it_is_asked_for_and_to_the_registry_alone() {
    let image = Image::new(layer());
    // Where the blobs are: whoever shows credentials there is refused.
    let storage = Server::plain({
        let image = image.clone();
        move |request, _| match request.headers.get("authorization") {
            Some(_) => Reply::new(400, "two ways to log in"),
            None => image.answer(request),
        }
    });
    let (expected, other) = (format!("Basic {}", basic("ada:s3cret")), storage.port);
    let server = Server::plain({
        let image = image.clone();
        move |request, _| {
            if request.headers.get("authorization") != Some(&expected) {
                return Reply::new(401, "").with("www-authenticate", "Basic realm=\"r\"");
            }
            if request.path.contains("/blobs/") {
                let target = format!("http://127.0.0.1:{other}{}", request.path);
                return Reply::new(307, "").with("location", &target);
            }
            image.answer(request)
        }
    });
    let error = Pull::new(server.port).layer().await.unwrap_err();
    assert_eq!(error.code(), "image_not_found");
    assert!(
        error.remedy().contains("docker login"),
        "{}",
        error.remedy()
    );

    let host = format!("localhost:{}", server.port);
    let wrong = json!({"auths": {&host: {"auth": basic("ada:wrong")}}});
    let error = Pull::new(server.port)
        .with_config(&wrong)
        .layer()
        .await
        .unwrap_err();
    assert_eq!(error.code(), "registry_refused");
    assert!(!causes(&error).contains("wrong"));

    let right = json!({"auths": {&host: {"auth": basic("ada:s3cret")}}});
    let pull = Pull::new(server.port).with_config(&right);
    assert!(pull.layer().await.unwrap() == image.layer);
    assert!(!storage.requests().is_empty());
}

#[tokio::test]
async fn a_token_is_fetched_with_what_there_is() {
    let image = Image::new(layer());
    let tokens = Server::plain(|request, _| {
        let of_ada = format!("Basic {}", basic("ada:s3cret"));
        let is_ada = request.headers.get("authorization") == Some(&of_ada);
        let is_identity =
            request.method == "POST" && request.body.contains("refresh_token=id%2Fentity");
        if !is_ada && !is_identity {
            return Reply::new(401, "{\"errors\": [{\"message\": \"who are you\"}]}");
        }
        let name = if is_ada { "token" } else { "access_token" };
        Reply::new(200, json!({name: "t0ken", "expires_in": 60}).to_string())
    });
    let port = tokens.port;
    // The third request of the layer finds the token too old.
    let server = Server::plain({
        let image = image.clone();
        move |request, number| {
            let is_known = request
                .headers
                .get("authorization")
                .is_some_and(|one| one == "Bearer t0ken");
            if !is_known || number == 4 {
                let ask = format!("Bearer realm=\"http://localhost:{port}/token\",service=\"reg\"");
                return Reply::new(401, "").with("www-authenticate", &ask);
            }
            image.answer(request)
        }
    });
    let host = format!("localhost:{}", server.port);
    for config in [
        json!({"auths": {&host: {"auth": basic("ada:s3cret")}}}),
        json!({"auths": {&host: {"identitytoken": "id/entity"}}}),
    ] {
        let pull = Pull::new(server.port).with_config(&config);
        assert!(pull.layer().await.unwrap() == image.layer);
    }
    let asked = &tokens.requests()[0].path;
    assert_eq!(
        asked,
        "/token?service=reg&scope=repository%3Ateam%2Fapp%3Apull"
    );
    let error = Pull::new(server.port).layer().await.unwrap_err();
    assert!(causes(&error).contains("docker login") || error.code() == "image_not_found");
}

#[tokio::test]
async fn credentials_do_not_go_where_there_is_no_tls() {
    let server = Server::plain(|_, _| {
        let ask = "Bearer realm=\"http://elsewhere.example/token\",service=\"reg\"";
        Reply::new(401, "").with("www-authenticate", ask)
    });
    let error = Pull::new(server.port).resolve().await.unwrap_err();
    assert_eq!(error.code(), "registry_refused");
    assert!(error.to_string().contains("no TLS"), "{error}");

    let (identity, pem) = identity();
    let server = Server::tls(identity, |_, _| {
        Reply::new(302, "").with("location", "http://localhost:1/v2/")
    });
    let mut pull = Pull::new(server.port);
    let own = pull
        .directory
        .path()
        .join(format!("localhost:{}", server.port));
    fs::create_dir_all(&own).unwrap();
    fs::write(own.join("ca.crt"), pem).unwrap();
    pull.settings
        .certificates
        .push(pull.directory.path().to_owned());
    let error = pull.resolve().await.unwrap_err();
    assert!(error.to_string().contains("no TLS"), "{error}");
}

#[tokio::test]
async fn a_helper_is_asked() {
    let image = Image::new(layer());
    let expected = format!("Basic {}", basic("ada:s3cret"));
    let server = Server::plain({
        let image = image.clone();
        move |request, _| {
            if request.headers.get("authorization") != Some(&expected) {
                return Reply::new(401, "").with("www-authenticate", "Basic");
            }
            image.answer(request)
        }
    });
    // In the search path of this process, which nothing else of it uses.
    let directory = tempfile::tempdir().unwrap();
    let helper = directory.path().join("docker-credential-of-a-test");
    let script = format!(
        "#!/bin/sh\nread -r server || :\n[ \"$1 $server\" = 'get localhost:{}' ] || exit 1\n\
         echo '{{\"Username\": \"ada\", \"Secret\": \"s3cret\"}}'\n",
        server.port
    );
    fs::write(&helper, script).unwrap();
    make_executable(&helper);
    let path = std::env::var("PATH").unwrap();
    let path = format!("{}:{path}", directory.path().display());
    // SAFETY: each test is a process of its own under nextest, and the other tests of this one do
    // not read the variable.
    #[expect(unsafe_code, reason = "the helper is found in the search path")]
    unsafe {
        std::env::set_var("PATH", path);
    }
    let config = json!({"credHelpers": {format!("localhost:{}", server.port): "of-a-test"}});
    let pull = Pull::new(server.port).with_config(&config);
    assert!(pull.layer().await.unwrap() == image.layer);
}

fn make_executable(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;

    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[tokio::test]
async fn what_is_cut_off_goes_on_where_it_stopped() {
    let image = Image::new(layer());
    let server = Server::plain({
        let image = image.clone();
        move |request, _| {
            let mut reply = image.answer(request);
            if request.path.contains("/blobs/") && reply.body.len() > 100_000 {
                reply.cut = Some(400_000.min(reply.body.len() - 1));
            }
            reply
        }
    });
    let pull = Pull::new(server.port);
    assert!(pull.layer().await.unwrap() == image.layer);
    // More often than what does not get further is tried.
    let ranges = server.requests_of(Digest::of(&image.layer).as_str());
    assert!(ranges.len() > 6, "{}", ranges.len());
    assert_eq!(ranges[0].headers.get("range"), None);
    assert_eq!(ranges[1].headers.get("range").unwrap(), "bytes=400000-");
}

#[tokio::test]
async fn a_download_goes_on_in_another_process() {
    let image = Image::new(layer());
    let server = Server::plain({
        let image = image.clone();
        move |request, _| image.answer(request)
    });
    let pull = Pull::new(server.port);
    fs::write(pull.part(), &image.layer[..1_234_567]).unwrap();
    assert!(pull.layer().await.unwrap() == image.layer);
    let ranges = server.requests_of(Digest::of(&image.layer).as_str());
    assert_eq!(ranges[0].headers.get("range").unwrap(), "bytes=1234567-");
    // All of it is there: nothing is asked for.
    assert!(pull.layer().await.unwrap() == image.layer);
    assert_eq!(
        server.requests_of(Digest::of(&image.layer).as_str()).len(),
        1
    );
    // More than all of it.
    fs::write(pull.part(), [image.layer.as_slice(), b"more"].concat()).unwrap();
    assert!(pull.layer().await.unwrap() == image.layer);
}

#[tokio::test]
async fn a_registry_without_ranges_that_always_cuts_is_given_up() {
    let image = Image::new(layer());
    let server = Server::plain({
        let image = image.clone();
        move |request, _| {
            if !request.path.ends_with(Digest::of(&image.layer).as_str()) {
                return image.answer(request);
            }
            let mut reply = Reply::new(200, image.layer.clone());
            reply.cut = Some(500_000);
            reply
        }
    });
    let error = Pull::new(server.port).layer().await.unwrap_err();
    assert_eq!(error.code(), "registry_unavailable");
    assert!(server.requests_of(Digest::of(&image.layer).as_str()).len() < 20);
}

#[tokio::test]
async fn a_range_that_was_not_asked_for_is_not_believed() {
    let image = Image::new(layer());
    let server = Server::plain({
        let image = image.clone();
        move |request, _| {
            let mut reply = image.answer(request);
            if reply.status == 206 {
                reply.headers[0].1 = "bytes 0-1/2".into();
            }
            reply
        }
    });
    let pull = Pull::new(server.port);
    fs::write(pull.part(), &image.layer[..100]).unwrap();
    assert!(pull.layer().await.unwrap() == image.layer);
}

#[tokio::test]
async fn what_stands_still_is_asked_for_again() {
    let image = Image::new(layer());
    let mut stalls = 2;
    let server = Server::plain({
        let image = image.clone();
        move |request, _| {
            let mut reply = image.answer(request);
            if request.path.ends_with(Digest::of(&image.layer).as_str()) && stalls > 0 {
                stalls -= 1;
                reply.stall = Some(100_000);
            }
            reply
        }
    });
    let mut pull = Pull::new(server.port);
    pull.settings.idle_limit = Duration::from_secs(1);
    assert!(pull.layer().await.unwrap() == image.layer);
}

#[tokio::test]
async fn what_comes_slowly_is_waited_for() {
    let image = Image::new(layer());
    let (pieces, pause) = (60, Duration::from_millis(100));
    let server = Server::plain({
        let image = image.clone();
        move |request, _| {
            let mut reply = image.answer(request);
            if request.path.ends_with(Digest::of(&image.layer).as_str()) {
                reply.slow = Some((pieces, pause));
            }
            reply
        }
    });
    let mut pull = Pull::new(server.port);
    // All of it takes longer than any of it may.
    pull.settings.idle_limit = pause * 40;
    assert!(pull.layer().await.unwrap() == image.layer);
    let asked = server.requests_of(Digest::of(&image.layer).as_str());
    assert_eq!(asked.len(), 1, "{asked:?}");
}

#[tokio::test]
async fn one_flipped_byte_is_found_and_nothing_is_kept() {
    let image = Image::new(layer());
    let server = Server::plain({
        let image = image.clone();
        move |request, _| {
            let mut reply = image.answer(request);
            if request.path.ends_with(Digest::of(&image.layer).as_str()) {
                reply.body[2_000_000] ^= 1;
            }
            reply
        }
    });
    let pull = Pull::new(server.port);
    let error = pull.layer().await.unwrap_err();
    assert_eq!(error.code(), "image_invalid");
    assert!(error.to_string().contains("damaged"), "{error}");
    assert!(!pull.part().exists());
}

#[tokio::test]
async fn more_than_was_promised_is_refused() {
    let image = Image::new(layer());
    let server = Server::plain({
        let image = image.clone();
        move |request, _| {
            let mut reply = image.answer(request);
            if request.path.ends_with(Digest::of(&image.layer).as_str()) {
                reply.body.extend_from_slice(b"more");
            } else if request.path.ends_with("/manifests/huge") {
                reply.body = vec![b' '; 5 << 20];
            }
            reply
        }
    });
    let mut pull = Pull::new(server.port);
    let error = pull.layer().await.unwrap_err();
    assert!(error.to_string().contains("more than"), "{error}");
    pull.reference = format!("localhost:{}/team/app:huge", server.port)
        .parse()
        .unwrap();
    let error = pull.resolve().await.unwrap_err();
    assert!(error.to_string().contains("more than"), "{error}");
}

#[tokio::test]
async fn a_busy_registry_is_asked_again_unless_it_wants_to_be_left_alone_for_long() {
    let image = Image::new(layer());
    for (status, after) in [(429, "0"), (503, "1"), (502, "soon")] {
        let server = Server::plain({
            let image = image.clone();
            move |request, number| {
                if number < 2 {
                    return Reply::new(status, "busy").with("retry-after", after);
                }
                image.answer(request)
            }
        });
        let resolved = Pull::new(server.port).resolve().await.unwrap();
        assert_eq!(resolved.digest, Digest::of(&image.manifest));
    }
    let server = Server::plain(|_, _| Reply::new(429, "slow down").with("retry-after", "3600"));
    let error = Pull::new(server.port).resolve().await.unwrap_err();
    assert_eq!(error.code(), "registry_rate_limited");
    assert!(error.to_string().contains("slow down"), "{error}");
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn what_is_not_there_is_named() {
    let server = Server::plain(|_, _| {
        Reply::new(
            404,
            "{\"errors\": [{\"code\": \"MANIFEST_UNKNOWN\", \"message\": \"unknown\"}]}",
        )
    });
    let error = Pull::new(server.port).resolve().await.unwrap_err();
    assert_eq!(error.code(), "image_not_found");
    assert!(error.to_string().contains("/team/app:1"), "{error}");

    let closed = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let error = Pull::new(closed).resolve().await.unwrap_err();
    assert_eq!(error.code(), "registry_unavailable");
    assert!(causes(&error).contains("refused"), "{}", causes(&error));
}

#[tokio::test]
async fn an_index_leads_to_the_image_of_this_platform() {
    let image = Image::new(layer());
    let entry = |digest: &Digest, architecture: &str| {
        json!({
            "mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest, "size": 1,
            "platform": {"os": "linux", "architecture": architecture},
        })
    };
    let digest = Digest::of(&image.manifest);
    let foreign = Digest::of(b"foreign");
    let mut attestation = entry(&foreign, "unknown");
    attestation["annotations"] = json!({"vnd.docker.reference.type": "attestation-manifest"});
    for (entries, expected) in [
        (
            vec![
                entry(&foreign, "arm64"),
                attestation,
                entry(&digest, "amd64"),
            ],
            Ok(()),
        ),
        (vec![entry(&foreign, "arm64")], Err("linux/arm64")),
    ] {
        let index = json!({
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": entries,
        });
        let server = Server::plain({
            let image = image.clone();
            move |request, _| {
                if request.path.ends_with("/manifests/1") {
                    return Reply::new(200, index.to_string());
                }
                image.answer(request)
            }
        });
        match (Pull::new(server.port).resolve().await, expected) {
            (Ok(resolved), Ok(())) => assert_eq!(resolved.digest, digest),
            (Err(error), Err(platform)) => {
                assert_eq!(error.code(), "image_platform_missing");
                assert!(error.to_string().contains(platform), "{error}");
            }
            (found, _) => panic!("{found:?}"),
        }
    }
}

#[tokio::test]
async fn a_digest_names_one_manifest_for_ever() {
    let (image, other) = (Image::new(layer()), Image::new(b"other".to_vec()));
    let server = Server::plain({
        let other = other.clone();
        move |request, _| other.answer(request)
    });
    let mut pull = Pull::new(server.port);
    let digest = Digest::of(&image.manifest);
    pull.reference = format!("localhost:{}/team/app:1@{digest}", server.port)
        .parse()
        .unwrap();
    let error = pull.resolve().await.unwrap_err();
    assert_eq!(error.code(), "image_invalid");
    assert!(server.requests()[0].path.ends_with(digest.as_str()));
}
