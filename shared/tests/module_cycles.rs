//! No cycles of modules: what a module depends on can be read, tested and moved without the module.
//!
//! The modules of a folder are the nodes of a graph, and so is the file of their parent if it has items of its own. An
//! edge leads from one node to another if a file of the first names an item of the second by its path, in a `use` or
//! inline; an item that the parent only re-exports counts as one of the module that defines it. `mod` declarations and
//! re-exports are no edges, and test modules do not count. The edges of a folder must not form a cycle. Method calls
//! are not seen, but the path that leads to their type is.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by a panic")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

type Module = Vec<String>;

/// The node of a parent's own items, beside its children.
const OWN_ITEMS: &str = "(the parent's own items)";

#[test]
fn modules_form_no_cycle() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    for room in ["shared/src", "infra/local/src"] {
        let tree = Tree::read(&workspace.join(room));
        assert!(tree.files.len() > 30, "{room} has {} modules", tree.files.len());
        let cycles = tree.cycles();
        assert!(cycles.is_empty(), "{room} has cycles of modules:\n{}", cycles.join("\n"));
    }
}

#[test]
fn store_modules_use_no_later_layer() {
    let room = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut layers, mut layer) = (BTreeMap::new(), 0);
    for line in fs::read_to_string(room.join("store/mod.rs")).unwrap().lines() {
        if line.starts_with("// ") {
            layer += 1;
        } else if let Some(module) = line.strip_prefix("mod ") {
            layers.insert(module.trim_end_matches(';').to_owned(), layer);
        }
    }
    assert_eq!(layer, 4, "the number of layers that store/mod.rs describes");
    let edges = Tree::read(&room).edges();
    let edges = &edges[&vec!["store".to_owned()]];
    assert!(edges.len() > 20 && layers.values().all(|layer| *layer > 0), "{layers:?}");
    for (from, targets) in edges.iter().filter(|(from, _)| *from != OWN_ITEMS) {
        for target in targets {
            assert!(layers[target] <= layers[from], "{from} uses {target} of a later layer");
        }
    }
}

#[test]
fn cycle_through_a_re_export_is_found() {
    let tree = Tree::of(&[
        ("", "mod a; mod b; pub use self::b::B;"),
        ("a", "use crate::B; pub struct A(B);"),
        ("b", "fn f() { crate::a::g() } pub struct B;"),
    ]);
    assert_eq!(tree.cycles(), ["crate: a → b → a"]);
}

#[test]
fn cycle_through_the_parent_is_found() {
    let tree = Tree::of(&[
        ("", "mod a;"),
        ("a", "mod b; use self::b::f; pub struct Parent;"),
        ("a::b", "use super::Parent; pub fn f(_: Parent) {}"),
    ]);
    assert_eq!(tree.cycles(), [format!("crate::a: {OWN_ITEMS} → b → {OWN_ITEMS}")]);
}

#[test]
fn cycle_between_folders_is_found_in_their_common_parent() {
    let tree = Tree::of(&[
        ("", "mod a; mod b;"),
        ("a", "mod c;"),
        ("a::c", "use crate::b::d::{self, D as Other};"),
        ("b", "pub mod d;"),
        ("b::d", "use super::super::a; fn f() { a::c::g(); } "),
    ]);
    assert_eq!(tree.cycles(), ["crate: a → b → a"]);
}

#[test]
fn one_way_edges_re_exports_and_tests_form_no_cycle() {
    let tree = Tree::of(&[
        ("", "mod a; mod b; pub use self::a::A; #[cfg(test)] mod tests;"),
        ("a", "pub struct A; #[cfg(test)] mod tests { use crate::b::B; }"),
        ("b", "use super::A; // crate::b::B\npub struct B(A); const TEXT: &str = \"crate::b\";"),
        ("tests", "use crate::{A, b::B};"),
    ]);
    assert_eq!(tree.cycles(), Vec::<String>::new());
}

/// The modules of a crate.
struct Tree {
    files: BTreeMap<Module, File>,
}

/// What the file of a module names.
#[derive(Default)]
struct File {
    /// Its paths, as written.
    paths: Vec<Vec<String>>,
    /// Its re-exports: the name, and the path to the item.
    exports: BTreeMap<String, Vec<String>>,
    /// Its modules that are compiled for tests only.
    tests: BTreeSet<String>,
}

