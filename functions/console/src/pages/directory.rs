//! *Directory*, for admins: the names of projects, by which images can be shared with them.

use std::str::FromStr;

use askama::Template;
use http::StatusCode;
use imageshare::domain::{DirectoryEntry, Name, TenantId, TenantName, authorize_admin};
use imageshare::usecases::{self, DirectoryError};

use super::confirm::{Confirmation, Item};
use crate::frame::{Frame, Section};
use crate::problems::Problems;
use crate::reply::Reply;
use crate::texts::Texts;
use crate::visit::Visit;
use crate::wording::Refusal;

/// The rows of a page.
const PAGE_SIZE: usize = 25;

#[derive(Template)]
#[template(path = "directory.html")]
struct Directory {
    frame: Frame,
    /// What is looked for.
    account: String,
    project: String,
    rows: Vec<Row>,
    next: Option<String>,
    is_first: bool,
    /// What is said in place of the rows, where no project is listed.
    empty: &'static str,
}

#[derive(Template)]
#[template(path = "directory_entry.html")]
struct EntryPage {
    frame: Frame,
    row: Row,
    is_new: bool,
    problems: Problems,
}

/// An entry, as a row or as the fields of a form.
#[derive(Default)]
struct Row {
    tenant: String,
    account: String,
    project: String,
    region: String,
    organization: String,
    cloud_account: String,
}

/// Shows a page of the directory, or the entry with the names that are looked for. Costs one query and one batch read,
/// besides the frame.
pub(crate) async fn show(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    let (app, caller, texts) = (&visit.app, visit.caller(), visit.texts);
    authorize_admin(caller)?;
    let (account, project) = (visit.query.text("account"), visit.query.text("project"));
    let listing = visit.listing("console directory");
    let after: Option<TenantId> =
        listing.decode_marker(visit.query.text("marker")).and_then(|id| id.parse().ok());
    let is_search = !account.is_empty() || !project.is_empty();
    let entries = async {
        if is_search {
            return Ok((find(visit, account, project).await?, None));
        }
        let page = usecases::list_tenants(app, caller, after.as_ref(), PAGE_SIZE).await?;
        Ok::<_, Refusal>((page.items, page.next))
    };
    let ((entries, next), frame) = tokio::try_join!(entries, Frame::load(visit, Some(Section::Directory)))?;
    Ok(Reply::page(&Directory {
        frame,
        account: account.to_owned(),
        project: project.to_owned(),
        rows: entries.iter().map(Row::new).collect(),
        next: next.map(|next| listing.encode_marker(next)),
        is_first: after.is_none(),
        empty: if is_search { texts.directory.not_found } else { texts.directory.empty },
    }))
}

/// The entry with these names, if a project has them: the name of the project may be left out if the account has only one in
/// this region, and the name of the account may be the id of the project.
async fn find(visit: &Visit<'_>, account: &str, project: &str) -> Result<Vec<DirectoryEntry>, Refusal> {
    let (app, caller) = (&visit.app, visit.caller());
    let by_names = match (account.parse(), optional::<Name>(project)) {
        (Ok(account), Ok(project)) => Some(TenantName { account, project }),
        _ => None,
    };
    if let Some(names) = by_names {
        match usecases::find_tenant(app, &names).await {
            Ok(entry) => return Ok(vec![entry]),
            Err(DirectoryError::Unresolved(_)) => {}
            Err(problem) => return Err(problem.into()),
        }
    }
    let Ok(tenant) = account.parse::<TenantId>() else { return Ok(Vec::new()) };
    match usecases::show_tenant(app, caller, &tenant).await {
        Ok(entry) => Ok(vec![entry]),
        Err(DirectoryError::NotFound(_)) => Ok(Vec::new()),
        Err(problem) => Err(problem.into()),
    }
}

/// Shows the form for a new entry.
pub(crate) async fn show_new(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    authorize_admin(visit.caller())?;
    let row = Row { region: visit.app.settings.region.clone(), ..Row::default() };
    Ok(Reply::page(&entry_page(visit, row, true, Problems::default()).await?))
}

/// Shows an entry. Costs one read, besides the frame.
pub(crate) async fn show_one(visit: &Visit<'_>, tenant: &str) -> Result<Reply, Refusal> {
    let entry = load(visit, tenant).await?;
    Ok(Reply::page(&entry_page(visit, Row::new(&entry), false, Problems::default()).await?))
}

