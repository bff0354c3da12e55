//! `PUT` and `DELETE /v2/images/{image_id}/tags/{tag}`: add one tag to an image, or remove one. Concurrent changes of
//! the image are kept.
//!
//! As in Glance, adding an invalid tag is rejected before the image is read, and removing one is 404.

use http::StatusCode;

use super::Error;
use super::request::path_image_id;
use crate::domain::{Image, MAX_TAGS, is_tag};
use crate::http::{AuthenticatedRequest, HttpResponse, no_content};
use crate::usecases;

/// The route that adds a tag.
pub const ADD_ROUTE: &str = "PUT /v2/images/{image_id}/tags/{tag}";

/// The route that removes a tag.
pub const REMOVE_ROUTE: &str = "DELETE /v2/images/{image_id}/tags/{tag}";

/// No body out (204), also if the image has the tag already.
pub async fn handle_add(request: &AuthenticatedRequest) -> HttpResponse {
    add(request).await.unwrap_or_else(Error::into_response)
}

async fn add(request: &AuthenticatedRequest) -> Result<HttpResponse, Error> {
    request.ensure_no_body()?;
    let tag = parse_tag(request.path_parameter("tag"))?;
    usecases::update_image(&request.app, request.caller(), &path_image_id(request)?, |image| {
        add_tag(image, tag)
    })
    .await?;
    Ok(no_content())
}

/// No body out (204).
pub async fn handle_remove(request: &AuthenticatedRequest) -> HttpResponse {
    remove(request).await.unwrap_or_else(Error::into_response)
}

async fn remove(request: &AuthenticatedRequest) -> Result<HttpResponse, Error> {
    request.ensure_no_body()?;
    let tag = request.path_parameter("tag");
    usecases::update_image(&request.app, request.caller(), &path_image_id(request)?, |image| {
        remove_tag(image, tag)
    })
    .await?;
    Ok(no_content())
}

/// The tag of the path. A path that is not UTF-8 arrives with replacement characters, which are not what the client
/// meant.
fn parse_tag(text: &str) -> Result<&str, Error> {
    if is_tag(text) && !text.contains(char::REPLACEMENT_CHARACTER) {
        Ok(text)
    } else {
        Err(Error::invalid_field("tag", "1 to 255 characters in UTF-8, none of them a control character"))
    }
}

fn add_tag(image: &mut Image, tag: &str) -> Result<(), Error> {
    let tags = &mut image.details.tags;
    tags.insert(tag.to_owned());
    if tags.len() > MAX_TAGS {
        let message = format!(
            "Image tag limit exceeded for image {}: The limit has been exceeded on the number of allowed image tags. Attempted: {}, Maximum: {MAX_TAGS}:",
            image.id,
            tags.len()
        );
        return Err(Error::new(StatusCode::PAYLOAD_TOO_LARGE, "IMG.0088", message));
    }
    Ok(())
}

fn remove_tag(image: &mut Image, tag: &str) -> Result<(), Error> {
    if image.details.tags.remove(tag) {
        Ok(())
    } else {
        let message = format!("Image {} has no tag '{tag}'.", image.id);
        Err(Error::new(StatusCode::NOT_FOUND, "IMG.0121", message))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::http::fixtures;

    fn status(result: Result<(), Error>) -> u16 {
        result.map_or_else(|error| error.into_response().status().as_u16(), |()| 204)
    }

    #[test]
    fn invalid_tag_is_rejected() {
        let (longest, too_long) = ("é".repeat(255), "é".repeat(256));
        for good in ["a", " ", "a b", "a/b", "..", &longest] {
            assert_eq!(parse_tag(good), Ok(good));
        }
        for bad in ["", "a\0b", "\n", "a\u{fffd}", &too_long] {
            let error = parse_tag(bad).unwrap_err();
            assert!(format!("{error:?}").contains("tag: expected 1 to 255 characters"), "{bad}");
            assert_eq!(error.into_response().status(), 400, "{bad}");
        }
    }

    #[test]
    fn tag_limit_is_enforced_and_existing_tag_is_accepted() {
        let mut image = fixtures::image(&[]);
        for number in 0..MAX_TAGS {
            assert_eq!(status(add_tag(&mut image, &number.to_string())), 204);
        }
        assert_eq!(status(add_tag(&mut image.clone(), "7")), 204);
        let error = add_tag(&mut image, "one more").unwrap_err();
        assert!(format!("{error:?}").contains("Attempted: 129, Maximum: 128"), "{error:?}");
        assert_eq!(error.into_response().status(), 413);
    }

    proptest! {
        #[test]
        fn added_tag_can_be_removed(text in any::<String>()) {
            if let Ok(tag) = parse_tag(&text) {
                let before = fixtures::image(&[]);
                let mut image = before.clone();
                prop_assert_eq!(status(add_tag(&mut image, tag)), 204);
                prop_assert_eq!(image.details.validate(), Ok(()));
                prop_assert_eq!(status(remove_tag(&mut image, tag)), 204);
                prop_assert_eq!(&image, &before);
                prop_assert_eq!(status(remove_tag(&mut image, tag)), 404);
            }
        }
    }
}
