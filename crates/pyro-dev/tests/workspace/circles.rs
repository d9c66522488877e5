//! The modules of a crate have no circular dependencies.
//!
//! A module depends on another one if it names something that is *defined* there, by any path: a
//! re-export leads to the definition and is not a dependency itself. Code that is compiled only for
//! tests does not count.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Item, UseTree};

/// A module's path within its crate: empty for the crate's root.
type Name = Vec<String>;

/// A file, and its inline modules.
#[derive(Default)]
struct Module {
    children: BTreeSet<String>,
    /// The names of imported paths, public or not.
    aliases: BTreeMap<String, Path_>,
    globs: Vec<Path_>,
    /// All paths in it, except for re-exports.
    mentions: BTreeSet<Path_>,
    reexports: BTreeSet<String>,
}

type Path_ = Vec<String>;

#[test]
fn no_modules_of_a_crate_need_each_other() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut circles = Vec::new();
    for entry in fs::read_dir(crates).unwrap() {
        let path = entry.unwrap().path();
        for root in ["src/lib.rs", "src/main.rs"] {
            let root = path.join(root);
            if root.exists() {
                let modules = read_crate(&root);
                for circle in find_circles(&dependencies(&modules)) {
                    circles.push(format!("{}: {circle}", path.display()));
                }
            }
        }
    }
    assert!(circles.is_empty(), "{}", circles.join("\n"));
}

#[test]
fn circles_are_seen_through_reexports_and_not_where_there_are_none() {
    let written = [
        (
            vec![],
            "mod a; mod b; mod c; pub use a::A; pub use c::only_passed_on;",
        ),
        (vec!["a"], "use crate::b; pub struct A; fn f() { b::g() }"),
        (
            vec!["b"],
            "pub fn g() { tokio::select! { x = crate::A => x } }",
        ),
        (vec!["c"], "use super::A; pub fn only_passed_on() {}"),
    ];
    let mut modules = BTreeMap::new();
    for (name, text) in written {
        let name: Name = name.into_iter().map(str::to_owned).collect();
        modules.insert(name, module(&syn::parse_file(text).unwrap().items));
    }
    let circles = find_circles(&dependencies(&modules));
    assert_eq!(circles.len(), 1, "{circles:?}");
    assert!(circles[0].starts_with("a, b\n"), "{circles:?}");
}

/// Reads all modules that belong to a crate's root.
fn read_crate(root: &Path) -> BTreeMap<Name, Module> {
    let mut modules = BTreeMap::new();
    let mut left = vec![(Name::new(), root.to_owned())];
    while let Some((name, path)) = left.pop() {
        let text = fs::read_to_string(&path).unwrap();
        let file =
            syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let module = module(&file.items);
        let directory = if name.is_empty() || path.ends_with("mod.rs") {
            path.parent().unwrap().to_owned()
        } else {
            path.with_extension("")
        };
        for child in &module.children {
            if let Some(path) = file_of(&directory, child) {
                let mut name = name.clone();
                name.push(child.clone());
                left.push((name, path));
            }
        }
        modules.insert(name, module);
    }
    modules
}

fn file_of(directory: &Path, child: &str) -> Option<PathBuf> {
    let beside = directory.join(format!("{child}.rs"));
    let below = directory.join(child).join("mod.rs");
    [beside, below].into_iter().find(|path| path.exists())
}

fn module(items: &[Item]) -> Module {
    let mut module = Module::default();
    for item in items {
        module.visit_item(item);
    }
    module
}

fn is_for_tests(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let syn::Meta::List(list) = &attribute.meta else {
            return attribute.path().is_ident("test");
        };
        list.path.is_ident("cfg") && list.tokens.to_string() == "test"
    })
}

fn attributes(item: &Item) -> &[syn::Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

impl Module {
    /// Records an import: its name, and its path.
    fn import(&mut self, tree: &UseTree, before: &Path_, is_reexport: bool) {
        match tree {
            UseTree::Path(path) => {
                let mut before = before.clone();
                before.push(path.ident.to_string());
                self.import(&path.tree, &before, is_reexport);
            }
            UseTree::Name(name) => self.alias(&name.ident, &name.ident, before, is_reexport),
            UseTree::Rename(name) => self.alias(&name.ident, &name.rename, before, is_reexport),
            UseTree::Glob(_) => {
                self.globs.push(before.clone());
            }
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.import(tree, before, is_reexport);
                }
            }
        }
    }

    fn alias(&mut self, from: &syn::Ident, to: &syn::Ident, before: &Path_, is_reexport: bool) {
        let mut path = before.clone();
        if from != "self" {
            path.push(from.to_string());
        }
        let name = if to == "self" {
            before.last().cloned().unwrap_or_default()
        } else {
            to.to_string()
        };
        if is_reexport {
            self.reexports.insert(name.clone());
        } else {
            self.mentions.insert(path.clone());
        }
        self.aliases.insert(name, path);
    }

    /// Records the paths in the arguments of a macro, which are not parsed as code.
    fn tokens(&mut self, tokens: TokenStream) {
        let mut path = Path_::new();
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Ident(name) if path.is_empty() || colons == 2 => {
                    path.push(name.to_string());
                    colons = 0;
                    continue;
                }
                TokenTree::Punct(mark) if mark.as_char() == ':' && !path.is_empty() => {
                    colons += 1;
                    continue;
                }
                TokenTree::Group(group) => self.tokens(group.stream()),
                TokenTree::Ident(name) => {
                    self.mentions.insert(std::mem::take(&mut path));
                    path.push(name.to_string());
                    colons = 0;
                    continue;
                }
                _ => {}
            }
            self.mentions.insert(std::mem::take(&mut path));
            colons = 0;
        }
        self.mentions.insert(path);
    }
}

