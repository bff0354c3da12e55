//! `PUT /v1/tenants/{project_id}`: what the directory says of a tenant, from now on.

use http::StatusCode;
use serde_json::{Map, Value};

use super::{OneWire, tenant_of_path};
use crate::domain::{Entry, ID_FORM, NAME_FORM, Name, Region, TenantId};
use crate::facade::ims::Error;
use crate::facade::registry::body::object;
use crate::facade::{Reply, json};
use crate::function::Call;
use crate::usecases;

/// The operation's route.
pub const ROUTE: &str = "PUT /v1/tenants/{project_id}";

/// `{"account":"…","project":"…","region":"…"}` in, `{"tenant":{…}}` out; the region is this one unless it is told.
pub async fn answer(call: &Call) -> Reply {
    put(call).await.unwrap_or_else(Error::into_reply)
}

async fn put(call: &Call) -> Result<Reply, Error> {
    let entry = parse(tenant_of_path(call)?, call.body(), &call.service.settings.region)?;
    usecases::put_tenant(&call.service, call.caller(), &entry).await?;
    Ok(json(StatusCode::OK, &OneWire { tenant: (&entry).into() }))
}

/// A member that nobody knows is refused: a tenant must not come into another region than was meant.
fn parse(tenant: TenantId, body: &[u8], here: &str) -> Result<Entry, Error> {
    let wrong = |message: String| Error::bad_request("IMG.0001", message);
    let body = object(body, &["account", "project", "region"])?;
    let region = match body.get("region") {
        None => Some(here),
        Some(region) => region.as_str(),
    };
    let region = region.and_then(|text| text.parse::<Region>().ok());
    Ok(Entry {
        tenant,
        account: name(&body, "account")?,
        project: name(&body, "project")?,
        region: region.ok_or_else(|| wrong(format!("region: expected {ID_FORM}.")))?,
    })
}

fn name(body: &Map<String, Value>, field: &str) -> Result<Name, Error> {
    let name = body.get(field).and_then(Value::as_str).and_then(|text| text.parse().ok());
    name.ok_or_else(|| Error::bad_request("IMG.0001", format!("{field}: expected {NAME_FORM}.")))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::facade::any_json::nearly;

    proptest! {
        #[test]
        fn what_is_read_is_what_the_body_says(
            body in nearly(&json!({"account": "acme", "project": "web", "region": "eu-nl"})),
            text in ".{0,60}",
        ) {
            let _ = read(&text);
            if let Ok(entry) = read(&body.to_string()) {
                prop_assert_eq!(body["account"].as_str(), Some(entry.account.as_str()));
                prop_assert_eq!(body["project"].as_str(), Some(entry.project.as_str()));
                prop_assert_eq!(body["region"].as_str().unwrap_or("eu-de"), entry.region.as_str());
            }
        }
    }

    fn read(body: &str) -> Result<Entry, Error> {
        parse("t-1".parse().unwrap(), body.as_bytes(), "eu-de")
    }

    #[test]
    fn a_tenant_is_in_this_region_unless_it_is_told() {
        let entry = read(r#"{"account":"acme","project":"eu-de_web"}"#).unwrap();
        assert_eq!((entry.project.as_str(), entry.region.as_str()), ("eu-de_web", "eu-de"));
        let entry = read(r#"{"account":"acme","project":"web","region":"eu-nl"}"#).unwrap();
        assert_eq!((entry.account.as_str(), entry.region.as_str()), ("acme", "eu-nl"));
    }

    #[test]
    fn what_is_not_as_it_must_be_is_named() {
        let refused = |body: &str| format!("{:?}", read(body).unwrap_err());
        for name in ["7", "null", "\"\"", "\" a\"", "\"a\\n\"", &format!("\"{}\"", "x".repeat(65))] {
            let account = refused(&format!(r#"{{"account":{name},"project":"web"}}"#));
            assert!(account.contains("account: expected 1 to 64 characters"), "{account}");
            let project = refused(&format!(r#"{{"account":"acme","project":{name}}}"#));
            assert!(project.contains("project: expected 1 to 64 characters"), "{project}");
        }
        for region in ["7", "null", "\"\"", "\"eu de\""] {
            let body = format!(r#"{{"account":"acme","project":"web","region":{region}}}"#);
            assert!(refused(&body).contains("region: expected 1 to 64"), "{body}");
        }
        assert!(refused(r#"{"account":"a"}"#).contains("project: expected"));
        assert!(refused(r#"{"account":"a","project":"b","regoin":"c"}"#).contains("regoin: expected only"));
        assert!(refused(r#"{"account":"a","account":"b","project":"c"}"#).contains("given twice"));
        assert!(
            refused("[]").contains("not a JSON object")
                && refused("").contains("Send a JSON object with account, project, region")
        );
    }
}
