//! The two formats of a response, which the parameter `Format` selects. The default is JSON, as the SDKs expect it,
//! although Alibaba's own default for a call without an SDK is XML.

use std::fmt::Write as _;

use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};
use lambda_http::Body;
use serde_json::Value;

use super::{Error, Parameters};
use crate::http::{HttpResponse, response};

/// The format of a response.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Format {
    #[default]
    Json,
    Xml,
}

impl Format {
    /// The format that the parameters select.
    pub(super) fn parse(parameters: &Parameters) -> Result<Self, Error> {
        match parameters.text("Format") {
            None => Ok(Self::Json),
            Some(text) if text.eq_ignore_ascii_case("json") => Ok(Self::Json),
            Some(text) if text.eq_ignore_ascii_case("xml") => Ok(Self::Xml),
            Some(_) => Err(Error::invalid_parameter("Format", "JSON or XML")),
        }
    }

    /// A response with that body. `root` is the name of the root element in XML.
    pub(super) fn response(self, status: StatusCode, root: &str, body: &Value) -> HttpResponse {
        match self {
            Self::Json => response::json_response(status, body),
            Self::Xml => {
                let mut text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>".to_owned();
                write_element(&mut text, root, body);
                let mut response = Response::new(Body::Text(text));
                *response.status_mut() = status;
                let xml = HeaderValue::from_static("text/xml;charset=utf-8");
                response.headers_mut().insert(CONTENT_TYPE, xml);
                response
            }
        }
    }
}

/// Writes an element. An array becomes one element of that name for each of its values.
fn write_element(text: &mut String, name: &str, value: &Value) {
    if let Value::Array(values) = value {
        for value in values {
            write_element(text, name, value);
        }
        return;
    }
    let _ = write!(text, "<{name}>");
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                write_element(text, name, value);
            }
        }
        Value::String(value) => write_text(text, value),
        Value::Null | Value::Array(_) => {}
        Value::Bool(_) | Value::Number(_) => {
            let _ = write!(text, "{value}");
        }
    }
    let _ = write!(text, "</{name}>");
}

/// Writes text, with XML's special characters escaped.
fn write_text(text: &mut String, value: &str) {
    for character in value.chars() {
        match character {
            '&' => text.push_str("&amp;"),
            '<' => text.push_str("&lt;"),
            '>' => text.push_str("&gt;"),
            '\t' | '\n' | '\r' => {
                let _ = write!(text, "&#{};", u32::from(character));
            }
            // XML 1.0 cannot represent these.
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => text.push(char::REPLACEMENT_CHARACTER),
            other => text.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn xml(body: &Value) -> String {
        let mut text = String::new();
        write_element(&mut text, "R", body);
        text
    }

    #[test]
    fn body_is_written_as_elements() {
        let body = json!({"Images": {"Image": [{"Size": 40}, {"Size": 8}]}, "AliUids": ["1", "2"], "Usable": true, "No": null});
        assert_eq!(
            xml(&body),
            "<R><AliUids>1</AliUids><AliUids>2</AliUids><Images><Image><Size>40</Size></Image><Image><Size>8</Size></Image></Images><No></No><Usable>true</Usable></R>"
        );
        assert_eq!(xml(&json!({"Name": "a<b>&\u{1}\n"})), "<R><Name>a&lt;b&gt;&amp;\u{fffd}&#10;</Name></R>");
    }

    #[test]
    fn format_is_json_or_xml() {
        let format = |query: &str| Format::parse(&Parameters::parse(query, None).unwrap());
        assert_eq!(format(""), Ok(Format::Json));
        assert_eq!((format("Format=json"), format("Format=Xml")), (Ok(Format::Json), Ok(Format::Xml)));
        assert!(format("Format=yaml").is_err());
    }
}
