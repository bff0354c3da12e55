//! `DescribeImages` of ECD: the images that the account can use: its own, those shared with it and accepted, and the
//! public ones (`contract/alibaba.md` 3.3).

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

/// The highest number of `ImageId.N`: one batch read takes so many images and the caller's memberships of them.
const MAX_IDS: usize = 50;

/// The status that every image here has; the others are those of images that are being made or have failed.
pub(super) const AVAILABLE: &str = "Available";

/// Properties that ECD knows, under the names that it knows them by: compared where a filter names them, and shown.
const PROPERTIES: [&str; 7] = [
    "DesktopInstanceType",
    "FotaVersion",
    GPU_PROPERTY,
    "GpuDriverVersion",
    "LanguageType",
    "ProtocolType",
    "SessionType",
];

/// One that is only shown.
const APP_VERSION_PROPERTY: &str = "AppVersion";

/// The one of them that ECD writes as a boolean, and its Python SDK as `True`. An image that does not say is without.
const GPU_PROPERTY: &str = "GpuCategory";

/// What images are of, to ECD.
const IMAGE_TYPES: [(&str, ImageType); 3] =
    [("CUSTOM", ImageType::Custom), ("SHARED", ImageType::Shared), ("SYSTEM", ImageType::System)];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ImageType {
    Custom,
    Shared,
    System,
}

/// The filters, all of which must hold.
#[derive(Debug)]
struct Filter<'a> {
    image_type: Option<ImageType>,
    name: Option<&'a str>,
    status: Option<&'a str>,
    os: Option<&'a str>,
    gpu: Option<bool>,
    properties: Vec<(&'static str, &'a str)>,
}

