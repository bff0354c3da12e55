//! The page that asks before something is done that cannot be undone: what it does, and to what.

use askama::Template;

use crate::frame::Frame;
use crate::reply::Reply;
use crate::visit;

#[derive(Template)]
#[template(path = "confirm.html")]
pub(super) struct Confirmation {
    pub(super) frame: Frame,
    pub(super) form_key: String,
    pub(super) title: &'static str,
    /// What follows, in sentences.
    pub(super) lines: Vec<String>,
    /// What it is done to.
    pub(super) items: Vec<Item>,
    /// The hidden fields of the form.
    pub(super) fields: Vec<(&'static str, String)>,
    /// Where the form is sent.
    pub(super) action: String,
    pub(super) button: &'static str,
    pub(super) cancel: String,
}

/// A thing that something is done to. Texts that are empty are left out.
#[derive(Debug, Default)]
pub(super) struct Item {
    pub(super) name: String,
    pub(super) id: String,
    pub(super) note: String,
}

impl Confirmation {
    /// A confirmation whose button has its title as its label.
    pub(super) fn new(frame: Frame, title: &'static str, action: String, cancel: String) -> Self {
        Self {
            frame,
            form_key: visit::new_form_key(),
            title,
            lines: Vec::new(),
            items: Vec::new(),
            fields: Vec::new(),
            action,
            button: title,
            cancel,
        }
    }

    /// The page.
    pub(super) fn reply(&self) -> Reply {
        Reply::page(self)
    }
}
