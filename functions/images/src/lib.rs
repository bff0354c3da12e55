//! The function `images`: the image registry and the views, and every request that no other function handles.

mod paths;

use imageshare::facade::{self, glance, identity, ims};
use imageshare::function::HttpFunction;
use imageshare::http::{AuthenticatedRequest, HttpResponse, prefers_html, redirect_to_console, route_key};
use lambda_http::{Request, RequestExt};

use self::paths::{DEFAULT_ROUTE, allowed_methods, route_by_path};

/// Handles one request.
pub async fn handle(function: &HttpFunction, request: Request) -> HttpResponse {
    let request = route_by_path(request);
    let route = route_key(&request);
    if let Some(handler) = glance::versions::handler(&route) {
        return function.handle_public(request, handler);
    }
    // A route of `identity` with a trailing slash, which an HTTP API of API Gateway does not have.
    if identity::version::ROUTES.contains(&route.as_str()) {
        return function.handle_public(request, identity::version::handle);
    }
    // The path of the console with a trailing slash.
    let is_console = route == DEFAULT_ROUTE && request.raw_http_path() == "/console/";
    if is_console && request.body().is_empty() && prefers_html(request.headers()) {
        return function.handle_public(request, |_, _| redirect_to_console());
    }
    // An unknown path is 404 with or without a credential.
    if route == DEFAULT_ROUTE {
        return function.handle_public(request, |_, _| ims::route_not_found(""));
    }
    function.handle(request, facade::reject, dispatch).await
}

async fn dispatch(request: &AuthenticatedRequest) -> HttpResponse {
    match request.route() {
        ims::list::ROUTE => ims::list::handle(request).await,
        ims::members::LIST_ROUTE => ims::members::handle_list(request).await,
        ims::members::SHOW_ROUTE => ims::members::handle_show(request).await,
        ims::quota::ROUTE => ims::quota::handle(request).await,
        glance::create::ROUTE => glance::create::handle(request).await,
        glance::image_data::DOWNLOAD_ROUTE => glance::image_data::handle_download(request),
        glance::image_data::UPLOAD_ROUTE => glance::image_data::handle_upload(request).await,
        glance::image_data::STAGE_ROUTE | glance::image_data::IMPORT_ROUTE => {
            glance::image_data::handle_import()
        }
        glance::list::ROUTE => glance::list::handle(request).await,
        glance::schema::ROUTE => glance::schema::handle(request),
        glance::show::ROUTE => glance::show::handle(request).await,
        glance::tags::ADD_ROUTE => glance::tags::handle_add(request).await,
        glance::tags::REMOVE_ROUTE => glance::tags::handle_remove(request).await,
        glance::members::list::ROUTE => glance::members::list::handle(request).await,
        glance::members::show::ROUTE => glance::members::show::handle(request).await,
        // The gateway routes these to other functions. They arrive here only under the path of a minor version.
        glance::members::add::ROUTE => glance::members::add::handle(request).await,
        glance::members::update::ROUTE => glance::members::update::handle(request).await,
        glance::members::remove::ROUTE => glance::members::remove::handle(request).await,
        glance::update::ROUTE => glance::update::handle(request).await,
        glance::delete::ROUTE => glance::delete::handle(request).await,
        other => ims::route_not_found(&allowed_methods(other)),
    }
}
