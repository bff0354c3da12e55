//! Accept images: *Accept Full-ECS Image* (seed 001), which asks for the vault of the backups, and *Accept All*, which asks
//! whether to.

use askama::Template;
use http::StatusCode;
use imageshare::domain::{JobId, Outcome, Status, VaultId, authorize_write};
use imageshare::store::VaultRecord;
use imageshare::usecases::{self, Page, PendingCount, ReceivedImage};

use super::received::{self, Facts, Row, Selection};
use super::{shared, vaults};
use crate::frame::{Frame, Section};
use crate::problems::Problems;
use crate::reply::Reply;
use crate::texts::{fill, plural};
use crate::visit::{self, Visit};
use crate::wording::Refusal;

/// The most pending images that are looked at to say what accepting all of them needs. More may wait.
const MAX_EXAMINED: usize = 100;

/// The most vaults to choose from.
const MAX_VAULTS: usize = 100;

#[derive(Template)]
#[template(path = "accept.html")]
struct AcceptImages {
    frame: Frame,
    may_write: bool,
    form_key: String,
    problems: Problems,
    is_full_ecs: bool,
    selection: Vec<(&'static str, String)>,
    selection_query: String,
    /// What was seen of the pending images, so that *Accept All* does not accept others.
    seen: String,
    /// What will be done, and what is needed: a sentence each.
    sentences: Vec<String>,
    rows: Vec<Row>,
    vaults: Option<VaultChoice>,
}

/// The vaults to choose from.
struct VaultChoice {
    vaults: Vec<VaultOption>,
    has_suitable: bool,
    has_more: bool,
    /// Whether it is possible to choose none, and if so, whether that is chosen.
    none: Option<bool>,
}

/// A vault, as a choice.
struct VaultOption {
    id: String,
    label: String,
    /// Why it cannot be chosen; empty if it can.
    obstacle: String,
    is_chosen: bool,
}

/// The images that a form is about, as they are now.
struct Candidates {
    selection: Selection,
    images: Vec<ReceivedImage>,
    /// How many of the selected ones are left out.
    gone: usize,
    /// Whether more wait than were looked at.
    has_more: bool,
}

impl Candidates {
    /// Reads the images: those that are selected, or the newest that wait for an answer. Costs one batch read for every 50,
    /// and for all that wait a query.
    async fn load(visit: &Visit<'_>, selection: Selection) -> Result<Self, Refusal> {
        let (app, caller) = (&visit.app, visit.caller());
        let (images, gone, has_more) = match &selection {
            Selection::All => {
                let Page { items, next } =
                    usecases::list_received(app, caller, Status::Pending, None, MAX_EXAMINED).await?;
                (items, 0, next.is_some())
            }
            Selection::Images(images) => {
                let mut found = usecases::find_received(app, caller, images).await?;
                found.retain(|image| image.member.status != Status::Accepted);
                let gone = images.len().saturating_sub(found.len());
                (found, gone, false)
            }
        };
        Ok(Self { selection, images, gone, has_more })
    }

    /// The selection without those that are left out.
    fn remaining(&self) -> Selection {
        let id = |image: &ReceivedImage| image.visible.image.id.clone();
        match self.selection {
            Selection::All => Selection::All,
            Selection::Images(_) => Selection::Images(self.images.iter().map(id).collect()),
        }
    }

    /// The number of full-ECS images, and the capacity that they need in all.
    fn needed(&self) -> (usize, u64) {
        let needed = self.images.iter().filter_map(received::needed_gib);
        needed.fold((0, 0_u64), |(count, sum), gib| (count + 1, sum.saturating_add(gib)))
    }

