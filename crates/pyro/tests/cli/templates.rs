//! Templates: created once, used by every later start, and never used when they were altered.

use std::fs::{self, File};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::context::{TestContext, debian, directory_of, path_with};
use crate::environments::copy_cache;
use crate::process::Finished;
use crate::skip;

/// A limit, so that the test cannot hang; a busy machine may have to create a template first.
const LIMIT_SECONDS: u64 = 180;

#[test]
fn the_second_start_restores_and_a_cold_one_boots() {
    let context = with_own_templates();
    traced(&context, &[]);
    let [template] = &templates(&context)[..] else {
        panic!("{:?}", templates(&context))
    };
    let made = record_inode(template);
    let second = phases(&traced(&context, &[]));
    assert!(has(&second, "restore"), "{second:?}");
    assert!(!has(&second, "kernel_and_agent"), "{second:?}");
    let cold = phases(&traced(&context, &["--cold"]));
    assert!(has(&cold, "kernel_and_agent"), "{cold:?}");
    assert!(!has(&cold, "restore"), "{cold:?}");
    assert_eq!(record_inode(template), made, "it was made once");

    // Another kind has its own template.
    traced(&context, &["--mem-mib", "512"]);
    assert_eq!(templates(&context).len(), 2);
}

#[test]
fn a_cold_start_makes_no_template() {
    let context = with_own_templates();
    traced(&context, &["--cold"]);
    assert!(templates(&context).is_empty(), "{:?}", templates(&context));
}

