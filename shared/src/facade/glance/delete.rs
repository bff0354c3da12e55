//! `DELETE /v2/images/{image_id}`: delete an image with its memberships, or only if it has none. The query
//! `unless_shared=true` for the latter is the service's own.

use super::Error;
use super::image::match_condition;
use super::request::path_image_id;
use crate::http::query::parse_pairs;
use crate::http::{AuthenticatedRequest, HttpResponse, no_content};
use crate::usecases::{self, IfShared};

/// The operation's route.
pub const ROUTE: &str = "DELETE /v2/images/{image_id}";

/// `?unless_shared=true|false` in, no body out (204).
pub async fn handle(request: &AuthenticatedRequest) -> HttpResponse {
    delete(request).await.unwrap_or_else(Error::into_response)
}

async fn delete(request: &AuthenticatedRequest) -> Result<HttpResponse, Error> {
    request.ensure_no_body()?;
    let unless_shared = parse_unless_shared(request.raw_query())?;
    let if_shared = if unless_shared { IfShared::Refuse } else { IfShared::EndMemberships };
    let (check, id) = (match_condition(request)?, path_image_id(request)?);
    usecases::delete_image_if(&request.app, request.caller(), &id, if_shared, check).await?;
    Ok(no_content())
}

/// Parses the query. Other parameters are ignored, as in Glance; this one is an error unless it is understood, since the
/// image would be lost.
fn parse_unless_shared(query: &str) -> Result<bool, Error> {
    if !query.contains("unless_shared") {
        return Ok(false);
    }
    let invalid = || Error::invalid_field("unless_shared", "true or false");
    let pairs = parse_pairs(query).map_err(|_| invalid())?;
    let values: Vec<_> =
        pairs.iter().filter(|(key, _)| key == "unless_shared").map(|(_, value)| value).collect();
    match values.as_slice() {
        [] => Ok(false),
        [value] if *value == "true" => Ok(true),
        [value] if *value == "false" => Ok(false),
        _ => Err(invalid()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unless_shared_is_understood_or_refused() {
        for (query, expected) in [
            ("", Some(false)),
            ("force=%FF", Some(false)),
            ("unless_shared=true", Some(true)),
            ("a=b&unless_shared=false", Some(false)),
            ("not_unless_shared=x", Some(false)),
            ("unless_shared", None),
            ("unless_shared=", None),
            ("unless_shared=True", None),
            ("unless_shared=1", None),
            ("unless_shared=true&unless_shared=true", None),
            ("unless_shared=true&%FF", None),
        ] {
            assert_eq!(parse_unless_shared(query).ok(), expected, "{query}");
        }
    }
}
