//! `EC2 AMI State Change` of EC2, for each AMI of an account.
//!
//! The event has the AMI's id, its state and why its creation failed, and neither its name nor its tags. It is delivered on
//! a best effort basis, perhaps twice, late or not at all.
//!
//! A disabled AMI is withdrawn, since EC2 ends its launch permissions too; when it is enabled, it is available again. A
//! deregistered AMI, and one whose creation has failed, are gone for good: one that is restored from the recycle bin has to be
//! registered under another id.

use std::collections::BTreeMap;

use imageshare::domain::{CloudAccountId, ImageId, Region, TenantId, Visibility};
use imageshare::usecases::{CloudImage, CloudState};

use crate::envelope::Envelope;
use crate::fields::{Fields, malformed};
use crate::{Detail, EventError};

pub const SOURCE: &str = "aws.ec2";
pub const DETAIL_TYPE: &str = "EC2 AMI State Change";

const EXPECTED_AMI: &str = "the id of an AMI, as ami-0abcdef1234567890";

/// `{"ImageId":"ami-…","State":"available"}` in.
pub fn parse(event: &Envelope<'_>, _: &TenantId) -> Result<Detail, EventError> {
    let ami = AmiId::parse(&event.detail, "ImageId")?;
    let state = match event.detail.text("State", 64, "the state of an AMI")? {
        "available" => CloudState::Available,
        "disabled" => CloudState::Disabled,
        "deregistered" | "failed" => CloudState::Gone,
        _ => return Ok(Detail::Ignored("its state changes nothing here")),
    };
    Ok(Detail::Images(vec![ami.image(&event.account()?, &event.region()?, state, event)]))
}

/// The id of an AMI.
pub struct AmiId<'a>(&'a str);

impl<'a> AmiId<'a> {
    /// Parses a member that has the id of an AMI.
    pub fn parse(fields: &Fields<'a>, member: &str) -> Result<Self, EventError> {
        let id = fields.optional_text(member).filter(|id| Self::is_valid(id));
        id.map(Self).ok_or_else(|| malformed(fields.path(member), EXPECTED_AMI))
    }

    fn is_valid(id: &str) -> bool {
        let rest = id.strip_prefix("ami-").unwrap_or_default();
        (1..=60).contains(&rest.len()) && rest.bytes().all(|byte| byte.is_ascii_alphanumeric())
    }

    /// The image of an AMI, in a state and without details. Its id here is derived from where the AMI is.
    pub fn image(
        &self,
        account: &CloudAccountId,
        region: &Region,
        state: CloudState,
        event: &Envelope<'_>,
    ) -> CloudImage {
        let origin =
            [("ami_id", self.0), ("cloud_account", account.as_str()), ("cloud_region", region.as_str())];
        CloudImage {
            id: ImageId::derived(&format!("arn:aws:ec2:{region}:{account}:image/{}", self.0)),
            state,
            at: event.at,
            visibility: Visibility::Shared,
            default_name: Some(self.0.to_owned()),
            origin: origin
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into_iter()
                .collect::<BTreeMap<_, _>>(),
            details: None,
        }
    }
}
