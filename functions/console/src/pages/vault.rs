//! Create, edit and delete a vault.

use askama::Template;
use http::StatusCode;
use imageshare::domain::{MAX_VAULT_GIB, Protection, VaultDetails, VaultId, VaultStatus, authorize_write};
use imageshare::store::VaultRecord;
use imageshare::usecases::{self, VaultError};

use super::received::Selection;
use super::shared;
use super::vaults::{PATH, protection_name, status_name};
use crate::fields::Fields;
use crate::frame::{Frame, Section};
use crate::problems::Problems;
use crate::reply::Reply;
use crate::texts::fill;
use crate::visit::Visit;
use crate::wording::Refusal;

#[derive(Template)]
#[template(path = "vault.html")]
struct VaultForm {
    frame: Frame,
    may_write: bool,
    problems: Problems,
    /// Whether the vault is new, so that its id can be chosen.
    is_new: bool,
    /// What is accepted into the vault once it is there.
    selection: Vec<(&'static str, String)>,
    cancel: String,
    id: String,
    capacity: String,
    reserved: String,
    protections: Vec<Choice>,
    statuses: Vec<Choice>,
}

/// A value of a list.
struct Choice {
    value: &'static str,
    name: &'static str,
    is_chosen: bool,
}

#[derive(Template)]
#[template(path = "delete_vault.html")]
struct DeleteVault {
    frame: Frame,
    may_write: bool,
    id: String,
    sentence: String,
    is_in_use: bool,
}

/// The fields of the form, as they were entered.
struct Entered<'a> {
    id: &'a str,
    capacity: &'a str,
    protection: &'a str,
    status: &'a str,
}

impl<'a> Entered<'a> {
    fn of(form: &'a Fields) -> Self {
        let [id, capacity, protection, status] =
            ["vault", "capacity", "protection", "status"].map(|name| form.text(name));
        Self { id, capacity, protection, status }
    }
}

/// Shows the form for a new vault. Costs what the frame does.
pub(crate) async fn show_new(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    authorize_write(visit.caller())?;
    let (backup, available) = (Protection::Backup.as_str(), VaultStatus::Available.as_str());
    let entered = Entered { id: "", capacity: "", protection: backup, status: available };
    form(visit, StatusCode::OK, (entered, None), Problems::default()).await
}

/// Shows the form for a vault that exists. Costs one read, and what the frame does.
pub(crate) async fn show_edit(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    let record = find(visit, visit.query.text("vault")).await?;
    let details = record.vault.details;
    let capacity = details.capacity_gib.to_string();
    let entered = Entered {
        id: record.id.as_str(),
        capacity: &capacity,
        protection: details.protection.as_str(),
        status: details.status.as_str(),
    };
    form(visit, StatusCode::OK, (entered, Some(&record)), Problems::default()).await
}

/// Creates a vault. Costs one read and one write. Leads back to the images that are to be accepted into it, if there are
/// any.
pub(crate) async fn create(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    authorize_write(visit.caller())?;
    let (texts, entered) = (&visit.texts.received, Entered::of(&visit.form));
    let mut problems = Problems::default();
    let id = entered.id.parse::<VaultId>();
    if id.is_err() {
        problems.add("vault", texts.bad_vault_id);
    }
    let details = details(visit, &entered, &mut problems);
    let (Ok(id), Some(details)) = (id, details) else {
        return form(visit, StatusCode::BAD_REQUEST, (entered, None), problems).await;
    };
    match usecases::show_vault(&visit.app, visit.caller(), id.clone()).await {
        Err(VaultError::NotFound(_)) => {}
        // The same form, sent again.
        Ok(record) if record.vault.details == details => return Ok(created(visit, &id)),
        Ok(_) => {
            problems.add("vault", texts.vault_exists);
            return form(visit, StatusCode::CONFLICT, (entered, None), problems).await;
        }
        Err(problem) => return Err(problem.into()),
    }
    usecases::put_vault(&visit.app, visit.caller(), id.clone(), &details).await?;
    Ok(created(visit, &id))
}

/// Leads to where the vault was needed.
fn created(visit: &Visit<'_>, id: &VaultId) -> Reply {
    match Selection::of(&visit.form) {
        Ok(selection) => {
            Reply::redirect(format!("{}/accept?{}&vault={id}&done=saved", shared::PATH, selection.query()))
        }
        Err(_) => Reply::redirect(format!("{PATH}?done=saved")),
    }
}

/// Changes a vault. Costs one read and one write.
pub(crate) async fn save(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    authorize_write(visit.caller())?;
    let entered = Entered::of(&visit.form);
    let record = find(visit, entered.id).await?;
    let mut problems = Problems::default();
    let Some(details) = details(visit, &entered, &mut problems) else {
        return form(visit, StatusCode::BAD_REQUEST, (entered, Some(&record)), problems).await;
    };
    match usecases::put_vault(&visit.app, visit.caller(), record.id.clone(), &details).await {
        Ok(_) => Ok(Reply::redirect(format!("{PATH}?done=saved"))),
        Err(VaultError::InUse(_)) => {
            let record = find(visit, entered.id).await?;
            let reserved = record.vault.reserved_gib.to_string();
            let text = visit.texts.received.below_reserved;
            problems.add("capacity", fill(text, &[("reserved", &reserved)]));
            form(visit, StatusCode::CONFLICT, (entered, Some(&record)), problems).await
        }
        Err(problem) => Err(problem.into()),
    }
}

