//! The projects that a form names: those that were added to its list, and the fields to add others by.

use std::fmt;
use std::str::FromStr;

use imageshare::domain::{MalformedId, Name, ResolveError, TenantId, TenantName};
use imageshare::usecases::{self, DirectoryError};

use crate::fields::Fields;
use crate::problems::Problems;
use crate::texts::{Texts, fill};
use crate::visit::Visit;
use crate::wording::Refusal;

/// The name of the hidden fields that have the list.
pub(crate) const RECIPIENT: &str = "recipient";

/// Separates the parts of a hidden field. No id and no name contains it.
const SEPARATOR: char = '\t';

/// A project in the list of a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Recipient {
    pub(crate) id: TenantId,
    /// Its account and its name, if it was found by them. They are shown and nothing else.
    pub(crate) names: Option<(Name, Name)>,
}

impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.id)?;
        match &self.names {
            Some((account, project)) => write!(f, "{SEPARATOR}{account}{SEPARATOR}{project}"),
            None => Ok(()),
        }
    }
}

impl FromStr for Recipient {
    type Err = MalformedId;

    fn from_str(text: &str) -> Result<Self, MalformedId> {
        let mut parts = text.split(SEPARATOR);
        let id = parts.next().unwrap_or_default().parse()?;
        let names = match (parts.next(), parts.next()) {
            (Some(account), Some(project)) => Some((account.parse()?, project.parse()?)),
            _ => None,
        };
        Ok(Self { id, names })
    }
}

/// The fields that name projects.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Naming {
    /// The name of an account.
    pub(crate) account: String,
    /// The name of a project, which is needed if the account has several.
    pub(crate) project: String,
    /// Ids of projects, separated by commas, spaces or lines.
    pub(crate) ids: String,
}

impl Naming {
    /// Reads the fields.
    pub(crate) fn read(fields: &Fields) -> Self {
        let text = |name| fields.text(name).to_owned();
        Self { account: text("account"), project: text("project"), ids: text("ids") }
    }

    /// Whether no field has a text.
    pub(crate) fn is_empty(&self) -> bool {
        self.account.is_empty() && self.project.is_empty() && self.ids.is_empty()
    }

    /// Adds the projects that the fields name to a list of at most `most`. The fields that were resolved are emptied,
    /// the others keep their text, and have their problems. Costs one read if an account is named, or one query if its
    /// project is not.
    ///
    /// # Errors
    /// [`Refusal`] if the table failed.
    pub(crate) async fn add_to(
        &mut self,
        visit: &Visit<'_>,
        list: &mut Vec<Recipient>,
        most: usize,
        problems: &mut Problems,
    ) -> Result<(), Refusal> {
        if self.is_empty() {
            problems.add("account", visit.texts.own.name_a_project);
        }
        if !self.account.is_empty() || !self.project.is_empty() {
            match self.find(visit).await? {
                Ok(found) => {
                    if let Err(message) = push(visit, list, found, most) {
                        problems.add("account", message);
                    } else {
                        self.account.clear();
                        self.project.clear();
                    }
                }
                Err((field, message)) => problems.add(field, message),
            }
        }
        let mut left = Vec::new();
        for text in self.ids.split([',', ';', ' ', '\t', '\r', '\n']).filter(|text| !text.is_empty()) {
            let added = match text.parse() {
                Ok(id) => push(visit, list, Recipient { id, names: None }, most),
                Err(MalformedId { .. }) => Err(fill(visit.texts.own.bad_project_id, &[("id", text)])),
            };
            if let Err(message) = added {
                problems.add("ids", message);
                left.push(text);
            }
        }
        self.ids = left.join(", ");
        Ok(())
    }

    /// Finds the project that the names mean, or the field that is wrong and why.
    async fn find(&self, visit: &Visit<'_>) -> Result<Result<Recipient, (&'static str, String)>, Refusal> {
        let texts = visit.texts;
        let Ok(account) = self.account.parse::<Name>() else {
            let message =
                if self.account.is_empty() { texts.own.name_the_account } else { texts.own.bad_name };
            return Ok(Err(("account", message.to_owned())));
        };
        let project = match self.project.as_str() {
            "" => None,
            text => match text.parse::<Name>() {
                Ok(name) => Some(name),
                Err(MalformedId { .. }) => return Ok(Err(("project", texts.own.bad_name.to_owned()))),
            },
        };
        match usecases::find_tenant(&visit.app, &TenantName { account, project }).await {
            Ok(entry) => Ok(Ok(Recipient { id: entry.tenant, names: Some((entry.account, entry.project)) })),
            Err(DirectoryError::Unresolved(problem)) => Ok(Err(self.unresolved(problem, visit.texts))),
            Err(DirectoryError::Store(problem)) => Err(problem.into()),
            Err(_) => Err(Refusal::NoSuchPage),
        }
    }

    /// The field that is wrong, and why, if the names do not mean one project.
    fn unresolved(&self, problem: ResolveError, texts: &Texts) -> (&'static str, String) {
        let names = [("account", self.account.as_str()), ("project", self.project.as_str())];
        match problem {
            ResolveError::Unknown if self.project.is_empty() => {
                ("account", fill(texts.own.unknown_account, &names))
            }
            ResolveError::Unknown => ("account", fill(texts.own.unknown_project, &names)),
            ResolveError::Ambiguous => ("project", fill(texts.own.several_projects, &names)),
            ResolveError::OtherRegion => ("account", fill(texts.own.other_region, &names)),
        }
    }
}

/// Adds a project to a list.
///
/// # Errors
/// Why it cannot be added, for the visitor.
fn push(visit: &Visit<'_>, list: &mut Vec<Recipient>, new: Recipient, most: usize) -> Result<(), String> {
    let texts = visit.texts;
    let id = [("id", new.id.as_str())];
    if new.id == visit.caller().tenant {
        return Err(fill(texts.own.own_project, &id));
    }
    if list.iter().any(|each| each.id == new.id) {
        return Err(fill(texts.own.added_already, &id));
    }
    if list.len() >= most {
        return Err(fill(texts.own.too_many_projects, &[("most", &most.to_string())]));
    }
    list.push(new);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recipient_survives_the_hidden_field() {
        for text in ["p-1", "p-1\tAcme \"&\" Söhne\tshop"] {
            assert_eq!(text.parse::<Recipient>().map(|each| each.to_string()).as_deref(), Ok(text));
        }
        for malformed in ["", "a b", "p-1\t\tshop", "p-1\tAcme\t "] {
            assert!(malformed.parse::<Recipient>().is_err(), "{malformed}");
        }
    }
}
