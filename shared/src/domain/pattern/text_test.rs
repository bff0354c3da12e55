//! Conditions on a text: its beginning, its end, its letters in any case, or a wildcard.

use serde_json::{Value, json};

/// A condition on a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum TextTest {
    Prefix(Affix),
    Suffix(Affix),
    EqualsIgnoreCase(String),
    Wildcard(Wildcard),
}

/// A beginning or an end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Affix {
    pub(super) text: String,
    pub(super) ignores_case: bool,
}

/// The names of [`TextTest`]s in JSON.
pub(super) const PREFIX: &str = "prefix";
pub(super) const SUFFIX: &str = "suffix";
pub(super) const EQUALS_IGNORE_CASE: &str = "equals-ignore-case";
pub(super) const WILDCARD: &str = "wildcard";

impl TextTest {
    pub(super) fn matches(&self, text: &str) -> bool {
        match self {
            Self::Prefix(affix) => affix.is_in(text, |value, affix| value.starts_with(affix)),
            Self::Suffix(affix) => affix.is_in(text, |value, affix| value.ends_with(affix)),
            Self::EqualsIgnoreCase(other) => fold(text) == fold(other),
            Self::Wildcard(wildcard) => wildcard.matches(text),
        }
    }

    /// Its name in JSON.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Prefix(_) => PREFIX,
            Self::Suffix(_) => SUFFIX,
            Self::EqualsIgnoreCase(_) => EQUALS_IGNORE_CASE,
            Self::Wildcard(_) => WILDCARD,
        }
    }

    /// Its value in JSON.
    pub(super) fn value_json(&self) -> Value {
        match self {
            Self::Prefix(affix) | Self::Suffix(affix) => affix.to_json(),
            Self::EqualsIgnoreCase(text) => json!(text),
            Self::Wildcard(wildcard) => json!(wildcard.to_text()),
        }
    }
}

impl Affix {
    fn is_in(&self, value: &str, is_affix: fn(&str, &str) -> bool) -> bool {
        if self.ignores_case {
            is_affix(&fold(value), &fold(&self.text))
        } else {
            is_affix(value, &self.text)
        }
    }

    fn to_json(&self) -> Value {
        if self.ignores_case { json!({ EQUALS_IGNORE_CASE: self.text }) } else { json!(self.text) }
    }
}

/// The text in lower case, letter by letter, so that the beginning of a text folds to the beginning of its fold.
fn fold(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).collect()
}

/// A text with `*` in it, each of which stands for any characters, or none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wildcard {
    /// The text before the first `*`, or all of it if there is none.
    first: String,
    /// The texts after each `*`. Only the last may be empty.
    rest: Vec<String>,
}

/// The maximum number of `*` in a wildcard.
const MAX_STARS: usize = 3;

impl Wildcard {
    /// What a valid wildcard looks like.
    pub(super) const EXPECTED: &'static str = "a text with at most three *, no two of them side by side; write \\* for the character *, and \\\\ for \\";

    /// Parses a wildcard; `None` if it is not [`Self::EXPECTED`].
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut parts = vec![String::new()];
        let mut chars = text.chars();
        while let Some(char) = chars.next() {
            let literal = match char {
                '*' => None,
                '\\' => Some(chars.next().filter(|escaped| matches!(escaped, '*' | '\\'))?),
                other => Some(other),
            };
            match (literal, parts.last_mut()) {
                (Some(literal), Some(last)) => last.push(literal),
                _ => parts.push(String::new()),
            }
        }
        let mut parts = parts.into_iter();
        let (first, rest) = (parts.next()?, parts.collect::<Vec<_>>());
        let (_, between) = rest.split_last().unwrap_or((&first, &[]));
        (rest.len() <= MAX_STARS && !between.iter().any(String::is_empty)).then_some(Self { first, rest })
    }

    /// Takes the earliest place of each part, which leaves the most room for the parts after it. So no part is looked
    /// for twice.
    fn matches(&self, text: &str) -> bool {
        let Some((last, between)) = self.rest.split_last() else { return text == self.first };
        let Some(mut remaining) = text.strip_prefix(self.first.as_str()) else { return false };
        for part in between {
            let Some((_, after)) = remaining.split_once(part.as_str()) else { return false };
            remaining = after;
        }
        remaining.ends_with(last.as_str())
    }

    fn to_text(&self) -> String {
        let escape = |part: &String| part.replace('\\', "\\\\").replace('*', "\\*");
        let parts: Vec<_> = std::iter::once(&self.first).chain(&self.rest).map(escape).collect();
        parts.join("*")
    }
}
