//! Checks the imports of the source tree against the diagram in `lib.rs`: a module uses only its own room and those
//! below it, `function` uses no facade, and a facade uses no other facade.
//!
//! The sources are read as text: every path that begins with `crate::` or a chain of `super::`, with import trees
//! expanded. Comments are skipped. The tests of a module follow the same rules.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The first names of a path from the crate root, at most two: `["facade", "ims"]`.
type Names = Vec<String>;

/// Files that belong to no room.
const OUTSIDE: [&str; 2] = ["lib", "rooms"];

/// The rooms of the diagram, topmost first.
fn rooms(lib: &str) -> Vec<String> {
    let diagram = lib.split("//! ```text\n").nth(1).and_then(|rest| rest.split("//! ```").next()).unwrap();
    let lines = diagram.lines().map(|line| line.trim_start_matches("//! "));
    lines
        .filter(|line| !line.starts_with(' '))
        .filter_map(|line| line.split(' ').next())
        .map(str::to_owned)
        .collect()
}

/// The room of each name that `lib.rs` re-exports: `App` is in `app`.
fn re_exports(lib: &str) -> BTreeMap<String, String> {
    let lines = lib.lines().filter_map(|line| line.strip_prefix("pub use "));
    lines
        .flat_map(|line| {
            let (room, names) = line.trim_end_matches(';').split_once("::").unwrap();
            let names = names.trim_matches(['{', '}']).split(", ");
            names.map(|name| (name.to_owned(), room.to_owned())).collect::<Vec<_>>()
        })
        .collect()
}

/// The text without its comments.
fn strip_comments(text: &str) -> String {
    text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

fn is_name_char(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// Collects the first two names of each path in an import tree, such as `a::{b, c::d}`.
fn import_tree(text: &str, prefix: &[String], found: &mut Vec<Names>) {
    let text = text.trim_start();
    if prefix.len() == 2 {
        found.push(prefix.to_vec());
    } else if let Some(group) = text.strip_prefix('{') {
        let (mut depth, mut start) = (0_u32, 0);
        for (at, character) in group.char_indices() {
            match character {
                '{' => depth += 1,
                '}' if depth > 0 => depth -= 1,
                ',' | '}' if depth == 0 => {
                    import_tree(&group[start..at], prefix, found);
                    start = at + 1;
                    if character == '}' {
                        break;
                    }
                }
                _ => {}
            }
        }
    } else {
        let name: String = text.chars().take_while(|character| is_name_char(*character)).collect();
        if name.is_empty() {
            found.push(prefix.to_vec());
            return;
        }
        let rest = &text[name.len()..];
        let names = [prefix, &[name]].concat();
        match rest.strip_prefix("::") {
            Some(rest) => import_tree(rest, &names, found),
            None => found.push(names),
        }
    }
}

/// The paths within this crate that the code of a module uses.
fn paths(code: &str, module: &[String]) -> Vec<Names> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        if !code[..at].ends_with(is_name_char) {
            import_tree(&code[at + "crate::".len()..], &[], &mut found);
        }
    }
    for (at, _) in code.match_indices("super::") {
        if code[..at].ends_with(is_name_char) || code[..at].ends_with("super::") {
            continue;
        }
        let (mut rest, mut up) = (&code[at..], 0);
        while let Some(shorter) = rest.strip_prefix("super::") {
            (rest, up) = (shorter, up + 1);
        }
        let from = module.len().saturating_sub(up);
        import_tree(rest, &module[..from.min(2)], &mut found);
    }
    found
}

/// Collects every source file of the crate, with its module.
fn modules(folder: &Path, module: &[String], found: &mut Vec<(PathBuf, Vec<String>)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() {
            modules(&path, &[module, &[name]].concat(), found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let module = if name == "mod" { module.to_vec() } else { [module, &[name]].concat() };
            found.push((path, module));
        }
    }
}

