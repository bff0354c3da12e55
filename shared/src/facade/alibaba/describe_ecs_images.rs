//! `DescribeImages` of ECS 2014-05-26: list the images that the account can use, so that ECS clients can look before
//! and after sharing: its own images, those shared with it and accepted, and the public ones.
//!
//! Pages are numbered and the response has the total count, so every page reads all matching images. More than
//! [`MAX_IMAGES`] are an error, and the list has to be narrowed.

use http::StatusCode;
use serde_json::{Value, json};

use super::describe_images::{AVAILABLE, os_type, usable_lists};
use super::envelope::ActionOutput;
use super::{Error, Parameters};
use crate::domain::{Caller, Encryption, ImageId, Visibility};
use crate::http::AuthenticatedRequest;
use crate::store::List;
use crate::usecases::{self, ImageQuery, ImageRow, IndexFilter, ListReason, UseCaseError, VisibleImage};

/// The maximum number of images that are counted.
const MAX_IMAGES: usize = 1000;

/// The maximum number of ids in `ImageId`, which are separated by commas.
const MAX_IDS: usize = 100;

/// Filters of ECS that are not supported. They are errors, because ignoring one would list images that were not
/// requested.
const UNSUPPORTED_FILTERS: [&str; 6] =
    ["ImageFamily", "InstanceType", "ResourceGroupId", "SnapshotId", "Usage", "Usable"];

/// The values of `ImageOwnerAlias`.
const OWNER_ALIASES: [(&str, OwnerAlias); 4] = [
    ("self", OwnerAlias::Own),
    ("others", OwnerAlias::Others),
    ("system", OwnerAlias::System),
    ("marketplace", OwnerAlias::Marketplace),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OwnerAlias {
    Own,
    Others,
    System,
    Marketplace,
}

/// The filters. An image has to pass all of them.
#[derive(Debug)]
struct Filter<'a> {
    owner: Option<OwnerAlias>,
    owner_id: Option<&'a str>,
    is_community: bool,
    name: Option<&'a str>,
    includes_available: bool,
    os: Option<&'a str>,
    architecture: Option<&'a str>,
}

/// Filters, `PageNumber` and `PageSize` in; `Images`, `TotalCount`, and the page's number and size out.
pub(super) async fn handle(
    request: &AuthenticatedRequest,
    parameters: &Parameters,
) -> Result<ActionOutput, Error> {
    let filter = Filter::parse(parameters)?;
    let ids = parse_image_ids(parameters)?;
    let page = parameters.number("PageNumber", (1, 1_000_000), 1)?;
    let size = parameters.number("PageSize", (1, 100), 10)?;
    if parameters.flag("DryRun")? {
        return Err(Error::dry_run_passed());
    }
    let rows = matching_rows(request, &filter, ids).await?;
    let images = rows.iter().skip((page - 1) * size).take(size).map(|row| image_json(&row.visible));
    Ok(json!({
        "RegionId": request.app.settings.region,
        "PageNumber": page,
        "PageSize": size,
        "TotalCount": rows.len(),
        "Images": { "Image": images.collect::<Vec<_>>() },
    })
    .into())
}

/// All images that pass the filter, newest first.
async fn matching_rows(
    request: &AuthenticatedRequest,
    filter: &Filter<'_>,
    ids: Option<Vec<ImageId>>,
) -> Result<Vec<ImageRow>, Error> {
    let (app, caller) = (&request.app, request.caller());
    let query = ImageQuery {
        lists: filter.lists(caller),
        filter: |visible: &VisibleImage| filter.matches(visible),
        index_filter: IndexFilter {
            names: filter.name.map(|name| vec![name.to_owned()]),
            ..IndexFilter::default()
        },
        needs_member_counts: true,
        sort: Vec::new(),
        after: None,
        limit: MAX_IMAGES,
    };
    let page = match ids {
        Some(ids) => usecases::find_images(app, caller, &ids, query).await,
        None => usecases::list_images(app, caller, query).await,
    };
    match page {
        Ok(page) if page.next.is_none() => Ok(page.rows),
        Ok(_) | Err(UseCaseError::ScanLimitReached { .. }) => Err(Error::new(
            StatusCode::BAD_REQUEST,
            "InvalidParameter",
            format!(
                "More than {MAX_IMAGES} images would have to be counted. Narrow the list by ImageId, ImageName or ImageOwnerAlias."
            ),
        )),
        Err(error) => Err(error.into()),
    }
}

/// The ids in `ImageId`; `None` without any. A malformed id matches no image, so it is left out.
fn parse_image_ids(parameters: &Parameters) -> Result<Option<Vec<ImageId>>, Error> {
    let Some(text) = parameters.text("ImageId") else { return Ok(None) };
    let values: Vec<_> = text.split(',').collect();
    if values.len() > MAX_IDS {
        return Err(Error::invalid_parameter("ImageId", format_args!("at most {MAX_IDS} images")));
    }
    let mut ids: Vec<ImageId> = values.iter().filter_map(|id| id.trim().parse().ok()).collect();
    ids.sort();
    ids.dedup();
    Ok(Some(ids))
}

