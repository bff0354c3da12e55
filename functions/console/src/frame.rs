//! What every page has around it: navigation, region, project, and what became of the last action.

use imageshare::domain::{DirectoryEntry, Role};
use imageshare::usecases::{self, MAX_BRIEF_COUNT, PendingCount, UseCaseError};

use crate::assets::{ICON, SCRIPT, STYLES};
use crate::notice::{self, Notice};
use crate::texts::Texts;
use crate::visit::Visit;
use crate::wording::Refusal;

/// The sections of the navigation, in its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Section {
    PrivateImages,
    SharedImages,
    Vaults,
    KeyGrants,
    ShareRules,
    Owners,
    Messages,
    Jobs,
    AccessKeys,
    Directory,
}

impl Section {
    const ALL: [Self; 10] = [
        Self::PrivateImages,
        Self::SharedImages,
        Self::Messages,
        Self::Vaults,
        Self::KeyGrants,
        Self::ShareRules,
        Self::Owners,
        Self::Jobs,
        Self::AccessKeys,
        Self::Directory,
    ];

    /// The path of its first page.
    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::PrivateImages => "/console/images",
            Self::SharedImages => "/console/shared",
            Self::Vaults => "/console/vaults",
            Self::KeyGrants => "/console/key-grants",
            Self::ShareRules => "/console/share-rules",
            Self::Owners => "/console/owners",
            Self::Messages => "/console/messages",
            Self::Jobs => "/console/jobs",
            Self::AccessKeys => "/console/access-keys",
            Self::Directory => "/console/directory",
        }
    }

    /// Its name.
    pub(crate) fn name(self, texts: &Texts) -> &'static str {
        match self {
            Self::PrivateImages => texts.private_images,
            Self::SharedImages => texts.shared_images,
            Self::Vaults => texts.vaults,
            Self::KeyGrants => texts.own.key_grants,
            Self::ShareRules => texts.own.share_rules,
            Self::Owners => texts.owners,
            Self::Messages => texts.messages,
            Self::Jobs => texts.jobs.list_title,
            Self::AccessKeys => texts.access_keys.title,
            Self::Directory => texts.directory.title,
        }
    }

    /// Whether a role sees it.
    fn is_for(self, role: Role) -> bool {
        self != Self::Directory || role == Role::Admin
    }
}

/// A link of the navigation.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) name: &'static str,
    pub(crate) path: &'static str,
    pub(crate) is_current: bool,
    /// How many things wait there; empty if nothing does.
    pub(crate) waiting: String,
}

/// The frame of a page, for the template `frame.html`.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) texts: &'static Texts,
    pub(crate) region: String,
    /// Who is signed in; `None` on the pages without a session.
    pub(crate) visitor: Option<Visitor>,
    pub(crate) links: Vec<Link>,
    /// How many images wait for an answer.
    pub(crate) pending: PendingCount,
    /// What became of the action that has led here.
    pub(crate) notice: Option<Notice>,
    pub(crate) styles: &'static str,
    pub(crate) script: &'static str,
    pub(crate) icon: &'static str,
}

/// Who is signed in.
#[derive(Debug)]
pub(crate) struct Visitor {
    pub(crate) project: String,
    pub(crate) entry: Option<DirectoryEntry>,
    pub(crate) role: Role,
}

impl Frame {
    /// The frame of a page without a session.
    pub(crate) fn outside(texts: &'static Texts) -> Self {
        Self {
            texts,
            region: String::new(),
            visitor: None,
            links: Vec::new(),
            pending: PendingCount { count: 0, is_more: false },
            notice: None,
            styles: STYLES,
            script: SCRIPT,
            icon: ICON,
        }
    }

    /// Marks a section of the navigation as the one that the page is in.
    pub(crate) fn enter(&mut self, section: Section) {
        for link in &mut self.links {
            link.is_current = link.path == section.path();
        }
    }

    /// The frame of a page, in a section of the navigation. Costs two reads, a query for the images that wait unless their
    /// number is cached, one for the unread messages, and one for each job of the notice, at the same time.
    ///
    /// # Errors
    /// [`Refusal`] if the table failed.
    pub(crate) async fn load(visit: &Visit<'_>, section: Option<Section>) -> Result<Self, Refusal> {
        let pending = usecases::pending_count(&visit.app, visit.caller(), MAX_BRIEF_COUNT);
        Self::load_with(visit, section, pending).await
    }

    /// The same for a page about all images that wait. Costs what [`Self::load`] costs, and what it takes to count them all.
    ///
    /// # Errors
    /// [`Refusal`] if the table failed.
    pub(crate) async fn load_with_full_count(
        visit: &Visit<'_>,
        section: Option<Section>,
    ) -> Result<Self, Refusal> {
        let pending = usecases::full_pending_count(&visit.app, visit.caller());
        Self::load_with(visit, section, pending).await
    }

    async fn load_with(
        visit: &Visit<'_>,
        section: Option<Section>,
        pending: impl Future<Output = Result<PendingCount, UseCaseError>>,
    ) -> Result<Self, Refusal> {
        let (app, caller) = (&visit.app, visit.caller());
        let (entry, pending, unread, notice) = tokio::try_join!(
            async { Ok::<_, Refusal>(usecases::own_entry(app, caller).await?) },
            async { Ok(pending.await?) },
            async { Ok(usecases::count_unread_messages(app, caller).await?) },
            notice::load(visit),
        )?;
        let waiting = |section| match section {
            Section::SharedImages => number(pending.count, pending.is_more),
            Section::Messages => number(unread.count, unread.is_more),
            _ => String::new(),
        };
        let links = Section::ALL.into_iter().filter(|each| each.is_for(caller.role)).map(|each| Link {
            name: each.name(visit.texts),
            path: each.path(),
            is_current: Some(each) == section,
            waiting: waiting(each),
        });
        Ok(Self {
            region: app.settings.region.clone(),
            visitor: Some(Visitor { project: caller.tenant.to_string(), entry, role: caller.role }),
            links: links.collect(),
            pending,
            notice,
            ..Self::outside(visit.texts)
        })
    }
}

/// A number of things that wait; empty for none.
fn number(count: usize, is_more: bool) -> String {
    match (count, is_more) {
        (0, _) => String::new(),
        (count, false) => count.to_string(),
        (count, true) => format!("{count}+"),
    }
}
