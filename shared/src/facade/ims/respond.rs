//! `PUT /v1/cloudimages/members`: accept or reject shared images (seed 001, `contract/ims.md` 1.2).

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

use super::batch::{job_response, parse_images, parse_object};
use crate::domain::{ID_FORMAT, ImageId, MAX_NAMES_PER_BATCH, Status, TenantId, VaultId};
use crate::http::id_array::parse_ids;
use crate::http::{ApiError, AuthenticatedRequest, HttpResponse, idempotency, vault_id};
use crate::usecases;

/// The operation's route.
pub const ROUTE: &str = "PUT /v1/cloudimages/members";

/// In place of image ids: every image that is pending for the project (seed 001: *Accept All*).
const ALL_PENDING: &str = "*";

/// After the id of an owner, in place of image ids: every pending image of that owner (`contract/decisions.md` 31).
const OF_OWNER: &str = "/*";

/// `{"images":[…] or ["*"] or ["OWNER/*",…],"project_id":"…","status":"accepted"|"rejected","vault_id":"…"}` in, `{"job_id":"…"}` out.
pub async fn handle(request: &AuthenticatedRequest) -> HttpResponse {
    respond(request).await.unwrap_or_else(ApiError::into_response)
}

async fn respond(request: &AuthenticatedRequest) -> Result<HttpResponse, ApiError> {
    let RespondRequest { images, project, status, vault } = RespondRequest::parse(request.body())?;
    let idempotency = idempotency::parse_header(request, &(&images, &project, status, &vault))?;
    let (app, caller, decision) = (&request.app, request.caller(), (status, vault));
    let job = match images {
        Selection::All => usecases::respond_to_all(app, caller, project, decision, idempotency).await?,
        Selection::Owners(owners) => {
            usecases::respond_to_owners(app, caller, project, owners, decision, idempotency).await?
        }
        Selection::Images(images) => {
            usecases::respond(app, caller, project, images, decision, idempotency).await?
        }
    };
    Ok(job_response(job))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RespondBody {
    images: Option<Value>,
    project_id: Option<Value>,
    status: Option<Value>,
    vault_id: Option<Value>,
}

/// The images that a request decides on. Its JSON form decides whether two requests with one idempotency key are the
/// same.
#[derive(Debug, PartialEq, Eq)]
enum Selection {
    /// Every pending image.
    All,
    /// Every pending image of these owners.
    Owners(BTreeSet<TenantId>),
    /// These images.
    Images(Vec<ImageId>),
}

impl Serialize for Selection {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::All => serializer.serialize_none(),
            Self::Owners(owners) => {
                serializer.collect_seq(owners.iter().map(|owner| format!("{owner}{OF_OWNER}")))
            }
            Self::Images(images) => images.serialize(serializer),
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
struct RespondRequest {
    images: Selection,
    project: TenantId,
    status: Status,
    vault: Option<VaultId>,
}

impl RespondRequest {
    fn parse(body: &[u8]) -> Result<Self, ApiError> {
        let wire: RespondBody = parse_object(body)?;
        let images = parse_selection(wire.images.as_ref())?;
        let project = wire.project_id.as_ref().and_then(Value::as_str).and_then(|text| text.parse().ok());
        let project = project.ok_or_else(|| {
            ApiError::bad_request(
                "IMG.0067",
                format!("project_id: expected the recipient's project id, {ID_FORMAT}."),
            )
        })?;
        let status = match wire.status.as_ref().and_then(Value::as_str) {
            Some("accepted") => Status::Accepted,
            Some("rejected") => Status::Rejected,
            _ => {
                return Err(ApiError::malformed("status: expected \"accepted\" or \"rejected\"."));
            }
        };
        let vault = vault_id::parse(wire.vault_id.as_ref())
            .map_err(|expected| ApiError::bad_request("IMG.0184", expected))?;
        Ok(Self { images, project, status, vault })
    }
}

/// Parses `images`. `*` is not an id, and has to be the only element; owners are not mixed with ids.
fn parse_selection(value: Option<&Value>) -> Result<Selection, ApiError> {
    let images = value.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let mixed = |expected: &str| ApiError::bad_request("IMG.0066", format!("images: expected {expected}."));
    if images.iter().any(|image| image == ALL_PENDING) {
        return match images {
            [_] => Ok(Selection::All),
            _ => Err(mixed("\"*\" alone, for all pending images, or ids without it")),
        };
    }
    let owner = |image: &Value| Some(image.as_str()?.strip_suffix(OF_OWNER)?.to_owned());
    let owners: Vec<_> = images.iter().filter_map(owner).map(Value::String).collect();
    if owners.is_empty() {
        return Ok(Selection::Images(parse_images(value)?));
    }
    if owners.len() < images.len() {
        return Err(mixed("\"OWNER/*\" only, for all pending images of owners, or ids without it"));
    }
    let owners = parse_ids("images", "IMG.0067", Some(&Value::Array(owners)), MAX_NAMES_PER_BATCH)?;
    Ok(Selection::Owners(owners.into_iter().collect()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::http::any_json::near_variants;

    fn bodies() -> impl Strategy<Value = Value> {
        let images = prop::sample::select(vec![json!(["a", "b"]), json!(["*"]), json!(["o/*", "p/*"])]);
        let status = prop::sample::select(vec!["accepted", "rejected", "pending", "Accepted", ""]);
        (images, status).prop_flat_map(|(images, status)| {
            near_variants(&json!({"images": images, "project_id": "p", "status": status, "vault_id": "v"}))
        })
    }

    proptest! {
        #[test]
        fn respond_body_is_parsed_faithfully(body in bodies(), bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = RespondRequest::parse(&bytes);
            if let Ok(request) = RespondRequest::parse(body.to_string().as_bytes()) {
                let sent: Vec<_> = body["images"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
                match &request.images {
                    Selection::All => prop_assert_eq!(sent, ["*"]),
                    Selection::Owners(owners) => {
                        let sent: BTreeSet<_> = sent.iter().map(|text| text.strip_suffix("/*")).collect();
                        prop_assert_eq!(sent, owners.iter().map(|owner| Some(owner.as_str())).collect());
                    }
                    Selection::Images(images) => {
                        let is_sent = |id: &ImageId| sent.contains(&id.as_str());
                        prop_assert!(images.iter().all(is_sent) && sent.iter().all(|text| !text.contains('*')));
                    }
                }
                prop_assert_eq!(body["project_id"].as_str(), Some(request.project.as_str()));
                prop_assert_eq!(body["status"].as_str(), Some(request.status.as_str()));
                prop_assert_eq!(body["vault_id"].as_str(), request.vault.as_ref().map(VaultId::as_str));
            }
        }
    }

    fn error_text(body: &str) -> String {
        format!("{:?}", RespondRequest::parse(body.as_bytes()).unwrap_err())
    }

    #[test]
    fn respond_contract_example_is_parsed() {
        let body = br#"{"images":["d164b5df","0b680482"],"project_id":"edc89b490d7d4392898e19b2deb34797",
            "status":"accepted","vault_id":"d14r5tef-1bc3-4c4f-823e-3e471rg65e65"}"#;
        let request = RespondRequest::parse(body).unwrap();
        let Selection::Images(images) = request.images else { panic!("ids") };
        assert_eq!((images.len(), request.status, request.vault.is_some()), (2, Status::Accepted, true));
    }

    #[test]
    fn invalid_respond_field_is_named() {
        assert!(error_text(r#"{"images":["a"],"status":"accepted"}"#).contains("project_id"));
        assert!(error_text(r#"{"images":["a"],"project_id":"p","status":"pending"}"#).contains("status"));
        assert!(error_text(r#"{"images":["a"],"project_id":"p","status":"Accepted"}"#).contains("status"));
        assert!(
            error_text(r#"{"images":["a"],"project_id":"p","status":"accepted","vault_id":5}"#)
                .contains("vault_id")
        );
        assert!(error_text(r#"{"images":{},"project_id":"p","status":"accepted"}"#).contains("images"));
        let with_owner = r#"{"images":["*"],"owner":"own1","project_id":"p","status":"accepted"}"#;
        assert!(
            error_text(with_owner).contains("unknown field `owner`"),
            "ignoring it would accept the images of every owner"
        );
    }

    #[test]
    fn star_selects_all_pending_and_must_be_alone() {
        let all = r#"{"images":["*"],"project_id":"p","status":"rejected"}"#;
        assert_eq!(RespondRequest::parse(all.as_bytes()).unwrap().images, Selection::All);
        for images in [r#"["*","a"]"#, r#"["a","*"]"#, r#"["*","*"]"#] {
            let body = format!(r#"{{"images":{images},"project_id":"p","status":"accepted"}}"#);
            assert!(error_text(&body).contains("alone, for all pending images"), "{}", error_text(&body));
        }
        assert!(
            error_text(r#"{"images":"*","project_id":"p","status":"accepted"}"#).contains("images: expected")
        );
    }

    #[test]
    fn owners_select_their_pending_images_and_are_not_mixed() {
        let parse = |images: &str| {
            let body = format!(r#"{{"images":{images},"project_id":"p","status":"accepted"}}"#);
            RespondRequest::parse(body.as_bytes()).map(|request| request.images)
        };
        let owners =
            |names: &[&str]| Selection::Owners(names.iter().map(|name| name.parse().unwrap()).collect());
        assert_eq!(parse(r#"["own1/*"]"#).unwrap(), owners(&["own1"]));
        assert_eq!(parse(r#"["own2/*","own1/*","own2/*"]"#).unwrap(), owners(&["own1", "own2"]));
        for (images, expected) in [
            (r#"["own1/*","a"]"#, "\"OWNER/*\" only"),
            (r#"["own1/*","*"]"#, "\"*\" alone"),
            (r#"["a","own1/*",7]"#, "\"OWNER/*\" only"),
            (r#"["/*"]"#, "images[0]: expected"),
            (r#"["own1/*","a b/*"]"#, "images[1]: expected"),
            (r#"["own1/*/*"]"#, "images[0]: expected"),
            (r#"["own1/"]"#, "images[0]: expected"),
        ] {
            let error = parse(images).unwrap_err().message;
            assert!(error.contains(expected), "{images}: {error}");
        }
        let json = |images: &str| serde_json::to_string(&parse(images).unwrap()).unwrap();
        assert_eq!(json(r#"["*"]"#), "null", "as before there were owners");
        assert_eq!(json(r#"["own1/*"]"#), r#"["own1/*"]"#);
    }
}
