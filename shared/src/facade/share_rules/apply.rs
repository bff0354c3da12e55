//! `POST /v1/share-rules/{rule_name}/apply`: share what matches a share rule already.

use http::StatusCode;
use serde::Serialize;

use super::wire::path_rule;
use crate::http::{
    ApiError, AuthenticatedRequest, HttpResponse, Listing, Query, invalid_parameter, json_response,
};
use crate::usecases::Marker;
use crate::usecases::share_rules::{self, Application, RefusedImage};

/// The operation's route.
pub const ROUTE: &str = "POST /v1/share-rules/{rule_name}/apply";

/// `?after=` in, `{"job_ids":[…],"images":3,"refused":[{"image_id","error_code","error_msg"}],"next":"…"}` out. With a
/// `next`, not all is done: send it as `after` in the next request.
pub async fn handle(request: &AuthenticatedRequest) -> HttpResponse {
    apply(request).await.unwrap_or_else(ApiError::into_response)
}

#[derive(Debug, Serialize)]
struct ApplicationJson {
    job_ids: Vec<String>,
    images: usize,
    refused: Vec<RefusedJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

#[derive(Debug, Serialize)]
struct RefusedJson {
    image_id: String,
    error_code: &'static str,
    error_msg: String,
}

impl From<RefusedImage> for RefusedJson {
    fn from(RefusedImage { image, error }: RefusedImage) -> Self {
        let ApiError { code, message, .. } = error.into();
        Self { image_id: image.to_string(), error_code: code, error_msg: message }
    }
}

async fn apply(request: &AuthenticatedRequest) -> Result<HttpResponse, ApiError> {
    request.ensure_no_body()?;
    let (name, query) = (path_rule(request)?, Query::parse(request.raw_query())?);
    let listing = Listing::new(ROUTE, request.caller()).with(name.as_str());
    let parse = |text| listing.decode_marker(text).and_then(|position| position.parse::<Marker>().ok());
    let parse = |text| parse(text).ok_or_else(|| invalid_parameter("after", "next of the request before"));
    let after = query.text("after").map(parse).transpose()?;
    let application = share_rules::apply(&request.app, request.caller(), &name, after, None).await?;
    let Application { jobs, images, refused, next } = application;
    let body = ApplicationJson {
        job_ids: jobs.iter().map(ToString::to_string).collect(),
        images,
        refused: refused.into_iter().map(RefusedJson::from).collect(),
        next: next.map(|next| listing.encode_marker(next)),
    };
    Ok(json_response(StatusCode::OK, &body))
}