/// Filters, `MaxResults` and `NextToken` in, `ImageSpecs` and the next `NextToken` out.
pub(super) async fn handle(
    request: &AuthenticatedRequest,
    parameters: &Parameters,
) -> Result<ActionOutput, Error> {
    let filter = Filter::parse(parameters)?;
    let ids = parse_image_ids(parameters)?;
    let most = parameters.number("MaxResults", (1, 100), 10)?;
    let (service, caller) = (&request.app, request.caller());
    let listing = Listing::new("DescribeImages", caller).with_query(filter_parameters(parameters));
    let after = parameters.text("NextToken").map(|text| parse_next_token(&listing, text)).transpose()?;
    let lists = filter.lists(caller);
    let matches = |seen: &VisibleImage| filter.matches(seen);
    let exact =
        IndexFilter { names: filter.name.map(|name| vec![name.to_owned()]), ..IndexFilter::default() };
    let query = ImageQuery {
        lists,
        filter: matches,
        index_filter: exact,
        needs_member_counts: true,
        sort: Vec::new(),
        after,
        limit: most,
    };
    let page = match ids {
        Some(ids) => usecases::find_images(service, caller, &ids, query).await,
        None => usecases::list_images(service, caller, query).await,
    };
    let page = page.map_err(|refusal| match refusal {
        // A page without images and with a token would be taken for the end of the list.
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
    let place = listing.decode_marker(text).and_then(|place| place.parse().ok());
    place.ok_or_else(|| Error::invalid_parameter("NextToken", "the NextToken of the page before"))
}

/// What says which images are wanted. All else, such as a signature, is another one in every call.
fn filter_parameters(parameters: &Parameters) -> impl Iterator<Item = (&str, &str)> {
    const NAMES: [&str; 4] = ["ImageType", "ImageName", "ImageStatus", "OsType"];
    let pairs = parameters.pairs().iter().map(|(name, value)| (name.as_str(), value.as_str()));
    pairs.filter(|(name, value)| {
        !value.is_empty()
            && (NAMES.contains(name) || PROPERTIES.contains(name) || name.starts_with("ImageId."))
    })
}

/// The images that are asked for by name; `None` where none is. An id that none can have is that of no image.
fn parse_image_ids(parameters: &Parameters) -> Result<Option<Vec<ImageId>>, Error> {
    let numbered = parameters.array("ImageId", MAX_IDS)?;
    if let Some(name) = numbered.ignored.first() {
        return Err(Error::invalid_parameter(name, format_args!("at most {MAX_IDS} images")));
    }
    if numbered.values.is_empty() {
        return Ok(None);
    }
    let mut ids: Vec<ImageId> = numbered.values.iter().filter_map(|(_, id)| id.parse().ok()).collect();
    ids.sort();
    ids.dedup();
    Ok(Some(ids))
}

impl<'a> Filter<'a> {
    fn parse(parameters: &'a Parameters) -> Result<Self, Error> {
        let image_type = parameters.text("ImageType").map(|text| {
            let found = IMAGE_TYPES.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
            found
                .map(|(_, of)| *of)
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
        let me = || caller.tenant.clone();
        let all = [
            (ImageType::Custom, List::Owned(me())),
            (ImageType::Shared, List::Received(me(), Status::Accepted)),
            (ImageType::System, List::Open(Visibility::Public)),
        ];
        let wanted = |of| self.image_type.is_none_or(|wanted| wanted == of);
        all.into_iter().filter(|(of, _)| wanted(*of)).map(|(_, list)| list).collect()
    }

    fn matches(&self, seen: &VisibleImage) -> bool {
        let details = &seen.image.details;
        let is = |wanted: Option<&str>, value: Option<&str>| wanted.is_none() || wanted == value;
        is(self.name, details.name.as_deref())
            && is(self.status, Some(AVAILABLE))
            && self.os.is_none_or(|os| os_type(seen).eq_ignore_ascii_case(os))
            && self.gpu.is_none_or(|wanted| wanted == has_gpu(seen))
            && self.properties.iter().all(|(name, value)| details.property(name) == Some(value))
    }
}

fn has_gpu(seen: &VisibleImage) -> bool {
    seen.image.details.property(GPU_PROPERTY).is_some_and(|text| text.eq_ignore_ascii_case("true"))
}

pub(super) fn os_type(seen: &VisibleImage) -> &str {
    seen.image.details.property("__os_type").unwrap_or("Other")
}

fn page_json(page: &ImagePage, listing: &Listing) -> Value {
    let next = page.next.as_ref().map(|next| listing.encode_marker(next)).unwrap_or_default();
    json!({ "Images": page.rows.iter().map(|row| image_json(&row.visible)).collect::<Vec<_>>(), "NextToken": next })
}

fn image_json(seen: &VisibleImage) -> Map<String, Value> {
    let (image, details) = (&seen.image, &seen.image.details);
    let of = match seen.reason {
        ListReason::Owned => ImageType::Custom,
        ListReason::Received(_) => ImageType::Shared,
        ListReason::Open => ImageType::System,
    };
    let mut wire = Map::new();
    for name in PROPERTIES.into_iter().chain([APP_VERSION_PROPERTY]) {
        let value = details
            .property(name)
            .map(|value| if name == GPU_PROPERTY { has_gpu(seen).into() } else { value.into() });
        wire.extend(value.map(|value: Value| (name.to_owned(), value)));
    }
    let fixed: [(&str, Value); 14] = [
        ("ImageId", image.id.as_str().into()),
        ("ImageType", IMAGE_TYPES.iter().find(|(_, known)| *known == of).map(|(name, _)| *name).into()),
        ("Name", details.name.as_deref().unwrap_or_default().into()),
        ("Description", details.property("__description").unwrap_or_default().into()),
        ("Status", AVAILABLE.into()),
        ("Progress", "100%".into()),
        ("OsType", os_type(seen).into()),
        ("Platform", details.property("__platform").unwrap_or_default().into()),
        ("Size", details.min_disk_gib.into()),
        ("DataDiskSize", 0.into()),
        ("CreationTime", image.created.to_iso_seconds().into()),
        ("UpdateTime", image.updated.to_iso_seconds().into()),
        ("SupportedLanguages", json!([])),
        ("VolumeEncryptionEnabled", (details.encryption() != Encryption::None).into()),
    ];
    wire.extend(fixed.map(|(name, value)| (name.to_owned(), value)));
    // With whom else it is shared, and by what key it is encrypted, is its owner's to know.
    if seen.reason == ListReason::Owned {
        wire.insert("SharedCount".to_owned(), seen.members.into());
        if let Encryption::Key(key) = details.encryption() {
            wire.insert("VolumeEncryptionKey".to_owned(), key.as_str().into());
        }
    }
    wire
}
