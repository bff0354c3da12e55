//! Checks that what comments and documents cite exists in the repository. `contract/README.md` lists the forms of a citation.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Extensions of the files that are searched.
const EXTENSIONS: [&str; 9] = ["rs", "md", "yaml", "toml", "py", "tf", "html", "c", "txt"];

/// This file. Its examples cite what does not exist.
const EXAMPLES: &str = "tests/tests/service/references.rs";

/// The minimum number of citations: fewer mean that the search is broken.
const MIN_CITATIONS: usize = 200;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// A file with its lines joined, because a citation may continue on the next line of a comment.
struct Text {
    /// The path from the root of the repository.
    path: PathBuf,
    joined: String,
    /// The offset of each line in `joined`.
    starts: Vec<usize>,
}

impl Text {
    fn new(path: PathBuf, content: &str) -> Self {
        let (mut joined, mut starts) = (String::new(), Vec::new());
        for line in content.lines() {
            starts.push(joined.len());
            joined.push_str(without_comment_marker(line));
            joined.push(' ');
        }
        Self { path, joined, starts }
    }

    fn is_document(&self) -> bool {
        self.path.extension().is_some_and(|extension| extension == "md")
    }

    fn is_contract(&self) -> bool {
        self.path.starts_with("shared/contract")
    }

    /// `path:line` of an offset in `joined`.
    fn place(&self, at: usize) -> String {
        format!("{}:{}", self.path.display(), self.starts.partition_point(|start| *start <= at))
    }
}

fn without_comment_marker(line: &str) -> &str {
    let line = line.trim();
    ["//!", "///", "//"].iter().find_map(|marker| line.strip_prefix(marker)).unwrap_or(line).trim_start()
}

/// All source and document files of the repository.
fn texts() -> Vec<Text> {
    fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            let is_hidden = name.starts_with('.') && name != ".github";
            let is_skipped = is_hidden || ["target", "imageshare-data", "corpus"].contains(&name);
            if path.is_dir() && !is_skipped {
                collect(&path, found);
            } else if path
                .extension()
                .is_some_and(|extension| EXTENSIONS.iter().any(|known| extension == *known))
            {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    collect(&root(), &mut found);
    found.retain(|path| !path.ends_with(EXAMPLES));
    found.sort();
    let read = |path: &PathBuf| String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned();
    found.iter().map(|path| Text::new(path.strip_prefix(root()).unwrap().to_owned(), &read(path))).collect()
}

/// Everything that can be cited.
struct Sources {
    /// The numbered headings of each page of the contract, with the numbered rows and list items beneath them.
    pages: BTreeMap<String, BTreeMap<String, BTreeSet<String>>>,
    decisions: BTreeSet<String>,
    seeds: BTreeSet<String>,
}

impl Sources {
    fn read() -> Self {
        let folder = root().join("shared/contract");
        let page = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
        let mut pages = BTreeMap::new();
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "md") {
                let name = path.file_name().unwrap().to_str().unwrap().to_owned();
                pages.insert(name, sections(&fs::read_to_string(&path).unwrap()));
            }
        }
        let first_cells =
            |page: &str| page.lines().filter_map(first_cell).map(str::to_owned).collect::<Vec<_>>();
        let decisions =
            first_cells(&page("decisions.md")).into_iter().filter(|cell| is_number(cell)).collect();
        let seeds = first_cells(&page("seeds.md"));
        let seeds = seeds.iter().filter_map(|cell| cell.strip_prefix("seed ")).map(str::to_owned).collect();
        Self { pages, decisions, seeds }
    }

    fn has_section(&self, number: &str) -> bool {
        self.pages.values().any(|page| page.contains_key(number))
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn first_cell(line: &str) -> Option<&str> {
    line.strip_prefix("| ")?.split(" |").next().map(str::trim)
}

/// The numbered headings of a page, each with its numbered rows and list items.
fn sections(page: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut sections: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut current = None;
    for line in page.lines() {
        if line.starts_with('#') {
            let title = line.trim_start_matches('#').trim();
            let number = title.split(' ').next().unwrap_or_default();
            let is_numbered = reference(number).is_some_and(|(_, length)| length == number.len());
            current = is_numbered.then(|| number.to_owned());
            sections.extend(current.clone().map(|number| (number, BTreeSet::new())));
        } else if let Some(section) = current.as_ref().and_then(|number| sections.get_mut(number)) {
            let number = first_cell(line).or_else(|| line.split_once(". ").map(|(number, _)| number));
            section.extend(number.filter(|number| is_number(number)).map(str::to_owned));
        }
    }
    sections
}

/// A citation, and the parts of it that do not exist.
struct Citation {
    span: Range<usize>,
    missing: Vec<String>,
}

/// The number of a section, a decision or a row at the beginning of a text, and its length: `7`, `1.7`, `E` or `D.1`.
fn reference(text: &str) -> Option<(&str, usize)> {
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let is_letter = text.starts_with(|letter: char| letter.is_ascii_uppercase());
    let mut length = if is_letter { 1 } else { digits(text) };
    if let Some(rest) = text.get(length..).and_then(|rest| rest.strip_prefix('.')) {
        let fraction = digits(rest);
        length += if fraction > 0 { 1 + fraction } else { 0 };
    }
    let ends = !text[length..].starts_with(|next: char| next.is_alphanumeric() || next == '_');
    (length > 0 && ends).then(|| (&text[..length], length))
}

/// The text before the number of a list entry.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plain,
    Row,
}

