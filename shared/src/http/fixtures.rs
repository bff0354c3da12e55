//! A caller and images for the tests of the facades, so that each test sets only what it is about.

use crate::domain::{Caller, Details, Image, Role, Timestamp, Visibility};

/// A caller with the role member in the project.
pub(crate) fn caller(project: &str) -> Caller {
    Caller {
        tenant: project.parse().unwrap(),
        account: None,
        user: None,
        access_key: None,
        role: Role::Member,
    }
}

/// A shared image of `own1`, without members, with these free properties.
pub(crate) fn image(properties: &[(&str, &str)]) -> Image {
    let properties = properties.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Image {
        id: "i-1".parse().unwrap(),
        owner: "own1".parse().unwrap(),
        visibility: Visibility::Shared,
        details: Details { properties: properties.collect(), ..Details::default() },
        created: Timestamp::from_unix_millis(1_730_874_600_778),
        updated: Timestamp::from_unix_millis(1_730_874_603_179),
        revision: 1,
    }
}

/// A shared image with a name, a format, a size, tags and a property.
pub(crate) fn image_with_details(name: &str) -> Image {
    let mut image = image(&[("__platform", "Ubuntu")]);
    image.details = Details {
        name: Some(name.to_owned()),
        disk_format: Some("qcow2".to_owned()),
        min_disk_gib: 40,
        tags: ["a".to_owned(), "b".to_owned()].into(),
        ..image.details
    };
    image
}
