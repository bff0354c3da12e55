//! Rules between the attributes of a block.

use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::value::Object;

/// A rule over some attributes of a block, by their names.
#[derive(Debug, Clone)]
pub enum Rule {
    /// One of them is set, and only one.
    ExactlyOne(&'static [&'static str]),
    /// At most one of them is set.
    AtMostOne(&'static [&'static str]),
    /// At least one of them is set.
    AtLeastOne(&'static [&'static str]),
    /// All of them are set, or none.
    Together(&'static [&'static str]),
}

impl Rule {
    pub(super) fn attributes(&self) -> &'static [&'static str] {
        match self {
            Self::ExactlyOne(names)
            | Self::AtMostOne(names)
            | Self::AtLeastOne(names)
            | Self::Together(names) => names,
        }
    }

    /// Checks a configuration. An attribute that is unknown may turn out either way, so it violates nothing.
    pub(super) fn validate(&self, config: &Object, diagnostics: &mut Diagnostics) {
        let names = self.attributes();
        let set: Vec<_> = names.iter().copied().filter(|name| !config.get(name).is_null()).collect();
        let known = set.iter().copied().filter(|name| !config.get(name).is_unknown()).collect::<Vec<_>>();
        let list = names.join(", ");
        let several = |diagnostics: &mut Diagnostics| {
            if let [_, further @ ..] = known.as_slice() {
                for name in further {
                    let detail = format!("At most one of {list} can be set. Remove the others.");
                    diagnostics.push(Diagnostic::error("Conflicting attributes", detail).at(*name));
                }
            }
        };
        let missing = |diagnostics: &mut Diagnostics| {
            if set.is_empty() {
                let detail = format!("One of {list} has to be set.");
                diagnostics.push(Diagnostic::error("Missing attribute", detail));
            }
        };
        match self {
            Self::ExactlyOne(_) => {
                several(diagnostics);
                missing(diagnostics);
            }
            Self::AtMostOne(_) => several(diagnostics),
            Self::AtLeastOne(_) => missing(diagnostics),
            Self::Together(_) => {
                if let (Some(given), Some(absent)) =
                    (known.first(), names.iter().find(|name| config.get(name).is_null()))
                {
                    let detail = format!("{absent} has to be set too: {list} belong together.");
                    diagnostics.push(Diagnostic::error("Missing attribute", detail).at(*given));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Value;

    fn errors(rule: &Rule, set: &[(&str, Value)]) -> usize {
        let mut diagnostics = Diagnostics::default();
        rule.validate(&set.iter().cloned().collect(), &mut diagnostics);
        diagnostics.iter().count()
    }

    #[test]
    fn rules_count_what_is_set() {
        let names: &'static [&'static str] = &["a", "b", "c"];
        let one = [("a", Value::from("x"))];
        let two = [("a", Value::from("x")), ("c", Value::from("x"))];
        for (rule, none, with_one, with_two) in [
            (Rule::ExactlyOne(names), 1, 0, 1),
            (Rule::AtMostOne(names), 0, 0, 1),
            (Rule::AtLeastOne(names), 1, 0, 0),
            (Rule::Together(names), 0, 1, 1),
        ] {
            assert_eq!(
                (errors(&rule, &[]), errors(&rule, &one), errors(&rule, &two)),
                (none, with_one, with_two),
                "{rule:?}"
            );
        }
    }

    #[test]
    fn unknown_attribute_violates_no_rule() {
        let unknown = [("a", Value::from("x")), ("b", Value::unknown())];
        for rule in [Rule::ExactlyOne(&["a", "b"]), Rule::AtMostOne(&["a", "b"]), Rule::Together(&["a", "b"])]
        {
            assert_eq!(errors(&rule, &unknown), 0, "{rule:?}");
        }
        assert_eq!(errors(&Rule::ExactlyOne(&["a", "b"]), &[("b", Value::unknown())]), 0);
    }
}
