//! The pages of the console and the fields of their forms, read from its sources, so that tests which attack all of them know a
//! new one without an entry of their own.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A page: its method, and its path below `/console`, with parameters in braces.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConsolePage {
    /// Whether a form is sent to it.
    pub is_form: bool,
    /// As `images/{id}`; empty for the first page.
    pub path: String,
}

/// What the sources of the console say of its pages.
pub struct ConsolePages {
    /// Every page and every form.
    pub pages: Vec<ConsolePage>,
    /// The names of all fields of queries and forms.
    pub fields: Vec<String>,
    /// The values that buttons and other fields have in the templates.
    pub values: Vec<String>,
}

impl ConsolePages {
    /// Reads the sources.
    ///
    /// # Panics
    /// If they cannot be read, or name no page.
    pub fn load() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../functions/console");
        let list = fs::read_to_string(root.join("src/pages/mod.rs")).expect("the list of pages");
        let mut pages: BTreeSet<ConsolePage> = list.lines().flat_map(pages_of_line).collect();
        // Those without a session have a list of their own.
        let ways = fs::read_to_string(root.join("src/pages/sign_in/mod.rs")).expect("the ways to sign in");
        for ConsolePage { is_form, path } in ways.lines().flat_map(pages_of_line) {
            let path = format!("sign-in/{path}").trim_end_matches('/').to_owned();
            pages.insert(ConsolePage { is_form, path });
        }
        pages.insert(ConsolePage { is_form: true, path: "sign-out".to_owned() });
        assert!(pages.len() > 5, "{pages:?}");
        let mut text = String::new();
        for file in files_below(&root.join("src")).into_iter().chain(files_below(&root.join("templates"))) {
            text += &fs::read_to_string(file).expect("a source");
        }
        let mut fields = BTreeSet::new();
        for before in [".text(\"", ".all(\"", ".parsed(\"", ".has(\"", " name=\""] {
            fields.extend(literals_after(&text, before));
        }
        let values = literals_after(&text, " value=\"").into_iter().collect();
        Self { pages: pages.into_iter().collect(), fields: fields.into_iter().collect(), values }
    }

    /// The pages that are opened, with each parameter replaced by what `value` has for it.
    pub fn opened(&self, value: impl Fn(&str) -> String) -> Vec<String> {
        self.paths(false, value)
    }

    /// The paths that forms are sent to, with each parameter replaced by what `value` has for it.
    pub fn sent(&self, value: impl Fn(&str) -> String) -> Vec<String> {
        self.paths(true, value)
    }

    fn paths(&self, is_form: bool, value: impl Fn(&str) -> String) -> Vec<String> {
        let chosen = self.pages.iter().filter(|page| page.is_form == is_form);
        let fill = |segment: &str| match segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
            Some(parameter) => value(parameter),
            None => segment.to_owned(),
        };
        chosen.map(|page| page.path.split('/').map(fill).collect::<Vec<_>>().join("/")).collect()
    }
}

/// The pages of a line such as `(false, ["images", id]) => …`; a parameter is a name without quotes.
fn pages_of_line(line: &str) -> Vec<ConsolePage> {
    let Some((arm, _)) = line.split_once("=>") else { return Vec::new() };
    let methods: &[bool] = match arm.trim_start() {
        arm if arm.starts_with("(false, ") => &[false],
        arm if arm.starts_with("(true, ") => &[true],
        arm if arm.starts_with("(_, ") => &[false, true],
        _ => return Vec::new(),
    };
    let lists = arm.split('[').skip(1).filter_map(|rest| rest.split_once(']')).map(|(list, _)| list);
    let paths = lists.map(|list| {
        let segments = list.split(',').map(str::trim).filter(|segment| !segment.is_empty());
        let segments = segments.map(|segment| match segment.strip_prefix('"') {
            Some(literal) => literal.trim_end_matches('"').to_owned(),
            None => format!("{{{segment}}}"),
        });
        segments.collect::<Vec<_>>().join("/")
    });
    paths
        .flat_map(|path| {
            methods.iter().map(move |is_form| ConsolePage { is_form: *is_form, path: path.clone() })
        })
        .collect()
}

/// The texts without braces between `before` and the next quote.
fn literals_after(text: &str, before: &str) -> BTreeSet<String> {
    let literals =
        text.split(before).skip(1).filter_map(|rest| rest.split_once('"')).map(|(literal, _)| literal);
    literals
        .filter(|literal| !literal.is_empty() && !literal.contains(['{', '\n']))
        .map(str::to_owned)
        .collect()
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder of the console") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files.extend(files_below(&path));
        } else {
            files.push(path);
        }
    }
    files.sort();
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a path that has one of the patterns may have the other as well.
    fn overlap(one: &str, other: &str) -> bool {
        let (one, other): (Vec<_>, Vec<_>) = (one.split('/').collect(), other.split('/').collect());
        let is_parameter = |segment: &str| segment.starts_with('{');
        let mut pairs = one.iter().zip(&other);
        one.len() == other.len() && pairs.all(|(a, b)| a == b || is_parameter(a) || is_parameter(b))
    }

    #[test]
    fn no_page_hides_that_of_a_thing_with_its_name() {
        assert!(overlap("images/new", "images/{id}") && !overlap("images/{id}/edit", "images/{id}"));
        let pages = ConsolePages::load().pages;
        for (number, page) in pages.iter().enumerate() {
            let others = pages.iter().skip(number + 1).filter(|other| other.is_form == page.is_form);
            for other in others.filter(|other| other.path != page.path) {
                assert!(!overlap(&page.path, &other.path), "{} and {}", page.path, other.path);
            }
        }
    }

    #[test]
    fn pages_are_found_in_the_list() {
        let find = |line: &str| {
            let pages = pages_of_line(line).into_iter().map(|page| (page.is_form, page.path));
            pages.collect::<Vec<_>>()
        };
        let both = vec![(false, String::new()), (false, String::new())];
        assert_eq!(find("        (false, [] | [\"\"]) => Ok(x),"), both);
        assert_eq!(
            find("(true, [\"images\", id, \"delete\"]) => y,"),
            [(true, "images/{id}/delete".to_owned())]
        );
        assert_eq!(find("(_, [\"a\"]) => y,").len(), 2);
        assert!(find("_ => Err(z),").is_empty());
    }
}
