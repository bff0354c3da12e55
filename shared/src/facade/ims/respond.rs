//! `PUT /v1/cloudimages/members`: accept or reject shared images (seed 001, `contract/ims.md` 1.2).

use serde::Deserialize;
use serde_json::Value;

use super::batch::{job_response, parse_images, parse_object};
use crate::domain::{ID_FORMAT, ImageId, Status, TenantId, VaultId};
use crate::http::{ApiError, AuthenticatedRequest, HttpResponse, idempotency, vault_id};
use crate::usecases;

/// The operation's route.
pub const ROUTE: &str = "PUT /v1/cloudimages/members";

/// In place of image ids: every image that is pending for the project (seed 001: *Accept All*).
const ALL_PENDING: &str = "*";

/// `{"images":[…] or ["*"],"project_id":"…","status":"accepted"|"rejected","vault_id":"…"}` in, `{"job_id":"…"}` out.
pub async fn handle(request: &AuthenticatedRequest) -> HttpResponse {
    respond(request).await.unwrap_or_else(ApiError::into_response)
}

async fn respond(request: &AuthenticatedRequest) -> Result<HttpResponse, ApiError> {
    let RespondRequest { images, project, status, vault } = RespondRequest::parse(request.body())?;
    let idempotency = idempotency::parse_header(request, &(&images, &project, status, &vault))?;
    let (app, caller, decision) = (&request.app, request.caller(), (status, vault));
    let job = match images {
        None => usecases::respond_to_all(app, caller, project, decision, idempotency).await?,
        Some(images) => usecases::respond(app, caller, project, images, decision, idempotency).await?,
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

#[derive(Debug, PartialEq, Eq)]
struct RespondRequest {
    /// `None` for every pending image.
    images: Option<Vec<ImageId>>,
    project: TenantId,
    status: Status,
    vault: Option<VaultId>,
}

impl RespondRequest {
    fn parse(body: &[u8]) -> Result<Self, ApiError> {
        let wire: RespondBody = parse_object(body)?;
        let images = if is_all_pending(wire.images.as_ref())? {
            None
        } else {
            Some(parse_images(wire.images.as_ref())?)
        };
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

/// Whether the images are `["*"]`, every pending image. `*` is not an id, and has to be the only element.
fn is_all_pending(images: Option<&Value>) -> Result<bool, ApiError> {
    let Some(images) = images.and_then(Value::as_array) else { return Ok(false) };
    match images.iter().any(|image| image == ALL_PENDING) {
        true if images.len() > 1 => Err(ApiError::bad_request(
            "IMG.0066",
            "images: expected \"*\" alone, for all pending images, or ids without it.",
        )),
        is_all => Ok(is_all),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::http::any_json::near_variants;

    fn bodies() -> impl Strategy<Value = Value> {
        let images = prop::sample::select(vec![json!(["a", "b"]), json!(["*"])]);
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
                    None => prop_assert_eq!(sent, ["*"]),
                    Some(images) => prop_assert!(images.iter().all(|id| sent.contains(&id.as_str())) && !sent.contains(&"*")),
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
        let images = request.images.map(|images| images.len());
        assert_eq!((images, request.status, request.vault.is_some()), (Some(2), Status::Accepted, true));
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
        assert_eq!(RespondRequest::parse(all.as_bytes()).unwrap().images, None);
        for images in [r#"["*","a"]"#, r#"["a","*"]"#, r#"["*","*"]"#] {
            let body = format!(r#"{{"images":{images},"project_id":"p","status":"accepted"}}"#);
            assert!(error_text(&body).contains("alone, for all pending images"), "{}", error_text(&body));
        }
        assert!(
            error_text(r#"{"images":"*","project_id":"p","status":"accepted"}"#).contains("images: expected")
        );
    }
}
