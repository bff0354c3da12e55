//! The function `images`: the image registry and the views, and the answer to what no other function answers.

mod paths;

use imageshare::facade::{Reply, glance, ims};
use imageshare::function::{Call, Function, route_of};
use lambda_http::Request;

use self::paths::{allowed_methods, in_version_2};

/// The route of every path that has none of its own.
const NO_ROUTE: &str = "$default";

/// Answers one request.
pub async fn handle(function: &Function, request: Request) -> Reply {
    let request = in_version_2(request);
    let route = route_of(&request);
    if let Some(answer) = glance::versions::answer(&route) {
        return function.answer_anybody(request, answer);
    }
    // Where there is nothing, no credential helps.
    if route == NO_ROUTE {
        return function.answer_anybody(request, |_, _| ims::unrouted(""));
    }
    let call = match function.admit(request).await {
        Ok(call) => call,
        Err(refused) => return refused,
    };
    let reply = answer(&call).await;
    call.finish(reply)
}

async fn answer(call: &Call) -> Reply {
    match call.route() {
        ims::list::ROUTE => ims::list::answer(call).await,
        ims::members::LIST_ROUTE => ims::members::answer_list(call).await,
        ims::members::SHOW_ROUTE => ims::members::answer_show(call).await,
        ims::quota::ROUTE => ims::quota::answer(call).await,
        glance::create::ROUTE => glance::create::answer(call).await,
        glance::data::DOWNLOAD_ROUTE => glance::data::answer_download(call),
        glance::data::UPLOAD_ROUTE => glance::data::answer_upload(call).await,
        glance::data::STAGE_ROUTE | glance::data::IMPORT_ROUTE => glance::data::answer_import(),
        glance::list::ROUTE => glance::list::answer(call).await,
        glance::schema::ROUTE => glance::schema::answer(call),
        glance::show::ROUTE => glance::show::answer(call).await,
        glance::tags::ADD_ROUTE => glance::tags::answer_add(call).await,
        glance::tags::REMOVE_ROUTE => glance::tags::answer_remove(call).await,
        glance::members::list::ROUTE => glance::members::list::answer(call).await,
        glance::members::show::ROUTE => glance::members::show::answer(call).await,
        // These are other functions', and come here only by the path of a minor version.
        glance::members::add::ROUTE => glance::members::add::answer(call).await,
        glance::members::update::ROUTE => glance::members::update::answer(call).await,
        glance::members::remove::ROUTE => glance::members::remove::answer(call).await,
        glance::update::ROUTE => glance::update::answer(call).await,
        glance::delete::ROUTE => glance::delete::answer(call).await,
        other => ims::unrouted(&allowed_methods(other)),
    }
}
