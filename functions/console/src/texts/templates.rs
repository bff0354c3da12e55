//! The templates contain no words: each comes from the texts.

use std::fs;
use std::path::Path;

/// The attributes that a visitor reads or hears.
const READ_ATTRIBUTES: [&str; 4] = ["label=\"", "title=\"", "placeholder=\"", "alt=\""];

/// The name of the program, which is the same in each language.
const NAME: &str = "imageshare";

/// Removes what is between two marks, and the marks.
fn without(text: &str, begin: &str, end: &str) -> String {
    let mut left = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(begin) {
        left.push_str(before);
        rest = after.split_once(end).map_or("", |(_, after)| after);
    }
    left + rest
}

/// The words of a template that are in none of its expressions.
fn words(template: &str) -> Vec<String> {
    // The macro `state` writes attributes of the tag around it.
    let expressions = [("macro state(", "endmacro"), ("{#", "#}"), ("{%", "%}"), ("{{", "}}")];
    let markup =
        expressions.iter().fold(template.to_owned(), |text, (begin, end)| without(&text, begin, end));
    let attributes = READ_ATTRIBUTES.iter().flat_map(|name| {
        // Also those that end like it: `aria-label`, and `data-label`, which shows a column in a narrow window.
        markup.split(name).skip(1).filter_map(|rest| rest.split('"').next()).map(str::to_owned)
    });
    let text = without(&without(&markup, "<", ">"), "&", ";");
    let found = attributes.chain([text]).flat_map(|text| {
        text.split(|letter: char| !letter.is_alphabetic()).map(str::to_owned).collect::<Vec<_>>()
    });
    found.filter(|word| !word.is_empty() && word != NAME).collect()
}

#[test]
fn templates_contain_no_words() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates");
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let found = words(&fs::read_to_string(&path).unwrap());
        assert_eq!(found, Vec::<String>::new(), "{}", path.display());
    }
}

#[test]
fn word_in_a_template_is_found() {
    assert_eq!(words("<p class=\"a\">{{ t.b }} Hello&nbsp;{% if x %}</p>"), ["Hello"]);
    assert_eq!(words("<a aria-label=\"{{ t.b }} Home\">1</a>"), ["Home"]);
}
