//! `GET /v2/schemas/{schema_name}`: the schemas of images and members. python-glanceclient requests them after every
//! member call, and validates the response against them (`contract/glance.md` 2.1).

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::Error;
use super::attribute::{CONTAINER_FORMATS, DISK_FORMATS, MAX_SIZE};
use crate::domain::{Status, Visibility};
use crate::http::{AuthenticatedRequest, HttpResponse, json_response};

/// The operation's route.
pub const ROUTE: &str = "GET /v2/schemas/{schema_name}";

/// `image`, `images`, `member` or `members` in, its schema out.
pub fn handle(request: &AuthenticatedRequest) -> HttpResponse {
    show(request).unwrap_or_else(Error::into_response)
}

fn show(request: &AuthenticatedRequest) -> Result<HttpResponse, Error> {
    request.ensure_no_body()?;
    let name = request.path_parameter("schema_name");
    let schema = match name {
        "image" => image_schema(),
        "images" => list_schema(name, &image_schema(), true),
        "member" => member_schema(),
        "members" => list_schema(name, &member_schema(), false),
        other => {
            let message = format!("There is no schema {other}: expected image, images, member or members.");
            return Err(Error::new(StatusCode::NOT_FOUND, "IMG.0086", message));
        }
    };
    Ok(json_response(StatusCode::OK, &schema))
}

/// The pattern of an image's id.
const UUID_PATTERN: &str =
    "^([0-9a-fA-F]){8}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){12}$";

fn member_schema() -> Value {
    let text = |description: &str| json!({ "type": "string", "description": description });
    json!({
        "name": "member",
        "properties": {
            "member_id": text("An identifier for the image member (tenantId)"),
            "image_id": { "type": "string", "description": "An identifier for the image", "pattern": UUID_PATTERN },
            "created_at": text("Date and time of image member creation"),
            "updated_at": text("Date and time of last modification of image member"),
            "status": {
                "type": "string",
                "description": "The status of this image member",
                "enum": Status::ALL.map(Status::as_str),
            },
            "schema": { "readOnly": true, "type": "string" },
        },
    })
}

fn image_schema() -> Value {
    let properties = attributes().into_iter().chain(common_properties());
    let properties: Map<String, Value> = properties.map(|(name, schema)| (name.to_owned(), schema)).collect();
    json!({
        "name": "image",
        "properties": properties,
        "additionalProperties": { "type": "string" },
        "links": [
            { "rel": "self", "href": "{self}" },
            { "rel": "enclosure", "href": "{file}" },
            { "rel": "describedby", "href": "{schema}" },
        ],
    })
}

