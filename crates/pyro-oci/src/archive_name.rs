//! The *name* of something in an archive: of a file, which links and `..` do not lead out of, and of
//! an image, which users write in part.

/// A file's name without what does not change it, from the archive's root.
pub(crate) fn plain(name: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in name.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// The directory that a file is in.
pub(crate) fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(parent, _)| parent)
}

/// Returns the images that are called what the user wrote, or else those whose names end so: the
/// repository without its registry, or the tag alone.
pub(crate) fn matching<'a, T>(
    images: &'a [T],
    asked: &str,
    names: impl Fn(&T) -> Vec<&str>,
) -> Vec<&'a T> {
    let with = |fits: &dyn Fn(&str) -> bool| -> Vec<&'a T> {
        let all = images.iter();
        all.filter(|one| names(one).into_iter().any(fits)).collect()
    };
    let latest = format!("{asked}:latest");
    let steps: [&dyn Fn(&str) -> bool; 4] = [
        &|name| name == asked,
        &|name| name == latest,
        &|name| ends(name, '/', asked) || ends(name, '/', &latest),
        &|name| ends(name, ':', asked),
    ];
    let found = steps.iter().map(|step| with(step));
    found
        .into_iter()
        .find(|found| !found.is_empty())
        .unwrap_or_default()
}

fn ends(name: &str, separator: char, end: &str) -> bool {
    let rest = name.strip_suffix(end);
    !end.is_empty() && rest.is_some_and(|rest| rest.ends_with(separator))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_leads_out_of_the_archive() {
        for (name, expected) in [
            ("a/b", "a/b"),
            ("./a//b/", "a/b"),
            ("/etc/passwd", "etc/passwd"),
            ("../../etc/passwd", "etc/passwd"),
            ("a/../../b", "b"),
            ("..", ""),
        ] {
            assert_eq!(plain(name), expected);
        }
    }

    #[test]
    fn an_image_may_be_named_in_part_and_the_whole_name_comes_first() {
        let images = [
            "docker.io/library/app:1",
            "localhost/app:1",
            "app:2",
            "my/app:latest",
        ];
        let found = |asked| matching(&images, asked, |one| vec![*one]);
        assert_eq!(found("localhost/app:1"), [&images[1]]);
        assert_eq!(found("library/app:1"), [&images[0]]);
        assert_eq!(found("app:1").len(), 2);
        assert_eq!(found("2"), [&images[2]]);
        assert_eq!(found("my/app"), [&images[3]]);
        assert_eq!(found("app:2"), [&images[2]]);
        for none in ["", "pp:1", "3", "app:"] {
            assert!(found(none).is_empty(), "{none}");
        }
    }
}
