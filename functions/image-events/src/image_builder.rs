//! `EC2 Image Builder Image State Change`. The event has the image's ARN at Image Builder and its states, and names no AMI.
//! Image Builder makes its AMIs with EC2's calls, so each of them has an `EC2 AMI State Change` of its own, in the account
//! and region that it is in. So this event is checked, logged, and changes nothing.

use imageshare::domain::TenantId;

use crate::envelope::Envelope;
use crate::{Detail, EventError};

pub const SOURCE: &str = "aws.imagebuilder";
pub const DETAIL_TYPE: &str = "EC2 Image Builder Image State Change";

/// `{"previous-state":{"status":"TESTING"},"state":{"status":"AVAILABLE"}}` in.
pub fn parse(event: &Envelope<'_>, _: &TenantId) -> Result<Detail, EventError> {
    event.detail.object("state")?.text("status", 64, "the status of an image")?;
    Ok(Detail::Ignored("it names no AMI; the AMIs have events of their own"))
}
