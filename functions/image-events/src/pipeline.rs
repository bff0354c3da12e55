//! `Image Registered` and `Image Removed`: what a pipeline puts on the bus itself, in this service's own form. It names an
//! AMI or any other image, with what no event of the cloud has: its name, tags and properties.
//!
//! For an AMI that EC2's event has registered already, `Image Registered` adds these, unless a later one has. So a pipeline
//! need not wait for the other event.

use imageshare::domain::{Details, ID_FORMAT, ImageId, Region, TenantId, Visibility, is_reserved_property};
use imageshare::usecases::{CloudImage, CloudState};

use crate::ec2::AmiId;
use crate::envelope::Envelope;
use crate::fields::{Fields, malformed};
use crate::{Detail, EventError};

pub const SOURCE: &str = "imageshare.pipeline";
pub const REGISTERED: &str = "Image Registered";
pub const REMOVED: &str = "Image Removed";

/// The members that name an image: its id, or that of an AMI, in the event's region unless it is in another.
const IDENTITY: [&str; 3] = ["id", "ami_id", "region"];
const DETAILS: [&str; 8] =
    ["name", "disk_format", "container_format", "min_disk", "min_ram", "tags", "properties", "visibility"];

/// `{"ami_id":"ami-…","name":"…","tags":[…],"properties":{…}}` or `{"id":"…",…}` in.
pub fn parse(event: &Envelope<'_>, _: &TenantId) -> Result<Detail, EventError> {
    let (detail, is_removed) = (&event.detail, event.detail_type == REMOVED);
    let is_known = |name: &str| IDENTITY.contains(&name) || (!is_removed && DETAILS.contains(&name));
    if let Some(unknown) = detail.names().find(|name| !is_known(name)) {
        return Err(malformed(detail.path(unknown), "no such member"));
    }
    let mut image = identify(event)?;
    if is_removed {
        image.state = CloudState::Gone;
    } else {
        image.details = Some(details(detail)?);
        if let Some(visibility) = detail.optional("visibility", "private or shared")? {
            image.visibility = visibility;
        }
    }
    Ok(Detail::Images(vec![image]))
}

fn identify(event: &Envelope<'_>) -> Result<CloudImage, EventError> {
    let (detail, account) = (&event.detail, event.account()?);
    let region: Option<Region> = detail.optional("region", ID_FORMAT)?;
    if detail.value("id").is_null() {
        let region = region.map_or_else(|| event.region(), Ok)?;
        let ami = AmiId::parse(detail, "ami_id")?;
        return Ok(ami.image(&account, &region, CloudState::Available, event));
    }
    if !detail.value("ami_id").is_null() {
        return Err(malformed(detail.path("id"), "either id or ami_id"));
    }
    let id: ImageId = detail.parsed("id", ID_FORMAT)?;
    let region = region.into_iter().map(|region| ("cloud_region".to_owned(), region.to_string()));
    Ok(CloudImage {
        id,
        state: CloudState::Available,
        at: event.at,
        visibility: Visibility::Shared,
        default_name: None,
        origin: region.chain([("cloud_account".to_owned(), account.to_string())]).collect(),
        details: None,
    })
}

fn details(detail: &Fields<'_>) -> Result<Details, EventError> {
    let text = |name| detail.optional::<String>(name, "a text");
    let properties = detail.text_map("properties")?;
    if let Some(reserved) = properties.keys().find(|name| is_reserved_property(name)) {
        return Err(malformed(detail.path(&format!("properties.{reserved}")), "a name that is not reserved"));
    }
    Ok(Details {
        name: text("name")?,
        disk_format: text("disk_format")?,
        container_format: text("container_format")?,
        min_disk_gib: detail.number("min_disk")?,
        min_ram_mib: detail.number("min_ram")?,
        tags: detail.text_set("tags")?,
        properties,
        ..Details::default()
    })
}