/// A list such as ` 1.7`, ` 1, 17 and 19`, ` 2.1 to 2.4` or ` 0.1, rows 14 to 18` at the beginning of a text, and its length.
fn list(text: &str) -> (Vec<(Kind, String)>, usize) {
    let (mut entries, mut length): (Vec<(Kind, String)>, usize) = (Vec::new(), 0);
    loop {
        let rest = &text[length..];
        let separators: &[&str] = if entries.is_empty() { &[" "] } else { &[", ", " and ", " or ", " to "] };
        let Some(separator) = separators.iter().find(|separator| rest.starts_with(**separator)) else {
            break;
        };
        let named = &rest[separator.len()..];
        let words = ["rows ", "row ", "items ", "item "];
        let word = words.iter().find(|word| !entries.is_empty() && named.starts_with(**word));
        let Some((number, digits)) = reference(&named[word.map_or(0, |word| word.len())..]) else { break };
        let before = entries.last();
        let kind = match (word, before) {
            (Some(_), _) => Kind::Row,
            (None, Some((kind, _))) => *kind,
            (None, None) => Kind::Plain,
        };
        if *separator == " to " {
            let first = before.map(|(_, first)| first.clone()).unwrap_or_default();
            entries.extend(between(&first, number).into_iter().map(|number| (kind, number)));
        } else {
            entries.push((kind, number.to_owned()));
        }
        length += separator.len() + word.map_or(0, |word| word.len()) + digits;
    }
    (entries, length)
}

/// The numbers after the first, up to the last: `2.2`, `2.3`, `2.4` after `2.1`.
fn between(first: &str, last: &str) -> Vec<String> {
    let (prefix, to) = last.rsplit_once('.').map_or(("", last), |(prefix, to)| (prefix, to));
    let from = first.rsplit_once('.').map_or(first, |(_, from)| from);
    let (Ok(from), Ok(to)) = (from.parse::<u32>(), to.parse::<u32>()) else { return vec![last.to_owned()] };
    let width = if to.to_string().len() < last.len() && prefix.is_empty() { last.len() } else { 0 };
    let written =
        |number| if prefix.is_empty() { format!("{number:0width$}") } else { format!("{prefix}.{number}") };
    (from + 1..=to).map(written).collect()
}

/// The offsets after a word that begins there, in any case, if a number follows.
fn after_word<'a>(text: &'a str, lower: &'a str, word: &'a str) -> impl Iterator<Item = Range<usize>> + 'a {
    lower.match_indices(word).filter_map(move |(at, _)| {
        let begins = !text[..at].ends_with(|before: char| before.is_alphanumeric() || "_-#".contains(before));
        let rest = &text[at + word.len()..];
        (begins && rest.starts_with(' ')).then_some(at..at + word.len())
    })
}

