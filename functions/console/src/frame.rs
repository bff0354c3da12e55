//! What every page has around it: navigation, region, project, and what became of the last action.

use imageshare::domain::{DirectoryEntry, Role};
use imageshare::usecases;

use crate::assets::{ICON, SCRIPT, STYLES};
use crate::texts::Texts;
use crate::visit::Visit;
use crate::wording::Refusal;

/// The sections of the navigation, in its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Section {
    PrivateImages,
    SharedImages,
    Vaults,
}

impl Section {
    const ALL: [Self; 3] = [Self::PrivateImages, Self::SharedImages, Self::Vaults];

    /// The path of its first page.
    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::PrivateImages => "/console/images",
            Self::SharedImages => "/console/shared",
            Self::Vaults => "/console/vaults",
        }
    }

    /// Its name.
    pub(crate) fn name(self, texts: &Texts) -> &'static str {
        match self {
            Self::PrivateImages => texts.private_images,
            Self::SharedImages => texts.shared_images,
            Self::Vaults => texts.vaults,
        }
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
            styles: STYLES,
            script: SCRIPT,
            icon: ICON,
        }
    }

    /// The frame of a page, in a section of the navigation.
    ///
    /// # Errors
    /// [`Refusal`] if the table failed.
    pub(crate) async fn load(visit: &Visit<'_>, section: Option<Section>) -> Result<Self, Refusal> {
        let (app, caller) = (&visit.app, visit.caller());
        let entry = usecases::own_entry(app, caller).await?;
        let links = Section::ALL.into_iter().map(|each| Link {
            name: each.name(visit.texts),
            path: each.path(),
            is_current: Some(each) == section,
            waiting: String::new(),
        });
        Ok(Self {
            region: app.settings.region.clone(),
            visitor: Some(Visitor { project: caller.tenant.to_string(), entry, role: caller.role }),
            links: links.collect(),
            ..Self::outside(visit.texts)
        })
    }
}
