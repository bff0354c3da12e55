//! The function `console`: the pages for people, in HTML. It is a facade over the use cases like those of the APIs, and every
//! action works without any script.
//!
//! A request passes through these modules from top to bottom:
//!
//! ```text
//! lib          receives the request: assets, then the session, then the page
//! session      the cookie: who is signed in
//! same_origin  refuses forms that another site has sent
//! pages        one page, one file: what it reads, what its forms do, its template's values; `pages::answer` lists them
//! frame        what every page has around it: navigation, project, region
//! notice       what became of the last action
//! owned        the images that the project owns, as several pages show them
//! visible      the images that the project may see, by their ids
//! recipients   the projects that a form names, and how its fields find them
//! problems     what is wrong with a form, beside its fields
//! wording      errors and outcomes as sentences that say what to do
//! texts        every text, so that a language is one more file
//! reply        the response and its headers
//! compression  makes it shorter for browsers that accept that
//! ```
//!
//! A page that changes something is a form, answered with a redirect (303), so that to reload it does nothing again. What is
//! shown of another tenant is escaped by the templates, which have no filter that would let it through.

mod assets;
mod compression;
mod fields;
mod frame;
mod notice;
mod owned;
mod pages;
mod problems;
mod recipients;
mod reply;
mod same_origin;
mod session;
mod show;
mod texts;
mod visible;
mod visit;
mod wording;

use http::{Method, StatusCode};
use imageshare::function::HttpFunction;
use imageshare::http::{HttpResponse, IncomingRequest};
use lambda_http::Request;

pub use self::texts::Texts;
use self::visit::Visit;
use self::wording::Refusal;

/// The path of the console, which begins the paths of all of its pages.
const ROOT: &str = "/console";

/// The routes of the console. Which pages there are is known to [`pages`].
const ROUTES: [&str; 3] = ["GET /console", "GET /console/{page+}", "POST /console/{page+}"];

/// Handles one request, in English.
pub async fn handle(function: &HttpFunction, request: Request) -> HttpResponse {
    handle_in(&texts::ENGLISH, function, request).await
}

/// Handles one request, in the language of `texts`.
pub async fn handle_in(texts: &'static Texts, function: &HttpFunction, request: Request) -> HttpResponse {
    let accepts_gzip = compression::accepts_gzip(request.headers());
    let response = respond(texts, function, request).await;
    if accepts_gzip { compression::compress(response) } else { response }
}

async fn respond(texts: &'static Texts, function: &HttpFunction, request: Request) -> HttpResponse {
    let incoming = match function.receive(request) {
        Ok(incoming) => incoming,
        Err(rejected) => {
            let refusal = Refusal::Rejected(rejected.reason().clone());
            let reply = pages::error::outside(texts, &refusal, rejected.request_id());
            return rejected.finish(reply.into_response());
        }
    };
    let path = incoming.path().to_owned();
    let segments = segments(&path);
    if !ROUTES.contains(&incoming.route()) {
        return finish(texts, incoming, &Refusal::NoSuchPage);
    }
    if let ["assets", name] = segments.as_slice()
        && let Some(asset) = assets::find(name)
    {
        return incoming.finish(asset);
    }
    let is_form = incoming.method() == Method::POST;
    if is_form && let Err(foreign) = same_origin::check(incoming.headers(), &incoming.base_url()) {
        return finish(texts, incoming, &foreign.into());
    }
    match (segments.as_slice(), is_form) {
        (["sign-in", way @ ..], _) => return pages::sign_in::answer(texts, function, incoming, way).await,
        (["sign-out"], true) => return pages::sign_in::sign_out(function, incoming).await,
        _ => {}
    }
    let Some(token) = incoming.session_token().map(str::to_owned) else {
        let reply = session::ask_to_sign_in(&incoming);
        return incoming.finish(reply.into_response());
    };
    let request = match function.authenticate_session(incoming, &token).await {
        Ok(request) => request,
        Err(rejected) => {
            let reply = session::rejected(texts, &rejected);
            return rejected.finish(reply.into_response());
        }
    };
    let reply = match Visit::new(&request, texts) {
        Ok(visit) => pages::answer(&visit, &segments).await,
        Err(refusal) => pages::error::outside(texts, &refusal, request.request_id()),
    };
    let renewed = session::renewed_cookie(function, &request, &token).await;
    request.finish(reply.with_cookie(renewed).into_response())
}

/// The page for a request for the console that a gateway refuses itself, with that status and that id, or to which it has got no
/// answer.
pub fn error_page(status: StatusCode, request_id: &str) -> HttpResponse {
    pages::error::outside(&texts::ENGLISH, &Refusal::Gateway(status), request_id).into_response()
}

/// The parts of a path below [`ROOT`], percent-decoded. A trailing slash makes another path.
fn segments(path: &str) -> Vec<&str> {
    path.strip_prefix(ROOT).unwrap_or_default().split('/').skip(1).collect()
}

fn finish(texts: &'static Texts, incoming: IncomingRequest, refusal: &Refusal) -> HttpResponse {
    let reply = pages::error::outside(texts, refusal, incoming.request_id());
    incoming.finish(reply.into_response())
}