/// Every citation of a text.
fn citations(text: &Text, sources: &Sources) -> Vec<Citation> {
    let joined = text.joined.as_str();
    let lower = joined.to_ascii_lowercase();
    let mut found = of_pages(joined, sources);
    let numbered = |word, are: &dyn Fn(&str) -> bool, takes: &dyn Fn(&str) -> bool| {
        let mut found = Vec::new();
        for place in after_word(joined, &lower, word) {
            let (mut entries, mut length) = list(&joined[place.end..]);
            if !word.ends_with('s') {
                entries.truncate(1);
                length = entries.first().map_or(0, |(_, number)| 1 + number.len());
            }
            if entries.first().is_some_and(|(_, number)| takes(number)) {
                let missing = entries.iter().filter(|(_, number)| !are(number));
                let missing = missing.map(|(_, number)| format!("{word} {number}")).collect();
                found.push(Citation { span: place.start..place.end + length, missing });
            }
        }
        found
    };
    let is_decision = |number: &str| sources.decisions.contains(number);
    let is_seed = |number: &str| sources.seeds.contains(number);
    let may_be_seed = |number: &str| number.len() == 3 && number.starts_with("00") && is_number(number);
    for word in ["decision", "decisions"] {
        found.extend(numbered(word, &is_decision, &is_number));
    }
    for word in ["seed", "seeds"] {
        found.extend(numbered(word, &is_seed, &may_be_seed));
    }
    for word in ["section", "sections"].into_iter().filter(|_| text.is_contract()) {
        found.extend(numbered(word, &|number| sources.has_section(number), &|_| true));
    }
    for word in ["issue", "issues"] {
        // An issue is outside the repository.
        found.extend(numbered(word, &|_| false, &is_number));
    }
    found
}

/// The citations of the contract's pages.
fn of_pages(joined: &str, sources: &Sources) -> Vec<Citation> {
    let mut found = Vec::new();
    for (at, folder) in joined.match_indices("contract/") {
        let name = &joined[at + folder.len()..];
        let letters = name.bytes().take_while(u8::is_ascii_alphabetic).count();
        let Some(rest) = name[letters..].strip_prefix(".md") else { continue };
        let name = &name[..letters + ".md".len()];
        let quote = usize::from(rest.starts_with('`'));
        let is_quoted = joined[..at].ends_with('`');
        let start = at - usize::from(is_quoted);
        let mut end = at + folder.len() + name.len() + quote;
        let mut missing = Vec::new();
        match sources.pages.get(name) {
            None => missing.push(format!("contract/{name}")),
            Some(page) => {
                let (entries, length) = list(&rest[quote..]);
                // The capital letter may belong to the next word of the sentence.
                let is_prose = entries.first().is_some_and(|(_, first)| {
                    first.len() == 1 && !is_number(first) && !page.contains_key(first)
                });
                if !is_prose {
                    end += length;
                    missing.extend(missing_of(name, page, &entries, sources));
                }
            }
        }
        found.push(Citation { span: start..end, missing });
    }
    found
}

fn missing_of(
    name: &str,
    page: &BTreeMap<String, BTreeSet<String>>,
    entries: &[(Kind, String)],
    sources: &Sources,
) -> Vec<String> {
    let mut section = None;
    let mut missing = Vec::new();
    for (kind, number) in entries {
        let exists = match kind {
            Kind::Plain if name == "decisions.md" => sources.decisions.contains(number),
            Kind::Plain => {
                section = page.get(number);
                section.is_some()
            }
            Kind::Row => section.is_some_and(|rows| rows.contains(number)),
        };
        if !exists {
            missing.push(format!("contract/{name} {number}"));
        }
    }
    missing
}

/// The longest path at the start of a text.
fn path_of(text: &str) -> &str {
    let is_path = |byte: &u8| byte.is_ascii_alphanumeric() || b"_./-".contains(byte);
    &text[..text.bytes().take_while(|byte| is_path(byte)).count()]
}

