//! The function `images`: the image registry and the views, and the answer to what no other function answers.

mod paths;

use imageshare::facade::{self, glance, ims};
use imageshare::function::HttpFunction;
use imageshare::http::{AuthenticatedRequest, HttpResponse, route_key};
use lambda_http::Request;

use self::paths::{allowed_methods, normalize_minor_version};

/// The route of every path that has none of its own.
const DEFAULT_ROUTE: &str = "$default";

/// Answers one request.
pub async fn handle(function: &HttpFunction, request: Request) -> HttpResponse {
    let request = normalize_minor_version(request);
    let route = route_key(&request);
    if let Some(answer) = glance::versions::handler(&route) {
        return function.handle_public(request, answer);
    }
    // Where there is nothing, no credential helps.
    if route == DEFAULT_ROUTE {
        return function.handle_public(request, |_, _| ims::route_not_found(""));
    }
    let call = match function.authenticate(request).await {
        Ok(call) => call,
        Err(rejected) => return facade::reject(*rejected),
    };
    let reply = dispatch(&call).await;
    call.finish(reply)
}

async fn dispatch(call: &AuthenticatedRequest) -> HttpResponse {
    match call.route() {
        ims::list::ROUTE => ims::list::handle(call).await,
        ims::members::LIST_ROUTE => ims::members::handle_list(call).await,
        ims::members::SHOW_ROUTE => ims::members::handle_show(call).await,
        ims::quota::ROUTE => ims::quota::handle(call).await,
        glance::create::ROUTE => glance::create::handle(call).await,
        glance::image_data::DOWNLOAD_ROUTE => glance::image_data::handle_download(call),
        glance::image_data::UPLOAD_ROUTE => glance::image_data::handle_upload(call).await,
        glance::image_data::STAGE_ROUTE | glance::image_data::IMPORT_ROUTE => {
            glance::image_data::handle_import()
        }
        glance::list::ROUTE => glance::list::handle(call).await,
        glance::schema::ROUTE => glance::schema::handle(call),
        glance::show::ROUTE => glance::show::handle(call).await,
        glance::tags::ADD_ROUTE => glance::tags::handle_add(call).await,
        glance::tags::REMOVE_ROUTE => glance::tags::handle_remove(call).await,
        glance::members::list::ROUTE => glance::members::list::handle(call).await,
        glance::members::show::ROUTE => glance::members::show::handle(call).await,
        // These are other functions', and come here only by the path of a minor version.
        glance::members::add::ROUTE => glance::members::add::handle(call).await,
        glance::members::update::ROUTE => glance::members::update::handle(call).await,
        glance::members::remove::ROUTE => glance::members::remove::handle(call).await,
        glance::update::ROUTE => glance::update::handle(call).await,
        glance::delete::ROUTE => glance::delete::handle(call).await,
        other => ims::route_not_found(&allowed_methods(other)),
    }
}
