//! The pages. Each is one file: what it reads, what its forms do, and the values of its template.

mod accept;
mod access_keys;
mod confirm;
mod delete_image;
mod directory;
mod edit_image;
mod edit_rule;
pub(crate) mod error;
mod image;
mod images;
mod job;
mod jobs;
mod key_grants;
mod messages;
mod owner;
mod owners;
mod received;
mod reject;
mod rejected;
mod share;
mod share_rules;
mod shared;
pub(crate) mod sign_in;
mod unshare;
mod vault;
mod vaults;

use crate::frame::Section;
use crate::notice;
use crate::reply::Reply;
use crate::visit::Visit;
use crate::wording::Refusal;

/// Answers a visit with the page at the path with these segments, or with what became of its form. The only list of pages.
///
/// No page of an action has a path that a thing's page would have by its id: an image may have the id `new`.
pub(crate) async fn answer(visit: &Visit<'_>, segments: &[&str]) -> Reply {
    let result = match (visit.is_form(), segments) {
        (false, [] | [""]) => Ok(Reply::redirect(Section::PrivateImages.path())),
        (false, ["notice"]) => notice::part(visit).await.map(|part| Reply::page(&part)),
        (false, ["access-keys"]) => access_keys::show(visit).await,
        (true, ["access-keys"]) => access_keys::create(visit).await,
        (false, ["new-access-key"]) => access_keys::show_new(visit).await,
        (false, ["access-keys", id]) => access_keys::show_one(visit, id).await,
        (true, ["access-keys", id, "rename"]) => access_keys::rename(visit, id).await,
        (false, ["access-keys", id, "disable"]) => access_keys::ask_to_disable(visit, id).await,
        (true, ["access-keys", id, "disable"]) => access_keys::disable(visit, id).await,
        (false, ["directory"]) => directory::show(visit).await,
        (true, ["directory"]) => directory::save(visit).await,
        (false, ["new-project"]) => directory::show_new(visit).await,
        (false, ["directory", tenant]) => directory::show_one(visit, tenant).await,
        (false, ["directory", tenant, "delete"]) => directory::ask_to_delete(visit, tenant).await,
        (true, ["directory", tenant, "delete"]) => directory::delete(visit, tenant).await,
        (false, ["jobs"]) => jobs::show(visit).await,
        (false, ["jobs", id]) => job::show(visit, id).await,
        (true, ["jobs", id]) => job::try_again(visit, id).await,
        (false, ["jobs", id, "results.csv"]) => job::download(visit, id).await,
        (false, ["images"]) => images::show(visit).await,
        (false, ["share-images"]) => share::show(visit).await,
        (true, ["share-images"]) => share::submit(visit).await,
        (false, ["new-image"]) => edit_image::show_new(visit).await,
        (true, ["new-image"]) => edit_image::register(visit).await,
        (false, ["images", id]) => image::show(visit, id).await,
        (false, ["images", id, "unshare"]) => unshare::show(visit, id).await,
        (true, ["images", id, "unshare"]) => unshare::submit(visit, id).await,
        (false, ["images", id, "edit"]) => edit_image::show(visit, id).await,
        (true, ["images", id, "edit"]) => edit_image::save(visit, id).await,
        (false, ["images", id, "delete"]) => delete_image::show(visit, id).await,
        (true, ["images", id, "delete"]) => delete_image::submit(visit, id).await,
        (false, ["share-rules"]) => share_rules::show(visit).await,
        (false, ["share-rules", "new"]) => edit_rule::show_new(visit).await,
        (true, ["share-rules", "new"]) => edit_rule::create(visit).await,
        (false, ["share-rule", name]) => share_rules::show_one(visit, name).await,
        (false, ["share-rule", name, "edit"]) => edit_rule::show(visit, name).await,
        (true, ["share-rule", name, "edit"]) => edit_rule::save(visit, name).await,
        (true, ["share-rule", name, "enable"]) => share_rules::set_enabled(visit, name, true).await,
        (true, ["share-rule", name, "disable"]) => share_rules::set_enabled(visit, name, false).await,
        (false, ["share-rule", name, "dry-run"]) => share_rules::dry_run(visit, name).await,
        (true, ["share-rule", name, "apply"]) => share_rules::apply(visit, name).await,
        (false, ["share-rule", name, "delete"]) => share_rules::ask_to_delete(visit, name).await,
        (true, ["share-rule", name, "delete"]) => share_rules::delete(visit, name).await,
        (false, ["key-grants"]) => key_grants::show(visit).await,
        (true, ["key-grants"]) => key_grants::grant(visit).await,
        (false, ["key-grants", "withdraw"]) => key_grants::ask_to_withdraw(visit).await,
        (true, ["key-grants", "withdraw"]) => key_grants::withdraw(visit).await,
        (false, ["shared"]) => shared::show(visit).await,
        (true, ["shared"]) => shared::decide(visit).await,
        (false, ["shared", "accept"]) => accept::show(visit).await,
        (true, ["shared", "accept"]) => accept::confirm(visit).await,
        (false, ["shared", "reject"]) => reject::show(visit).await,
        (true, ["shared", "reject"]) => reject::confirm(visit).await,
        (false, ["shared", "rejected"]) => rejected::show(visit).await,
        (false, ["messages"]) => messages::show(visit).await,
        (true, ["messages"]) => messages::mark(visit).await,
        (false, ["owners"]) => owners::show(visit).await,
        (true, ["owners"]) => owners::remove(visit).await,
        (false, ["owners", "new"]) => owner::show_new(visit).await,
        (true, ["owners", "new"]) => owner::save(visit, true).await,
        (false, ["owners", "edit"]) => owner::show_edit(visit).await,
        (true, ["owners", "edit"]) => owner::save(visit, false).await,
        (false, ["vaults"]) => vaults::show(visit).await,
        (false, ["vaults", "new"]) => vault::show_new(visit).await,
        (true, ["vaults", "new"]) => vault::create(visit).await,
        (false, ["vaults", "edit"]) => vault::show_edit(visit).await,
        (true, ["vaults", "edit"]) => vault::save(visit).await,
        (false, ["vaults", "delete"]) => vault::show_delete(visit).await,
        (true, ["vaults", "delete"]) => vault::delete(visit).await,
        _ => Err(Refusal::NoSuchPage),
    };
    match result {
        Ok(reply) => reply,
        Err(refusal) => error::inside(visit, &refusal).await,
    }
}
