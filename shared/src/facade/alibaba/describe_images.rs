//! `DescribeImages` of ECD: list the images that the account can use: its own, those shared with it and accepted, and
//! the public ones (`contract/alibaba.md` 3.3).

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::envelope::ActionOutput;
use super::{Error, Parameters};
use crate::domain::{Caller, Encryption, ImageId, Status, Visibility};
use crate::http::{AuthenticatedRequest, Listing};
use crate::store::List;
use crate::usecases::{
    self, ImagePage, ImageQuery, IndexFilter, ListReason, Marker, UseCaseError, VisibleImage,
};

/// The highest `N` of `ImageId.N`: one batch read takes this many images with the caller's memberships of them.
const MAX_IDS: usize = 50;

/// The status of every image here. ECD's other statuses are for images that are being created or have failed.
pub(super) const AVAILABLE: &str = "Available";

/// Properties of ECD, under ECD's names. They can be filtered by, and are shown.
const PROPERTIES: [&str; 7] = [
    "DesktopInstanceType",
    "FotaVersion",
    GPU_PROPERTY,
    "GpuDriverVersion",
    "LanguageType",
    "ProtocolType",
    "SessionType",
];

/// A property that is only shown.
const APP_VERSION_PROPERTY: &str = "AppVersion";

/// The property that ECD writes as a boolean, and its Python SDK as `True`. An image without it has no GPU.
const GPU_PROPERTY: &str = "GpuCategory";

/// The values of `ImageType`.
const IMAGE_TYPES: [(&str, ImageType); 3] =
    [("CUSTOM", ImageType::Custom), ("SHARED", ImageType::Shared), ("SYSTEM", ImageType::System)];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ImageType {
    Custom,
    Shared,
    System,
}

/// The filters. An image has to pass all of them.
#[derive(Debug)]
struct Filter<'a> {
    image_type: Option<ImageType>,
    name: Option<&'a str>,
    status: Option<&'a str>,
    os: Option<&'a str>,
    gpu: Option<bool>,
    properties: Vec<(&'static str, &'a str)>,
}

/// Filters, `MaxResults` and `NextToken` in; `Images` and the next `NextToken` out.
pub(super) async fn handle(
    request: &AuthenticatedRequest,
    parameters: &Parameters,
) -> Result<ActionOutput, Error> {
    let filter = Filter::parse(parameters)?;
    let ids = parse_image_ids(parameters)?;
    let limit = parameters.number("MaxResults", (1, 100), 10)?;
    let (app, caller) = (&request.app, request.caller());
    let listing = Listing::new("DescribeImages", caller).with_query(filter_parameters(parameters));
    let after = parameters.text("NextToken").map(|text| parse_next_token(&listing, text)).transpose()?;
    let lists = filter.lists(caller);
    let matches = |visible: &VisibleImage| filter.matches(visible);
    let index_filter =
        IndexFilter { names: filter.name.map(|name| vec![name.to_owned()]), ..IndexFilter::default() };
    let query = ImageQuery {
        lists,
        filter: matches,
        index_filter,
        needs_member_counts: true,
        sort: Vec::new(),
        after,
        limit,
    };
    let page = match ids {
        Some(ids) => usecases::find_images(app, caller, &ids, query).await,
        None => usecases::list_images(app, caller, query).await,
    };
    let page = page.map_err(|error| match error {
        // Clients would take an empty page for the end of the list, even with a token.
        UseCaseError::ScanLimitReached { examined, next: Some(next) } => Error::new(
            StatusCode::BAD_REQUEST,
            "InvalidParameter",
            format!(
                "None of the first {examined} images matches. Narrow the list by ImageName or ImageId, or go on with NextToken={}",
                listing.encode_marker(next)
            ),
        ),
        other => other.into(),
    })?;
    Ok(page_json(&page, &listing).into())
}

fn parse_next_token(listing: &Listing, text: &str) -> Result<Marker, Error> {
    let marker = listing.decode_marker(text).and_then(|marker| marker.parse().ok());
    marker.ok_or_else(|| Error::invalid_parameter("NextToken", "the NextToken of the page before"))
}

/// The parameters that select images, for which a `NextToken` is valid. All others, such as the signature, differ in
/// every call.
fn filter_parameters(parameters: &Parameters) -> impl Iterator<Item = (&str, &str)> {
    const NAMES: [&str; 4] = ["ImageType", "ImageName", "ImageStatus", "OsType"];
    let pairs = parameters.pairs().iter().map(|(name, value)| (name.as_str(), value.as_str()));
    pairs.filter(|(name, value)| {
        !value.is_empty()
            && (NAMES.contains(name) || PROPERTIES.contains(name) || name.starts_with("ImageId."))
    })
}

/// The ids in `ImageId.N`; `None` without any. A malformed id matches no image, so it is left out.
fn parse_image_ids(parameters: &Parameters) -> Result<Option<Vec<ImageId>>, Error> {
    let array = parameters.array("ImageId", MAX_IDS)?;
    if let Some(name) = array.ignored.first() {
        return Err(Error::invalid_parameter(name, format_args!("at most {MAX_IDS} images")));
    }
    if array.values.is_empty() {
        return Ok(None);
    }
    let mut ids: Vec<ImageId> = array.values.iter().filter_map(|(_, id)| id.parse().ok()).collect();
    ids.sort();
    ids.dedup();
    Ok(Some(ids))
}

