//! The store of templates: finding, making and removing them.

use super::*;

const BOOT: &str = "this boot";

/// A template as a maker leaves it.
fn made(templates: &Templates, key: &str) {
    let TemplateLookup::Missing(builder) = templates.find(key) else {
        panic!("it can be made");
    };
    let partial = builder.partial.path();
    for name in [MEMORY, STATE, DISK] {
        fs::write(partial.join(name), name).unwrap();
    }
    let stamp = |name: &str| Stamp::of(&partial.join(name)).unwrap();
    let record = Record {
        format: FORMAT,
        boot_id: builder.boot_id.clone(),
        memory: stamp(MEMORY),
        state: stamp(STATE),
        disk: stamp(DISK),
    };
    write_record(&partial.join(RECORD), &record).unwrap();
    fs::rename(partial, &builder.path).unwrap();
}

#[test]
fn one_that_is_restored_from_is_neither_pruned_nor_made_anew() {
    let directory = tempfile::tempdir().unwrap();
    let boot = |id: &str| Templates::new(directory.path().to_owned(), id.into());
    let (templates, later) = (boot(BOOT), boot("another"));
    made(&templates, "key");
    let TemplateLookup::Template(template) = templates.find("key") else {
        panic!("it is there");
    };
    assert!(matches!(templates.find("key"), TemplateLookup::Template(_)));
    assert!(later.prune().is_empty());
    assert!(matches!(later.find("key"), TemplateLookup::Busy));
    assert_eq!(template.state().unwrap(), STATE.as_bytes());
    drop(template);
    assert_eq!(later.prune(), ["template-key"]);
    let left = fs::read_dir(directory.path()).unwrap().count();
    assert_eq!(left, 0, "nor its lock");
}

#[test]
fn who_comes_too_late_to_make_one_finds_it() {
    let directory = tempfile::tempdir().unwrap();
    let templates = Templates::new(directory.path().to_owned(), BOOT.into());
    made(&templates, "key");
    // As for a process that looked before the template was there.
    let found = templates.builder(directory.path().join("key")).unwrap();
    assert!(matches!(found, TemplateLookup::Template(_)), "{found:?}");
    // A template that fails is removed only if no other process restores from it.
    let TemplateLookup::Template(other) = templates.find("key") else {
        panic!("it is there");
    };
    let TemplateLookup::Template(template) = found else {
        panic!("it is there");
    };
    template.discard();
    assert!(other.state().is_ok());
    other.discard();
    assert!(matches!(templates.find("key"), TemplateLookup::Missing(_)));
}
