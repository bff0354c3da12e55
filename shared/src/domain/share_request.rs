//! What is refused at once about an image and the recipients that a request shares it with, before any pair is
//! planned.
//!
//! Such a request has no effect on any pair. A share that passes is planned by the rules of `step`, which check the
//! image again: it may have changed before its job is executed. An auto-accepted share is written only if the image
//! has not changed since this check. The owner of an image never changes.

use super::{Encryption, ImageHead, ImageId, NotShared, TenantId};

/// How the memberships of a share begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShareKind {
    /// Each recipient decides on the share.
    NeedsConsent,
    /// The share needs no consent (`contract/decisions.md` 11).
    AutoAccepted,
}

/// Why a request to share an image is refused at once.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ShareRequestError {
    /// The image has no members (`contract/ims.md` 1.7).
    #[error(transparent)]
    NotShared(#[from] NotShared),
    /// The image is encrypted, and auto-accepted shares exclude encrypted images (seed 002,
    /// `contract/decisions.md` 14).
    #[error("image {0} is encrypted")]
    Encrypted(ImageId),
    /// The owner is one of the recipients (`contract/decisions.md` 18).
    #[error("an image cannot be shared with its owner {0}")]
    SelfShare(TenantId),
}

/// Checks that an image can be shared in this way, and that its owner is not one of the recipients.
///
/// # Errors
/// [`ShareRequestError`], for the first check that fails, in the order of its variants.
pub fn check_share_request<'a>(
    image: &ImageHead,
    recipients: impl IntoIterator<Item = &'a TenantId>,
    kind: ShareKind,
) -> Result<(), ShareRequestError> {
    if !image.visibility.allows_sharing() {
        return Err(NotShared { image: image.id.clone(), visibility: image.visibility }.into());
    }
    if kind == ShareKind::AutoAccepted && image.spec.encryption != Encryption::None {
        return Err(ShareRequestError::Encrypted(image.id.clone()));
    }
    if recipients.into_iter().any(|recipient| *recipient == image.owner) {
        return Err(ShareRequestError::SelfShare(image.owner.clone()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{ImageKind, ImageSpec, Timestamp, Visibility};

    const KINDS: [ShareKind; 2] = [ShareKind::NeedsConsent, ShareKind::AutoAccepted];

    fn image(visibility: Visibility, encryption: Encryption) -> ImageHead {
        ImageHead {
            id: "image".parse().unwrap(),
            owner: "owner".parse().unwrap(),
            visibility,
            spec: ImageSpec { kind: ImageKind::SystemDisk, encryption },
            name: None,
            created: Timestamp::now(),
            updated: Timestamp::now(),
            member_count: 0,
            revision: 1,
        }
    }

    fn check(image: &ImageHead, recipients: &[&str], kind: ShareKind) -> Result<(), ShareRequestError> {
        let recipients: Vec<TenantId> = recipients.iter().map(|id| id.parse().unwrap()).collect();
        check_share_request(image, &recipients, kind)
    }

    fn not_shared(visibility: Visibility) -> ShareRequestError {
        NotShared { image: "image".parse().unwrap(), visibility }.into()
    }

    fn self_share() -> ShareRequestError {
        ShareRequestError::SelfShare("owner".parse().unwrap())
    }

    #[test]
    fn only_a_shared_image_can_be_shared() {
        for kind in KINDS {
            let result = |visibility| check(&image(visibility, Encryption::None), &["a", "b"], kind);
            assert_eq!(result(Visibility::Shared), Ok(()));
            for visibility in [Visibility::Private, Visibility::Community, Visibility::Public] {
                assert_eq!(result(visibility), Err(not_shared(visibility)));
            }
        }
    }

    #[test]
    fn encrypted_image_can_only_be_shared_with_consent() {
        for encryption in [Encryption::DefaultKey, Encryption::Key("key".parse().unwrap())] {
            let image = image(Visibility::Shared, encryption);
            let encrypted = ShareRequestError::Encrypted(image.id.clone());
            assert_eq!(check(&image, &["a"], ShareKind::NeedsConsent), Ok(()), "a rule of each pair");
            assert_eq!(check(&image, &["a"], ShareKind::AutoAccepted), Err(encrypted));
        }
    }

    #[test]
    fn image_cannot_be_shared_with_its_owner() {
        let image = image(Visibility::Shared, Encryption::None);
        for kind in KINDS {
            assert_eq!(check(&image, &["a", "owner", "b"], kind), Err(self_share()));
            assert_eq!(check(&image, &[], kind), Ok(()));
        }
    }

    #[test]
    fn visibility_is_checked_before_encryption_and_owner() {
        let result = |visibility, kind| check(&image(visibility, Encryption::DefaultKey), &["owner"], kind);
        let encrypted = ShareRequestError::Encrypted("image".parse().unwrap());
        let private = not_shared(Visibility::Private);
        assert_eq!(result(Visibility::Private, ShareKind::AutoAccepted), Err(private.clone()));
        assert_eq!(result(Visibility::Private, ShareKind::NeedsConsent), Err(private));
        assert_eq!(result(Visibility::Shared, ShareKind::AutoAccepted), Err(encrypted));
        assert_eq!(result(Visibility::Shared, ShareKind::NeedsConsent), Err(self_share()));
    }
}