/// The alterations of a template.
type Damage = (&'static str, fn(&Path));

const DAMAGES: &[Damage] = &[
    ("memory cut", |path| cut(&path.join("memory"))),
    ("memory altered", |path| {
        flip(&path.join("memory"), 0x10_0000);
    }),
    ("memory gone", |path| remove(&path.join("memory"))),
    ("state altered in its header", |path| {
        flip(&path.join("state"), 5);
    }),
    ("state cut", |path| cut(&path.join("state"))),
    ("disk altered", |path| flip(&path.join("disk.ext4"), 1080)),
    ("record garbage", |path| {
        fs::write(path.join("template.json"), "\0garbage").unwrap();
    }),
    ("record of something else", |path| {
        fs::write(path.join("template.json"), "{\"format\": 1}").unwrap();
    }),
    ("record gone", |path| remove(&path.join("template.json"))),
    ("everything gone", |path| fs::remove_dir_all(path).unwrap()),
    ("a file", |path| {
        fs::remove_dir_all(path).unwrap();
        fs::write(path, "").unwrap();
    }),
];

#[test]
fn a_damaged_template_is_made_again_and_never_used() {
    let context = with_own_templates();
    traced(&context, &[]);
    for (name, damage) in DAMAGES {
        let [template] = &templates(&context)[..] else {
            panic!("{name}: {:?}", templates(&context))
        };
        let before = record_inode(template);
        // So that the inode number of the removed file is not reused.
        let held = File::open(template.join("template.json")).unwrap();
        damage(template);
        traced(&context, &[]);
        assert!(template.is_dir(), "{name}: it is there again");
        assert_ne!(record_inode(template), before, "{name}: and another one");
        drop(held);
    }
    let last = phases(&traced(&context, &[]));
    assert!(has(&last, "restore"), "{last:?}");
    assert_tidy(&context);
}

#[test]
fn an_alteration_that_hides_its_time_is_noticed() {
    let context = with_own_templates();
    traced(&context, &[]);
    let template = templates(&context).remove(0);
    let state = template.join("state");
    let modified = fs::metadata(&state).unwrap().modified().unwrap();
    let before = record_inode(&template);
    let held = File::open(template.join("template.json")).unwrap();
    flip(&state, 5);
    let file = File::options().write(true).open(&state).unwrap();
    file.set_modified(modified).unwrap();
    traced(&context, &[]);
    assert_ne!(record_inode(&template), before);
    drop(held);
}

#[test]
fn a_template_of_another_qemu_is_not_used() {
    let context = with_own_templates();
    traced(&context, &[]);
    let first = templates(&context).remove(0);
    let made = record_inode(&first);
    let real = host_qemu();
    let fake = context.fake(
        "qemu-system-x86_64",
        &format!("exec {} \"$@\"", real.display()),
    );
    for _ in 0..2 {
        let run = context.debian(&["--trace", "--", "echo", "right"]);
        let run = run.env("PATH", path_with(&fake)).limit(LIMIT_SECONDS);
        run.run().expect(0).out_is("right\n");
        assert_eq!(templates(&context).len(), 2, "{:?}", templates(&context));
    }
    assert_eq!(record_inode(&first), made);
    let back = phases(&traced(&context, &[]));
    assert!(has(&back, "restore"), "{back:?}");
    assert_eq!(record_inode(&first), made);
}

#[test]
fn where_no_template_can_be_made_machines_are_booted() {
    let context = with_own_templates();
    fs::write(context.cache().join("templates"), "").unwrap();
    let run = phases(&traced(&context, &[]));
    assert!(has(&run, "kernel_and_agent"), "{run:?}");
    fs::remove_file(context.cache().join("templates")).unwrap();
    traced(&context, &[]);
    assert_eq!(templates(&context).len(), 1);
}

#[test]
fn templates_that_cannot_be_written_or_do_not_fit_or_skip() {
    let context = with_own_templates();
    fs::create_dir(context.cache().join("templates")).unwrap();
    let directory = context.cache().join("templates");
    // A read-only file system; one with no space; one without space for the memory; one that is
    // just too small.
    for options in ["ro", "size=64k", "size=8m", "size=60m", "size=95m"] {
        let script = format!(
            "mount -t tmpfs -o {options} none '{}'; exec \"$@\"",
            directory.display()
        );
        let arguments = ["run", debian(), "--trace", "--", "echo", "right"];
        let Some(run) = context.mounting(&script, &arguments) else {
            skip!(
                "templates_that_cannot_be_written_or_do_not_fit",
                "this user may not mount"
            )
        };
        let run = run.limit(LIMIT_SECONDS).run();
        assert!(
            run.code == 0 && run.out() == "right\n",
            "{options}: {run:?}"
        );
        context.assert_nothing_is_left();
    }
}

#[test]
fn a_death_while_a_template_is_made_leaves_nothing_after_the_next_call() {
    let context = with_own_templates();
    for delay in [0, 300, 1500, 4000] {
        let run = context.debian(&["--", "sleep", "100"]).start();
        wait_until("a template is being made", || !hidden(&context).is_empty());
        thread::sleep(Duration::from_millis(delay));
        // Another process died while it removed a template.
        fs::create_dir(context.cache().join("templates/.trash-0123456789ab")).unwrap();
        run.signal(Signal::KILL);
        run.finish().expect(-9);
        context.pyro(&["env", "list"]).run().expect(0);
        context.assert_nothing_is_left();
        assert_tidy(&context);
        for template in templates(&context) {
            fs::remove_dir_all(template).unwrap();
        }
    }
    traced(&context, &[]);
    assert_eq!(templates(&context).len(), 1);
}

#[test]
fn of_four_first_starts_at_once_one_boots_and_the_others_wait_for_its_template() {
    let context = with_own_templates();
    let starts: Vec<Vec<String>> = thread::scope(|scope| {
        let starts: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| phases(&traced(&context, &[]))))
            .collect();
        starts
            .into_iter()
            .map(|start| start.join().unwrap())
            .collect()
    });
    for start in &starts {
        assert!(
            has(start, "restore") && !has(start, "kernel_and_agent"),
            "{starts:?}"
        );
    }
    assert_eq!(templates(&context).len(), 1);
    assert_tidy(&context);
    let next = phases(&traced(&context, &[]));
    assert!(has(&next, "restore"), "{next:?}");
}

#[test]
fn a_template_that_is_deleted_does_not_disturb_its_clones() {
    let context = with_own_templates();
    traced(&context, &[]);
    // Pages that were not accessed before must be read from the deleted files.
    let script = "echo ready; read line; echo more > /root/file; sync; cat /root/file; \
                  find /usr/lib /etc -type f | head -n 500 | xargs cat | wc -c >&2; \
                  git --version >&2; echo done";
    let run = context.debian(&["--trace", "--timeout-seconds", "120"]);
    let run = run.args(&["--", "sh", "-c", script]);
    let mut run = run.silent_stdin().start();
    run.wait_for_stdout("ready");
    fs::remove_dir_all(context.cache().join("templates")).unwrap();
    run.say("go\n");
    let run = run.finish().expect(0).out_is("ready\nmore\ndone\n");
    assert!(has(&phases(&run), "restore"), "{run:?}");
    traced(&context, &[]);
    assert_eq!(templates(&context).len(), 1);
}

