//! Images of the real registry, and who it lets in.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::context::{TestContext, path_with};
use crate::front::{Front, Reply, Request};
use crate::images::{image, set_up};
use crate::real_registry::{
    AUTH, PROGRAMS, RealRegistry, arrives, is_there, log_in, missing, refused, run, works,
    write_docker_config,
};
use crate::skip;

/// `ada:wrong` in base64.
const WRONG_AUTH: &str = "YWRhOndyb25n";

#[track_caller]
fn fails(context: &TestContext, name: &str, code: &str, hint: &str) -> Value {
    let error = refused(context, name, code);
    assert!(error["remedy"].as_str().unwrap().contains(hint), "{error}");
    error
}

/// Has the authority of a registry trusted.
fn trust(context: &TestContext, registry: &RealRegistry) {
    let home = context.path("home");
    let trusted = home.join(format!(
        ".config/containers/certs.d/localhost:{}",
        registry.port
    ));
    fs::create_dir_all(&trusted).unwrap();
    fs::copy(registry.directory().join("ca.crt"), trusted.join("ca.crt")).unwrap();
}

#[test]
fn a_real_registry_is_asked_plainly_and_with_tls_and_a_password_or_skip() {
    if let Some(program) = missing(PROGRAMS) {
        skip!(
            "a_real_registry_is_asked_plainly_and_with_tls_and_a_password_or_skip",
            "there is no {program}"
        );
    }
    let (_registry, context) = set_up();
    let plain = RealRegistry::start(&context, "");
    let image = image();
    plain.push("team/app:gzip", &image, &[]);
    plain.push("team/app:docker", &image, &["--format", "v2s2"]);
    works(&context, &plain.name("team/app:gzip"));
    // Other media types, and the same layers.
    works(&context, &plain.name("team/app:docker"));
    let zstd = ["--dest-compress-format", "zstd"];
    let digest = plain.push("team/app:zstd", &image, &zstd);
    arrives(&context, &plain.name("team/app:zstd"), &digest);

    let locked = RealRegistry::locked_with_tls(&context, "");
    let name = locked.name("team/app:gzip");
    fails(&context, &name, "registry_unavailable", "ca.crt");
    trust(&context, &locked);
    fails(&context, &name, "image_not_found", "docker login");
    log_in(&context, locked.port, WRONG_AUTH);
    fails(&context, &name, "registry_refused", "docker login");
    log_in(&context, locked.port, AUTH);
    works(&context, &name);
    context.pyro(&["env", "remove", &name]).run().expect(0);
    // What a tool leaves behind that logs in counts before the rest.
    let file = context.path("auth.json");
    let login = ["--tls-verify=false", "--username=ada", "--password=s3cret"];
    let login = context
        .program(Path::new("skopeo"))
        .args(&["login"])
        .args(&login);
    let at = format!("localhost:{}", locked.port);
    login
        .args(&["--authfile".as_ref(), file.as_os_str()])
        .args(&[at])
        .run()
        .expect(0);
    log_in(&context, locked.port, WRONG_AUTH);
    let pull = context.pyro(&["env", "pull", &name]);
    pull.env("REGISTRY_AUTH_FILE", &file).run().expect(0);
}

/// A server that hands files of a directory out, as the storage of a registry that sends its clients
/// there. It takes nobody who shows credentials: two ways to log in are one too many.
fn storage(directory: &Path) -> Front {
    let directory = directory.to_owned();
    Front::start(move |request, _| {
        if request.headers.contains_key("authorization") {
            return Reply::new(400, "two ways to log in");
        }
        match fs::read(directory.join(request.path.trim_start_matches('/'))) {
            Ok(content) => Reply::of_file(&content, request),
            Err(_) => Reply::new(404, "no such file"),
        }
    })
}