    /// What tells whether the same images still wait. Of more than [`MAX_EXAMINED`], the newest.
    fn digest(&self, visit: &Visit<'_>) -> String {
        let listing = visit.listing("console accept all");
        let listing =
            self.images.iter().fold(listing, |listing, image| listing.with(image.visible.image.id.as_str()));
        listing.encode_marker(self.images.len() + usize::from(self.has_more))
    }
}

/// Shows the question, with the vaults if one is needed. The vaults, the frame, and what the rows need are read concurrently
/// after the images: four steps at most, however many images wait.
pub(crate) async fn show(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    let candidates = Candidates::load(visit, Selection::of(&visit.query)?).await?;
    page(visit, StatusCode::OK, candidates, Problems::default()).await
}

/// Accepts the images, into the chosen vault if they need one. If other images wait now than the visitor has seen, or no
/// vault is chosen, the page is shown again. Costs what [`show`] does before the use case.
pub(crate) async fn confirm(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    authorize_write(visit.caller())?;
    // Since the form was sent the first time, other images wait.
    if let Some(job) = visit.earlier_job().await? {
        return Ok(done(job));
    }
    let candidates = Candidates::load(visit, Selection::of(&visit.form)?).await?;
    let texts = &visit.texts.received;
    let mut problems = Problems::default();
    let is_all = candidates.selection == Selection::All;
    if is_all && visit.form.text("seen") != candidates.digest(visit) {
        problems.add("images", texts.changed_meanwhile);
        return page(visit, StatusCode::CONFLICT, candidates, problems).await;
    }
    let vault = visit.form.text("vault");
    let vault: Option<VaultId> = match vault.parse() {
        Ok(vault) => Some(vault),
        Err(_) if vault.is_empty() => None,
        Err(_) => return Err(Refusal::MalformedForm),
    };
    let must_choose = candidates.needed().0 > 0 && !(is_all && visit.form.has("vault"));
    if candidates.images.is_empty() {
        problems.add("images", texts.nothing_to_accept);
        return page(visit, StatusCode::CONFLICT, candidates, problems).await;
    }
    if vault.is_none() && must_choose {
        problems.add("vault", texts.choose_vault_problem);
        return page(visit, StatusCode::BAD_REQUEST, candidates, problems).await;
    }
    let (app, caller, idempotency) = (&visit.app, visit.caller(), visit.idempotency());
    let (recipient, decision) = (caller.tenant.clone(), (Status::Accepted, vault));
    let job = match candidates.selection {
        Selection::All => usecases::respond_to_all(app, caller, recipient, decision, idempotency).await?,
        // One that is not shared any more fails in the job, which says so.
        Selection::Images(images) => {
            usecases::respond(app, caller, recipient, images, decision, idempotency).await?
        }
    };
    Ok(done(job))
}

fn done(job: JobId) -> Reply {
    Reply::redirect(format!("{}?job={job}", shared::PATH))
}

/// The page, with what is wrong with its form.
async fn page(
    visit: &Visit<'_>,
    status: StatusCode,
    candidates: Candidates,
    problems: Problems,
) -> Result<Reply, Refusal> {
    let (count_full_ecs, gib) = candidates.needed();
    let may_need_vault = count_full_ecs > 0 || candidates.has_more;
    let (frame, facts, vaults) = tokio::try_join!(
        load_frame(visit, &candidates),
        Facts::load(visit, candidates.images.iter()),
        async { if may_need_vault { list_vaults(visit).await.map(Some) } else { Ok(None) } },
    )?;
    let is_all = candidates.selection == Selection::All;
    let chosen = [&visit.form, &visit.query].map(|fields| (fields.has("vault"), fields.text("vault")));
    let chosen = chosen.iter().find(|(is_given, _)| *is_given).map(|(_, vault)| *vault);
    let vaults = vaults.map(|page| VaultChoice::new(visit, &page, (gib, is_all), chosen));
    Ok(Reply::with_status(
        status,
        &AcceptImages {
            may_write: visit.may_write(),
            form_key: visit::new_form_key(),
            problems,
            is_full_ecs: count_full_ecs > 0,
            selection: candidates.remaining().fields(),
            selection_query: candidates.remaining().query(),
            seen: if is_all { candidates.digest(visit) } else { String::new() },
            sentences: sentences(visit, &candidates, frame.pending),
            rows: candidates.images.iter().map(|image| facts.row(visit, image)).collect(),
            vaults,
            frame,
        },
    ))
}

/// The frame. All images that wait are counted only if more wait than were looked at.
async fn load_frame(visit: &Visit<'_>, candidates: &Candidates) -> Result<Frame, Refusal> {
    let section = Some(Section::SharedImages);
    if candidates.has_more {
        Frame::load_with_full_count(visit, section).await
    } else {
        Frame::load(visit, section).await
    }
}

async fn list_vaults(visit: &Visit<'_>) -> Result<Page<VaultRecord, VaultId>, Refusal> {
    Ok(usecases::list_vaults(&visit.app, visit.caller(), None, MAX_VAULTS).await?)
}

/// What will be done, and what it needs.
fn sentences(visit: &Visit<'_>, candidates: &Candidates, pending: PendingCount) -> Vec<String> {
    let texts = &visit.texts.received;
    // Those that were looked at, or all that wait. Their number may be older than the page.
    let looked_at = candidates.images.len();
    let count = if candidates.has_more { pending.count.max(looked_at) } else { looked_at };
    let (full_ecs, gib) = candidates.needed();
    let mut sentences = Vec::new();
    if candidates.has_more && pending.is_more {
        sentences.push(fill(texts.accept_more, &[("count", &count.to_string())]));
    } else if count > 0 {
        sentences.push(plural(count, texts.accept_one, texts.accept_many));
    }
    if candidates.selection == Selection::All && count > 0 {
        sentences.push(texts.hidden_left_out.to_owned());
    }
    if candidates.gone > 0 {
        sentences.push(plural(candidates.gone, texts.gone_one, texts.gone_many));
    }
    if full_ecs > 0 {
        let text = if full_ecs == 1 { texts.needs_one } else { texts.needs_many };
        sentences.push(fill(text, &[("count", &full_ecs.to_string()), ("gib", &gib.to_string())]));
    }
    if candidates.has_more {
        sentences.push(texts.needs_unknown.to_owned());
    }
    sentences
}

impl VaultChoice {
    /// The vaults, of which those with room for `gib` can be chosen. `chosen` is the choice so far; empty for none.
    fn new(
        visit: &Visit<'_>,
        page: &Page<VaultRecord, VaultId>,
        (gib, is_optional): (u64, bool),
        chosen: Option<&str>,
    ) -> Self {
        let vaults: Vec<_> =
            page.items.iter().map(|record| VaultOption::new(visit, record, gib, chosen)).collect();
        let has_suitable = vaults.iter().any(|vault| vault.obstacle.is_empty());
        Self {
            vaults,
            has_suitable,
            has_more: page.next.is_some(),
            none: is_optional.then_some(chosen == Some("")),
        }
    }
}

impl VaultOption {
    fn new(
        visit: &Visit<'_>,
        VaultRecord { id, vault, .. }: &VaultRecord,
        gib: u64,
        chosen: Option<&str>,
    ) -> Self {
        let (texts, details) = (&visit.texts.received, vault.details);
        let free = u64::from(details.capacity_gib).saturating_sub(vault.reserved_gib);
        let label = fill(
            texts.vault_choice,
            &[
                ("vault", id.as_str()),
                ("protection", vaults::protection_name(details.protection, visit.texts)),
                ("free", &free.to_string()),
                ("capacity", &details.capacity_gib.to_string()),
            ],
        );
        let obstacle = match vault.check_capacity(gib, 0) {
            Ok(()) => String::new(),
            Err(Outcome::NotABackupVault) => texts.vault_not_backup.to_owned(),
            Err(Outcome::VaultUnavailable) => {
                let status = vaults::status_name(details.status, visit.texts);
                fill(texts.vault_unavailable, &[("status", status)])
            }
            Err(_) => fill(texts.vault_full, &[("gib", &gib.to_string())]),
        };
        let is_chosen = obstacle.is_empty() && chosen == Some(id.as_str());
        Self { id: id.to_string(), label, obstacle, is_chosen }
    }
}
