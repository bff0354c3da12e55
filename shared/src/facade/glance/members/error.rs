//! The errors of the member calls that have their own words in Glance: it names the policy that forbids a call, and
//! each call has another message for an image without members (`contract/glance.md` 2.3 and 2.4).

use http::StatusCode;

use crate::domain::{Denied, ImageId, NotShared, ShareRequestError};
use crate::facade::glance::Error;
use crate::facade::glance::error::not_shared_reason;
use crate::usecases::UseCaseError;

/// A call on the members of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MemberAction {
    Add,
    List,
    Show,
    Update,
    Remove,
}

impl MemberAction {
    /// The call's error for an error of its use case.
    pub(super) fn error_for(self, error: UseCaseError) -> Error {
        match error {
            UseCaseError::Denied(denied) => self.denied(denied),
            UseCaseError::ShareRequest(ShareRequestError::NotShared(problem)) => self.not_shared(&problem),
            // 409 would mean that the member exists already.
            UseCaseError::Conflict(image) => Error::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "IMG.0060",
                format!("The members of image {image} are being changed by others. Try again in a second."),
            ),
            other => other.into(),
        }
    }

    fn denied(self, denied: Denied) -> Error {
        match denied {
            Denied::ReadOnly => {
                self.forbidden("your role here is reader, which only reads. Ask for the role member")
            }
            Denied::NotOwner(_) => {
                self.forbidden("only the image's owner can share or unshare it. Use a credential of its owner")
            }
            Denied::ProjectMismatch { acting, named } => self.forbidden(&format!(
                "your credential acts for {acting}, and only {named} itself accepts or rejects. Use a credential of {named}"
            )),
            Denied::ImageNotFound(id) => image_not_found(id.as_str()),
            Denied::NotShared(problem) => self.not_shared(&problem),
            other @ (Denied::MemberNotFound { .. } | Denied::AdminOnly(_) | Denied::JobNotFound) => other.into(),
        }
    }

    fn policy(self) -> &'static str {
        match self {
            Self::Add => "add_member",
            Self::List => "get_members",
            Self::Show => "get_member",
            Self::Update => "modify_member",
            Self::Remove => "delete_member",
        }
    }

    fn forbidden(self, why: &str) -> Error {
        let message = format!("You are not authorized to complete {} action: {why}.", self.policy());
        Error::new(StatusCode::FORBIDDEN, "IMG.0026", message)
    }

    fn not_shared(self, problem: &NotShared) -> Error {
        let (image, why) = (&problem.image, not_shared_reason(problem));
        let forbidden = |verb| {
            let message = format!("Not allowed to {verb} members for image {image}: {why}");
            Error::new(StatusCode::FORBIDDEN, "IMG.0105", message)
        };
        match self {
            Self::Add => forbidden("create"),
            Self::List => forbidden("list"),
            Self::Show => Error::new(StatusCode::NOT_FOUND, "IMG.0121", why.as_str()),
            Self::Update => forbidden("update"),
            Self::Remove => forbidden("delete"),
        }
    }
}

/// 404: the caller sees no image of that id, which may be malformed.
pub(super) fn image_not_found(id: &str) -> Error {
    Error::new(StatusCode::NOT_FOUND, "IMG.0027", format!("Image {id} not found."))
}

/// 404: the caller sees no member of that id, which may be malformed.
pub(super) fn member_not_found(id: &str, image: &ImageId) -> Error {
    Error::new(
        StatusCode::NOT_FOUND,
        "IMG.0121",
        format!("{id} not found in the member list of the image {image}."),
    )
}
