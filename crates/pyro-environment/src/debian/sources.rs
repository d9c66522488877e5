//! The *sources* of apt: where its packages come from.

use std::fmt::Write as _;

use super::KEYRING;

/// What `apt-get indextargets` is asked for. It knows all formats of sources, also before the
/// first `apt-get update`.
pub(super) const FORMAT: &str = "$(CREATED_BY)\t$(REPO_URI)\t$(RELEASE)\t$(COMPONENT)";

/// Suites by which a machine of another release can be configured with a mirror of Debian.
const DEBIAN_SUITES: &[&str] = &[
    "stable",
    "oldstable",
    "oldoldstable",
    "testing",
    "unstable",
    "sid",
    "forky",
    "trixie",
    "bookworm",
    "bullseye",
    "buster",
];

/// One source: packages of component main.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Source {
    pub(super) uri: String,
    pub(super) suite: String,
}

impl Source {
    /// Returns the source as a line of apt's configuration.
    pub(super) fn line(&self) -> String {
        format!(
            "deb [arch=amd64 signed-by={KEYRING}] {} {} main",
            self.uri, self.suite
        )
    }
}

/// Returns the machine's sources for the release: those configured, or else the same mirrors
/// with the release's suites in place of those of the machine's own release.
pub(super) fn select(index_targets: &str, release: &str) -> Vec<Source> {
    let configured: Vec<_> = index_targets.lines().filter_map(parse).collect();
    let own = |suite: &str| kind_of(suite).is_some_and(|(base, _)| base == release);
    let mut selected: Vec<Source> = Vec::new();
    let found = configured.iter().any(|source| own(&source.suite));
    for source in configured {
        let source = if own(&source.suite) {
            source
        } else if found {
            continue;
        } else {
            let Some((_, kind)) = kind_of(&source.suite) else {
                continue;
            };
            Source {
                suite: format!("{release}{kind}"),
                ..source
            }
        };
        if !selected.contains(&source) {
            selected.push(source);
        }
    }
    selected
}

fn parse(line: &str) -> Option<Source> {
    let mut fields = line.split('\t');
    let mut next = || fields.next();
    let (created_by, uri, suite, component) = (next()?, next()?, next()?, next()?);
    let wanted = created_by == "Packages" && component == "main" && !uri.starts_with("cdrom:");
    wanted.then(|| Source {
        uri: uri.to_owned(),
        suite: suite.to_owned(),
    })
}

/// Splits the name of a suite of Debian into that of its release and its kind.
fn kind_of(suite: &str) -> Option<(&str, &'static str)> {
    let (base, kind) = ["-security", "-updates"]
        .into_iter()
        .find_map(|kind| Some((suite.strip_suffix(kind)?, kind)))
        .unwrap_or((suite, ""));
    DEBIAN_SUITES.contains(&base).then_some((base, kind))
}

/// Returns the sources as the guest's apt is to have them: without credentials, since whatever
/// runs in the guest can read them, and without what exists on this machine only.
pub(super) fn for_image(sources: &[Source]) -> String {
    let mut text = String::new();
    for source in sources.iter().filter(|source| source.uri.contains("://")) {
        if source.uri.starts_with("file:") || source.uri.starts_with("mirror") {
            continue;
        }
        let separator = if text.is_empty() { "" } else { "\n" };
        let _ = write!(
            text,
            "{separator}Types: deb\nURIs: {}\nSuites: {}\nComponents: main\nSigned-By: {KEYRING}\n",
            without_credentials(&source.uri),
            source.suite
        );
    }
    text
}

/// Returns the URI without user name and password.
pub(super) fn without_credentials(uri: &str) -> String {
    let Some((scheme, rest)) = uri.split_once("://") else {
        return uri.to_owned();
    };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    format!("{scheme}://{host}{path}")
}

/// Replaces a list of mirrors, as Debian's cloud images use it, by its first mirror, which the
/// guest can use too. `read` reads the list.
pub(super) fn resolve_mirror_list(source: &mut Source, read: impl Fn(&str) -> Option<String>) {
    let Some(path) = source.uri.strip_prefix("mirror+file:") else {
        return;
    };
    let path = format!("/{}", path.trim_matches('/'));
    let list = read(&path).unwrap_or_default();
    let mut lines = list
        .lines()
        .map(|line| line.split('#').next().unwrap_or_default());
    if let Some(uri) = lines.find_map(|line| line.split_whitespace().next()) {
        uri.clone_into(&mut source.uri);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What apt 2.6 prints for the sources of a Debian 12 before its first update.
    const BOOKWORM: &str = "\
Packages\thttp://mirror.example/debian/\tbookworm\tmain
Packages\thttp://mirror.example/debian/\tbookworm\tmain
DEP-11\thttp://mirror.example/debian/\tbookworm\tmain
Packages\thttp://mirror.example/debian/\tbookworm-updates\tmain
Packages\thttp://mirror.example/debian/\tbookworm\tnon-free-firmware
Packages\thttp://mirror.example/debian-security/\tbookworm-security\tmain
Packages\thttps://other.example/node\tnodistro\tmain
Packages\thttp://mirror.example/debian/\ttrixie\tmain
";

    fn pairs(sources: &[Source]) -> Vec<(&str, &str)> {
        sources
            .iter()
            .map(|source| (source.uri.as_str(), source.suite.as_str()))
            .collect()
    }

    #[test]
    fn the_release_is_selected() {
        assert_eq!(
            pairs(&select(BOOKWORM, "bookworm")),
            [
                ("http://mirror.example/debian/", "bookworm"),
                ("http://mirror.example/debian/", "bookworm-updates"),
                (
                    "http://mirror.example/debian-security/",
                    "bookworm-security"
                ),
            ]
        );
    }

    #[test]
    fn mirrors_of_another_release_are_reused() {
        let trixie = BOOKWORM.replace("bookworm", "trixie");
        assert_eq!(
            pairs(&select(&trixie, "bookworm")),
            pairs(&select(BOOKWORM, "bookworm"))
        );
        let ubuntu = BOOKWORM
            .replace("bookworm", "noble")
            .replace("trixie", "noble");
        assert!(select(&ubuntu, "bookworm").is_empty());
        assert!(select("", "bookworm").is_empty());
    }

    #[test]
    fn the_image_gets_no_credentials() {
        let sources = [
            Source {
                uri: "https://user:p@ss@mirror.example:8080/debian/".into(),
                suite: "s".into(),
            },
            Source {
                uri: "file:///srv/debian".into(),
                suite: "s".into(),
            },
        ];
        let text = for_image(&sources);
        assert!(
            text.contains("URIs: https://mirror.example:8080/debian/\nSuites: s\n"),
            "{text}"
        );
        assert!(!text.contains("p@ss") && !text.contains("/srv"), "{text}");
        assert_eq!(
            without_credentials("http://mirror.example/a@b"),
            "http://mirror.example/a@b"
        );
    }

    #[test]
    fn a_mirror_list_becomes_its_first_mirror() {
        let mut source = Source {
            uri: "mirror+file:/etc/apt/mirrors/debian.list/".into(),
            suite: "bookworm".into(),
        };
        resolve_mirror_list(&mut source, |path| {
            assert_eq!(path, "/etc/apt/mirrors/debian.list");
            Some("# ours\n\nhttps://mirror.example/debian priority:1\n".into())
        });
        assert_eq!(source.uri, "https://mirror.example/debian");
    }
}
