//! Renders the OpenAPI document as one self-contained HTML page without scripts.

use std::fmt::{self, Write};

use serde_norway::{Mapping, Value};

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

const STYLE: &str = "
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1c1c1c; background: #fff }
code, pre { font-family: ui-monospace, monospace; font-size: .9em }
pre { background: #f4f4f4; padding: .75rem; overflow-x: auto }
h2 { border-bottom: 1px solid #ccc; margin-top: 3rem } h3 { margin-top: 2rem }
table { border-collapse: collapse; width: 100% } th, td { text-align: left; vertical-align: top; padding: .25rem .75rem .25rem 0; border-bottom: 1px solid #eee }
.method { font-weight: bold; text-transform: uppercase }
@media (prefers-color-scheme: dark) { body { color: #ddd; background: #181818 } pre { background: #262626 } a { color: #8ab4f8 } th, td { border-color: #333 } }
";

/// Renders a document as HTML.
pub(crate) fn render(document: &Value) -> Result<String, fmt::Error> {
    let page = Page { document };
    let mut html = String::new();
    page.write(&mut html)?;
    Ok(html)
}

struct Page<'a> {
    document: &'a Value,
}

/// An operation with its path.
struct Operation<'a> {
    path: &'a str,
    method: &'static str,
    item: &'a Value,
    /// The operation object of the document.
    entry: &'a Value,
}

impl<'a> Page<'a> {
    fn write(&self, out: &mut String) -> fmt::Result {
        let info = member(self.document, "info");
        let title = format!("{} {}", text(info, "title"), text(info, "version"));
        write!(
            out,
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
             <title>{0}</title><style>{STYLE}</style></head><body>\n<h1>{0}</h1>\n",
            escape(&title)
        )?;
        write_prose(out, text(info, "description"))?;
        out.push_str(
            "<p>For programs: <a href=\"openapi.yaml\">openapi.yaml</a>, <a href=\"openapi.json\">openapi.json</a>.</p>\n<ul>\n",
        );
        for tag in sequence(self.document, "tags") {
            let (name, description) = (escape(text(tag, "name")), render_inline(text(tag, "description")));
            writeln!(out, "<li><a href=\"#{name}\">{name}</a>: {description}</li>")?;
        }
        out.push_str("<li><a href=\"#schemas\">schemas</a>: The schemas of bodies.</li>\n</ul>\n");
        let operations = self.operations();
        for tag in sequence(self.document, "tags") {
            let name = text(tag, "name");
            writeln!(out, "<h2 id=\"{0}\">{0}</h2>", escape(name))?;
            for operation in operations.iter().filter(|operation| operation.tag() == name) {
                self.write_operation(out, operation)?;
            }
        }
        self.write_schemas(out)?;
        out.push_str("</body></html>\n");
        Ok(())
    }

    fn operations(&self) -> Vec<Operation<'a>> {
        let mut operations = Vec::new();
        for (path, item) in mapping(self.document, "paths").into_iter().flatten() {
            for method in METHODS {
                if let (Some(path), Some(entry)) = (path.as_str(), item.get(method)) {
                    operations.push(Operation { path, method, item, entry });
                }
            }
        }
        operations
    }

    fn write_operation(&self, out: &mut String, operation: &Operation<'a>) -> fmt::Result {
        let Operation { path, method, item, entry } = operation;
        let id = escape(text(entry, "operationId"));
        writeln!(
            out,
            "<h3 id=\"{id}\"><code><span class=\"method\">{method}</span> {}</code></h3>\n<p>{}.</p>",
            escape(path),
            render_inline(text(entry, "summary"))
        )?;
        write_prose(out, text(entry, "description"))?;
        if entry.get("security").and_then(Value::as_sequence).is_some_and(Vec::is_empty) {
            out.push_str("<p>No credential is needed.</p>\n");
        }
        let parameters = sequence(item, "parameters").iter().chain(sequence(entry, "parameters"));
        let parameters: Vec<_> = parameters.map(|parameter| self.resolve(parameter)).collect();
        if !parameters.is_empty() {
            out.push_str("<table><tr><th>parameter</th><th>in</th><th>description</th></tr>\n");
            for parameter in parameters {
                let schema = summarise_schema(member(parameter, "schema"));
                let (name, location) = (escape(text(parameter, "name")), escape(text(parameter, "in")));
                let description = render_inline(text(parameter, "description"));
                writeln!(
                    out,
                    "<tr><td><code>{name}</code></td><td>{location}</td><td>{description} {schema}</td></tr>"
                )?;
            }
            out.push_str("</table>\n");
        }
        if let Some(body) = entry.get("requestBody") {
            let body = self.resolve(body);
            writeln!(
                out,
                "<p>Body: {} {}</p>",
                render_inline(text(body, "description")),
                content_types(body)
            )?;
        }
        out.push_str("<table><tr><th>status</th><th>response</th></tr>\n");
        for (status, response) in mapping(entry, "responses").into_iter().flatten() {
            let response = self.resolve(response);
            let (status, description) =
                (escape(status.as_str().unwrap_or_default()), render_inline(text(response, "description")));
            writeln!(out, "<tr><td>{status}</td><td>{description} {}</td></tr>", content_types(response))?;
        }
        out.push_str("</table>\n");
        Ok(())
    }

    fn write_schemas(&self, out: &mut String) -> fmt::Result {
        out.push_str("<h2 id=\"schemas\">schemas</h2>\n");
        for (name, schema) in mapping(member(self.document, "components"), "schemas").into_iter().flatten() {
            let name = escape(name.as_str().unwrap_or_default());
            let source = serde_norway::to_string(schema).map_err(|_| fmt::Error)?;
            writeln!(out, "<h3 id=\"schema-{name}\">{name}</h3>\n<pre>{}</pre>", escape(&source))?;
        }
        Ok(())
    }

    /// Follows a `$ref`; returns any other value unchanged.
    fn resolve(&self, value: &'a Value) -> &'a Value {
        let Some(path) = value.get("$ref").and_then(Value::as_str) else { return value };
        path.trim_start_matches("#/").split('/').fold(self.document, member)
    }
}

impl Operation<'_> {
    /// Returns the tag whose section shows the operation.
    fn tag(&self) -> &str {
        sequence(self.entry, "tags").first().and_then(Value::as_str).unwrap_or_default()
    }
}

/// Renders the content types of a body with their schemas.
fn content_types(body: &Value) -> String {
    let content_types = mapping(body, "content").into_iter().flatten();
    let content_types = content_types.map(|(kind, content)| {
        let kind = escape(kind.as_str().unwrap_or_default());
        format!("<code>{kind}</code> {}", summarise_schema(member(content, "schema")))
    });
    content_types.collect::<Vec<_>>().join(", ")
}

/// Summarises a schema: a link if it is named, or else its type or values.
fn summarise_schema(schema: &Value) -> String {
    if let Some(name) = schema.get("$ref").and_then(Value::as_str).and_then(|path| path.rsplit('/').next()) {
        let name = escape(name);
        return format!("<a href=\"#schema-{name}\">{name}</a>");
    }
    match text(schema, "type") {
        "array" => format!("array of {}", summarise_schema(member(schema, "items"))),
        kind => {
            let values = sequence(schema, "enum").iter().filter_map(Value::as_str);
            let values: Vec<_> = values.map(|word| format!("<code>{}</code>", escape(word))).collect();
            if values.is_empty() { escape(kind) } else { values.join(" or ") }
        }
    }
}

fn member<'a>(value: &'a Value, name: &str) -> &'a Value {
    value.get(name).unwrap_or(&Value::Null)
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn sequence<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_sequence).map(Vec::as_slice).unwrap_or_default()
}

fn mapping<'a>(value: &'a Value, name: &str) -> Option<&'a Mapping> {
    value.get(name).and_then(Value::as_mapping)
}

/// Writes a description as paragraphs.
fn write_prose(out: &mut String, text: &str) -> fmt::Result {
    for paragraph in text.split("\n\n").filter(|paragraph| !paragraph.trim().is_empty()) {
        writeln!(out, "<p>{}</p>", render_inline(paragraph.trim()))?;
    }
    Ok(())
}

/// Escapes a text and renders what is between backticks as code.
fn render_inline(text: &str) -> String {
    let parts = text.split('`').enumerate();
    let parts = parts.map(|(number, part)| match number % 2 {
        0 => escape(part),
        _ => format!("<code>{}</code>", escape(part)),
    });
    parts.collect()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
