//! The *client* of one repository: sends requests, logs in when it is asked to, and follows where
//! it is sent to, as far as that is safe.

use std::fs;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{
    ACCEPT, AUTHORIZATION, CONTENT_TYPE, LOCATION, RANGE, RETRY_AFTER, WWW_AUTHENTICATE,
};
use http::{HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use pyro_http::{Connection, Roots};
use serde::Deserialize;
use tokio::sync::OnceCell;
use tokio::time::timeout;

use crate::challenge::Challenge;
use crate::credentials::{self, Credentials};
use crate::{Error, Reference, Settings};

const CONNECT_LIMIT: Duration = Duration::from_secs(20);
/// Registries that fetch from another one take their time before they answer.
const HEAD_LIMIT: Duration = Duration::from_secs(60);
const REDIRECTS: usize = 6;
/// Of a refusal, what is read and shown.
const REFUSAL_LIMIT_BYTES: usize = 64 * 1024;
const TOKEN_LIMIT_BYTES: usize = 256 * 1024;

/// The client of one repository.
#[derive(Debug)]
pub(crate) struct Client<'a> {
    settings: &'a Settings,
    reference: &'a Reference,
    /// `https`, or `http` for a registry that may do without and does.
    scheme: OnceCell<&'static str>,
    /// What the registry wants to see in each request.
    authorization: Mutex<Option<HeaderValue>>,
    credentials: OnceCell<Option<Credentials>>,
}

/// An answer whose body has not been read.
pub(crate) struct Answer {
    host: String,
    response: Response<Incoming>,
    idle_limit: Duration,
    /// Closes when dropped.
    _connection: Connection,
}

/// What a request asks for.
#[derive(Clone, Copy, Default)]
pub(crate) struct Asked<'a> {
    pub(crate) accept: &'a str,
    /// The first byte that is wanted.
    pub(crate) from: u64,
}

impl<'a> Client<'a> {
    pub(crate) fn new(settings: &'a Settings, reference: &'a Reference) -> Self {
        Self {
            settings,
            reference,
            scheme: OnceCell::new(),
            authorization: Mutex::new(None),
            credentials: OnceCell::new(),
        }
    }

    /// Asks for a path below the repository, such as `manifests/latest`. The answer is a
    /// success.
    pub(crate) async fn get(&self, path: &str, asked: Asked<'_>) -> Result<Answer, Error> {
        let scheme = self.scheme.get_or_try_init(|| self.find_scheme()).await?;
        let host = self.reference.registry_host();
        let repository = self.reference.repository();
        let url = format!("{scheme}://{host}/v2/{repository}/{path}");
        let url: Uri = url
            .parse()
            .map_err(|_| Error::invalid(format!("'{path}' is no path")))?;
        let answer = self.follow(&url, asked).await?;
        if answer.response.status() != StatusCode::UNAUTHORIZED {
            return answer.success(self, path).await;
        }
        self.log_in(&answer).await?;
        let answer = self.follow(&url, asked).await?;
        answer.success(self, path).await
    }

