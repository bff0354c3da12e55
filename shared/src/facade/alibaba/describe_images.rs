//! `DescribeImages` of ECD: the images that the account can use: its own, those shared with it and accepted, and the
//! public ones (`contract/alibaba.md` 3.3).

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::envelope::Answer;
use super::{Error, Parameters};
use crate::domain::{Caller, Encryption, ImageId, Status, Visibility};
use crate::facade::marker::Listing;
use crate::function::Call;
use crate::store::List;
use crate::usecases::{self, Exact, ImagePage, ImageQuery, Marker, Refusal, Seen, Shown};

/// The highest number of `ImageId.N`: one batch read takes so many images and the caller's memberships of them.
const MOST_IDS: usize = 50;

/// The status that every image here has; the others are those of images that are being made or have failed.
pub(super) const AVAILABLE: &str = "Available";

/// Properties that ECD knows, under the names that it knows them by: compared where a filter names them, and shown.
const PROPERTIES: [&str; 7] = [
    "DesktopInstanceType",
    "FotaVersion",
    GPU,
    "GpuDriverVersion",
    "LanguageType",
    "ProtocolType",
    "SessionType",
];

/// One that is only shown.
const APP_VERSION: &str = "AppVersion";

/// The one of them that ECD writes as a boolean, and its Python SDK as `True`. An image that does not say is without.
const GPU: &str = "GpuCategory";

/// What images are of, to ECD.
const TYPES: [(&str, Type); 3] =
    [("CUSTOM", Type::Custom), ("SHARED", Type::Shared), ("SYSTEM", Type::System)];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Type {
    Custom,
    Shared,
    System,
}

/// The filters, all of which must hold.
#[derive(Debug)]
struct Filter<'a> {
    image_type: Option<Type>,
    name: Option<&'a str>,
    status: Option<&'a str>,
    os: Option<&'a str>,
    gpu: Option<bool>,
    properties: Vec<(&'static str, &'a str)>,
}

/// Filters, `MaxResults` and `NextToken` in, `Images` and the next `NextToken` out.
pub(super) async fn answer(call: &Call, parameters: &Parameters) -> Result<Answer, Error> {
    let filter = Filter::parse(parameters)?;
    let ids = ids(parameters)?;
    let most = parameters.number("MaxResults", (1, 100), 10)?;
    let (service, caller) = (&call.service, call.caller());
    let listing = Listing::new("DescribeImages", caller).of_query(filters(parameters));
    let after = parameters.text("NextToken").map(|text| read_token(&listing, text)).transpose()?;
    let lists = filter.lists(caller);
    let matches = |seen: &Seen| filter.matches(seen);
    let exact = Exact { names: filter.name.map(|name| vec![name.to_owned()]), ..Exact::default() };
    let query = ImageQuery { lists, matches, exact, counts_members: true, sort: Vec::new(), after, most };
    let page = match ids {
        Some(ids) => usecases::find_images(service, caller, &ids, query).await,
        None => usecases::list_images(service, caller, query).await,
    };
    let page = page.map_err(|refusal| match refusal {
        // A page without images and with a token would be taken for the end of the list.
        Refusal::NothingFound { examined, next: Some(next) } => Error::new(
            StatusCode::BAD_REQUEST,
            "InvalidParameter",
            format!(
                "None of the first {examined} images matches. Narrow the list by ImageName or ImageId, or go on with NextToken={}",
                listing.write(next)
            ),
        ),
        other => other.into(),
    })?;
    Ok(wire(&page, &listing).into())
}

fn read_token(listing: &Listing, text: &str) -> Result<Marker, Error> {
    let place = listing.read(text).and_then(|place| place.parse().ok());
    place.ok_or_else(|| Error::bad("NextToken", "the NextToken of the page before"))
}

/// What says which images are wanted. All else, such as a signature, is another one in every call.
fn filters(parameters: &Parameters) -> impl Iterator<Item = (&str, &str)> {
    const NAMES: [&str; 4] = ["ImageType", "ImageName", "ImageStatus", "OsType"];
    let pairs = parameters.pairs().iter().map(|(name, value)| (name.as_str(), value.as_str()));
    pairs.filter(|(name, value)| {
        !value.is_empty()
            && (NAMES.contains(name) || PROPERTIES.contains(name) || name.starts_with("ImageId."))
    })
}

