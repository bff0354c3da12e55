//! `GET /v3/auth/tokens` and `HEAD` of it: whom the token in `X-Subject-Token` stands for. One of another project is not
//! found, like one that is not good.

use http::StatusCode;
use http::header::{CACHE_CONTROL, HeaderValue};

use super::Error;
use super::error::no_body;
use super::token::TokenWire;
use crate::auth::{Authenticator, NotAdmitted};
use crate::domain::Timestamp;
use crate::facade::{Reply, fault, json};
use crate::function::Call;

/// The operation's route.
pub const ROUTE: &str = "GET /v3/auth/tokens";

/// The route of all other methods, `HEAD` among them.
pub const ANY_ROUTE: &str = "ANY /v3/auth/tokens";

const SUBJECT_TOKEN: &str = "x-subject-token";

/// The token in `X-Subject-Token` in, its description out.
pub async fn answer(authenticator: &Authenticator, call: &Call) -> Reply {
    show(authenticator, call).await.unwrap_or_else(Error::into_reply)
}

async fn show(authenticator: &Authenticator, call: &Call) -> Result<Reply, Error> {
    no_body(call)?;
    let subject = call.raw_header(SUBJECT_TOKEN).and_then(|token| std::str::from_utf8(token).ok());
    let subject = subject.ok_or_else(|| Error::bad_request("X-Subject-Token: expected a token."))?.trim();
    let now = Timestamp::now();
    let bearer = match authenticator.token_bearer(subject, &call.service.store, now).await {
        Ok(bearer) if call.caller().reads_for(&bearer.caller.tenant) => bearer,
        Ok(_) | Err(NotAdmitted::Unauthenticated(_)) => return Err(not_found()),
        Err(NotAdmitted::Store(problem)) => return Err(problem.into()),
        Err(NotAdmitted::Issuer(problem)) => {
            let (status, code, message) = fault::of_issuer(&problem);
            return Err(Error::new(status, code, message));
        }
    };
    let wire = TokenWire {
        method: "token",
        caller: &bearer.caller,
        issued: bearer.issued.unwrap_or(now),
        expires: bearer.expires,
        address: &call.address(),
        region: &call.service.settings.region,
    };
    let mut reply = json(StatusCode::OK, &wire.body());
    let token = HeaderValue::from_str(subject).ok();
    reply.headers_mut().extend(token.map(|token| (http::HeaderName::from_static(SUBJECT_TOKEN), token)));
    reply.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(reply)
}

fn not_found() -> Error {
    Error::new(
        StatusCode::NOT_FOUND,
        "IMG.0087",
        "X-Subject-Token: your project has no such token, or it is not good any more.",
    )
}