/// The attributes of an image.
fn attributes() -> [(&'static str, Value); 22] {
    let kind = |kind: &str, description: &str| json!({ "type": kind, "description": description });
    let nullable_text = |description: &str| json!({ "type": ["null", "string"], "maxLength": 255, "description": description });
    let read_only = |kind: Value, description: &str| json!({ "type": kind, "readOnly": true, "description": description });
    let size = |description: &str| json!({ "type": "integer", "minimum": 0, "maximum": MAX_SIZE, "description": description });
    let nullable = |kind: &str| json!(["null", kind]);
    let format = |names: &[&str], description: &str| {
        let values: Vec<_> =
            std::iter::once(Value::Null).chain(names.iter().map(|name| (*name).into())).collect();
        json!({ "type": ["null", "string"], "enum": values, "description": description })
    };
    [
        (
            "id",
            json!({ "type": "string", "pattern": UUID_PATTERN, "description": "An identifier for the image" }),
        ),
        ("name", nullable_text("Descriptive name for the image")),
        (
            "status",
            json!({ "type": "string", "readOnly": true, "enum": ["active"], "description": "Status of the image" }),
        ),
        (
            "visibility",
            json!({ "type": "string", "enum": Visibility::ALL.map(Visibility::as_str),
                "description": "Scope of image accessibility" }),
        ),
        (
            "owner",
            json!({ "type": ["null", "string"], "pattern": "^[A-Za-z0-9_.-]{1,64}$", "maxLength": 64,
                "description": "Owner of the image" }),
        ),
        ("protected", kind("boolean", "If true, image will not be deletable.")),
        ("os_hidden", kind("boolean", "If true, image will not appear in default image list response.")),
        ("min_ram", size("Amount of ram (in MB) required to boot image.")),
        ("min_disk", size("Amount of disk space (in GB) required to boot image.")),
        ("container_format", format(&CONTAINER_FORMATS, "Format of the container")),
        ("disk_format", format(&DISK_FORMATS, "Format of the disk")),
        ("size", read_only(nullable("integer"), "Size of image file in bytes")),
        ("virtual_size", read_only(nullable("integer"), "Virtual size of image in bytes")),
        ("checksum", read_only(nullable("string"), "md5 hash of image contents.")),
        ("os_hash_algo", read_only(nullable("string"), "Algorithm to calculate the os_hash_value")),
        ("os_hash_value", read_only(nullable("string"), "Hexdigest of the image contents")),
        ("created_at", read_only("string".into(), "Date and time of image registration")),
        ("updated_at", read_only("string".into(), "Date and time of the last image modification")),
        ("self", read_only("string".into(), "An image self url")),
        ("file", read_only("string".into(), "An image file url")),
        ("schema", read_only("string".into(), "An image schema url")),
        (
            "tags",
            json!({ "type": "array", "items": { "type": "string", "maxLength": 255 },
                "description": "List of strings related to the image" }),
        ),
    ]
}

/// The properties of Glance's own `etc/schema-image.json`. python-glanceclient has an option for each, and drops its
/// value if the schema lacks the property.
fn common_properties() -> [(&'static str, Value); 7] {
    const KEYS: &str = "https://docs.openstack.org/python-glanceclient/latest/cli/property-keys.html";
    let text = |description: &str| json!({ "type": "string", "is_base": false, "description": description });
    let image = |kind: &str| {
        let description = format!(
            "ID of image stored in Glance that should be used as the {kind} when booting an AMI-style image."
        );
        json!({ "type": ["null", "string"], "pattern": UUID_PATTERN, "is_base": false, "description": description })
    };
    [
        ("kernel_id", image("kernel")),
        ("ramdisk_id", image("ramdisk")),
        (
            "instance_uuid",
            text(
                "Metadata which can be used to record which instance this image is associated with. (Informational only, does not create an instance snapshot.)",
            ),
        ),
        ("architecture", text(&format!("Operating system architecture as specified in {KEYS}"))),
        ("os_distro", text(&format!("Common name of operating system distribution as specified in {KEYS}"))),
        ("os_version", text("Operating system version as specified by the distributor.")),
        ("description", text("A human-readable string describing this image.")),
    ]
}

fn list_schema(name: &str, item: &Value, has_pages: bool) -> Value {
    let mut properties = Map::from_iter([
        (name.to_owned(), json!({ "type": "array", "items": item })),
        ("schema".to_owned(), json!({ "type": "string" })),
    ]);
    let mut links = Vec::new();
    for page in ["first", "next"].into_iter().filter(|_| has_pages) {
        properties.insert(page.to_owned(), json!({ "type": "string" }));
        links.push(json!({ "rel": page, "href": format!("{{{page}}}") }));
    }
    links.push(json!({ "rel": "describedby", "href": "{schema}" }));
    json!({ "name": name, "properties": properties, "links": links })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn member_schemas_match_the_contract() {
        let expected = json!({"name":"member","properties":{
            "member_id":{"type":"string","description":"An identifier for the image member (tenantId)"},
            "image_id":{"type":"string","description":"An identifier for the image","pattern":"^([0-9a-fA-F]){8}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){12}$"},
            "created_at":{"type":"string","description":"Date and time of image member creation"},
            "updated_at":{"type":"string","description":"Date and time of last modification of image member"},
            "status":{"type":"string","description":"The status of this image member","enum":["pending","accepted","rejected"]},
            "schema":{"readOnly":true,"type":"string"}}});
        assert_eq!(member_schema(), expected);
        assert_eq!(
            list_schema("members", &member_schema(), false),
            json!({"name":"members","properties":{"members":{"type":"array","items":expected},"schema":{"type":"string"}},
                "links":[{"rel":"describedby","href":"{schema}"}]})
        );
    }

    #[test]
    fn image_schema_allows_free_properties_and_has_links() {
        let image = image_schema();
        assert_eq!(image["additionalProperties"], json!({"type": "string"}));
        let links = [("self", "{self}"), ("enclosure", "{file}"), ("describedby", "{schema}")];
        assert_eq!(image["links"], json!(links.map(|(rel, href)| json!({"rel": rel, "href": href}))));
    }

    #[test]
    fn image_list_schema_has_page_links() {
        let images = list_schema("images", &image_schema(), true);
        assert_eq!(images["properties"]["images"]["items"], image_schema());
        assert_eq!(images["links"][1], json!({"rel": "next", "href": "{next}"}));
    }
}