impl<'a> Filter<'a> {
    fn parse(parameters: &'a Parameters) -> Result<Self, Error> {
        let image_type = parameters.text("ImageType").map(|text| {
            let found = IMAGE_TYPES.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
            found
                .map(|(_, image_type)| *image_type)
                .ok_or_else(|| Error::invalid_parameter("ImageType", "CUSTOM, SHARED or SYSTEM"))
        });
        let properties = PROPERTIES.iter().filter(|name| **name != GPU_PROPERTY);
        let properties = properties.filter_map(|name| Some((*name, parameters.text(name)?)));
        let gpu = parameters.flag(GPU_PROPERTY)?;
        Ok(Self {
            image_type: image_type.transpose()?,
            name: parameters.text("ImageName"),
            status: parameters.text("ImageStatus"),
            os: parameters.text("OsType"),
            gpu: parameters.text(GPU_PROPERTY).map(|_| gpu),
            properties: properties.collect(),
        })
    }

    fn lists(&self, caller: &Caller) -> Vec<List> {
        let types = [ImageType::Custom, ImageType::Shared, ImageType::System];
        usable_lists(caller, types, self.image_type)
    }

    fn matches(&self, visible: &VisibleImage) -> bool {
        let details = &visible.image.details;
        let passes = |filter: Option<&str>, value: Option<&str>| filter.is_none() || filter == value;
        passes(self.name, details.name.as_deref())
            && passes(self.status, Some(AVAILABLE))
            && self.os.is_none_or(|os| os_type(visible).eq_ignore_ascii_case(os))
            && self.gpu.is_none_or(|gpu| gpu == has_gpu(visible))
            && self.properties.iter().all(|(name, value)| details.property(name) == Some(value))
    }
}

/// Returns the lists of the images that the caller can use: its own, those shared with it and accepted, and the public
/// ones. `names` are the client's names for these lists; if one is requested, only the list of that name is returned.
pub(super) fn usable_lists<T: Copy + PartialEq>(
    caller: &Caller,
    names: [T; 3],
    requested: Option<T>,
) -> Vec<List> {
    let me = || caller.tenant.clone();
    let lists = [List::Owned(me()), List::Received(me(), Status::Accepted), List::Open(Visibility::Public)];
    let is_requested = |name| requested.is_none_or(|requested| requested == name);
    names.into_iter().zip(lists).filter(|(name, _)| is_requested(*name)).map(|(_, list)| list).collect()
}

fn has_gpu(visible: &VisibleImage) -> bool {
    visible.image.details.property(GPU_PROPERTY).is_some_and(|text| text.eq_ignore_ascii_case("true"))
}

pub(super) fn os_type(visible: &VisibleImage) -> &str {
    visible.image.details.property("__os_type").unwrap_or("Other")
}

fn page_json(page: &ImagePage, listing: &Listing) -> Value {
    let next = page.next.as_ref().map(|next| listing.encode_marker(next)).unwrap_or_default();
    json!({ "Images": page.rows.iter().map(|row| image_json(&row.visible)).collect::<Vec<_>>(), "NextToken": next })
}

fn image_json(visible: &VisibleImage) -> Map<String, Value> {
    let (image, details) = (&visible.image, &visible.image.details);
    let image_type = match visible.reason {
        ListReason::Owned => ImageType::Custom,
        ListReason::Received(_) => ImageType::Shared,
        ListReason::Open => ImageType::System,
    };
    let mut wire = Map::new();
    for name in PROPERTIES.into_iter().chain([APP_VERSION_PROPERTY]) {
        let value = details
            .property(name)
            .map(|value| if name == GPU_PROPERTY { has_gpu(visible).into() } else { value.into() });
        wire.extend(value.map(|value: Value| (name.to_owned(), value)));
    }
    let fixed: [(&str, Value); 14] = [
        ("ImageId", image.id.as_str().into()),
        (
            "ImageType",
            IMAGE_TYPES.iter().find(|(_, candidate)| *candidate == image_type).map(|(name, _)| *name).into(),
        ),
        ("Name", details.name.as_deref().unwrap_or_default().into()),
        ("Description", details.property("__description").unwrap_or_default().into()),
        ("Status", AVAILABLE.into()),
        ("Progress", "100%".into()),
        ("OsType", os_type(visible).into()),
        ("Platform", details.property("__platform").unwrap_or_default().into()),
        ("Size", details.min_disk_gib.into()),
        ("DataDiskSize", 0.into()),
        ("CreationTime", image.created.to_iso_seconds().into()),
        ("UpdateTime", image.updated.to_iso_seconds().into()),
        ("SupportedLanguages", json!([])),
        ("VolumeEncryptionEnabled", (details.encryption() != Encryption::None).into()),
    ];
    wire.extend(fixed.map(|(name, value)| (name.to_owned(), value)));
    // Only the owner may know with how many tenants the image is shared, and the key that encrypts it.
    if visible.reason == ListReason::Owned {
        wire.insert("SharedCount".to_owned(), visible.members.into());
        if let Encryption::Key(key) = details.encryption() {
            wire.insert("VolumeEncryptionKey".to_owned(), key.as_str().into());
        }
    }
    wire
}
