//! `DELETE /v3/auth/tokens`: the token in `X-Subject-Token` ends now. One of another project is not found, like one that is
//! not good.

use http::StatusCode;

use super::Error;
use super::error::no_body;
use super::token::{no_such_token, subject};
use crate::auth::{Authenticator, NotAdmitted, Unauthenticated};
use crate::domain::{Caller, Timestamp};
use crate::facade::{Reply, no_content};
use crate::function::Call;

/// The operation's route.
pub const ROUTE: &str = "DELETE /v3/auth/tokens";

/// The token in `X-Subject-Token` in, 204 out. A token may revoke itself, a role one that is no stronger.
pub async fn answer(authenticator: &Authenticator, call: &Call) -> Reply {
    revoke(authenticator, call).await.unwrap_or_else(Error::into_reply)
}

async fn revoke(authenticator: &Authenticator, call: &Call) -> Result<Reply, Error> {
    no_body(call)?;
    let now = Timestamp::now();
    let (subject, bearer) = subject(authenticator, call, now).await?;
    if !may_revoke(call.caller(), &bearer.caller) {
        return Err(Error::new(
            StatusCode::FORBIDDEN,
            "IMG.0026",
            format!(
                "X-Subject-Token: your role here is {}, which revokes no token of a stronger one, nor another's.",
                call.caller().role.name()
            ),
        ));
    }
    match authenticator.revoke(subject, &call.service.store, now).await {
        Ok(()) => Ok(no_content()),
        Err(NotAdmitted::Unauthenticated(refused @ Unauthenticated::CannotRevoke)) => {
            Err(Error::new(StatusCode::FORBIDDEN, "IMG.0026", format!("X-Subject-Token: {refused}.")))
        }
        Err(NotAdmitted::Unauthenticated(_)) => Err(no_such_token()),
        Err(NotAdmitted::Store(problem)) => Err(problem.into()),
        Err(NotAdmitted::Issuer(problem)) => Err(Error::of_issuer(&problem)),
    }
}

fn may_revoke(caller: &Caller, bearer: &Caller) -> bool {
    caller == bearer || (caller.acts_for(&bearer.tenant) && caller.role >= bearer.role)
}