/// The paths in a text: in backquotes, and in source files Markdown pages without them.
fn paths(text: &Text) -> Vec<(usize, &str)> {
    let ignored = fs::read_to_string(root().join(".gitignore")).unwrap();
    let is_ignored =
        |path: &str| ignored.lines().any(|line| line.trim_matches('/') == path.trim_matches('/'));
    let folders: Vec<_> = fs::read_dir(root()).unwrap().map(|entry| entry.unwrap()).collect();
    let is_top = |name: &str| folders.iter().any(|top| top.path().is_dir() && top.file_name() == name);
    let joined = text.joined.as_str();
    let mut found = Vec::new();
    for (at, _) in joined.match_indices('`') {
        let path = path_of(&joined[at + 1..]);
        let rest = &joined[at + 1 + path.len()..];
        // The text of a link is not a path; its target is checked.
        let is_quoted = rest.starts_with('`') && !rest.starts_with("`](") && !path.starts_with('/');
        let is_file =
            Path::new(path).extension().is_some_and(|extension| extension == "rs" || extension == "md");
        let is_inside = path.split_once('/').is_some_and(|(top, _)| is_top(top))
            && text.is_document()
            && !is_ignored(path);
        if is_quoted && (is_file || is_inside) && path.len() > ".rs".len() {
            found.push((at, path));
        }
    }
    if !text.is_document() {
        for (at, _) in joined.match_indices(".md") {
            let is_path = |letter: char| letter.is_ascii_alphanumeric() || "_./-".contains(letter);
            let start = joined[..at]
                .rfind(|letter| !is_path(letter))
                .map_or(0, |before| before + joined[before..].chars().next().map_or(1, char::len_utf8));
            let ends = !joined[at + 3..].starts_with(char::is_alphanumeric);
            if ends && start < at {
                found.push((start, &joined[start..at + 3]));
            }
        }
    }
    found
}

/// Whether a file or folder exists at this path, relative to a file or to one of the folders around it. Documents
/// name tests relative to `tests/tests`, comments name pages of the contract relative to `shared`.
fn exists(from: &Path, path: &str) -> bool {
    let root = root();
    let from_path = root.join(from);
    let from_path = from_path.ancestors().skip(1).take_while(|folder| folder.starts_with(&root));
    let folders = from_path.flat_map(|folder| [folder.to_owned(), folder.join("src")]);
    folders
        .chain([root.join("tests/tests"), root.join("shared"), root.join("shared/src")])
        .any(|folder| folder.join(path).exists())
}

/// The anchors of a Markdown page: its headings, and those that it sets itself.
fn anchors(page: &str) -> BTreeSet<String> {
    let set = page.lines().filter_map(|line| line.strip_prefix("<a id=\"")?.split('"').next());
    let headings = page.lines().filter(|line| line.starts_with('#'));
    let kept = |letter: char| match letter {
        ' ' => Some('-'),
        letter if letter.is_alphanumeric() || "_-".contains(letter) => Some(letter.to_ascii_lowercase()),
        _ => None,
    };
    let headings =
        headings.map(|line| line.trim_start_matches('#').trim().chars().filter_map(kept).collect());
    headings.chain(set.map(str::to_owned)).collect()
}

/// The relative links of a document without a target.
fn dead_links(text: &Text) -> Vec<String> {
    let joined = text.joined.as_str();
    let links = joined.match_indices("](").filter_map(|(at, opening)| {
        let target = joined[at + opening.len()..].split(')').next()?;
        (!target.contains("://") && !target.contains(' ')).then_some((at, target))
    });
    let leads_nowhere = |target: &str| {
        let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
        let file = root().join(&text.path);
        let file = if path.is_empty() { file } else { file.parent().unwrap().join(path) };
        !file.exists()
            || (!anchor.is_empty() && !anchors(&fs::read_to_string(file).unwrap()).contains(anchor))
    };
    links
        .filter(|(_, target)| leads_nowhere(target))
        .map(|(at, target)| format!("{}: {target}", text.place(at)))
        .collect()
}

#[test]
fn every_citation_resolves() {
    let sources = Sources::read();
    let (mut count, mut unresolved) = (0, Vec::new());
    for text in texts() {
        for citation in citations(&text, &sources) {
            count += 1;
            let place = text.place(citation.span.start);
            unresolved.extend(citation.missing.iter().map(|what| format!("{place}: {what}")));
        }
    }
    assert!(unresolved.is_empty(), "nothing in the repository is called so:\n{}", unresolved.join("\n"));
    assert!(count >= MIN_CITATIONS, "{count} citations found");
}

