//! Alibaba Cloud's RPC dialect (`contract/alibaba.md`): Elastic Desktop Service (ECD) 2020-09-30 and Elastic Compute
//! Service (ECS) 2014-05-26.
//!
//! All actions have the path `/`. Parameters are in the query or in a form, arrays as `Name.1`, `Name.2`, …; the action
//! and its version are among them or in headers. An account is a tenant. A share takes effect at once, without consent.

mod action;
mod describe_ecs_images;
mod describe_images;
mod describe_permission;
mod envelope;
mod error;
mod format;
mod modify_permission;
mod parameters;

use lambda_http::Request;

use self::action::{Action, Product};
use self::envelope::Envelope;
pub use self::envelope::reject;
pub use self::error::Error;
use self::format::Format;
pub use self::parameters::Parameters;
use crate::http::{AuthenticatedRequest, HttpResponse, IncomingRequest};

/// The route of an action by GET.
pub const GET_ROUTE: &str = "GET /";

/// The route of an action by POST.
pub const POST_ROUTE: &str = "POST /";

/// Whether a request to `/` names an action, and so belongs to this facade.
pub fn has_action(request: &Request) -> bool {
    let query = request.uri().query().unwrap_or_default();
    request.headers().contains_key(action::ACTION_HEADER)
        || query.split('&').any(|pair| pair.split('=').next() == Some("Action"))
}

/// Parses the parameters of a request, in its query and its form, before authentication, since they may have the
/// credential. Records the action's name for the log.
///
/// # Errors
/// [`Error`] names the parameter that cannot be decoded or is a duplicate, or the body, if it is not a form.
pub fn parse_parameters(incoming: &IncomingRequest) -> Result<Parameters, Error> {
    let form = match incoming.body() {
        [] => None,
        body if is_form(incoming.raw_header("content-type").unwrap_or_default()) => Some(body),
        _ => return Err(Error::invalid_body()),
    };
    let parameters = Parameters::parse(incoming.raw_query(), form)?;
    if let Some(name) = action::requested_name(incoming.raw_header(action::ACTION_HEADER), &parameters) {
        incoming.record_action(name);
    }
    Ok(parameters)
}

/// Runs the action that the request names. Returns its result or its error, with the request's id.
pub async fn handle(request: &AuthenticatedRequest, parameters: &Parameters) -> HttpResponse {
    let envelope = Envelope::new(request.request_id(), request.raw_header("host"), Some(parameters));
    let action = match Action::parse(|name| request.raw_header(name), parameters) {
        Ok(action) => action,
        Err(error) => return envelope.error(error, None),
    };
    match run_action(request, action, parameters).await {
        Ok(output) => envelope.success(action, output),
        Err(error) => envelope.error(error, Some(action.product())),
    }
}

async fn run_action(
    request: &AuthenticatedRequest,
    action: Action,
    parameters: &Parameters,
) -> Result<envelope::ActionOutput, Error> {
    // Before any change: a client that cannot parse the response would retry.
    Format::parse(parameters)?;
    if action.is_read_only() {
        request.check_read_rate()?;
    }
    parameters.check_region(&request.app.settings.region)?;
    match action {
        Action::ModifyPermission(product) => modify_permission::handle(request, parameters, product).await,
        Action::DescribePermission(Product::Ecd) => describe_permission::handle(request, parameters).await,
        Action::DescribePermission(Product::Ecs) => {
            describe_permission::handle_paged(request, parameters).await
        }
        Action::DescribeImages(Product::Ecd) => describe_images::handle(request, parameters).await,
        Action::DescribeImages(Product::Ecs) => describe_ecs_images::handle(request, parameters).await,
    }
}

fn is_form(content_type: &[u8]) -> bool {
    let essence = content_type.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    essence.eq_ignore_ascii_case(b"application/x-www-form-urlencoded")
}
