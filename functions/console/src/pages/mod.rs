//! The pages. Each is one file: what it reads, what its forms do, and the values of its template.

mod accept;
mod access_keys;
mod confirm;
mod directory;
pub(crate) mod error;
mod images;
mod job;
mod jobs;
mod messages;
mod owner;
mod owners;
mod received;
mod reject;
mod rejected;
mod shared;
pub(crate) mod sign_in;
mod vault;
mod vaults;

use crate::frame::Section;
use crate::notice;
use crate::reply::Reply;
use crate::visit::Visit;
use crate::wording::Refusal;

/// Answers a visit with the page at the path with these segments, or with what became of its form. The only list of pages.
pub(crate) async fn answer(visit: &Visit<'_>, segments: &[&str]) -> Reply {
    let result = match (visit.is_form(), segments) {
        (false, [] | [""]) => Ok(Reply::redirect(Section::PrivateImages.path())),
        (false, ["notice"]) => notice::part(visit).await.map(|part| Reply::page(&part)),
        (false, ["access-keys"]) => access_keys::show(visit).await,
        (true, ["access-keys"]) => access_keys::create(visit).await,
        (false, ["access-keys", "new"]) => access_keys::show_new(visit).await,
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
