//! *Access Keys*: list, create, rename and disable those of the project.

use askama::Template;
use http::StatusCode;
use imageshare::domain::{
    AccessKey, AccessKeyId, AccessKeyState, MAX_ACCESS_KEY_LIFETIME, Role, authorize_write,
};
use imageshare::usecases::{self, NewAccessKey};

use super::confirm::{Confirmation, Item};
use crate::frame::{Frame, Section};
use crate::problems::Problems;
use crate::reply::Reply;
use crate::show::Moment;
use crate::texts::{Texts, fill};
use crate::visit::{self, Visit};
use crate::wording::Refusal;

/// The rows of a page.
const PAGE_SIZE: usize = 25;

/// The longest name of an access key, in characters.
const MAX_NAME_CHARS: usize = 255;

#[derive(Template)]
#[template(path = "access_keys.html")]
struct AccessKeys {
    frame: Frame,
    rows: Vec<Row>,
    next: Option<String>,
    is_first: bool,
    may_write: bool,
}

#[derive(Template)]
#[template(path = "new_access_key.html")]
struct NewPage {
    frame: Frame,
    form_key: String,
    name: String,
    roles: Vec<RoleChoice>,
    days: String,
    problems: Problems,
}

#[derive(Template)]
#[template(path = "created_access_key.html")]
struct Created {
    frame: Frame,
    id: String,
    name: String,
    /// The secret; `None` if it was shown before.
    secret: Option<String>,
}

#[derive(Template)]
#[template(path = "access_key.html")]
struct KeyPage {
    frame: Frame,
    title: String,
    row: Row,
    problems: Problems,
    may_change: bool,
}

/// A role that a new access key may have.
struct RoleChoice {
    value: &'static str,
    name: &'static str,
    meaning: &'static str,
    is_chosen: bool,
}

/// An access key as the pages show it.
struct Row {
    id: String,
    name: String,
    roles: String,
    user: String,
    created: Moment,
    ends: Option<Moment>,
    /// The name of its state, and the class of that in the styles.
    state: (&'static str, &'static str),
    is_enabled: bool,
}

/// Shows a page of the access keys, the oldest first. Costs one query and one batch read, besides the frame.
pub(crate) async fn show(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    let (app, caller) = (&visit.app, visit.caller());
    let listing = visit.listing("console access keys");
    let marker = visit.query.text("marker");
    let after: Option<AccessKeyId> = listing.decode_marker(marker).and_then(|id| id.parse().ok());
    let page =
        async { Ok::<_, Refusal>(usecases::list_access_keys(app, caller, after.as_ref(), PAGE_SIZE).await?) };
    let (page, frame) = tokio::try_join!(page, Frame::load(visit, Some(Section::AccessKeys)))?;
    let rows = page.items.iter().map(|key| Row::new(visit, key)).collect();
    let next = page.next.map(|next| listing.encode_marker(next));
    let may_write = visit.may_write();
    Ok(Reply::page(&AccessKeys { frame, rows, next, is_first: after.is_none(), may_write }))
}

/// Shows the form for a new access key.
pub(crate) async fn show_new(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    authorize_write(visit.caller())?;
    let page = new_page(visit, visit::new_form_key(), Problems::default()).await?;
    Ok(Reply::page(&page))
}

/// Creates an access key, and shows its secret: this once, since to send the form again finds its key used.
pub(crate) async fn create(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    let (app, caller, texts) = (&visit.app, visit.caller(), visit.texts);
    authorize_write(caller)?;
    let mut problems = Problems::default();
    let new = parse(visit, &mut problems);
    let Some(new) = new.filter(|_| problems.is_empty()) else {
        let page = new_page(visit, visit.form.text(visit::FORM_KEY).to_owned(), problems).await?;
        return Ok(Reply::with_status(StatusCode::BAD_REQUEST, &page).with_error("400", texts.problem));
    };
    let idempotency = visit.idempotency();
    let earlier = match &idempotency {
        Some(request) => usecases::find_created_access_key(app, caller, request).await?,
        None => None,
    };
    let (key, secret) = if let Some(key) = earlier {
        (key, None)
    } else {
        let idempotency = idempotency.as_ref();
        let (key, secret) =
            usecases::create_access_key(app, &visit.keyring, caller, new, idempotency).await?;
        (key, Some(secret.reveal().to_owned()))
    };
    let frame = Frame::load(visit, Some(Section::AccessKeys)).await?;
    Ok(Reply::page(&Created { frame, id: key.id.to_string(), name: key.name, secret }))
}

/// Shows an access key. Costs one read, besides the frame.
pub(crate) async fn show_one(visit: &Visit<'_>, id: &str) -> Result<Reply, Refusal> {
    let key = load(visit, id).await?;
    Ok(Reply::page(&key_page(visit, &key, Problems::default()).await?))
}

/// Renames an access key.
pub(crate) async fn rename(visit: &Visit<'_>, id: &str) -> Result<Reply, Refusal> {
    authorize_write(visit.caller())?;
    let key = load(visit, id).await?;
    let mut problems = Problems::default();
    let name = parse_name(visit, &mut problems);
    if !problems.is_empty() {
        let page = key_page(visit, &key, problems).await?;
        return Ok(Reply::with_status(StatusCode::BAD_REQUEST, &page).with_error("400", visit.texts.problem));
    }
    usecases::rename_access_key(&visit.app, visit.caller(), &key.id, name).await?;
    Ok(Reply::redirect(format!("{}/{}?done=renamed", Section::AccessKeys.path(), key.id)))
}

