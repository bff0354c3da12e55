//! Authorize a caller for an action on an image that was read, by the one rule of [`crate::domain`].

use super::UseCaseError;
use crate::App;
use crate::domain::{
    AccessControlled, Caller, Denied, ImageAction, ImageHead, ImageId, NamedMembership, Unauthorized,
};
use crate::store::Snapshot;

/// Makes the action to authorize from the membership that the request names, once it is read.
pub(super) type MemberAction<'a> = fn(NamedMembership<'a>) -> ImageAction<'a>;

/// Returns an image that was read, if the caller is authorized for the action. `image` is `None` if it is missing or
/// deleted. `read` is the membership that was read with the image, if any.
///
/// Costs one read if the decision depends on the caller's own membership and `read` is not that; otherwise nothing.
///
/// # Errors
/// [`Denied`], or [`UseCaseError::Store`].
pub(super) async fn authorize<T: AccessControlled>(
    app: &App,
    caller: &Caller,
    id: &ImageId,
    image: Option<Unauthorized<T>>,
    read: Option<NamedMembership<'_>>,
    action: ImageAction<'_>,
) -> Result<T, UseCaseError> {
    let image = image.ok_or_else(|| Denied::ImageNotFound(id.clone()))?;
    let own = match read {
        Some(membership) if *membership.tenant == caller.tenant => membership.status,
        _ if image.depends_on_membership(caller) => app.store.member_status(id, &caller.tenant).await?,
        _ => None,
    };
    Ok(image.authorize(caller, own, action)?)
}

/// Returns the heads of images from a snapshot, if the caller is authorized for the action on each of them. Costs one
/// read for each image on which the decision depends on the caller's own membership.
///
/// # Errors
/// The [`UseCaseError`] of the first image for which the action is denied.
pub(super) async fn authorize_all<'a>(
    app: &App,
    caller: &Caller,
    snapshot: &'a Snapshot,
    ids: &[ImageId],
    action: ImageAction<'_>,
) -> Result<Vec<&'a ImageHead>, UseCaseError> {
    let mut heads = Vec::with_capacity(ids.len());
    for id in ids {
        heads.push(authorize(app, caller, id, snapshot.image(id), None, action).await?);
    }
    Ok(heads)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};

    fn sources(folder: &Path) -> Vec<PathBuf> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        entries.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] }).collect()
    }

    /// The files of this crate below `src`, with their texts.
    fn texts() -> Vec<(String, String)> {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let name = |path: &Path| path.strip_prefix(&source).unwrap().display().to_string();
        sources(&source).iter().map(|path| (name(path), fs::read_to_string(path).unwrap())).collect()
    }

    #[test]
    fn only_workers_and_lists_bypass_the_access_rule() {
        let call = concat!(".bypass", "(");
        let mut found = Vec::new();
        for (path, text) in texts() {
            let reasons = text.split(call).skip(1).map(|rest| rest.split(')').next().unwrap());
            found.extend(reasons.map(|reason| (path.clone(), reason.to_owned())));
        }
        found.sort();
        found.dedup();
        let found: Vec<_> = found.iter().map(|(path, reason)| (path.as_str(), reason.as_str())).collect();
        let expected = [
            ("store/queues.rs", "Bypass::Worker"),
            ("usecases/accept_batch.rs", "Bypass::Worker"),
            ("usecases/earlier_jobs.rs", "Bypass::Worker"),
            ("usecases/effects/events.rs", "Bypass::Effects"),
            ("usecases/effects/mod.rs", "Bypass::Effects"),
            ("usecases/execute.rs", "Bypass::Worker"),
            ("usecases/key_grants.rs", "Bypass::List"),
            ("usecases/list_images/mod.rs", "Bypass::List"),
            ("usecases/list_images/query_plan.rs", "Bypass::List"),
            ("usecases/received_images.rs", "Bypass::List"),
            ("usecases/respond_to_all_job.rs", "Bypass::Worker"),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn only_the_access_rule_asks_a_caller_for_its_rights() {
        // With the bracket, so that this list does not find itself.
        let calls = ["can_read_for", "can_write_for", "can_write", "is_admin"].map(|name| format!("{name}("));
        let operators = ["<", ">", "<=", ">=", "==", "!="];
        let comparisons = operators.map(|operator| format!(" {operator} caller.role"));
        let reversed = operators.map(|operator| format!("caller.role {operator} "));
        let code = calls.iter().chain(&comparisons).chain(&reversed);
        let asks = |text: &str| code.clone().any(|code| text.contains(code));
        let mut found: Vec<_> =
            texts().into_iter().filter(|(_, text)| asks(text)).map(|(path, _)| path).collect();
        found.sort();
        assert_eq!(found, ["domain/access.rs", "domain/caller.rs"]);
    }
}