#[test]
fn every_named_file_exists() {
    let mut missing = Vec::new();
    for text in texts() {
        for (at, path) in paths(&text) {
            if !exists(&text.path, path) {
                missing.push(format!("{}: {path}", text.place(at)));
            }
        }
    }
    assert!(missing.is_empty(), "no such file:\n{}", missing.join("\n"));
}

#[test]
fn every_relative_link_leads_to_a_file_and_its_heading() {
    let texts = texts();
    let dead: Vec<_> = texts.iter().filter(|text| text.is_document()).flat_map(dead_links).collect();
    assert!(dead.is_empty(), "these links lead nowhere:\n{}", dead.join("\n"));
}

#[test]
fn rules_cite_their_sources_in_the_forms_of_the_contract() {
    let sources = Sources::read();
    let rules = fs::read_to_string(root().join("shared/RULES.md")).unwrap();
    let rows = rules.lines().filter(|line| line.starts_with("| ")).skip(1);
    let mut count = 0;
    for row in rows {
        let cell = row.split(" | ").nth(1).unwrap();
        let text = Text::new("shared/RULES.md".into(), cell);
        let mut rest = text.joined.clone();
        for citation in citations(&text, &sources) {
            rest.replace_range(citation.span.clone(), &" ".repeat(citation.span.len()));
        }
        let rest = rest.replace([',', ' '], "");
        assert!(["", "–", "thedeployment"].contains(&rest.as_str()), "{cell}: {rest}");
        count += 1;
    }
    assert!(count > 50, "{count} rules");
}

#[test]
fn citation_that_does_not_resolve_is_found_with_its_line() {
    let sources = Sources::read();
    for (cited, missing) in [
        ("// see decision 999.", vec!["decision 999"]),
        ("// `contract/ims.md`\n// 1.7, 1.99)", vec!["contract/ims.md 1.99"]),
        ("// `contract/glance.md` 2.11 to 2.13;", vec!["contract/glance.md 2.13"]),
        ("// `contract/README.md` 0.1, rows 18 to 20", vec!["contract/README.md 20"]),
        ("// `contract/decisions.md` 1 and 99", vec!["contract/decisions.md 99"]),
        ("// `contract/nothing.md` 1.1", vec!["contract/nothing.md"]),
        ("// Seed 004 and seeds 000 to 002", vec!["seed 004"]),
        ("// decisions 2 to 4, 14 and 98", vec!["decisions 98"]),
        ("// issue 11", vec!["issue 11"]),
        ("// `contract/ims.md` A sentence", vec![]),
        ("// Its seed 1234 is random", vec![]),
        ("// the ten decisions of a day", vec![]),
    ] {
        let text = Text::new("a.rs".into(), &format!("\n{cited}"));
        let found = citations(&text, &sources);
        let found: Vec<_> = found
            .iter()
            .flat_map(|citation| {
                citation.missing.iter().map(|what| (text.place(citation.span.start), what.as_str()))
            })
            .collect();
        let expected: Vec<_> = missing.into_iter().map(|what| ("a.rs:2".to_owned(), what)).collect();
        assert_eq!(found, expected, "{cited}");
    }
}

#[test]
fn file_that_does_not_exist_is_found() {
    let named =
        |name: &str| Text::new(format!("shared/{name}").into(), "See `domain/none.rs`, `domain/ids.rs`.");
    for name in ["A.md", "src/a.rs"] {
        let text = named(name);
        let found = paths(&text);
        let missing: Vec<_> = found.iter().filter(|(_, path)| !exists(&text.path, path)).collect();
        assert_eq!((found.len(), missing.len()), (2, 1), "{name}: {found:?}");
    }
    let text =
        Text::new("README.md".into(), "[a](shared/RULES.md#order) [b](shared/RULES.md#none) [c](none.md)");
    assert_eq!(dead_links(&text), ["README.md:1: shared/RULES.md#none", "README.md:1: none.md"]);
}
