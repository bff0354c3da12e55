//! The errors of pairs: the code and the message of each failed outcome, for the results of a job and the refusal of
//! a single change.

use crate::domain::{ImageId, Outcome, Task, TenantId};

/// The code of an outcome in a job with this task, for the log; `None` if the pair did not fail.
pub(crate) fn outcome_code(outcome: Outcome, task: &Task) -> Option<&'static str> {
    outcome_error(outcome, task).map(|(code, _)| code)
}

/// The code and the message of an outcome in a job with this task; `None` if the pair did not fail.
pub(crate) fn outcome_error(outcome: Outcome, task: &Task) -> Option<(&'static str, &'static str)> {
    match outcome {
        Outcome::Done | Outcome::Superseded => None,
        Outcome::ImageDeleted => Some(("IMG.0027", "The image was deleted.")),
        Outcome::NotShareable => Some((
            "IMG.0046",
            "The image's visibility is no longer \"shared\". Set it to \"shared\", then share again.",
        )),
        Outcome::MemberLimit => Some((
            "IMG.0088",
            "The image has reached its recipient limit. Unshare it from a project that does not need it.",
        )),
        Outcome::NotAMember => {
            Some(("IMG.0121", "The image is not shared with this project. Ask its owner to share it."))
        }
        Outcome::DefaultKey => Some((
            "IMG.0098",
            "The image is encrypted by the service's own key, which cannot be granted. Share an image whose __system__cmkid is a key of your own.",
        )),
        Outcome::KeyNotGranted => Some((
            "IMG.0099",
            "The project may not use the key in the image's __system__cmkid. Grant it: PUT /v1/keys/{key_id}/grants/{project_id}; then share again.",
        )),
        Outcome::NotFromBackup => Some((
            "IMG.0135",
            "A full-ECS image can be shared only if it was made from a backup of a known size: set its properties __backup_id, and __system_disk_backup_gib or __data_disk_backup_gib.",
        )),
        Outcome::UnknownTenant => Some((
            "IMG.0108",
            "The project is not in the directory of this region. Check its id, or ask an admin to add it.",
        )),
        Outcome::OtherRegion => Some((
            "IMG.0177",
            "The project is in another region. Replicate the image there, and share it in that region.",
        )),
        Outcome::PendingLimit => Some((
            "IMG.0088",
            "The project has reached its limit of pending images. Ask it to accept or reject some; then share again.",
        )),
        Outcome::OwnerPendingLimit => Some((
            "IMG.0088",
            "The project has reached its limit of pending images from you. Ask it to accept or reject some; then share again.",
        )),
        // What a rejection tells, and no more (`contract/decisions.md` 34).
        Outcome::OwnerBlocked => {
            Some(("IMG.0112", "The project has rejected the image. Ask it whether it wants images from you."))
        }
        Outcome::NoVault => Some((
            "IMG.0184",
            "vault_id: expected the id of one of the project's vaults, since a full-ECS image is accepted into one. Register a vault with PUT /v1/vaults/{vault_id}.",
        )),
        Outcome::NotABackupVault => Some((
            "IMG.0193",
            "vault_id: the vault is not for backups. Choose one whose protection_type is backup.",
        )),
        Outcome::VaultUnavailable => Some((
            "IMG.0188",
            "vault_id: the vault cannot be used now. Choose one whose status is available.",
        )),
        Outcome::VaultFull => Some((
            "IMG.0182",
            "vault_id: the vault does not have enough free capacity for the image's backups, __system_disk_backup_gib and __data_disk_backup_gib. Expand it (capacity_gib), or choose another.",
        )),
        Outcome::RetriesExhausted => {
            let code = match task {
                Task::Share => "IMG.0112",
                Task::Unshare => "IMG.0113",
                Task::Respond { .. }
                | Task::RespondToAll { .. }
                | Task::RespondToOwners { .. }
                | Task::Refresh => "IMG.0061",
            };
            Some((code, "The service did not succeed after many attempts. Send the request again."))
        }
    }
}

/// The code and the message of a rule that a pair violates, for a request that is refused for it.
pub(crate) fn rule_error(image: &ImageId, tenant: &TenantId, outcome: Outcome) -> (&'static str, String) {
    let (code, message) = outcome_error(outcome, &Task::Share).unwrap_or(("IMG.0105", "Not possible."));
    (code, format!("Image {image}, project {tenant}: {message}"))
}