impl<'a> Filter<'a> {
    fn parse(parameters: &'a Parameters) -> Result<Self, Error> {
        let is_unsupported = |name: &str| {
            UNSUPPORTED_FILTERS.contains(&name) || name.starts_with("Filter.") || name.starts_with("Tag.")
        };
        let is_set_and_unsupported =
            |(name, value): &&(String, String)| !value.is_empty() && is_unsupported(name);
        if let Some((name, _)) = parameters.pairs().iter().find(is_set_and_unsupported) {
            return Err(Error::invalid_parameter(
                name,
                "no value, because this filter is not supported here",
            ));
        }
        let owner = parameters.text("ImageOwnerAlias").map(|text| {
            let found = OWNER_ALIASES.iter().find(|(alias, _)| alias.eq_ignore_ascii_case(text));
            found.map(|(_, owner)| *owner).ok_or_else(|| {
                Error::invalid_parameter("ImageOwnerAlias", "self, others, system or marketplace")
            })
        });
        Ok(Self {
            owner: owner.transpose()?,
            owner_id: parameters.text("ImageOwnerId"),
            is_community: parameters.flag("IsPublic")?,
            name: parameters.text("ImageName"),
            includes_available: parameters.text("Status").is_none_or(|text| {
                text.split(',').any(|status| status.trim().eq_ignore_ascii_case(AVAILABLE))
            }),
            os: parameters.text("OSType"),
            architecture: parameters.text("Architecture"),
        })
    }

    fn lists(&self, caller: &Caller) -> Vec<List> {
        if self.is_community {
            return vec![List::Open(Visibility::Community)];
        }
        usable_lists(caller, [OwnerAlias::Own, OwnerAlias::Others, OwnerAlias::System], self.owner)
    }

    fn matches(&self, visible: &VisibleImage) -> bool {
        let (image, details) = (&visible.image, &visible.image.details);
        self.includes_available
            && self.name.is_none_or(|name| details.name.as_deref() == Some(name))
            && self.owner_id.is_none_or(|owner| image.owner.as_str() == owner)
            && self.os.is_none_or(|os| os_type(visible).eq_ignore_ascii_case(os))
            && self.architecture.is_none_or(|value| details.property("architecture") == Some(value))
    }
}

fn image_json(visible: &VisibleImage) -> Value {
    let (image, details) = (&visible.image, &visible.image.details);
    let text = |name| details.property(name).unwrap_or_default();
    let owner = match visible.reason {
        ListReason::Owned => "self",
        ListReason::Received(_) => "others",
        ListReason::Open if image.visibility == Visibility::Community => "others",
        ListReason::Open => "system",
    };
    // The SDKs expect a number, as in the ids of Alibaba's own accounts.
    let owner_id =
        image.owner.as_str().parse::<u64>().map_or_else(|_| image.owner.as_str().into(), Value::from);
    let tags: Vec<_> = details.tags.iter().map(|tag| json!({ "TagKey": tag, "TagValue": "" })).collect();
    let encrypted = details.encryption() != Encryption::None;
    let disk = json!({ "Type": "system", "Size": details.min_disk_gib.to_string(), "Encrypted": encrypted });
    let mut wire = json!({
        "ImageId": image.id.as_str(),
        "ImageName": details.name.as_deref().unwrap_or_default(),
        "ImageOwnerAlias": owner,
        "ImageOwnerId": owner_id,
        "Description": text("__description"),
        "Status": AVAILABLE,
        "Progress": "100%",
        "OSType": os_type(visible).to_ascii_lowercase(),
        "OSName": text("__os_version"),
        "Platform": text("__platform"),
        "Architecture": details.property("architecture").unwrap_or("x86_64"),
        "Size": details.min_disk_gib,
        "Usable": true,
        "IsPublic": image.visibility == Visibility::Community,
        "CreationTime": image.created.to_iso_seconds(),
        "DiskDeviceMappings": { "DiskDeviceMapping": [disk] },
        "Tags": { "Tag": tags },
    });
    // Only the owner may know whether the image is shared with others.
    if let (ListReason::Owned, Value::Object(wire)) = (&visible.reason, &mut wire) {
        let is_shared = if visible.members > 0 { "True" } else { "" };
        wire.insert("IsSelfShared".to_owned(), is_shared.into());
    }
    wire
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::fixtures;

    fn lists(query: &str) -> String {
        let parameters = Parameters::parse(query, None).unwrap();
        let lists = Filter::parse(&parameters).unwrap().lists(&fixtures::caller("1001"));
        lists.iter().map(List::to_string).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn owner_alias_chooses_the_list() {
        for (query, expected) in [
            ("", "O#1001 T#1001#accepted L#public"),
            ("ImageOwnerAlias=self", "O#1001"),
            ("ImageOwnerAlias=others", "T#1001#accepted"),
            ("ImageOwnerAlias=system", "L#public"),
            ("ImageOwnerAlias=marketplace", ""),
            ("IsPublic=True", "L#community"),
        ] {
            assert_eq!(lists(query), expected, "{query}");
        }
    }

    #[test]
    fn unsupported_filter_is_rejected_by_name() {
        for query in ["Tag.1.Key=a", "Filter.1.Key=CreationStartTime", "SnapshotId=s-1", "ImageOwnerAlias=me"]
        {
            let error = format!("{:?}", Filter::parse(&Parameters::parse(query, None).unwrap()).unwrap_err());
            let name = query.split('=').next().unwrap();
            assert!(error.contains("InvalidParameter") && error.contains(name), "{error}");
        }
    }

    #[test]
    fn comma_separated_ids_are_parsed() {
        let ids = |query: &str| {
            parse_image_ids(&Parameters::parse(query, None).unwrap()).map(|ids| ids.map(|ids| ids.len()))
        };
        assert_eq!(
            (ids(""), ids("ImageId=m-1,m-2, m-1"), ids("ImageId=a%2Fb")),
            (Ok(None), Ok(Some(2)), Ok(Some(0)))
        );
        assert!(ids(&format!("ImageId={}", ["m"; 101].join(","))).is_err());
    }
}
