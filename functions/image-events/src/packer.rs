//! HCP Packer's webhook, put on the bus by whatever receives it and checks its signature: the webhook's body is the event's
//! detail. `complete` of a version registers the AMIs that it has built, with the names of bucket and version.
//!
//! The body does not say in which account an AMI is, so that is the event's. Other actions change the version at HCP and
//! not the AMIs, and are ignored.

use std::collections::BTreeMap;

use imageshare::domain::{Details, ID_FORMAT, Region, TenantId};
use imageshare::usecases::{CloudImage, CloudState};

use crate::ec2::AmiId;
use crate::envelope::Envelope;
use crate::fields::Fields;
use crate::{Detail, EventError};

pub const SOURCE: &str = "hashicorp.packer";

/// The most builds of a version, and the most artifacts of a build.
const MAX_BUILDS: usize = 32;

/// `{"event_source":"hashicorp.packer.version","event_action":"complete","event_payload":{"builds":[…],…}}` in.
pub fn parse(event: &Envelope<'_>, _: &TenantId) -> Result<Detail, EventError> {
    let source = event.detail.text("event_source", 255, "the type of the event's source")?;
    let action = event.detail.text("event_action", 255, "the event's action")?;
    if (source, action) != ("hashicorp.packer.version", "complete") {
        return Ok(Detail::Ignored("its action changes nothing here"));
    }
    let payload = event.detail.object("event_payload")?;
    let version = Version::parse(&payload)?;
    let mut images = Vec::new();
    for build in payload.objects("builds", MAX_BUILDS)? {
        if build.optional_text("platform") == Some("aws") {
            images.extend(build_images(event, &version, &build)?);
        }
    }
    Ok(Detail::Images(images))
}

/// The names of a version.
struct Version<'a> {
    bucket: &'a str,
    name: &'a str,
    fingerprint: &'a str,
}

impl<'a> Version<'a> {
    fn parse(payload: &Fields<'a>) -> Result<Self, EventError> {
        let version = payload.object("version")?;
        Ok(Self {
            bucket: payload.object("bucket")?.text("name", 128, "the name of a bucket")?,
            name: version.text("name", 64, "the name of a version")?,
            fingerprint: version.text("fingerprint", 128, "the fingerprint of a version")?,
        })
    }
}

/// The AMIs of a build.
fn build_images(
    event: &Envelope<'_>,
    version: &Version<'_>,
    build: &Fields<'_>,
) -> Result<Vec<CloudImage>, EventError> {
    let names = [
        ("packer_bucket", version.bucket),
        ("packer_version", version.name),
        ("packer_fingerprint", version.fingerprint),
    ];
    let mut properties: BTreeMap<_, _> =
        names.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let labels = build.text_map("labels")?;
    properties.extend(labels.into_iter().map(|(name, value)| (format!("packer_label_{name}"), value)));
    let details = Details {
        name: Some(format!("{} {}", version.bucket, version.name)),
        properties,
        ..Details::default()
    };
    let artifacts = build.objects("artifacts", MAX_BUILDS)?;
    let images = artifacts.iter().map(|artifact| {
        let region: Region = artifact.parsed("region", ID_FORMAT)?;
        let ami = AmiId::parse(artifact, "external_identifier")?;
        let image = ami.image(&event.account()?, &region, CloudState::Available, event);
        Ok(CloudImage { details: Some(details.clone()), ..image })
    });
    images.collect()
}