    /// Whether the registry speaks TLS. One that has to is not asked.
    async fn find_scheme(&self) -> Result<&'static str, Error> {
        let host = self.reference.registry_host();
        if !self.may_be_plain(host) {
            return Ok("https");
        }
        let url: Uri = format!("https://{host}/v2/")
            .parse()
            .map_err(|_| Error::invalid(format!("'{host}' is no host")))?;
        match self.connect(&url).await {
            Err(Error::Unreachable { source, .. }) if pyro_http::speaks_no_tls(&source) => {
                Ok("http")
            }
            Err(error) => Err(error),
            Ok(_) => Ok("https"),
        }
    }

    /// Whether a registry may be reached without TLS: one on this host, or a named one.
    fn may_be_plain(&self, host: &str) -> bool {
        let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
        let is_here = name == "localhost"
            || name == "[::1]"
            || name
                .parse::<std::net::Ipv4Addr>()
                .is_ok_and(|address| address.is_loopback());
        is_here
            || self
                .settings
                .insecure
                .iter()
                .any(|one| one == host || one == name)
    }

    async fn connect(&self, url: &Uri) -> Result<Connection, Error> {
        let authority = authority(url);
        let open = Connection::open(url, || self.roots(&authority), &self.settings.proxies);
        timeout(CONNECT_LIMIT, open)
            .await
            .map_err(|_| Error::Silent {
                host: authority.clone(),
                limit: CONNECT_LIMIT,
            })?
            .map_err(|source| Error::Unreachable {
                host: authority,
                source,
            })
    }

    /// The authorities that may vouch for a registry.
    fn roots(&self, authority: &str) -> Roots {
        let mut roots = Roots::of_this_host();
        for directory in &self.settings.certificates {
            let Ok(entries) = fs::read_dir(directory.join(authority)) else {
                continue;
            };
            for path in entries.flatten().map(|entry| entry.path()) {
                if path.extension().is_some_and(|extension| extension == "crt") {
                    // One that is damaged vouches for nobody, and the connection says so.
                    let _ = roots.add_file(&path);
                }
            }
        }
        roots
    }

    /// Asks for a URL, and goes where the answer points to. Credentials go to the registry alone.
    async fn follow(&self, url: &Uri, asked: Asked<'_>) -> Result<Answer, Error> {
        let registry = authority(url);
        let is_secure = url.scheme_str() == Some("https");
        let mut url = url.clone();
        for _ in 0..=REDIRECTS {
            let mut request = Request::new(Full::default());
            *request.uri_mut() = url.clone();
            let headers = request.headers_mut();
            if let Ok(accept) = HeaderValue::from_str(asked.accept) {
                headers.insert(ACCEPT, accept);
            }
            if asked.from > 0
                && let Ok(range) = HeaderValue::from_str(&format!("bytes={}-", asked.from))
            {
                headers.insert(RANGE, range);
            }
            let is_at_home =
                authority(&url) == registry && (url.scheme_str() == Some("https")) == is_secure;
            let authorization = self.authorization.lock();
            let authorization = authorization
                .unwrap_or_else(PoisonError::into_inner)
                .clone();
            if let Some(authorization) = authorization.filter(|_| is_at_home) {
                headers.insert(AUTHORIZATION, authorization);
            }
            let answer = self.send(&url, request).await?;
            if !matches!(
                answer.response.status().as_u16(),
                301 | 302 | 303 | 307 | 308
            ) {
                return Ok(answer);
            }
            url = self.target(&url, &answer)?;
        }
        Err(self.redirect(&url, "it was sent on too often"))
    }

    /// Where an answer points to.
    fn target(&self, from: &Uri, answer: &Answer) -> Result<Uri, Error> {
        let location = answer.response.headers().get(LOCATION);
        let location = location
            .and_then(|location| location.to_str().ok())
            .unwrap_or_default();
        let target = if location.starts_with('/') && !location.starts_with("//") {
            let scheme = from.scheme_str().unwrap_or_default();
            format!("{scheme}://{}{location}", authority(from)).parse()
        } else {
            location.parse::<Uri>()
        };
        let Ok(target) = target else {
            return Err(self.redirect(from, "what it points to is no URL"));
        };
        match target.scheme_str() {
            Some("https") => Ok(target),
            Some("http") if from.scheme_str() == Some("http") => Ok(target),
            Some("http") => Err(self.redirect(&target, "that has no TLS")),
            _ => Err(self.redirect(from, "what it points to is no URL")),
        }
    }

    fn redirect(&self, target: &Uri, problem: &'static str) -> Error {
        Error::Redirect {
            registry: self.reference.registry().to_owned(),
            target: pyro_text::line(&authority(target)),
            problem,
        }
    }

    async fn send(&self, url: &Uri, request: Request<Full<Bytes>>) -> Result<Answer, Error> {
        let host = authority(url);
        let mut connection = self.connect(url).await?;
        let response = timeout(HEAD_LIMIT, connection.send(request))
            .await
            .map_err(|_| Error::Silent {
                host: host.clone(),
                limit: HEAD_LIMIT,
            })?
            .map_err(|source| Error::Broken {
                host: host.clone(),
                source,
            })?;
        Ok(Answer {
            host,
            response,
            idle_limit: self.settings.idle_limit,
            _connection: connection,
        })
    }

    /// Gets what the registry asks for in its refusal.
    async fn log_in(&self, refusal: &Answer) -> Result<(), Error> {
        let headers = refusal.response.headers().get_all(WWW_AUTHENTICATE);
        let challenge = Challenge::find(headers.iter().filter_map(|value| value.to_str().ok()));
        let credentials = self
            .credentials
            .get_or_try_init(|| credentials::find(&self.settings.credentials, self.reference))
            .await?;
        let authorization = match (challenge, credentials) {
            (None, _) => return Err(self.challenge("it does not say how".into())),
            (Some(Challenge::Basic), Some(Credentials::Password { user, password })) => {
                basic(user, password)
            }
            // Whoever has none finds out by being refused again.
            (Some(Challenge::Basic), _) => return Ok(()),
            (
                Some(Challenge::Bearer {
                    realm,
                    service,
                    scope,
                }),
                credentials,
            ) => {
                let scope = scope
                    .unwrap_or_else(|| format!("repository:{}:pull", self.reference.repository()));
                let service = service.unwrap_or_default();
                let token = self
                    .token(&realm, &service, &scope, credentials.as_ref())
                    .await?;
                format!("Bearer {token}")
            }
        };
        let mut value = HeaderValue::from_str(&authorization)
            .map_err(|_| self.challenge("its token cannot be sent".into()))?;
        value.set_sensitive(true);
        *self
            .authorization
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(value);
        Ok(())
    }

    /// Has the registry's token server hand out a token.
    async fn token(
        &self,
        realm: &str,
        service: &str,
        scope: &str,
        credentials: Option<&Credentials>,
    ) -> Result<String, Error> {
        #[derive(Deserialize)]
        struct Token {
            token: Option<String>,
            access_token: Option<String>,
        }
        let shown = pyro_text::line(realm);
        let no_url = || self.challenge(format!("'{shown}' is no URL"));
        let realm_url: Uri = realm.parse().map_err(|_| no_url())?;
        match realm_url.scheme_str() {
            Some("https") => {}
            Some("http") if self.may_be_plain(&authority(&realm_url)) => {}
            Some("http") => {
                return Err(self.challenge(format!("its token server {shown} has no TLS")));
            }
            _ => return Err(no_url()),
        }
        let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let (service, scope) = (encode(service), encode(scope));
        let mut request = Request::new(Full::default());
        let url = if let Some(Credentials::Identity(token)) = credentials {
            let form = format!(
                "grant_type=refresh_token&client_id=pyro&service={service}&scope={scope}&refresh_token={}",
                encode(token)
            );
            *request.method_mut() = Method::POST;
            *request.body_mut() = Full::new(form.into());
            let form = HeaderValue::from_static("application/x-www-form-urlencoded");
            request.headers_mut().insert(CONTENT_TYPE, form);
            realm_url
        } else {
            if let Some(Credentials::Password { user, password }) = credentials {
                let mut value =
                    HeaderValue::from_str(&basic(user, password)).map_err(|_| no_url())?;
                value.set_sensitive(true);
                request.headers_mut().insert(AUTHORIZATION, value);
            }
            let join = if realm_url.query().is_some() {
                '&'
            } else {
                '?'
            };
            let url = format!("{realm}{join}service={service}&scope={scope}");
            url.parse().map_err(|_| no_url())?
        };
        *request.uri_mut() = url.clone();
        let mut answer = self.send(&url, request).await?;
        let status = answer.response.status();
        if !status.is_success() {
            return Err(answer.refusal(self, "token").await);
        }
        let body = answer.whole(TOKEN_LIMIT_BYTES).await?;
        // Serde's message would show a part of the token.
        let token: Option<Token> = serde_json::from_slice(&body).ok();
        token
            .and_then(|token| token.token.or(token.access_token))
            .ok_or_else(|| self.challenge(format!("its token server {shown} sent no token")))
    }

    fn challenge(&self, problem: String) -> Error {
        Error::Challenge {
            registry: self.reference.registry().to_owned(),
            problem,
        }
    }
}

