//! *Key Grants* (seed 003): which projects may use a key of the project, *Grant* and *Withdraw*.
//!
//! The page costs what the frame costs, a page of images for the keys to choose from, and one query for the grants of a key.
//! *Withdraw* costs besides what the list of the memberships that rely on the grant costs.

use std::collections::BTreeSet;

use askama::Template;
use http::StatusCode;
use imageshare::domain::{Encryption, KeyId, TenantId, authorize_write};
use imageshare::store::List;
use imageshare::usecases::{
    self, ImagePage, ImageQuery, IndexFilter, KeyGrantError, Page, UseCaseError, VisibleImage,
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::confirm::{Confirmation, Item};
use crate::frame::{Frame, Section};
use crate::problems::Problems;
use crate::recipients::{Naming, Recipient};
use crate::reply::Reply;
use crate::show::{self, Moment};
use crate::texts::{fill, plural};
use crate::visit::{self, Visit};
use crate::wording::Refusal;

/// The rows of a page.
const PAGE_SIZE: usize = 25;

/// The most projects that one form grants a key to.
const MOST: usize = 100;

/// The most encrypted images whose keys are offered.
const IMAGES_WITH_KEYS: usize = 100;

#[derive(Template)]
#[template(path = "key_grants.html")]
struct KeyGrants {
    frame: Frame,
    form_key: String,
    can_write: bool,
    key: String,
    keys: Vec<String>,
    rows: Vec<Row>,
    naming: Naming,
    problems: Problems,
    query: String,
    next: Option<String>,
    is_first: bool,
}

struct Row {
    tenant: String,
    granted: Moment,
    withdraw: String,
    withdraw_path: String,
}

/// Shows the grants of the key in the query.
pub(crate) async fn show(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    let mut problems = Problems::default();
    let text = visit.query.text("key");
    let key: Option<KeyId> = text.parse().ok();
    if key.is_none() && !text.is_empty() {
        problems.add("key", visit.texts.own.bad_key_id);
    }
    render(visit, (text, key), Naming::default(), problems).await
}

/// Grants the key to the projects that the form names: to all of them, or to none if one is wrong.
pub(crate) async fn grant(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    authorize_write(visit.caller())?;
    let text = visit.form.text("key");
    let key: KeyId = text.parse().map_err(|_| Refusal::MalformedForm)?;
    let (mut naming, mut list, mut problems) =
        (Naming::read(&visit.form), Vec::<Recipient>::new(), Problems::default());
    let named = naming.clone();
    naming.add_to(visit, &mut list, MOST, &mut problems).await?;
    if !problems.is_empty() {
        return render(visit, (text, Some(key)), named, problems).await;
    }
    let grant =
        |recipient: Recipient| usecases::grant_key(&visit.app, visit.caller(), key.clone(), recipient.id);
    futures_util::future::try_join_all(list.into_iter().map(grant)).await?;
    Ok(Reply::redirect(format!("{}&done=saved", path_of(&key))))
}

/// Asks whether to withdraw a grant, and lists the memberships that rely on it.
pub(crate) async fn ask_to_withdraw(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    authorize_write(visit.caller())?;
    let (key, tenant) = grant_in(&visit.query)?;
    let (app, caller) = (&visit.app, visit.caller());
    let grant = async { Ok(usecases::show_key_grant(app, caller, key.clone(), tenant.clone()).await?) };
    let dependents = async {
        Ok(usecases::list_dependent_memberships(app, caller, &key, &tenant, (None, PAGE_SIZE)).await?)
    };
    let (frame, _, dependents) =
        tokio::try_join!(Frame::load(visit, Some(Section::KeyGrants)), grant, dependents)?;
    let texts = visit.texts;
    let mut lines = vec![fill(texts.own.withdraw_of, &[("key", key.as_str()), ("project", tenant.as_str())])];
    let Page { items, next } = &dependents;
    if !items.is_empty() {
        lines.push(plural(items.len(), texts.own.rely_on_key_one, texts.own.rely_on_key_many));
    }
    if next.is_some() {
        lines.push(texts.own.more_may_rely_on_key.to_owned());
    }
    let items = items.iter().map(|(image, status)| Item {
        name: show::image_name(image).to_owned(),
        id: image.id.to_string(),
        note: show::status_name(*status, texts).to_owned(),
    });
    let confirmation = Confirmation {
        lines,
        items: items.collect(),
        fields: vec![("key", key.to_string()), ("tenant", tenant.to_string())],
        ..Confirmation::new(
            frame,
            texts.own.withdraw_grant,
            format!("{}/withdraw", Section::KeyGrants.path()),
            path_of(&key),
        )
    };
    Ok(confirmation.reply())
}

/// Withdraws a grant.
pub(crate) async fn withdraw(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    let (key, tenant) = grant_in(&visit.form)?;
    let location = format!("{}&done=saved", path_of(&key));
    usecases::revoke_key_grant(&visit.app, visit.caller(), key, tenant, 0).await?;
    Ok(Reply::redirect(location))
}

/// The grant that fields name.
fn grant_in(fields: &crate::fields::Fields) -> Result<(KeyId, TenantId), Refusal> {
    let key = fields.text("key").parse().map_err(|_| Refusal::NoSuchPage)?;
    let tenant = fields.text("tenant").parse().map_err(|_| Refusal::NoSuchPage)?;
    Ok((key, tenant))
}

/// The path of the page that shows the grants of a key.
fn path_of(key: &KeyId) -> String {
    format!("{}?{}", Section::KeyGrants.path(), query_of(key))
}

fn query_of(key: &KeyId) -> String {
    format!("key={}", utf8_percent_encode(key.as_str(), NON_ALPHANUMERIC))
}

async fn render(
    visit: &Visit<'_>,
    (text, key): (&str, Option<KeyId>),
    naming: Naming,
    problems: Problems,
) -> Result<Reply, Refusal> {
    let listing = visit.listing("console key grants").with(text);
    let marker = visit.query.text("marker");
    let after: Option<TenantId> = listing.decode_marker(marker).and_then(|position| position.parse().ok());
    let grants = async {
        match &key {
            Some(key) => {
                let (app, caller) = (&visit.app, visit.caller());
                Ok(usecases::list_key_grants(app, caller, key, after.as_ref(), PAGE_SIZE).await?)
            }
            None => Ok(Page { items: Vec::new(), next: None }),
        }
    };
    let (frame, keys, grants) =
        tokio::try_join!(Frame::load(visit, Some(Section::KeyGrants)), own_keys(visit), grants)?;
    let rows = grants.items.iter().zip(key.iter().cycle()).map(|(grant, key)| {
        let tenant = grant.tenant.to_string();
        Row {
            granted: Moment(grant.created),
            withdraw: fill(visit.texts.own.withdraw_from, &[("name", &tenant)]),
            withdraw_path: format!(
                "{}/withdraw?{}&tenant={tenant}",
                Section::KeyGrants.path(),
                query_of(key)
            ),
            tenant,
        }
    });
    let status = if problems.is_empty() { StatusCode::OK } else { StatusCode::BAD_REQUEST };
    let page = KeyGrants {
        frame,
        form_key: visit::new_form_key(),
        can_write: authorize_write(visit.caller()).is_ok(),
        rows: rows.collect(),
        key: text.to_owned(),
        keys: keys.iter().map(ToString::to_string).collect(),
        naming,
        problems,
        query: key.as_ref().map(query_of).unwrap_or_default(),
        next: grants.next.map(|next| listing.encode_marker(next)),
        is_first: marker.is_empty(),
    };
    Ok(Reply::with_status(status, &page))
}

/// The keys of the newest encrypted images of the project.
async fn own_keys(visit: &Visit<'_>) -> Result<BTreeSet<KeyId>, Refusal> {
    let query = ImageQuery {
        lists: vec![List::Owned(visit.caller().tenant.clone())],
        filter: |visible: &VisibleImage| key_of(visible).is_some(),
        index_filter: IndexFilter::default(),
        needs_member_counts: false,
        sort: Vec::new(),
        after: None,
        limit: IMAGES_WITH_KEYS,
    };
    let page = match usecases::list_images(&visit.app, visit.caller(), query).await {
        Err(UseCaseError::ScanLimitReached { .. }) => ImagePage::default(),
        page => page.map_err(KeyGrantError::from)?,
    };
    Ok(page.rows.iter().filter_map(|row| key_of(&row.visible)).collect())
}

fn key_of(visible: &VisibleImage) -> Option<KeyId> {
    match visible.image.details.encryption() {
        Encryption::Key(key) => Some(key),
        Encryption::None | Encryption::DefaultKey => None,
    }
}
