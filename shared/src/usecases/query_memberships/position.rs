//! The position of a membership in the results of a query.

use std::fmt;
use std::str::FromStr;

use crate::domain::{MalformedId, TenantId, Timestamp};
use crate::store::Position;

/// Separates the parts of a position. No id contains it.
const SEPARATOR: char = '~';

/// A position in the results of a query: after a member of an image, or after all members of it. It carries no
/// authority: the next page is read from what the caller may see only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MembershipPosition {
    /// The number of the list, among those that the query goes through.
    pub(super) list: usize,
    /// The image. If the query names its images, its time has no meaning.
    pub(super) image: Position,
    /// The member; `None` after all of them.
    pub(super) member: Option<TenantId>,
}

impl fmt::Display for MembershipPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { list, image: Position { created, image }, member } = self;
        write!(f, "{list}{SEPARATOR}{}{SEPARATOR}{image}", created.unix_millis())?;
        member.iter().try_for_each(|member| write!(f, "{SEPARATOR}{member}"))
    }
}

impl FromStr for MembershipPosition {
    type Err = MalformedId;

    /// Parses `LIST~CREATED~IMAGE`, or `LIST~CREATED~IMAGE~MEMBER`.
    fn from_str(text: &str) -> Result<Self, MalformedId> {
        let bad = || MalformedId { expected: "the marker of the page before" };
        let mut parts = text.splitn(4, SEPARATOR);
        let list = parts.next().and_then(|list| list.parse().ok()).ok_or_else(bad)?;
        let millis = parts.next().and_then(|millis| millis.parse::<i64>().ok());
        let millis = millis.filter(|millis| (0..1_000_000_000_000_000).contains(millis)).ok_or_else(bad)?;
        let image = parts.next().ok_or_else(bad)?.parse()?;
        let member = parts.next().map(str::parse).transpose()?;
        Ok(Self { list, image: Position { created: Timestamp::from_unix_millis(millis), image }, member })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn membership_position_round_trips() {
        for text in ["0~0~i-1", "2~1700000000000~i-1", "0~5~i-1~p.2"] {
            let position = text.parse::<MembershipPosition>();
            assert_eq!(position.map(|position| position.to_string()).as_deref(), Ok(text));
        }
        for bad in ["", "0", "0~5", "x~5~i", "0~-5~i", "0~x~i", "0~5~a#b", "0~5~i~", "0~5~i~a~b", "-1~5~i"] {
            assert!(bad.parse::<MembershipPosition>().is_err(), "{bad}");
        }
    }
}
