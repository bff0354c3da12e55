//! A membership in a response.

use serde::Serialize;

use crate::domain::{AcceptedBy, Audience, Timestamp, VaultId};
use crate::usecases::MembershipRow;

#[derive(Debug, Serialize)]
pub(super) struct MembershipJson<'a> {
    image_id: &'a str,
    image_name: Option<&'a str>,
    owner: &'a str,
    project_id: &'a str,
    status: &'static str,
    shared_at: String,
    /// When the recipient has made its decision; null without one.
    answered_at: Option<String>,
    updated_at: String,
    /// The policy by which the recipient has accepted the image, and the vault that it is accepted into. The owner does
    /// not learn them.
    #[serde(skip_serializing_if = "Option::is_none")]
    accepted_by: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vault_id: Option<&'a str>,
}

impl<'a> MembershipJson<'a> {
    /// Renders a membership for one side of it.
    pub(super) fn new(MembershipRow { image, member }: &'a MembershipRow, side: Audience) -> Self {
        let is_recipient = side == Audience::Recipient;
        Self {
            image_id: image.id.as_str(),
            image_name: image.name.as_deref(),
            owner: image.owner.as_str(),
            project_id: member.tenant.as_str(),
            status: member.status.as_str(),
            shared_at: member.created.to_iso_seconds(),
            answered_at: member.decided.map(Timestamp::to_iso_seconds),
            updated_at: member.updated.to_iso_seconds(),
            accepted_by: member.accepted_by.filter(|_| is_recipient).map(AcceptedBy::as_str),
            vault_id: member.vault.as_ref().filter(|_| is_recipient).map(VaultId::as_str),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        Encryption, ImageHead, ImageKind, ImageSpec, MemberView, Status, Timestamp, Visibility,
    };

    #[test]
    fn only_the_recipient_sees_its_vault_and_policy() {
        let at = Timestamp::from_unix_millis(1_472_695_514_999);
        let image = ImageHead {
            id: "i-1".parse().unwrap(),
            owner: "own1".parse().unwrap(),
            visibility: Visibility::Shared,
            spec: ImageSpec { kind: ImageKind::SystemDisk, encryption: Encryption::None },
            name: Some("golden".to_owned()),
            created: at,
            updated: at,
            member_count: 1,
            revision: 1,
        };
        let member = MemberView {
            image: image.id.clone(),
            tenant: "mem1".parse().unwrap(),
            status: Status::Accepted,
            accepted_by: Some(AcceptedBy::TrustedOwner),
            decided: None,
            vault: Some("v-1".parse().unwrap()),
            created: at,
            updated: at,
        };
        let row = MembershipRow { image, member };
        let mut expected = serde_json::json!({
            "image_id": "i-1", "image_name": "golden", "owner": "own1", "project_id": "mem1", "status": "accepted",
            "shared_at": "2016-09-01T02:05:14Z", "answered_at": null, "updated_at": "2016-09-01T02:05:14Z",
        });
        let wire = |side| serde_json::to_value(MembershipJson::new(&row, side)).unwrap();
        assert_eq!(wire(Audience::Owner), expected);
        expected["accepted_by"] = "trusted_owner".into();
        expected["vault_id"] = "v-1".into();
        assert_eq!(wire(Audience::Recipient), expected);
    }
}