impl Tree {
    fn read(root: &Path) -> Self {
        let (mut sources, mut folders) = (Vec::new(), vec![root.to_owned()]);
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|extension| extension == "rs") {
                    let module = path.strip_prefix(root).unwrap().with_extension("");
                    let mut module: Module =
                        module.iter().map(|part| part.to_str().unwrap().to_owned()).collect();
                    module.pop_if(|last| matches!(last.as_str(), "mod" | "lib"));
                    sources.push((module, fs::read_to_string(&path).unwrap()));
                }
            }
        }
        Self::parse(sources)
    }

    fn of(sources: &[(&str, &str)]) -> Self {
        let module =
            |path: &str| path.split("::").filter(|part| !part.is_empty()).map(str::to_owned).collect();
        Self::parse(sources.iter().map(|(path, text)| (module(path), (*text).to_owned())))
    }

    fn parse(sources: impl IntoIterator<Item = (Module, String)>) -> Self {
        let mut files = BTreeMap::<Module, File>::new();
        for (module, text) in sources {
            files.entry(module).or_default().read(&tokens(&text));
        }
        Self { files }
    }

    /// Whether a module, or one above it, is compiled for tests only.
    fn is_test(&self, module: &[String]) -> bool {
        (0..module.len()).any(|depth| {
            let parent = self.files.get(&module[..depth]);
            parent.is_some_and(|parent| parent.tests.contains(&module[depth]))
        })
    }

    /// The module that defines the item of a path in the file of `module`; `None` if the path leads out of the crate.
    fn module_of(&self, module: &[String], path: &[String], depth: usize) -> Option<Module> {
        let (mut found, mut rest) = match path.first()?.as_str() {
            "crate" => (Module::new(), &path[1..]),
            "self" => (module.to_vec(), &path[1..]),
            "super" => (module[..module.len().checked_sub(1)?].to_vec(), &path[1..]),
            first if self.files.contains_key(&child(module, first)) => (module.to_vec(), path),
            _ => return None,
        };
        while let Some((next, after)) = rest.split_first() {
            if next == "super" {
                found.pop();
            } else if self.files.contains_key(&child(&found, next)) {
                found.push(next.clone());
            } else {
                let export = self.files.get(&found).and_then(|file| file.exports.get(next));
                return match export {
                    Some(path) if depth < 9 => self.module_of(&found, path, depth + 1),
                    _ => Some(found),
                };
            }
            rest = after;
        }
        Some(found)
    }

    /// The edges of each folder.
    fn edges(&self) -> BTreeMap<Module, BTreeMap<String, BTreeSet<String>>> {
        let mut edges = BTreeMap::<Module, BTreeMap<String, BTreeSet<String>>>::new();
        for (module, file) in self.files.iter().filter(|(module, _)| !self.is_test(module)) {
            let targets = file.paths.iter().filter_map(|path| self.module_of(module, path, 0));
            for target in targets.filter(|target| target != module && !self.is_test(target)) {
                let shared = module.iter().zip(&target).take_while(|(a, b)| a == b).count();
                let node = |of: &Module| of.get(shared).map_or(OWN_ITEMS, String::as_str).to_owned();
                let folder = edges.entry(module[..shared].to_vec()).or_default();
                folder.entry(node(module)).or_default().insert(node(&target));
            }
        }
        edges
    }

    /// One cycle of each folder that has any, as text.
    fn cycles(&self) -> Vec<String> {
        let cycle = |(folder, edges): (&Module, &BTreeMap<String, BTreeSet<String>>)| {
            let cycle = edges.keys().find_map(|start| shortest_cycle(start, edges))?;
            let folder = [&["crate".to_owned()], folder.as_slice()].concat().join("::");
            Some(format!("{folder}: {}", cycle.join(" → ")))
        };
        self.edges().iter().filter_map(cycle).collect()
    }
}

fn child(module: &[String], name: &str) -> Module {
    module.iter().cloned().chain([name.to_owned()]).collect()
}

/// The shortest path along edges from a node back to it.
fn shortest_cycle(start: &str, edges: &BTreeMap<String, BTreeSet<String>>) -> Option<Vec<String>> {
    let (mut seen, mut paths) = (BTreeSet::new(), vec![vec![start.to_owned()]]);
    while !paths.is_empty() {
        let mut longer = Vec::new();
        for path in paths {
            for next in edges.get(path.last()?).into_iter().flatten() {
                let path = path.iter().cloned().chain([next.clone()]).collect();
                if next == start {
                    return Some(path);
                }
                if seen.insert(next.clone()) {
                    longer.push(path);
                }
            }
        }
        paths = longer;
    }
    None
}

