//! `PUT` and `DELETE /v2/images/{image_id}/tags/{tag}`: put one tag on an image, or take one off. Whatever else is changed of
//! the image at the same time stays changed.
//!
//! As in Glance, what can be no tag is refused before the image is looked for; to take it off is only not to find it.

use http::StatusCode;

use super::Error;
use super::request::{image_id, no_body};
use crate::domain::{Image, MOST_TAGS, is_tag};
use crate::facade::{Reply, no_content};
use crate::function::Call;
use crate::usecases;

/// The route that puts a tag on.
pub const ADD_ROUTE: &str = "PUT /v2/images/{image_id}/tags/{tag}";

/// The route that takes a tag off.
pub const REMOVE_ROUTE: &str = "DELETE /v2/images/{image_id}/tags/{tag}";

/// Nothing out, with 204, also where the image has the tag already.
pub async fn answer_add(call: &Call) -> Reply {
    add(call).await.unwrap_or_else(Error::into_reply)
}

async fn add(call: &Call) -> Result<Reply, Error> {
    no_body(call)?;
    let tag = new_tag(call.path_parameter("tag"))?;
    usecases::update_image(&call.service, call.caller(), &image_id(call)?, |image| put_on(image, tag))
        .await?;
    Ok(no_content())
}

/// Nothing out, with 204.
pub async fn answer_remove(call: &Call) -> Reply {
    remove(call).await.unwrap_or_else(Error::into_reply)
}

async fn remove(call: &Call) -> Result<Reply, Error> {
    no_body(call)?;
    let tag = call.path_parameter("tag");
    usecases::update_image(&call.service, call.caller(), &image_id(call)?, |image| take_off(image, tag))
        .await?;
    Ok(no_content())
}

/// A tag as the path has it. What is no UTF-8 there has come as replacement characters, and is not what the client meant.
fn new_tag(text: &str) -> Result<&str, Error> {
    if is_tag(text) && !text.contains(char::REPLACEMENT_CHARACTER) {
        Ok(text)
    } else {
        Err(Error::expected("tag", "1 to 255 characters in UTF-8, none of them a control character"))
    }
}

fn put_on(image: &mut Image, tag: &str) -> Result<(), Error> {
    let tags = &mut image.details.tags;
    tags.insert(tag.to_owned());
    if tags.len() > MOST_TAGS {
        let message = format!(
            "Image tag limit exceeded for image {}: The limit has been exceeded on the number of allowed image tags. Attempted: {}, Maximum: {MOST_TAGS}:",
            image.id,
            tags.len()
        );
        return Err(Error::new(StatusCode::PAYLOAD_TOO_LARGE, "IMG.0088", message));
    }
    Ok(())
}

fn take_off(image: &mut Image, tag: &str) -> Result<(), Error> {
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
    use crate::facade::example;

    fn status(result: Result<(), Error>) -> u16 {
        result.map_or_else(|error| error.into_reply().status().as_u16(), |()| 204)
    }

    #[test]
    fn what_is_no_tag_is_refused() {
        let (longest, too_long) = ("é".repeat(255), "é".repeat(256));
        for good in ["a", " ", "a b", "a/b", "..", &longest] {
            assert_eq!(new_tag(good), Ok(good));
        }
        for bad in ["", "a\0b", "\n", "a\u{fffd}", &too_long] {
            let refused = new_tag(bad).unwrap_err();
            assert!(format!("{refused:?}").contains("tag: expected 1 to 255 characters"), "{bad}");
            assert_eq!(refused.into_reply().status(), 400, "{bad}");
        }
    }

    #[test]
    fn an_image_has_no_more_tags_than_it_may_and_one_of_them_may_come_again() {
        let mut image = example::image(&[]);
        for number in 0..MOST_TAGS {
            assert_eq!(status(put_on(&mut image, &number.to_string())), 204);
        }
        assert_eq!(status(put_on(&mut image.clone(), "7")), 204);
        let refused = put_on(&mut image, "one more").unwrap_err();
        assert!(format!("{refused:?}").contains("Attempted: 129, Maximum: 128"), "{refused:?}");
        assert_eq!(refused.into_reply().status(), 413);
    }

    proptest! {
        #[test]
        fn what_can_be_put_on_can_be_taken_off(text in any::<String>()) {
            if let Ok(tag) = new_tag(&text) {
                let before = example::image(&[]);
                let mut image = before.clone();
                prop_assert_eq!(status(put_on(&mut image, tag)), 204);
                prop_assert_eq!(image.details.check(), Ok(()));
                prop_assert_eq!(status(take_off(&mut image, tag)), 204);
                prop_assert_eq!(&image, &before);
                prop_assert_eq!(status(take_off(&mut image, tag)), 404);
            }
        }
    }
}
