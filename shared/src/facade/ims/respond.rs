//! `PUT /v1/cloudimages/members`: accept or reject (seed 001, `contract/ims.md` 1.2).

use serde::Deserialize;
use serde_json::Value;

use super::Error;
use super::batch::{accepted, images, object, remembered};
use crate::domain::{ID_FORM, ImageId, Status, TenantId, VaultId};
use crate::facade::{Reply, vault};
use crate::function::Call;
use crate::usecases;

/// The operation's route.
pub const ROUTE: &str = "PUT /v1/cloudimages/members";

/// `{"images":[…],"project_id":"…","status":"accepted"|"rejected","vault_id":"…"}` in, `{"job_id":"…"}` out.
pub async fn answer(call: &Call) -> Reply {
    respond(call).await.unwrap_or_else(Error::into_reply)
}

async fn respond(call: &Call) -> Result<Reply, Error> {
    let Answer { images, project, status, vault } = Answer::parse(call.body())?;
    let remembered = remembered(call, &(&images, &project, status, &vault))?;
    let job =
        usecases::respond(&call.service, call.caller(), project, images, (status, vault), remembered).await?;
    Ok(accepted(job))
}

#[derive(Deserialize)]
struct Wire {
    images: Option<Value>,
    project_id: Option<Value>,
    status: Option<Value>,
    vault_id: Option<Value>,
}

#[derive(Debug, PartialEq, Eq)]
struct Answer {
    images: Vec<ImageId>,
    project: TenantId,
    status: Status,
    vault: Option<VaultId>,
}

impl Answer {
    fn parse(body: &[u8]) -> Result<Self, Error> {
        let wire: Wire = object(body)?;
        let images = images(wire.images.as_ref())?;
        let project = wire.project_id.as_ref().and_then(Value::as_str).and_then(|text| text.parse().ok());
        let project = project.ok_or_else(|| {
            Error::bad_request(
                "IMG.0067",
                format!("project_id: expected the recipient's project id, {ID_FORM}."),
            )
        })?;
        let status = match wire.status.as_ref().and_then(Value::as_str) {
            Some("accepted") => Status::Accepted,
            Some("rejected") => Status::Rejected,
            _ => {
                return Err(Error::bad_request("IMG.0001", "status: expected \"accepted\" or \"rejected\"."));
            }
        };
        let vault = vault::parse(wire.vault_id.as_ref())
            .map_err(|expected| Error::bad_request("IMG.0184", expected))?;
        Ok(Self { images, project, status, vault })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(body: &str) -> String {
        format!("{:?}", Answer::parse(body.as_bytes()).unwrap_err())
    }

    #[test]
    fn the_example_of_the_contract_is_read() {
        let body = br#"{"images":["d164b5df","0b680482"],"project_id":"edc89b490d7d4392898e19b2deb34797",
            "status":"accepted","vault_id":"d14r5tef-1bc3-4c4f-823e-3e471rg65e65"}"#;
        let answer = Answer::parse(body).unwrap();
        assert_eq!((answer.images.len(), answer.status, answer.vault.is_some()), (2, Status::Accepted, true));
    }

    #[test]
    fn an_error_names_the_field() {
        assert!(refused(r#"{"images":["a"],"status":"accepted"}"#).contains("project_id"));
        assert!(refused(r#"{"images":["a"],"project_id":"p","status":"pending"}"#).contains("status"));
        assert!(refused(r#"{"images":["a"],"project_id":"p","status":"Accepted"}"#).contains("status"));
        assert!(
            refused(r#"{"images":["a"],"project_id":"p","status":"accepted","vault_id":5}"#)
                .contains("vault_id")
        );
        assert!(refused(r#"{"images":{},"project_id":"p","status":"accepted"}"#).contains("images"));
    }
}