impl File {
    fn read(&mut self, tokens: &[String]) {
        let is = |index: usize, text: &str| tokens.get(index).is_some_and(|token| token == text);
        let (mut at, mut is_public, mut is_test) = (0, false, false);
        while at < tokens.len() {
            match tokens[at].as_str() {
                "#" if is(at + 1, "[") => {
                    let end = matching(tokens, at + 1);
                    is_test |= tokens[at..end].join("").starts_with("#[cfg(test)");
                    at = end + 1;
                }
                "pub" => {
                    is_public = true;
                    at = if is(at + 1, "(") { matching(tokens, at + 1) + 1 } else { at + 1 };
                }
                "mod" if is_test && is(at + 2, "{") => {
                    at = matching(tokens, at + 2) + 1;
                    (is_public, is_test) = (false, false);
                }
                "mod" if is_test => {
                    self.tests.insert(tokens[at + 1].clone());
                    at += 3;
                    (is_public, is_test) = (false, false);
                }
                "use" => {
                    let end = (at..tokens.len()).find(|index| is(*index, ";")).unwrap_or(tokens.len());
                    for (name, path) in use_paths(&[], &tokens[at + 1..end]) {
                        if is_public {
                            self.exports.insert(name, path);
                        } else if !is_test {
                            self.paths.push(path);
                        }
                    }
                    at = end + 1;
                    (is_public, is_test) = (false, false);
                }
                _ => {
                    let mut path = Vec::new();
                    while is_name(&tokens[at]) {
                        path.push(tokens[at].clone());
                        if !is(at + 1, "::") || !tokens.get(at + 2).is_some_and(|next| is_name(next)) {
                            break;
                        }
                        at += 2;
                    }
                    if path.len() > 1 {
                        self.paths.push(path);
                    }
                    at += 1;
                    (is_public, is_test) = (false, false);
                }
            }
        }
    }
}

/// The names and paths of a `use`.
fn use_paths(prefix: &[String], tokens: &[String]) -> Vec<(String, Vec<String>)> {
    let (mut all, mut path, mut at) = (Vec::new(), prefix.to_vec(), 0);
    let mut name = None;
    while at < tokens.len() {
        match tokens[at].as_str() {
            "{" => {
                let end = matching(tokens, at);
                let (mut start, mut depth) = (at + 1, 0);
                for index in at + 1..=end {
                    match tokens[index].as_str() {
                        "{" => depth += 1,
                        "}" if index < end => depth -= 1,
                        "," | "}" if depth == 0 => {
                            all.extend(use_paths(&path, &tokens[start..index]));
                            start = index + 1;
                        }
                        _ => {}
                    }
                }
                return all;
            }
            "::" | "*" => {}
            "self" if !path.is_empty() => {}
            "as" => name = tokens.get(at + 1).cloned(),
            _ if name.is_some() => {}
            part => path.push(part.to_owned()),
        }
        at += 1;
    }
    if path.len() > prefix.len() || !tokens.is_empty() {
        let name = name.or_else(|| path.last().cloned());
        all.extend(name.map(|name| (name, path)));
    }
    all
}

fn is_name(token: &str) -> bool {
    token.starts_with(|first: char| first.is_alphabetic() || first == '_')
}

/// The index of the bracket that closes the one at `open`.
fn matching(tokens: &[String], open: usize) -> usize {
    let mut depth = 0;
    for (index, token) in tokens.iter().enumerate().skip(open) {
        match token.as_str() {
            "{" | "[" | "(" => depth += 1,
            "}" | "]" | ")" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return index;
        }
    }
    tokens.len() - 1
}

/// The tokens of a source text: names, `::` and single other characters, without comments and literals.
fn tokens(text: &str) -> Vec<String> {
    let (mut tokens, mut rest) = (Vec::new(), text);
    while let Some(first) = rest.chars().next() {
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if let Some(length) = raw_string_length(rest) {
            length
        } else if first == '"' {
            quoted_length(rest, '"')
        } else if first == '\'' {
            quote_length(rest)
        } else if is_name(rest) {
            let length = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            tokens.push(rest[..length].to_owned());
            length
        } else if rest.starts_with("::") {
            tokens.push("::".to_owned());
            2
        } else {
            if !first.is_whitespace() {
                tokens.push(first.to_string());
            }
            first.len_utf8()
        };
        rest = &rest[length..];
    }
    tokens
}

/// The length of the raw string that the text begins with.
fn raw_string_length(text: &str) -> Option<usize> {
    let after = text.strip_prefix("br").or_else(|| text.strip_prefix('r'))?;
    let hashes = after.len() - after.trim_start_matches('#').len();
    let content = after[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    Some(text.len() - content.len() + content.find(&end)? + end.len())
}

/// The length of the quoted literal that the text begins with.
fn quoted_length(text: &str, quote: char) -> usize {
    let mut is_escaped = false;
    for (index, character) in text.char_indices().skip(1) {
        match character {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            _ if character == quote => return index + quote.len_utf8(),
            _ => {}
        }
    }
    text.len()
}

/// The length of a character literal, or 1 for the quote of a lifetime.
fn quote_length(text: &str) -> usize {
    let mut characters = text.chars().skip(1);
    match (characters.next(), characters.next()) {
        (Some('\\'), _) | (_, Some('\'')) => quoted_length(text, '\''),
        _ => 1,
    }
}
