//! The ways to sign in, and to sign out. Each way is one file, and ends in the cookie of a session.

mod access_key;
mod link;
mod provider;
mod token;

use imageshare::auth::IssuedToken;
use imageshare::domain::Timestamp;
use imageshare::function::HttpFunction;
use imageshare::http::{HttpResponse, IncomingRequest};

use super::error;
use crate::ROOT;
use crate::fields::Fields;
use crate::reply::Reply;
use crate::session;
use crate::texts::Texts;
use crate::wording::Refusal;

/// The path of the page where one signs in, which begins the paths of the other ways.
pub(crate) const PATH: &str = "/console/sign-in";

/// A request for a page without a session.
struct SignInVisit<'a> {
    texts: &'static Texts,
    function: &'a HttpFunction,
    incoming: &'a IncomingRequest,
    /// The fields of the query, or of the form.
    fields: Fields,
    now: Timestamp,
}

/// Answers a request below [`PATH`], whose further segments are `way`. The only list of the ways to sign in.
pub(crate) async fn answer(
    texts: &'static Texts,
    function: &HttpFunction,
    incoming: IncomingRequest,
    way: &[&str],
) -> HttpResponse {
    let is_form = incoming.method() == "POST";
    let reply = match SignInVisit::new(texts, function, &incoming) {
        Ok(visit) => match (is_form, way) {
            (false, []) => Ok(access_key::show(&visit)),
            (true, []) => access_key::sign_in(&visit).await,
            (false, ["link"]) => link::show(&visit).await,
            (true, ["link"]) => link::sign_in(&visit).await,
            (false, ["token"]) => Ok(token::show(&visit)),
            (true, ["token"]) => token::sign_in(&visit).await,
            (false, ["provider"]) => provider::begin(&visit).await,
            (false, ["callback"]) => Ok(provider::end(&visit).await),
            _ => Err(Refusal::NoSuchPage),
        },
        Err(refusal) => Err(refusal),
    };
    let reply = reply.unwrap_or_else(|refusal| error::outside(texts, &refusal, incoming.request_id()));
    incoming.finish(reply.into_response())
}

impl<'a> SignInVisit<'a> {
    fn new(
        texts: &'static Texts,
        function: &'a HttpFunction,
        incoming: &'a IncomingRequest,
    ) -> Result<Self, Refusal> {
        let is_form = incoming.method() == "POST";
        let fields = if is_form { incoming.body() } else { incoming.raw_query().as_bytes() };
        let fields = Fields::parse(fields).map_err(|_| Refusal::MalformedForm)?;
        Ok(Self { texts, function, incoming, fields, now: Timestamp::now() })
    }

    /// The page to go to after signing in.
    fn next(&self) -> &str {
        local_path(self.fields.text("next"))
    }

    /// Begins the session of a token, at the page `next`.
    fn signed_in(&self, issued: &IssuedToken, next: &str) -> Reply {
        let cookie = session::cookie(&self.incoming.base_url(), &issued.token);
        Reply::redirect(next).with_cookie(Some(cookie))
    }
}

/// A path of the console, or else its first page. So no link leads through here to another site.
fn local_path(next: &str) -> &str {
    let is_local =
        next.strip_prefix(ROOT).is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']));
    if is_local && !next.starts_with(PATH) && !next.contains(['\\', '\r', '\n']) { next } else { ROOT }
}

/// Ends the session: its token is revoked, and its cookie removed.
pub(crate) async fn sign_out(function: &HttpFunction, incoming: IncomingRequest) -> HttpResponse {
    if let Some(token) = incoming.session_token()
        && let Err(problem) =
            function.authenticator.revoke(token, &incoming.app.store, Timestamp::now()).await
    {
        tracing::warn!(%problem, "the token of a session was not revoked");
    }
    let removed = session::cookie(&incoming.base_url(), "");
    incoming.finish(Reply::redirect(PATH).with_cookie(Some(removed)).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sign_in_leads_to_the_console_only() {
        for local in ["/console", "/console/images?marker=a~b", "/console?x"] {
            assert_eq!(local_path(local), local);
        }
        for foreign in [
            "",
            "//evil.example",
            "https://evil.example",
            "/console.evil",
            "/v2/images",
            "/console/sign-in",
            "/console/\\x",
        ] {
            assert_eq!(local_path(foreign), "/console", "{foreign}");
        }
    }
}