/// Writes an entry.
pub(crate) async fn save(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    authorize_admin(visit.caller())?;
    let row = Row::of_form(visit);
    let mut problems = Problems::default();
    if let Some(entry) = row.parse(visit.texts, &mut problems) {
        match usecases::put_tenant(&visit.app, visit.caller(), &entry).await {
            Ok(()) => return Ok(Reply::redirect(format!("{}?done=saved", Section::Directory.path()))),
            Err(problem @ DirectoryError::NamesTaken(_)) => {
                problems.add("project", Refusal::from(problem).describe(visit.texts).1);
            }
            Err(problem @ DirectoryError::CloudAccountTaken(_)) => {
                problems.add("cloud-account", Refusal::from(problem).describe(visit.texts).1);
            }
            Err(problem) => return Err(problem.into()),
        }
    }
    let page = entry_page(visit, row, visit.form.has("new"), problems).await?;
    Ok(Reply::with_status(StatusCode::BAD_REQUEST, &page).with_error("400", visit.texts.problem))
}

/// Asks before an entry is removed.
pub(crate) async fn ask_to_delete(visit: &Visit<'_>, tenant: &str) -> Result<Reply, Refusal> {
    let entry = load(visit, tenant).await?;
    let t = &visit.texts.directory;
    let frame = Frame::load(visit, Some(Section::Directory)).await?;
    let path = format!("{}/{}", Section::Directory.path(), entry.tenant);
    let name = format!("{} / {}", entry.account, entry.project);
    let item = Item { name, id: entry.tenant.to_string(), note: String::new() };
    let confirmation = Confirmation::new(frame, t.delete, format!("{path}/delete"), path);
    Ok(Confirmation { lines: vec![t.delete_follows.to_owned()], items: vec![item], ..confirmation }.reply())
}

/// Removes an entry.
pub(crate) async fn delete(visit: &Visit<'_>, tenant: &str) -> Result<Reply, Refusal> {
    authorize_admin(visit.caller())?;
    let tenant = tenant.parse().map_err(|_| Refusal::NoSuchPage)?;
    usecases::delete_tenant(&visit.app, visit.caller(), &tenant).await?;
    Ok(Reply::redirect(format!("{}?done=entry-removed", Section::Directory.path())))
}

async fn load(visit: &Visit<'_>, tenant: &str) -> Result<DirectoryEntry, Refusal> {
    authorize_admin(visit.caller())?;
    let tenant = tenant.parse().map_err(|_| Refusal::NoSuchPage)?;
    Ok(usecases::show_tenant(&visit.app, visit.caller(), &tenant).await?)
}

async fn entry_page(
    visit: &Visit<'_>,
    row: Row,
    is_new: bool,
    problems: Problems,
) -> Result<EntryPage, Refusal> {
    Ok(EntryPage { frame: Frame::load(visit, Some(Section::Directory)).await?, row, is_new, problems })
}

/// A value that may be left out.
fn optional<T: FromStr>(text: &str) -> Result<Option<T>, T::Err> {
    if text.is_empty() { Ok(None) } else { text.parse().map(Some) }
}

impl Row {
    fn new(entry: &DirectoryEntry) -> Self {
        Self {
            tenant: entry.tenant.to_string(),
            account: entry.account.to_string(),
            project: entry.project.to_string(),
            region: entry.region.to_string(),
            organization: entry.organization.as_ref().map(ToString::to_string).unwrap_or_default(),
            cloud_account: entry.cloud_account.as_ref().map(ToString::to_string).unwrap_or_default(),
        }
    }

    fn of_form(visit: &Visit<'_>) -> Self {
        let text = |name| visit.form.text(name).to_owned();
        Self {
            tenant: text("tenant"),
            account: text("account"),
            project: text("project"),
            region: text("region"),
            organization: text("organization"),
            cloud_account: text("cloud_account"),
        }
    }

    /// The entry; `None` if something is wrong.
    fn parse(&self, texts: &Texts, problems: &mut Problems) -> Option<DirectoryEntry> {
        let t = &texts.directory;
        let mut field = |id, is_wrong: bool, text: &str| {
            if is_wrong {
                problems.add(id, text);
            }
        };
        let tenant = self.tenant.parse();
        field("tenant", tenant.is_err(), t.wrong_id);
        let account = self.account.parse();
        field("account", account.is_err(), t.wrong_name);
        let project = self.project.parse();
        field("project", project.is_err(), t.wrong_name);
        let region = self.region.parse();
        field("region", region.is_err(), t.wrong_region);
        let organization = optional(&self.organization);
        field("organization", organization.is_err(), t.wrong_id);
        let cloud_account = optional(&self.cloud_account);
        field("cloud-account", cloud_account.is_err(), t.wrong_cloud_account);
        Some(DirectoryEntry {
            tenant: tenant.ok()?,
            account: account.ok()?,
            project: project.ok()?,
            region: region.ok()?,
            organization: organization.ok()?,
            cloud_account: cloud_account.ok()?,
        })
    }
}
