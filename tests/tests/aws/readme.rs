//! The tables of inputs and outputs in the module's README are those of its files.

use std::fmt::Write as _;
use std::fs;

use super::workspace;

const BEGIN: &str = "<!-- BEGIN_TF_DOCS -->\n";
const END: &str = "<!-- END_TF_DOCS -->";

/// A block `variable "NAME" { … }` or `output "NAME" { … }`.
#[derive(Debug, Default, PartialEq, Eq)]
struct Block {
    name: String,
    description: String,
    kind: String,
    default: Option<String>,
}

/// The blocks of that kind, in their order.
fn blocks(text: &str, kind: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let opening = format!("{kind} \"");
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let Some(name) = line.strip_prefix(&opening).and_then(|rest| rest.split('"').next()) else {
            continue;
        };
        let body: Vec<&str> = lines.by_ref().take_while(|line| *line != "}").collect();
        blocks.push(Block {
            name: name.to_owned(),
            description: description(&attribute(&body, "description").expect("a description")),
            kind: attribute(&body, "type").unwrap_or_default(),
            default: attribute(&body, "default"),
        });
    }
    blocks
}

/// The text of an attribute of a block, on one line: up to the next line that is not indented further.
fn attribute(body: &[&str], name: &str) -> Option<String> {
    let is_start = |line: &&str| {
        line.strip_prefix("  ").is_some_and(|line| line.split_whitespace().next() == Some(name))
    };
    let start = body.iter().position(is_start)?;
    let mut text = body[start].split_once('=')?.1.trim().to_owned();
    for line in body[start + 1..].iter().take_while(|line| line.starts_with("   ") || is_closing(line)) {
        // Members of an object stand on lines of their own, without commas.
        let is_member = name == "type" && !text.ends_with('{') && !is_closing(line);
        text.push_str(if is_member { ", " } else { " " });
        text.push_str(line.trim());
    }
    Some(text.trim().to_owned())
}

fn is_closing(line: &str) -> bool {
    line.strip_prefix("  ").is_some_and(|line| line == "EOT" || line.starts_with(['}', ']', ')']))
}

/// A quoted text or a heredoc as it reads.
fn description(text: &str) -> String {
    let heredoc = text.strip_prefix("<<-EOT").and_then(|text| text.strip_suffix("EOT"));
    heredoc.unwrap_or_else(|| text.trim_matches('"')).trim().replace("\\\"", "\"")
}

/// Both tables.
fn tables(variables: &str, outputs: &str) -> String {
    let cell = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|");
    let code = |text: &str| format!("`{}`", cell(text));
    let mut tables = "| input | what | type | default |\n|---|---|---|---|\n".to_owned();
    for Block { name, description, kind, default } in blocks(variables, "variable") {
        let default = default.as_deref().map_or_else(|| "required".to_owned(), code);
        writeln!(tables, "| `{name}` | {} | {} | {default} |", cell(&description), code(&kind)).unwrap();
    }
    tables.push_str("\n| output | what |\n|---|---|\n");
    for Block { name, description, .. } in blocks(outputs, "output") {
        writeln!(tables, "| `{name}` | {} |", cell(&description)).unwrap();
    }
    tables
}

#[test]
fn readme_has_every_input_and_output() {
    let module = workspace().join("infra/aws");
    let read = |name: &str| fs::read_to_string(module.join(name)).unwrap();
    let readme = read("README.md");
    let (before, rest) = readme.split_once(BEGIN).unwrap();
    let (found, after) = rest.split_once(END).unwrap();
    let expected = tables(&read("variables.tf"), &read("outputs.tf"));
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        fs::write(module.join("README.md"), format!("{before}{BEGIN}{expected}{END}{after}")).unwrap();
    } else {
        assert!(found == expected, "the README's tables are out of date: UPDATE_SNAPSHOTS=1 writes them");
    }
}

#[test]
fn block_is_read_with_its_type_and_default() {
    let text = r#"
variable "table" {
  description = <<-EOT
    First
    and "second".
  EOT
  type = object({
    days    = optional(number, 35)
    protect = optional(bool, true)
  })
  default = {}

  validation {
    condition     = true
    error_message = "No."
  }
}
"#;
    let expected = Block {
        name: "table".to_owned(),
        description: "First and \"second\".".to_owned(),
        kind: "object({ days    = optional(number, 35), protect = optional(bool, true) })".to_owned(),
        default: Some("{}".to_owned()),
    };
    assert_eq!(blocks(text, "variable"), [expected]);
}
