//! What the member calls say to refusals in words of their own: Glance names the policy that forbids, and speaks of an
//! image that has no members differently in each call (`contract/glance.md` 2.3 and 2.4).

use http::StatusCode;

use crate::domain::ImageId;
use crate::facade::glance::Error;
use crate::usecases::Refusal;

/// What is done to the members of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Add,
    List,
    Show,
    Update,
    Remove,
}

impl Action {
    /// The error of a refusal.
    pub(super) fn refused(self, refusal: Refusal) -> Error {
        match refusal {
            Refusal::ReadOnly | Refusal::NotOwner(_) | Refusal::OtherProject { .. } => Error::new(
                StatusCode::FORBIDDEN,
                "IMG.0026",
                format!("You are not authorized to complete {} action.", self.policy()),
            ),
            Refusal::ImageNotFound(id) => no_image(id.as_str()),
            Refusal::NotShared { image, .. } => self.not_shared(&image),
            // 409 would mean that the member is there already.
            Refusal::Contended(image) => Error::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "IMG.0060",
                format!("The members of image {image} are being changed by others. Try again in a second."),
            ),
            other => other.into(),
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

    fn not_shared(self, image: &ImageId) -> Error {
        const WHY: &str = "Only shared images have members.";
        let forbidden = |message| Error::new(StatusCode::FORBIDDEN, "IMG.0105", message);
        match self {
            Self::Add => forbidden(format!("Not allowed to create members for image {image}.")),
            Self::List => forbidden(format!("Not allowed to list members for image {image}: {WHY}")),
            Self::Show => Error::new(StatusCode::NOT_FOUND, "IMG.0121", WHY),
            Self::Update => forbidden(format!("Not allowed to update members for image {image}.")),
            Self::Remove => forbidden(format!("Not allowed to delete members for image {image}.")),
        }
    }
}

/// No image of that id that the caller sees; the id may be anything.
pub(super) fn no_image(id: &str) -> Error {
    Error::new(StatusCode::NOT_FOUND, "IMG.0027", format!("Image {id} not found."))
}

/// No such member that the caller sees; the id may be anything.
pub(super) fn no_member(id: &str, image: &ImageId) -> Error {
    Error::new(
        StatusCode::NOT_FOUND,
        "IMG.0121",
        format!("{id} not found in the member list of the image {image}."),
    )
}