/// Asks before an access key is disabled.
pub(crate) async fn ask_to_disable(visit: &Visit<'_>, id: &str) -> Result<Reply, Refusal> {
    authorize_write(visit.caller())?;
    let key = load(visit, id).await?;
    let texts = visit.texts;
    let frame = Frame::load(visit, Some(Section::AccessKeys)).await?;
    let path = format!("{}/{}", Section::AccessKeys.path(), key.id);
    let item = Item { name: key.name, id: key.id.to_string(), note: String::new() };
    let confirmation = Confirmation::new(frame, texts.access_keys.disable, format!("{path}/disable"), path);
    let lines = vec![texts.access_keys.disable_follows.to_owned()];
    Ok(Confirmation { lines, items: vec![item], ..confirmation }.reply())
}

/// Disables an access key.
pub(crate) async fn disable(visit: &Visit<'_>, id: &str) -> Result<Reply, Refusal> {
    let id = parse_id(id)?;
    usecases::disable_access_key(&visit.app, &visit.keyring, visit.caller(), &id).await?;
    Ok(Reply::redirect(format!("{}?done=disabled", Section::AccessKeys.path())))
}

/// A malformed id is not found, like an unknown one.
fn parse_id(id: &str) -> Result<AccessKeyId, Refusal> {
    id.parse().map_err(|_| Refusal::AccessKey(usecases::AccessKeyError::NotFound))
}

async fn load(visit: &Visit<'_>, id: &str) -> Result<AccessKey, Refusal> {
    Ok(usecases::show_access_key(&visit.app, visit.caller(), &parse_id(id)?).await?)
}

async fn new_page(visit: &Visit<'_>, form_key: String, problems: Problems) -> Result<NewPage, Refusal> {
    let frame = Frame::load(visit, Some(Section::AccessKeys)).await?;
    let t = &visit.texts.access_keys;
    let chosen = Role::from_name(visit.form.text("role")).unwrap_or(Role::Member);
    let choice = |role: Role| RoleChoice {
        value: role.name(),
        name: visit.texts.role_name(role),
        meaning: match role {
            Role::Reader => t.reader_meaning,
            Role::Member => t.member_meaning,
            Role::Admin => t.admin_meaning,
        },
        is_chosen: role == chosen,
    };
    Ok(NewPage {
        frame,
        form_key,
        name: visit.form.text("name").to_owned(),
        roles: visit.caller().role.included().map(choice).collect(),
        days: visit.form.text("days").to_owned(),
        problems,
    })
}

async fn key_page(visit: &Visit<'_>, key: &AccessKey, problems: Problems) -> Result<KeyPage, Refusal> {
    let frame = Frame::load(visit, Some(Section::AccessKeys)).await?;
    let row = Row::new(visit, key);
    let strongest = key.roles.iter().max();
    let may_change =
        row.is_enabled && visit.may_write() && strongest.is_none_or(|role| *role <= visit.caller().role);
    let title = fill(visit.texts.access_keys.title_of_key, &[("name", &row.name)]);
    Ok(KeyPage { frame, title, row, problems, may_change })
}

/// The access key that the form describes; `None` if something is wrong.
fn parse(visit: &Visit<'_>, problems: &mut Problems) -> Option<NewAccessKey> {
    let t = &visit.texts.access_keys;
    let name = parse_name(visit, problems);
    let role = Role::from_name(visit.form.text("role"));
    if role.is_none() {
        problems.add("role", t.choose_role);
    }
    let most = MAX_ACCESS_KEY_LIFETIME.as_secs() / SECONDS_PER_DAY;
    let days = visit.form.text("days");
    let expires_at = match days.parse::<u64>() {
        _ if days.is_empty() => None,
        Ok(days) if (1..=most).contains(&days) => {
            let lifetime = std::time::Duration::from_secs(days * SECONDS_PER_DAY);
            // A moment less, so that the longest lifetime is not exceeded between two readings of the clock.
            Some(visit.app.clock().now().plus(lifetime).minus(std::time::Duration::from_secs(1)))
        }
        _ => {
            problems.add("days", fill(t.wrong_days, &[("most", &most.to_string())]));
            None
        }
    };
    Some(NewAccessKey { name, roles: vec![role?], expires_at, secret: None })
}

const SECONDS_PER_DAY: u64 = 86_400;

fn parse_name(visit: &Visit<'_>, problems: &mut Problems) -> String {
    let name = visit.form.text("name");
    if !(1..=MAX_NAME_CHARS).contains(&name.chars().count()) {
        let most = MAX_NAME_CHARS.to_string();
        problems.add("name", fill(visit.texts.access_keys.wrong_name, &[("most", &most)]));
    }
    name.to_owned()
}

impl Row {
    fn new(visit: &Visit<'_>, key: &AccessKey) -> Self {
        let texts = visit.texts;
        let roles: Vec<_> = key.roles.iter().map(|role| texts.role_name(*role)).collect();
        let state = key.state(visit.app.clock().now());
        Self {
            id: key.id.to_string(),
            name: key.name.clone(),
            roles: roles.join(", "),
            user: key.user.clone().unwrap_or_default(),
            created: Moment(key.created),
            ends: key.disabled_at.or(key.expires_at).map(Moment),
            state: state_name(state, texts),
            is_enabled: state == AccessKeyState::Enabled,
        }
    }
}

fn state_name(state: AccessKeyState, texts: &Texts) -> (&'static str, &'static str) {
    let t = &texts.access_keys;
    match state {
        AccessKeyState::Enabled => (t.enabled, "done"),
        AccessKeyState::Disabled => (t.disabled, "failed"),
        AccessKeyState::Expired => (t.expired, "failed"),
    }
}
