//! What is wrong with a form: each problem is shown beside its field, and in a summary that leads there.

/// What is wrong with a field of a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    /// The id of the field's element.
    pub(crate) field: &'static str,
    /// The sentence that says what is wrong.
    pub(crate) message: String,
}

/// What is wrong with a form, in the order in which it was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Problems(Vec<Problem>);

impl Problems {
    /// Adds a problem with a field.
    pub(crate) fn add(&mut self, field: &'static str, message: impl Into<String>) {
        self.0.push(Problem { field, message: message.into() });
    }

    /// Whether nothing is wrong.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.0.iter()
    }

    /// What is wrong with a field.
    pub(crate) fn at<'a>(&'a self, field: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |problem| problem.field == field).map(|problem| problem.message.as_str())
    }

    /// Whether something is wrong with a field.
    pub(crate) fn has(&self, field: &str) -> bool {
        self.at(field).next().is_some()
    }

    /// Whether a field is the first that is wrong, so that it takes the focus.
    pub(crate) fn begin_with(&self, field: &str) -> bool {
        self.0.first().is_some_and(|problem| problem.field == field)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_wrong_field_takes_the_focus() {
        let mut problems = Problems::default();
        problems.add("project", "Which?");
        problems.add("ids", "No.");
        problems.add("project", "None.");
        assert_eq!(problems.at("project").collect::<Vec<_>>(), ["Which?", "None."]);
        assert!(problems.begin_with("project") && !problems.begin_with("ids") && problems.has("ids"));
        assert!(!problems.is_empty() && !problems.has("account"));
    }
}
