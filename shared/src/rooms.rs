//! Holds the source tree to the picture in `lib.rs`: a module uses only its own room and those below it, `function` uses
//! no facade, and a facade uses no other facade.
//!
//! The sources are read as text: each path that begins with `crate::` or a chain of `super::`, expanded where it is a tree
//! of imports. Comments are left out; the tests of a module are held to the same rules.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The beginning of a path from the root of the crate, at most two names: `["facade", "ims"]`.
type Names = Vec<String>;

/// The files that are of no room.
const OUTSIDE: [&str; 2] = ["lib", "rooms"];

/// The rooms in the order of the picture, the uppermost first.
fn rooms(lib: &str) -> Vec<String> {
    let picture = lib.split("//! ```text\n").nth(1).and_then(|rest| rest.split("//! ```").next()).unwrap();
    let lines = picture.lines().map(|line| line.trim_start_matches("//! "));
    lines
        .filter(|line| !line.starts_with(' '))
        .filter_map(|line| line.split(' ').next())
        .map(str::to_owned)
        .collect()
}

/// The room of each name that `lib.rs` re-exports: `app` of `App`.
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

fn is_name(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

/// The first two names of each path in a tree of imports, as `a::{b, c::d}`.
fn tree(text: &str, before: &[String], found: &mut Vec<Names>) {
    let text = text.trim_start();
    if before.len() == 2 {
        found.push(before.to_vec());
    } else if let Some(group) = text.strip_prefix('{') {
        let (mut depth, mut begin) = (0_u32, 0);
        for (at, letter) in group.char_indices() {
            match letter {
                '{' => depth += 1,
                '}' if depth > 0 => depth -= 1,
                ',' | '}' if depth == 0 => {
                    tree(&group[begin..at], before, found);
                    begin = at + 1;
                    if letter == '}' {
                        break;
                    }
                }
                _ => {}
            }
        }
    } else {
        let name: String = text.chars().take_while(|letter| is_name(*letter)).collect();
        if name.is_empty() {
            found.push(before.to_vec());
            return;
        }
        let rest = &text[name.len()..];
        let names = [before, &[name]].concat();
        match rest.strip_prefix("::") {
            Some(rest) => tree(rest, &names, found),
            None => found.push(names),
        }
    }
}

/// The paths of this crate that the code of a module uses.
fn paths(code: &str, module: &[String]) -> Vec<Names> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        if !code[..at].ends_with(is_name) {
            tree(&code[at + "crate::".len()..], &[], &mut found);
        }
    }
    for (at, _) in code.match_indices("super::") {
        if code[..at].ends_with(is_name) || code[..at].ends_with("super::") {
            continue;
        }
        let (mut rest, mut up) = (&code[at..], 0);
        while let Some(shorter) = rest.strip_prefix("super::") {
            (rest, up) = (shorter, up + 1);
        }
        let from = module.len().saturating_sub(up);
        tree(rest, &module[..from.min(2)], &mut found);
    }
    found
}

/// Every source file of the crate, with the module that it is.
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

/// Why a module may not use that path; `None` where it may.
fn violation(rooms: &[String], facades: &[String], module: &[String], used: &[String]) -> Option<String> {
    let place = |room: &String| rooms.iter().position(|known| known == room);
    let (own, room) = (module.first()?, used.first()?);
    let (Some(own_place), Some(place)) = (place(own), place(room)) else {
        return Some(format!("`{own}` or `{room}` is not in the picture"));
    };
    if place < own_place {
        return Some(format!("`{own}` uses `{room}`, which is above it"));
    }
    if own == "function" && room == "facade" {
        return Some("`function` uses a facade".to_owned());
    }
    let of_facade = |names: &[String]| names.get(1).filter(|name| facades.contains(name)).cloned();
    match (of_facade(module), of_facade(used)) {
        (Some(one), Some(other)) if own == "facade" && room == "facade" && one != other => {
            Some(format!("the facade `{one}` uses the facade `{other}`"))
        }
        _ => None,
    }
}

/// Every path in the tree that breaks a rule, with its file and the rule.
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
    let mut wrong = Vec::new();
    for (file, module) in files.iter().filter(|(_, module)| !OUTSIDE.contains(&module[0].as_str())) {
        for mut used in paths(&strip_comments(&fs::read_to_string(file).unwrap()), module) {
            if let Some(room) = used.first().and_then(|name| re_exports.get(name)) {
                used[0].clone_from(room);
            }
            if let Some(why) = violation(&rooms, &facades, module, &used) {
                wrong.push(format!("{}: {}: {why}", file.display(), used.join("::")));
            }
        }
    }
    wrong
}

#[test]
fn every_room_uses_only_those_below_it() {
    let wrong = violations(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn picture_names_every_room() {
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
