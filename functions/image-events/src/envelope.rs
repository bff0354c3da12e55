//! What every event of EventBridge has around its detail.

use std::time::Duration;

use imageshare::domain::{CLOUD_ACCOUNT_FORMAT, CloudAccountId, ID_FORMAT, Region, Timestamp};
use serde_json::Value;

use crate::EventError;
use crate::fields::{Fields, malformed};

/// How far an event's time may be ahead of this clock. One that is further ahead would overrule all events until then.
const MAX_CLOCK_SKEW: Duration = Duration::from_mins(15);

/// The longest source and detail type, as EventBridge allows them.
const MAX_SOURCE_BYTES: usize = 256;

/// An event. Its account and its region are checked when they are needed, since events of other kinds are ignored.
#[derive(Debug)]
pub struct Envelope<'a> {
    /// Its id, for the log; empty if it has none.
    pub id: &'a str,
    /// What has sent it, as `aws.ec2`.
    pub source: &'a str,
    /// Its kind.
    pub detail_type: &'a str,
    /// The account that it is from, as received; empty if it has none.
    pub account: &'a str,
    /// When it happened.
    pub at: Timestamp,
    /// What it says.
    pub detail: Fields<'a>,
    region: &'a Value,
}

impl<'a> Envelope<'a> {
    /// Parses an event that arrived at `now`.
    ///
    /// # Errors
    /// [`EventError::Malformed`] if it has no source, detail type, time or detail.
    pub fn parse(event: &'a Value, now: Timestamp) -> Result<Self, EventError> {
        const TIME: &str = "a time in ISO 8601 that is not ahead of the clock";
        let fields = Fields::new(event, "").ok_or_else(|| malformed("event", "an object"))?;
        let short = |name| fields.text(name, MAX_SOURCE_BYTES, "1 to 256 characters");
        let at = fields.optional_text("time").and_then(Timestamp::parse_iso);
        let at = at.filter(|at| *at <= now.plus(MAX_CLOCK_SKEW)).ok_or_else(|| malformed("time", TIME))?;
        Ok(Self {
            id: fields.optional_text("id").filter(|id| id.len() <= 64).unwrap_or_default(),
            source: short("source")?,
            detail_type: short("detail-type")?,
            account: fields.optional_text("account").filter(|id| id.len() <= 64).unwrap_or_default(),
            at,
            detail: fields.object("detail")?,
            region: fields.value("region"),
        })
    }

    /// The account that the bus says the event is from.
    ///
    /// # Errors
    /// [`EventError::Malformed`] if it is not one.
    pub fn account(&self) -> Result<CloudAccountId, EventError> {
        self.account.parse().map_err(|_| malformed("account", CLOUD_ACCOUNT_FORMAT))
    }

    /// The region that the event is from.
    ///
    /// # Errors
    /// [`EventError::Malformed`] if it is not one.
    pub fn region(&self) -> Result<Region, EventError> {
        let region = self.region.as_str().and_then(|text| text.parse().ok());
        region.ok_or_else(|| malformed("region", ID_FORMAT))
    }
}