/// The images that are asked for by name; `None` where none is. An id that none can have is that of no image.
fn ids(parameters: &Parameters) -> Result<Option<Vec<ImageId>>, Error> {
    let numbered = parameters.numbered("ImageId", MOST_IDS)?;
    if let Some(name) = numbered.ignored.first() {
        return Err(Error::bad(name, format_args!("at most {MOST_IDS} images")));
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
            let found = TYPES.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
            found.map(|(_, of)| *of).ok_or_else(|| Error::bad("ImageType", "CUSTOM, SHARED or SYSTEM"))
        });
        let properties = PROPERTIES.iter().filter(|name| **name != GPU);
        let properties = properties.filter_map(|name| Some((*name, parameters.text(name)?)));
        let gpu = parameters.flag(GPU)?;
        Ok(Self {
            image_type: image_type.transpose()?,
            name: parameters.text("ImageName"),
            status: parameters.text("ImageStatus"),
            os: parameters.text("OsType"),
            gpu: parameters.text(GPU).map(|_| gpu),
            properties: properties.collect(),
        })
    }

    fn lists(&self, caller: &Caller) -> Vec<List> {
        let me = || caller.tenant.clone();
        let all = [
            (Type::Custom, List::Owned(me())),
            (Type::Shared, List::Received(me(), Status::Accepted)),
            (Type::System, List::Open(Visibility::Public)),
        ];
        let wanted = |of| self.image_type.is_none_or(|wanted| wanted == of);
        all.into_iter().filter(|(of, _)| wanted(*of)).map(|(_, list)| list).collect()
    }

    fn matches(&self, seen: &Seen) -> bool {
        let details = &seen.image.details;
        let is = |wanted: Option<&str>, value: Option<&str>| wanted.is_none() || wanted == value;
        is(self.name, details.name.as_deref())
            && is(self.status, Some(AVAILABLE))
            && self.os.is_none_or(|os| os_type(seen).eq_ignore_ascii_case(os))
            && self.gpu.is_none_or(|wanted| wanted == has_gpu(seen))
            && self.properties.iter().all(|(name, value)| details.property(name) == Some(value))
    }
}

fn has_gpu(seen: &Seen) -> bool {
    seen.image.details.property(GPU).is_some_and(|text| text.eq_ignore_ascii_case("true"))
}

pub(super) fn os_type(seen: &Seen) -> &str {
    seen.image.details.property("__os_type").unwrap_or("Other")
}

fn wire(page: &ImagePage, listing: &Listing) -> Value {
    let next = page.next.as_ref().map(|next| listing.write(next)).unwrap_or_default();
    json!({ "Images": page.rows.iter().map(|row| image(&row.seen)).collect::<Vec<_>>(), "NextToken": next })
}

fn image(seen: &Seen) -> Map<String, Value> {
    let (image, details) = (&seen.image, &seen.image.details);
    let of = match seen.shown {
        Shown::Own => Type::Custom,
        Shown::Received(_) => Type::Shared,
        Shown::Open => Type::System,
    };
    let mut wire = Map::new();
    for name in PROPERTIES.into_iter().chain([APP_VERSION]) {
        let value =
            details.property(name).map(|value| if name == GPU { has_gpu(seen).into() } else { value.into() });
        wire.extend(value.map(|value: Value| (name.to_owned(), value)));
    }
    let fixed: [(&str, Value); 14] = [
        ("ImageId", image.id.as_str().into()),
        ("ImageType", TYPES.iter().find(|(_, known)| *known == of).map(|(name, _)| *name).into()),
        ("Name", details.name.as_deref().unwrap_or_default().into()),
        ("Description", details.property("__description").unwrap_or_default().into()),
        ("Status", AVAILABLE.into()),
        ("Progress", "100%".into()),
        ("OsType", os_type(seen).into()),
        ("Platform", details.property("__platform").unwrap_or_default().into()),
        ("Size", details.min_disk_gib.into()),
        ("DataDiskSize", 0.into()),
        ("CreationTime", image.created.to_seconds_text().into()),
        ("UpdateTime", image.updated.to_seconds_text().into()),
        ("SupportedLanguages", json!([])),
        ("VolumeEncryptionEnabled", (details.encryption() != Encryption::None).into()),
    ];
    wire.extend(fixed.map(|(name, value)| (name.to_owned(), value)));
    // With whom else it is shared, and by what key it is encrypted, is its owner's to know.
    if seen.shown == Shown::Own {
        wire.insert("SharedCount".to_owned(), seen.members.into());
        if let Encryption::Key(key) = details.encryption() {
            wire.insert("VolumeEncryptionKey".to_owned(), key.as_str().into());
        }
    }
    wire
}
