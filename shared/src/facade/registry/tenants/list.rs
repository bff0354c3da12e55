//! `GET /v1/tenants`: with names, find the one tenant that has them, for every caller; without names, list the
//! directory, for admins.
//!
//! Names have to be exact, and other callers than admins have no list, no pattern and no case-insensitive search. So a
//! caller that may share by name learns no more here than by sharing.

use http::StatusCode;

use super::TenantJson;
use crate::domain::{NAME_FORMAT, Name, TenantId, TenantName, authorize_admin};
use crate::http::{
    ApiError, AuthenticatedRequest, HttpResponse, Listing, PageBody, Query, invalid_parameter, json_response,
};
use crate::usecases::{self, Page};

/// The operation's route.
pub const ROUTE: &str = "GET /v1/tenants";

/// `?account=&project=` or `?limit=&marker=` in, `{"tenants":[…],"page_info":{"next_marker","current_count"}}` out;
/// `next_marker` only if there are more.
pub async fn handle(request: &AuthenticatedRequest) -> HttpResponse {
    list(request).await.unwrap_or_else(ApiError::into_response)
}

async fn list(request: &AuthenticatedRequest) -> Result<HttpResponse, ApiError> {
    request.ensure_no_body()?;
    let listing = Listing::new(ROUTE, request.caller());
    let (page, is_public) = match TenantQuery::parse(request.raw_query(), &listing)? {
        TenantQuery::ByName(name) => {
            let entry = usecases::find_tenant(&request.app, &name).await?;
            (Page { items: vec![entry], next: None }, authorize_admin(request.caller()).is_err())
        }
        TenantQuery::All { limit, after } => {
            let page = usecases::list_tenants(&request.app, request.caller(), after.as_ref(), limit).await?;
            (page, false)
        }
    };
    let body = PageBody::new("tenants", &page, &listing, |entry| {
        if is_public { TenantJson::public(entry) } else { entry.into() }
    });
    Ok(json_response(StatusCode::OK, &body))
}

#[derive(Debug, PartialEq, Eq)]
enum TenantQuery {
    ByName(TenantName),
    All { limit: usize, after: Option<TenantId> },
}

impl TenantQuery {
    fn parse(raw: &str, listing: &Listing) -> Result<Self, ApiError> {
        let query = Query::parse(raw)?;
        let (limit, after) = (query.batch_limit()?, query.parse_marker(listing)?);
        let account: Option<Name> = query.parse_value("account", NAME_FORMAT)?;
        let project: Option<Name> = query.parse_value("project", NAME_FORMAT)?;
        match (account, project) {
            (Some(account), project) => Ok(Self::ByName(TenantName { account, project })),
            (None, Some(_)) => {
                Err(invalid_parameter("account", "the name of the account that has the project"))
            }
            (None, None) => Ok(Self::All { limit, after }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::fixtures;

    fn listing() -> Listing {
        Listing::new(ROUTE, &fixtures::caller("ops"))
    }

    fn parse(query: &str) -> Result<TenantQuery, ApiError> {
        TenantQuery::parse(query, &listing())
    }

    #[test]
    fn names_select_one_tenant_and_no_names_select_all() {
        let name = TenantName { account: "Acme & Co".parse().unwrap(), project: None };
        assert_eq!(parse("account=Acme+%26+Co").unwrap(), TenantQuery::ByName(name.clone()));
        let name = TenantName { project: "web".parse().ok(), ..name };
        assert_eq!(parse("project=web&account=Acme+%26+Co").unwrap(), TenantQuery::ByName(name));
        let after = "t-1".parse().ok();
        assert_eq!(
            parse(&format!("limit=7&marker={}", listing().encode_marker("t-1"))).unwrap(),
            TenantQuery::All { limit: 7, after }
        );
        assert_eq!(parse("").unwrap(), TenantQuery::All { limit: 100, after: None });
    }

    #[test]
    fn invalid_tenant_query_parameter_is_named() {
        let error_text = |query: &str| format!("{:?}", parse(query).unwrap_err());
        for (query, expected) in [
            ("account=", "account: expected 1 to 64"),
            ("account=a&project=%0A", "project: expected 1 to 64"),
            ("project=web", "account: expected the name of the account"),
            ("limit=101", "limit: expected a number from 1 to 100"),
            ("marker=a%23", "marker: expected next_marker"),
            ("marker=t-1", "marker: expected next_marker"),
            ("account=a&account=b", "account: expected one value"),
        ] {
            assert!(error_text(query).contains(expected), "{query}");
        }
    }
}