#[test]
fn prune_removes_what_is_broken_and_keeps_what_is_good() {
    let context = with_own_templates();
    traced(&context, &[]);
    let good = templates(&context).remove(0);
    let made = record_inode(&good);
    let name = "0123456789abcdef0123456789abcdef";
    let broken = good.with_file_name(name);
    fs::create_dir(&broken).unwrap();
    for file in ["template.json", "state"] {
        fs::copy(good.join(file), broken.join(file)).unwrap();
    }
    fs::write(broken.join("memory"), "short").unwrap();
    let prune = || context.pyro(&["env", "prune", "--json"]).run().expect(0);
    let pruned = prune().json();
    assert_eq!(pruned["count"], 1, "{pruned}");
    let expected = format!("template-{name}");
    assert_eq!(pruned["deleted_environment_dirs"][0], expected, "{pruned}");
    assert_eq!(templates(&context), std::slice::from_ref(&good));
    assert_eq!(prune().json()["count"], 0);

    let next = phases(&traced(&context, &[]));
    assert!(has(&next, "restore"), "{next:?}");
    assert_eq!(record_inode(&good), made);
    cut(&good.join("state"));
    assert_eq!(prune().json()["count"], 1);
    assert!(templates(&context).is_empty());
}

/// A context whose shared cache has the template: another test may be about to make it.
pub(crate) fn with_shared_template() -> TestContext {
    let context = TestContext::with(debian());
    wait_until("a template", || {
        has(&phases(&traced(&context, &[])), "restore")
    });
    context
}

/// A context whose cache has the environment and no template.
pub(crate) fn with_own_templates() -> TestContext {
    let source = TestContext::with(debian());
    let context = TestContext::new().with_own_cache();
    copy_cache(&source, &context, &directory_of(debian()));
    context
}

/// A run that must succeed in whatever way it starts.
#[track_caller]
fn traced(context: &TestContext, options: &[&str]) -> Finished {
    let run = context.debian(&["--trace"]).args(options);
    let run = run.args(&["--", "echo", "right"]).limit(LIMIT_SECONDS);
    run.run().expect(0).out_is("right\n")
}

/// The names of the steps that a traced run consisted of.
pub(crate) fn phases(run: &Finished) -> Vec<String> {
    run.err()
        .lines()
        .filter_map(|line| line.strip_prefix("[trace] ")?.split(' ').next())
        .map(str::to_owned)
        .collect()
}

pub(crate) fn has(phases: &[String], name: &str) -> bool {
    phases.iter().any(|phase| phase == name)
}

/// Waits for a condition; the limit only prevents hanging.
#[track_caller]
pub(crate) fn wait_until(what: &str, happened: impl Fn() -> bool) {
    let begun = Instant::now();
    while !happened() {
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "waited for: {what}"
        );
        thread::sleep(Duration::from_millis(10));
    }
}

fn names(context: &TestContext) -> Vec<String> {
    let entries = fs::read_dir(context.cache().join("templates"));
    let entries = entries.into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect()
}

pub(crate) fn templates(context: &TestContext) -> Vec<PathBuf> {
    let names = names(context).into_iter();
    names
        .filter(|name| !name.starts_with('.'))
        .map(|name| context.cache().join("templates").join(name))
        .filter(|path| path.extension().is_none_or(|kind| kind != "lock"))
        .collect()
}

/// Incomplete templates.
fn hidden(context: &TestContext) -> Vec<String> {
    let names = names(context).into_iter();
    names.filter(|name| name.starts_with('.')).collect()
}

#[track_caller]
fn assert_tidy(context: &TestContext) {
    let left = hidden(context);
    assert!(left.is_empty(), "{left:?}");
}

/// Identifies one creation of a template.
fn record_inode(template: &Path) -> u64 {
    fs::metadata(template.join("template.json")).unwrap().ino()
}

fn host_qemu() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap();
    std::env::split_paths(&path)
        .map(|directory| directory.join("qemu-system-x86_64"))
        .find(|path| path.is_file())
        .unwrap()
}

fn cut(path: &Path) {
    let file = File::options().write(true).open(path).unwrap();
    file.set_len(file.metadata().unwrap().len() / 2).unwrap();
}

/// Alters one byte; the size stays.
fn flip(path: &Path, offset: u64) {
    let file = File::options().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, offset).unwrap();
    file.write_all_at(&[!byte[0]], offset).unwrap();
}

fn remove(path: &Path) {
    fs::remove_file(path).unwrap();
}
