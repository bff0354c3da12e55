//! The words of a page that are not in the texts of the console. A page is rendered with texts that are marked (`⟦…⟧`), so a word
//! outside the marks comes from elsewhere.

use std::iter;

/// The attributes that a visitor reads or hears.
const READ_ATTRIBUTES: [&str; 6] = ["aria-label", "alt", "data-label", "label", "placeholder", "title"];

/// The elements whose text is no language: ids, names, moments, what a visitor has entered.
const WITHOUT_LANGUAGE: [&str; 6] = ["bdi", "code", "script", "style", "textarea", "time"];

/// The name of the program, which is the same in each language.
const NAME: &str = "imageshare";

/// The texts and attributes with a word outside the marks, without their marked parts.
pub fn unmarked_words(html: &str) -> Vec<String> {
    let mut texts = Vec::new();
    let mut skipped: Vec<&str> = Vec::new();
    let mut rest = html;
    while let Some((text, after)) = rest.split_once('<') {
        if skipped.is_empty() {
            texts.push(text);
        }
        let (tag, after) = after.split_once('>').unwrap_or((after, ""));
        let name = tag.trim_start_matches('/').split([' ', '\n']).next().unwrap_or_default();
        if WITHOUT_LANGUAGE.contains(&name) {
            if tag.starts_with('/') {
                skipped.pop();
            } else {
                skipped.push(name);
            }
        }
        texts.extend(READ_ATTRIBUTES.iter().filter_map(|name| attribute(tag, name)));
        // A choice whose text is its value is an id.
        rest = attribute(tag, "value")
            .filter(|_| name == "option")
            .and_then(|value| after.strip_prefix(value))
            .unwrap_or(after);
    }
    let left = texts.into_iter().chain(iter::once(rest)).map(without_marked);
    left.filter(|text| text.contains(char::is_alphabetic)).collect()
}

/// The value of an attribute of a tag.
fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    tag.split_once(&format!(" {name}=\""))?.1.split('"').next()
}

/// What is outside the marks, without references to characters and the program's name.
fn without_marked(text: &str) -> String {
    let (mut left, mut depth) = (String::new(), 0_usize);
    let mut is_reference = false;
    for character in text.chars() {
        match character {
            '⟦' => depth += 1,
            '⟧' => depth = depth.saturating_sub(1),
            '&' => is_reference = true,
            ';' if is_reference => is_reference = false,
            _ if depth > 0 || is_reference => {}
            _ => left.push(character),
        }
    }
    left.replace(NAME, "").trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn word_outside_the_marks_is_found() {
        let found = unmarked_words("<p>⟦One⟧ two <b title=\"Three\">4</b></p><code>five</code>");
        assert_eq!(found, ["two", "Three"]);
        assert_eq!(unmarked_words("<td data-label=\"⟦A⟧\"></td>left"), ["left"]);
    }

    #[test]
    fn texts_names_and_numbers_are_no_words() {
        for html in [
            "<title>⟦Images⟧ · imageshare</title>",
            "<p>⟦1 of ⟦2 images⟧ &#38; more⟧ (3)&nbsp;</p>",
            "<bdi>a <i>name</i></bdi> <time datetime=\"x\">2026 UTC</time>",
            "<option value=\"v-main\" selected>v-main</option>",
            "<input aria-label=\"⟦Select⟧\" value=\"text\">",
        ] {
            assert_eq!(unmarked_words(html), [""; 0], "{html}");
        }
    }
}