#[test]
fn a_real_registry_that_sends_elsewhere_keeps_the_password_or_skip() {
    if let Some(program) = missing(PROGRAMS) {
        skip!(
            "a_real_registry_that_sends_elsewhere_keeps_the_password_or_skip",
            "there is no {program}"
        );
    }
    let (_registry, context) = set_up();
    let plain = RealRegistry::start(&context, "");
    let digest = plain.push("team/app:1", &image(), &[]);
    let storage = storage(&plain.directory().join("data"));
    // Another origin than `localhost`, where the registry is.
    let elsewhere = format!(
        "middleware:\n  storage:\n  - name: redirect\n    options: {{baseurl: 'http://127.0.0.1:{}/'}}\n",
        storage.port
    );
    let locked = RealRegistry::locked(&context, &elsewhere);
    log_in(&context, locked.port, AUTH);
    arrives(&context, &locked.name("team/app:1"), &digest);
    let asked = storage.asked();
    // The configuration and three layers, and nothing else.
    assert_eq!(asked.len(), 4, "{asked:?}");
    assert!(
        asked
            .iter()
            .all(|request| request.path.contains("/blobs/sha256/")
                && !request.headers.contains_key("authorization")),
        "{asked:?}"
    );

    // What has TLS does not lead to what has none.
    let locked = RealRegistry::locked_with_tls(&context, &elsewhere);
    trust(&context, &locked);
    log_in(&context, locked.port, AUTH);
    let error = refused(&context, &locked.name("team/app:1"), "registry_unavailable");
    let said = error["error"].as_str().unwrap();
    assert!(said.contains("redirects to 127.0.0.1:"), "{error}");
    assert!(said.contains("no TLS"), "{error}");
    assert!(storage.asked().is_empty());
}

/// Makes the key of a token service, and a certificate that the registry knows it by.
const TOKEN_KEY: &str = r#"
openssl req -x509 -newkey rsa:2048 -nodes -keyout token.key -out token.crt -days 30 -subj "/CN=tokens"
openssl x509 -in token.crt -outform DER -out token.der
"#;
const SERVICE: &str = "registry of a test";
const ISSUER: &str = "tokens of a test";