impl<'a> Visit<'a> for Module {
    fn visit_item(&mut self, item: &'a Item) {
        if !is_for_tests(attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item_fn(&mut self, function: &'a syn::ImplItemFn) {
        if !is_for_tests(&function.attrs) {
            visit::visit_impl_item_fn(self, function);
        }
    }

    fn visit_item_mod(&mut self, item: &'a syn::ItemMod) {
        if item.content.is_none() {
            self.children.insert(item.ident.to_string());
        }
        visit::visit_item_mod(self, item);
    }

    fn visit_item_use(&mut self, item: &'a syn::ItemUse) {
        let is_reexport = !matches!(item.vis, syn::Visibility::Inherited);
        self.import(&item.tree, &Path_::new(), is_reexport);
    }

    fn visit_path(&mut self, path: &'a syn::Path) {
        let segments = path.segments.iter();
        self.mentions
            .insert(segments.map(|segment| segment.ident.to_string()).collect());
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, item: &'a syn::Macro) {
        self.tokens(item.tokens.clone());
        visit::visit_macro(self, item);
    }
}

/// The modules on which each module depends, and one item of each for the report.
type Dependencies = BTreeMap<Name, BTreeMap<Name, String>>;

fn dependencies(modules: &BTreeMap<Name, Module>) -> Dependencies {
    let mut all = Dependencies::new();
    for (name, module) in modules {
        let needs = all.entry(name.clone()).or_default();
        for path in &module.mentions {
            if let Some((other, what)) = resolve(modules, name, path, 0)
                && other != *name
            {
                needs.entry(other).or_insert(what);
            }
        }
    }
    all
}

/// Finds the module in which the end of a path is defined, and its name there. A path that ends at
/// a module is not a dependency on that module.
fn resolve(
    modules: &BTreeMap<Name, Module>,
    from: &Name,
    path: &[String],
    depth: u32,
) -> Option<(Name, String)> {
    if depth > 16 {
        return None;
    }
    let mut at = from.clone();
    let mut segments = path.iter().peekable();
    let mut anchored = false;
    while let Some(segment) = segments.peek() {
        match segment.as_str() {
            "crate" => at.clear(),
            "self" => {}
            "super" => {
                at.pop();
            }
            _ => break,
        }
        anchored = true;
        segments.next();
    }
    loop {
        let segment = segments.next()?;
        let module = &modules.get(&at)?;
        let mut child = at.clone();
        child.push(segment.clone());
        if modules.contains_key(&child) {
            at = child;
            anchored = true;
            continue;
        }
        if let Some(alias) = module.aliases.get(segment) {
            if alias.len() == 1 && alias[0] == *segment {
                return None;
            }
            let mut path = alias.clone();
            path.extend(segments.cloned());
            return resolve(modules, &at, &path, depth + 1);
        }
        // Imported by a glob; otherwise it is defined here, if this is a module of the crate.
        let rest: Vec<String> = std::iter::once(segment).chain(segments).cloned().collect();
        for glob in &module.globs {
            let path: Vec<String> = glob.iter().chain(&rest).cloned().collect();
            if let Some(found) = resolve(modules, &at, &path, depth + 1) {
                return Some(found);
            }
        }
        return anchored.then(|| (at, segment.clone()));
    }
}

/// Finds the circles: groups of modules that depend on each other, directly or indirectly.
fn find_circles(all: &Dependencies) -> Vec<String> {
    let reachable: BTreeMap<&Name, BTreeSet<&Name>> = all
        .keys()
        .map(|start| {
            let mut seen = BTreeSet::new();
            let mut left = vec![start];
            while let Some(next) = left.pop() {
                for other in all.get(next).into_iter().flat_map(BTreeMap::keys) {
                    if seen.insert(other) {
                        left.push(other);
                    }
                }
            }
            (start, seen)
        })
        .collect();
    let mut told: BTreeSet<&Name> = BTreeSet::new();
    let mut circles = Vec::new();
    for (name, others) in &reachable {
        if !others.contains(name) || told.contains(name) {
            continue;
        }
        let group: Vec<&Name> = others
            .iter()
            .copied()
            .filter(|other| reachable[other].contains(name))
            .collect();
        told.extend(&group);
        let names: Vec<String> = group.iter().map(|name| shown(name)).collect();
        let mut text = names.join(", ");
        for from in &group {
            for to in &group {
                if let Some(what) = all[*from].get(*to) {
                    let (from, to) = (shown(from), shown(to));
                    write!(text, "\n    {from} needs {to}::{what}").unwrap();
                }
            }
        }
        circles.push(text);
    }
    circles
}

fn shown(name: &Name) -> String {
    if name.is_empty() {
        "crate".to_owned()
    } else {
        name.join("::")
    }
}