/// Asks whether to delete a vault, or says why that is not possible. Costs one read, and what the frame does.
pub(crate) async fn show_delete(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    let record = find(visit, visit.query.text("vault")).await?;
    delete_page(visit, StatusCode::OK, &record).await
}

/// Deletes a vault. Costs one write. One that does not exist any more is deleted.
pub(crate) async fn delete(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    authorize_write(visit.caller())?;
    let id: VaultId = visit.form.text("vault").parse().map_err(|_| Refusal::NoSuchPage)?;
    match usecases::delete_vault(&visit.app, visit.caller(), id.clone()).await {
        Ok(()) => Ok(Reply::redirect(format!("{PATH}?done=deleted"))),
        Err(VaultError::InUse(_)) => {
            let record = find(visit, id.as_str()).await?;
            delete_page(visit, StatusCode::CONFLICT, &record).await
        }
        Err(problem) => Err(problem.into()),
    }
}

async fn find(visit: &Visit<'_>, id: &str) -> Result<VaultRecord, Refusal> {
    let id = id.parse().map_err(|_| Refusal::NoSuchPage)?;
    Ok(usecases::show_vault(&visit.app, visit.caller(), id).await?)
}

/// The details that the form has; adds a problem for each field that is wrong.
fn details(visit: &Visit<'_>, entered: &Entered<'_>, problems: &mut Problems) -> Option<VaultDetails> {
    let texts = &visit.texts.received;
    let protection = entered.protection.parse::<Protection>();
    if protection.is_err() {
        problems.add("protection", texts.bad_choice);
    }
    let capacity = entered.capacity.parse().ok().filter(|gib| (1..=MAX_VAULT_GIB).contains(gib));
    if capacity.is_none() {
        problems.add("capacity", fill(texts.bad_capacity, &[("most", &MAX_VAULT_GIB.to_string())]));
    }
    let status = entered.status.parse::<VaultStatus>();
    if status.is_err() {
        problems.add("status", texts.bad_choice);
    }
    let (protection, status) = (protection.ok()?, status.ok()?);
    capacity.map(|capacity_gib| VaultDetails { protection, status, capacity_gib })
}

/// The form, with what was entered and what is wrong with it.
async fn form(
    visit: &Visit<'_>,
    status: StatusCode,
    (entered, record): (Entered<'_>, Option<&VaultRecord>),
    problems: Problems,
) -> Result<Reply, Refusal> {
    let texts = visit.texts;
    let frame = Frame::load(visit, Some(Section::Vaults)).await?;
    let fields = if visit.is_form() { &visit.form } else { &visit.query };
    let selection = Selection::of(fields).ok().filter(|_| record.is_none());
    let cancel = match &selection {
        Some(selection) => format!("{}/accept?{}", shared::PATH, selection.query()),
        None => PATH.to_owned(),
    };
    let reserved = record.map(|record| fill(texts.gib, &[("count", &record.vault.reserved_gib.to_string())]));
    let choice = |value: &'static str, name, chosen: &str| Choice { value, name, is_chosen: value == chosen };
    let protections =
        Protection::ALL.map(|each| choice(each.as_str(), protection_name(each, texts), entered.protection));
    let statuses =
        VaultStatus::ALL.map(|each| choice(each.as_str(), status_name(each, texts), entered.status));
    Ok(Reply::with_status(
        status,
        &VaultForm {
            frame,
            may_write: visit.may_write(),
            problems,
            is_new: record.is_none(),
            selection: selection.map(|selection| selection.fields()).unwrap_or_default(),
            cancel,
            id: entered.id.to_owned(),
            capacity: entered.capacity.to_owned(),
            reserved: reserved.unwrap_or_default(),
            protections: protections.into(),
            statuses: statuses.into(),
        },
    ))
}

async fn delete_page(visit: &Visit<'_>, status: StatusCode, record: &VaultRecord) -> Result<Reply, Refusal> {
    let texts = &visit.texts.received;
    let frame = Frame::load(visit, Some(Section::Vaults)).await?;
    let is_in_use = record.vault.reserved_gib > 0;
    let text = if is_in_use { texts.vault_in_use } else { texts.delete_vault_question };
    let reserved = record.vault.reserved_gib.to_string();
    let sentence = fill(text, &[("vault", record.id.as_str()), ("reserved", &reserved)]);
    let page =
        DeleteVault { frame, may_write: visit.may_write(), id: record.id.to_string(), sentence, is_in_use };
    Ok(Reply::with_status(status, &page))
}
