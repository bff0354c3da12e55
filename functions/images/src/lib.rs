//! The function `images`: the image registry and the views, and the answer to what no other function answers.

use imageshare::facade::{Reply, glance, ims};
use imageshare::function::{Call, Function, route_of};
use lambda_http::Request;

/// The methods of each path of the API, for the answer to any other method.
const METHODS: [(&str, &str); 24] = [
    ("/", "GET, POST"),
    ("/health", "GET"),
    ("/v1/access-keys", "GET, POST"),
    ("/v1/access-keys/{key_id}", "DELETE"),
    ("/v1/cloudimages/job/{job_id}", "GET"),
    ("/v1/cloudimages/members", "DELETE, POST, PUT"),
    ("/v1/cloudimages/quota", "GET"),
    ("/v1/{project_id}/cloudimages/{image_id}/members", "GET"),
    ("/v1/{project_id}/cloudimages/{image_id}/members/{member_id}", "GET"),
    ("/v1/{project_id}/jobs/{job_id}", "GET"),
    ("/v2", "GET"),
    ("/v2/", "GET"),
    ("/v2/cloudimages", "GET"),
    ("/v2/images", "GET, POST"),
    ("/v2/images/{image_id}", "DELETE, GET, PATCH"),
    ("/v2/images/{image_id}/members", "GET, POST"),
    ("/v2/images/{image_id}/members/{member_id}", "DELETE, GET, PUT"),
    ("/v2/schemas/{schema_name}", "GET"),
    ("/v3", "GET"),
    ("/v3/", "GET"),
    ("/v3/auth/catalog", "GET"),
    ("/v3/projects", "GET"),
    ("/v3/projects/{project_id}", "GET"),
    ("/versions", "GET"),
];

/// Answers one request.
pub async fn handle(function: &Function, request: Request) -> Reply {
    if let Some(answer) = glance::versions::answer(&route_of(&request)) {
        return function.answer_anybody(request, answer);
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
        glance::list::ROUTE => glance::list::answer(call).await,
        glance::schema::ROUTE => glance::schema::answer(call),
        glance::show::ROUTE => glance::show::answer(call).await,
        glance::members::list::ROUTE => glance::members::list::answer(call).await,
        glance::members::show::ROUTE => glance::members::show::answer(call).await,
        glance::update::ROUTE => glance::update::answer(call).await,
        glance::delete::ROUTE => glance::delete::answer(call).await,
        other => ims::unrouted(allowed_methods(other)),
    }
}

/// The methods of the path of the gateway's route `ANY <path>`; none for any other route.
fn allowed_methods(route: &str) -> &'static str {
    let path = route.strip_prefix("ANY ").unwrap_or_default();
    METHODS.iter().find(|(known, _)| *known == path).map_or("", |(_, methods)| methods)
}

#[cfg(test)]
mod tests {
    use super::allowed_methods;

    #[test]
    fn another_method_of_a_known_path_is_told_the_methods() {
        assert_eq!(allowed_methods("ANY /v2/images/{image_id}"), "DELETE, GET, PATCH");
        for unknown in ["$default", "", "ANY /v2/flavors", "PUT /v2/images"] {
            assert_eq!(allowed_methods(unknown), "");
        }
    }
}
