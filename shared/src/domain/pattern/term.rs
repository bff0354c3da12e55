//! The terms of a pattern: the members of its objects.

use serde_json::{Map, Value};

use super::condition::Condition;
use super::field::{Field, PROPERTIES};
use crate::domain::Image;

/// The member that lists alternatives.
pub(super) const OR: &str = "$or";

/// A member of a pattern.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Term {
    /// One of the conditions has to hold for a value of the field.
    Field(Field, Vec<Condition>),
    /// All of the terms, on properties, have to match.
    Properties(Vec<Term>),
    /// One of the alternatives has to match, each of which is terms that all have to.
    Or(Vec<Vec<Term>>),
}

/// Whether all terms of an object match.
pub(super) fn all_match(terms: &[Term], image: &Image) -> bool {
    terms.iter().all(|term| match term {
        Term::Field(field, conditions) => {
            let values = field.values(image);
            conditions.iter().any(|condition| condition.matches(&values))
        }
        Term::Properties(terms) => all_match(terms, image),
        Term::Or(alternatives) => alternatives.iter().any(|terms| all_match(terms, image)),
    })
}

/// The object of terms as JSON.
pub(super) fn terms_json(terms: &[Term]) -> Value {
    let member = |term: &Term| match term {
        Term::Field(field, conditions) => {
            (field.name().to_owned(), conditions.iter().map(Condition::to_json).collect())
        }
        Term::Properties(terms) => (PROPERTIES.to_owned(), terms_json(terms)),
        Term::Or(alternatives) => {
            (OR.to_owned(), alternatives.iter().map(|terms| terms_json(terms)).collect())
        }
    };
    Value::Object(terms.iter().map(member).collect::<Map<_, _>>())
}