/// A token that the registry believes: whoever has it may pull these repositories.
fn token(directory: &Path, repositories: &[&str]) -> String {
    let certificate = fs::read(directory.join("token.der")).unwrap();
    let header = json!({"typ": "JWT", "alg": "RS256", "x5c": [STANDARD.encode(certificate)]});
    let access = repositories.iter();
    let access: Vec<_> = access
        .map(|name| json!({"type": "repository", "name": name, "actions": ["pull"]}))
        .collect();
    let claims = json!({
        "iss": ISSUER, "sub": "ada", "aud": SERVICE, "jti": "1",
        "iat": 0, "nbf": 0, "exp": 9_999_999_999_u64, "access": access,
    });
    let parts = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
    let signed = parts.join(".");
    // Several may be signed at once.
    let file = tempfile::NamedTempFile::new_in(directory).unwrap();
    fs::write(file.path(), &signed).unwrap();
    let path = file.path().to_str().unwrap();
    let sign = ["dgst", "-sha256", "-sign", "token.key", path];
    let signature = run(directory, "openssl", &sign);
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// The service: strangers may pull what is public, ada her team's. She is known by her password, or
/// by a token that stands for her.
fn token_service(directory: &Path) -> Front {
    let directory = directory.to_owned();
    Front::start(move |request, _| {
        let asked: BTreeMap<_, _> = parameters(request);
        if asked.get("service").map(String::as_str) != Some(SERVICE) {
            return Reply::new(400, "another service");
        }
        let password = format!("Basic {AUTH}");
        let is_ada = match (
            request.headers.get("authorization"),
            request.method.as_str(),
        ) {
            (Some(shown), "GET") if *shown == password => true,
            (None, "POST") => asked.get("refresh_token").map(String::as_str) == Some("id/entity"),
            (None, "GET") => false,
            _ => return Reply::new(401, r#"{"errors": [{"message": "wrong password"}]}"#),
        };
        let mut may = vec!["public/app"];
        if is_ada {
            may.push("team/app");
        }
        let name = if request.method == "POST" {
            "access_token"
        } else {
            "token"
        };
        // What was not asked for is not granted.
        let scope = asked.get("scope").cloned().unwrap_or_default();
        may.retain(|name| scope == format!("repository:{name}:pull"));
        let token = token(&directory, &may);
        Reply::new(200, json!({name: token, "expires_in": 300}).to_string())
            .with("content-type", "application/json")
    })
}

/// What is asked for, in the URL or in the form.
fn parameters(request: &Request) -> BTreeMap<String, String> {
    let query = request.path.split_once('?').map(|(_, query)| query);
    let text = query.unwrap_or(&request.body);
    let decode = |text: &str| {
        let mut parts = text.split('%');
        let mut all = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let code = u8::from_str_radix(&part[..2], 16).unwrap();
            all.push(char::from(code));
            all += &part[2..];
        }
        all
    };
    let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
    pairs
        .map(|(name, value)| (name.to_owned(), decode(value)))
        .collect()
}

#[test]
fn a_real_registry_has_its_tokens_handed_out_or_skip() {
    if let Some(program) = missing(PROGRAMS) {
        skip!(
            "a_real_registry_has_its_tokens_handed_out_or_skip",
            "there is no {program}"
        );
    }
    let (_registry, context) = set_up();
    let open = RealRegistry::start(&context, "");
    let image = image();
    let digest = open.push("team/app:1", &image, &[]);
    for other in ["public/app:1", "secret/app:1"] {
        assert_eq!(open.push(other, &image, &[]), digest);
    }
    run(open.directory(), "sh", &["-ec", TOKEN_KEY]);
    let tokens = token_service(open.directory());
    let registry = RealRegistry::start(
        &context,
        &format!(
            "auth: {{token: {{realm: 'http://localhost:{}/token', service: {SERVICE}, \
             issuer: {ISSUER}, rootcertbundle: token.crt}}}}\n",
            tokens.port
        ),
    );
    let [team, public, secret] =
        ["team/app:1", "public/app:1", "secret/app:1"].map(|name| registry.name(name));
    // Strangers get a token, too, which says what they may.
    arrives(&context, &public, &digest);
    fails(&context, &team, "image_not_found", "docker login");
    log_in(&context, registry.port, WRONG_AUTH);
    let error = fails(&context, &team, "registry_refused", "docker login");
    assert!(error.to_string().contains("wrong password"), "{error}");

    log_in(&context, registry.port, AUTH);
    tokens.asked();
    arrives(&context, &team, &digest);
    let asked = tokens.asked();
    assert!(
        asked
            .iter()
            .all(|request| parameters(request)["scope"] == "repository:team/app:pull"),
        "{asked:?}"
    );
    // The name is right, and so is the password, and yet the image is not hers.
    fails(&context, &secret, "registry_refused", "docker login");

    let host = format!("localhost:{}", registry.port);
    let logins = json!({"auths": {host: {"identitytoken": "id/entity"}}});
    write_docker_config(&context, &logins);
    tokens.asked();
    arrives(&context, &team, &digest);
    assert!(
        tokens
            .asked()
            .iter()
            .all(|request| request.method == "POST")
    );
}

#[test]
fn a_helper_knows_the_password_of_a_real_registry_or_skip() {
    if let Some(program) = missing(PROGRAMS) {
        skip!(
            "a_helper_knows_the_password_of_a_real_registry_or_skip",
            "there is no {program}"
        );
    }
    let (_registry, context) = set_up();
    let open = RealRegistry::start(&context, "");
    let digest = open.push("team/app:1", &image(), &[]);
    let locked = RealRegistry::locked(&context, "");
    let (name, host) = (
        locked.name("team/app:1"),
        format!("localhost:{}", locked.port),
    );
    let asked = context.path("asked");
    let helper = |answer: &str| {
        let script = format!(
            "server=$(cat); echo \"$* $server\" >>{}\n{answer}",
            asked.display()
        );
        context.fake("docker-credential-of-a-test", &script)
    };
    let path = path_with(&helper(""));
    let pull = || {
        let pull = context.pyro(&["env", "pull", &name, "--json"]);
        pull.env("PATH", &path).run()
    };
    let told = |secret: &str| format!("echo '{{\"Username\": \"ada\", \"Secret\": \"{secret}\"}}'");
    write_docker_config(&context, &json!({"credHelpers": {&host: "of-a-test"}}));
    helper("echo 'credentials not found in native keychain'; exit 1");
    pull().json_error("image_not_found", true);
    helper(&told("wrong"));
    pull().json_error("registry_refused", true);
    for answer in [
        "echo 'the key ring of s3cret is locked'; exit 1",
        "echo s3cret",
    ] {
        helper(answer);
        let error = pull().json_error("registry_credentials_unusable", true);
        assert!(!error.to_string().contains("s3cret"), "{error}");
    }
    helper(&told("s3cret"));
    for config in [
        json!({"credHelpers": {&host: "of-a-test"}}),
        json!({"credsStore": "of-a-test"}),
        // As Docker leaves it when a helper has the rest.
        json!({"auths": {&host: {}}, "credsStore": "of-a-test"}),
    ] {
        write_docker_config(&context, &config);
        pull().expect(0);
        is_there(&context, &name, &digest);
        context.pyro(&["env", "remove", &name]).run().expect(0);
    }
    let asked = fs::read_to_string(asked).unwrap();
    assert!(
        asked.lines().all(|line| line == format!("get {host}")),
        "{asked}"
    );
    // One that is not there.
    let error = context.pyro(&["env", "pull", &name, "--json"]).run();
    error.json_error("registry_credentials_unusable", true);
}
