//! A page: its front matter, the description, the example, the attributes, and how a resource is imported.

use std::fmt::Write as _;

use super::{attributes, example};
use crate::schema::Schema;
use crate::server::Signature;
use crate::value::Type;

/// The name of the provider's page.
const INDEX: &str = "index";

/// What a page is about. The provider's own is the index.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Provider,
    Resource,
    DataSource,
    Ephemeral,
    List,
}

impl Kind {
    /// The folder of the pages and of the examples, the name of the example, and the word in the title.
    fn names(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Provider => ("provider", "provider.tf", "Provider"),
            Self::Resource => ("resources", "resource.tf", "Resource"),
            Self::DataSource => ("data-sources", "data-source.tf", "Data Source"),
            Self::Ephemeral => ("ephemeral-resources", "ephemeral-resource.tf", "Ephemeral Resource"),
            Self::List => ("list-resources", "list-resource.tfquery.hcl", "List Resource"),
        }
    }
}

/// A page about something with a schema.
pub(super) struct Page<'a> {
    kind: Kind,
    name: &'a str,
    description: &'static str,
    attributes: String,
    identity: Vec<(&'static str, bool)>,
}

impl<'a> Page<'a> {
    pub(super) fn new(kind: Kind, name: &'a str, schema: &Schema) -> Self {
        let attributes = attributes::section(schema);
        Self { kind, name, description: schema.description(), attributes, identity: Vec::new() }
    }

    /// The page of a resource that has this identity.
    pub(super) fn imported_by(self, identity: &'static [&'static str], schema: &Schema) -> Self {
        let is_text = |name: &str| {
            schema
                .attributes()
                .iter()
                .any(|attribute| attribute.name() == name && attribute.ty() == Type::String)
        };
        Self { identity: identity.iter().map(|name| (*name, is_text(name))).collect(), ..self }
    }

    /// Its path below `docs`.
    pub(super) fn path(&self) -> String {
        let short = self.name.strip_prefix("imageshare_").unwrap_or(self.name);
        match self.kind {
            Kind::Provider => format!("{INDEX}.md"),
            kind => format!("{}/{short}.md", kind.names().0),
        }
    }

    /// Its text.
    pub(super) fn text(&self) -> String {
        let (folder, file, word) = self.kind.names();
        let example = match self.kind {
            Kind::Provider => example(&format!("{folder}/{file}")),
            _ => example(&format!("{folder}/{}/{file}", self.name)),
        };
        let mut text = start(self.name, word, self.description, &example);
        text.push_str(&self.attributes);
        if self.kind == Kind::Resource {
            text.push_str(&self.import());
        }
        text
    }

    /// How a resource is imported: by its id, by a command and by a block, and by its identity.
    fn import(&self) -> String {
        let form: Vec<_> = self.identity.iter().map(|(name, _)| format!("<{name}>")).collect();
        let command = super::example(&format!("resources/{}/import.sh", self.name));
        let width = self.identity.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
        let mut identity = String::new();
        for (name, is_text) in &self.identity {
            let value = if *is_text { "\"…\"" } else { "[\"…\"]" };
            writeln!(identity, "    {name:width$} = {value}").unwrap();
        }
        let name = self.name;
        format!(
            "\n## Import\n\nBy its id, `{}`:\n\n```shell\n{command}```\n\nThe same in a block `import`, with `id = \"…\"`. Since \
             Terraform 1.12 the block takes the identity instead:\n\n```terraform\nimport {{\n  to = \
             {name}.example\n  identity = {{\n{identity}  }}\n}}\n```\n",
            form.join("/")
        )
    }
}

/// The page of a function.
pub(super) fn function(name: &str, signature: &Signature) -> String {
    let example = example(&format!("functions/{name}/function.tf"));
    let mut text = start(name, "Function", signature.description, &example);
    let parameters = signature.parameters.iter();
    let list: Vec<_> = parameters
        .clone()
        .map(|one| format!("{} {}", one.name, attributes::type_name(&one.ty).to_lowercase()))
        .collect();
    let result = attributes::type_name(&signature.result).to_lowercase();
    writeln!(text, "## Signature\n\n```text\n{name}({}) {result}\n```\n\n## Arguments\n", list.join(", "))
        .unwrap();
    for (position, one) in parameters.enumerate() {
        let ty = attributes::type_name(&one.ty);
        writeln!(text, "{}. `{}` ({ty}) {}", position + 1, one.name, one.description).unwrap();
    }
    text
}

/// What every page begins with.
fn start(name: &str, word: &str, description: &str, example: &str) -> String {
    let of = if word == "Provider" { String::new() } else { " - imageshare".to_owned() };
    format!(
        "---\npage_title: \"{name} {word}{of}\"\nsubcategory: \"\"\ndescription: |-\n  {description}\n---\n\n# {name} ({word})\n\n\
         {description}\n\n## Example Usage\n\n```terraform\n{example}```\n\n"
    )
}