impl Answer {
    pub(crate) fn response(&self) -> &Response<Incoming> {
        &self.response
    }

    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// The next bytes of the body; `None` at its end.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        loop {
            let frame = timeout(self.idle_limit, self.response.body_mut().frame())
                .await
                .map_err(|_| Error::Silent {
                    host: self.host.clone(),
                    limit: self.idle_limit,
                })?;
            let Some(frame) = frame else {
                return Ok(None);
            };
            let frame = frame.map_err(|source| Error::Broken {
                host: self.host.clone(),
                source,
            })?;
            if let Ok(bytes) = frame.into_data() {
                return Ok(Some(bytes));
            }
        }
    }

    /// The whole body.
    pub(crate) async fn whole(&mut self, limit: usize) -> Result<Vec<u8>, Error> {
        let mut all = Vec::new();
        while let Some(bytes) = self.next().await? {
            if all.len() + bytes.len() > limit {
                return Err(Error::invalid(format!(
                    "{} sent a document of more than {limit} bytes",
                    self.host
                )));
            }
            all.extend_from_slice(&bytes);
        }
        Ok(all)
    }

    async fn success(mut self, client: &Client<'_>, path: &str) -> Result<Self, Error> {
        let status = self.response.status();
        if status.is_success() || status == StatusCode::RANGE_NOT_SATISFIABLE {
            return Ok(self);
        }
        Err(self.refusal(client, path).await)
    }

    /// The error that a refusal is.
    async fn refusal(&mut self, client: &Client<'_>, path: &str) -> Error {
        let status = self.response.status();
        let after = self.response.headers().get(RETRY_AFTER);
        let after = after.and_then(|after| after.to_str().ok()?.parse().ok());
        let retry_after = after.map(Duration::from_secs);
        let body = self.whole(REFUSAL_LIMIT_BYTES).await.unwrap_or_default();
        let registry = client.reference.registry().to_owned();
        let said = said(&body);
        let image = client.reference.to_string();
        // Some answer so, too, when they are asked for what does not exist.
        let is_stranger = !matches!(client.credentials.get(), Some(Some(_)));
        match status.as_u16() {
            404 if path.starts_with("manifests/") => Error::NotFound {
                registry,
                image,
                asks_for_login: false,
            },
            401 | 403 if is_stranger => Error::NotFound {
                registry,
                image,
                asks_for_login: true,
            },
            status @ (401 | 403) => Error::Refused {
                registry,
                image,
                status,
                said,
            },
            429 => Error::RateLimited {
                registry,
                retry_after,
                said,
            },
            status => Error::Status {
                registry,
                status,
                retry_after,
                said,
            },
        }
    }
}

fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

/// Host and port of a URL, without a user.
fn authority(url: &Uri) -> String {
    let authority = url
        .authority()
        .map(http::uri::Authority::as_str)
        .unwrap_or_default();
    authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host)
        .to_owned()
}

/// What a registry says in a refusal.
fn said(body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Refusal {
        errors: Vec<Reason>,
    }
    #[derive(Deserialize)]
    struct Reason {
        #[serde(default)]
        code: String,
        #[serde(default)]
        message: String,
    }
    let Ok(Refusal { errors }) = serde_json::from_slice(body) else {
        let text = String::from_utf8_lossy(body);
        return pyro_text::line(text.lines().next().unwrap_or_default().trim());
    };
    let all = errors.iter().map(|one| {
        if one.message.is_empty() {
            one.code.clone()
        } else {
            one.message.clone()
        }
    });
    pyro_text::line(&all.collect::<Vec<_>>().join("; "))
}