/// Why a module may not use that path; `None` if it may.
fn violation(rooms: &[String], facades: &[String], module: &[String], used: &[String]) -> Option<String> {
    let position = |room: &String| rooms.iter().position(|name| name == room);
    let (own, room) = (module.first()?, used.first()?);
    let (Some(own_position), Some(position)) = (position(own), position(room)) else {
        return Some(format!("`{own}` or `{room}` is not in the diagram"));
    };
    if position < own_position {
        return Some(format!("`{own}` uses `{room}`, which is above it"));
    }
    if own == "function" && room == "facade" {
        return Some("`function` uses a facade".to_owned());
    }
    let facade = |names: &[String]| names.get(1).filter(|name| facades.contains(name)).cloned();
    match (facade(module), facade(used)) {
        (Some(one), Some(other)) if own == "facade" && room == "facade" && one != other => {
            Some(format!("the facade `{one}` uses the facade `{other}`"))
        }
        _ => None,
    }
}

/// Every path that violates a rule, with its file and the rule.
fn violations(source: &Path) -> Vec<String> {
    let lib = fs::read_to_string(source.join("lib.rs")).unwrap();
    let (rooms, re_exports) = (rooms(&lib), re_exports(&lib));
    let mut files = Vec::new();
    modules(source, &[], &mut files);
    let facades: Vec<_> = fs::read_dir(source.join("facade"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
        .collect();
    let mut found = Vec::new();
    for (file, module) in files.iter().filter(|(_, module)| !OUTSIDE.contains(&module[0].as_str())) {
        for mut used in paths(&strip_comments(&fs::read_to_string(file).unwrap()), module) {
            if let Some(room) = used.first().and_then(|name| re_exports.get(name)) {
                used[0].clone_from(room);
            }
            if let Some(why) = violation(&rooms, &facades, module, &used) {
                found.push(format!("{}: {}: {why}", file.display(), used.join("::")));
            }
        }
    }
    found
}

#[test]
fn no_room_uses_a_room_above_it() {
    let found = violations(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn diagram_lists_every_room() {
    let lib = include_str!("lib.rs");
    let mut declared: Vec<_> = lib
        .lines()
        .filter_map(|line| line.trim_start_matches("pub ").strip_prefix("mod ")?.strip_suffix(';'))
        .filter(|name| !OUTSIDE.contains(name))
        .collect();
    let mut rooms = rooms(lib);
    rooms.sort();
    declared.sort_unstable();
    assert_eq!(rooms, declared);
}

#[test]
fn forbidden_imports_are_found() {
    let rooms = rooms(include_str!("lib.rs"));
    let facades = ["glance", "ims"].map(str::to_owned);
    let check = |module: &str, code: &str| -> Vec<String> {
        let module: Vec<_> = module.split("::").map(str::to_owned).collect();
        let used = paths(&strip_comments(code), &module);
        used.iter().filter_map(|used| violation(&rooms, &facades, &module, used)).collect()
    };
    for (module, forbidden) in [
        ("facade::glance::show", "use crate::facade::ims::Error;"),
        ("facade::glance::show", "use crate::{domain::Image, facade::{glance::{Error, request}, ims}};"),
        ("facade::glance", "use super::ims::Error;"),
        ("facade::glance::show", "fn f() { super::super::ims::f() }"),
        ("facade::ims::list", "use crate::function::HttpFunction;"),
        ("function", "use crate::{\n    http::HttpResponse,\n    facade::ims,\n};"),
        ("http::page", "fn f() -> crate::facade::ims::Error {}"),
        ("domain::image", "use crate::store::Store;"),
        ("store", "use super::usecases::Page;"),
        ("store", "use crate::unknown::Thing;"),
    ] {
        assert_eq!(check(module, forbidden).len(), 1, "{module}: {forbidden}");
    }
    for (module, allowed) in [
        ("facade::glance::show", "use crate::facade::glance::Error; use super::request;"),
        ("facade::glance::show", "pub(in crate::facade) struct A; use crate::http::{self, ApiError};"),
        ("facade", "use self::ims::Error; use super::http::ApiError;"),
        ("function", "// use crate::facade::ims;\nuse crate::http::HttpResponse;"),
        ("store::keys", "use super::*; use crate::{domain::{ImageId, TenantId}, table::Key};"),
    ] {
        assert_eq!(check(module, allowed), Vec::<String>::new(), "{module}: {allowed}");
    }
}
