//! What a client knows to have been acknowledged, and what must be so once every job has ended.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

/// What a batch request wants.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verb {
    Share,
    Unshare,
    /// The guest's answer, as it is called in requests and responses.
    Answer(&'static str),
}

/// A batch request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ask {
    pub verb: Verb,
    pub images: Vec<String>,
    pub guests: Vec<String>,
}

impl Ask {
    pub fn body(&self) -> Value {
        match self.verb {
            Verb::Share | Verb::Unshare => json!({"images": self.images, "projects": self.guests}),
            Verb::Answer(status) => {
                json!({"images": self.images, "project_id": self.guests[0], "status": status})
            }
        }
    }

    pub fn pairs(&self) -> impl Iterator<Item = (&String, &String)> {
        self.images.iter().flat_map(|image| self.guests.iter().map(move |guest| (image, guest)))
    }

    fn names(&self, image: &String, guest: &String) -> bool {
        self.images.contains(image) && self.guests.contains(guest)
    }
}

/// A batch request that was acknowledged.
#[derive(Clone, Debug)]
pub struct Acknowledged {
    pub ask: Ask,
    pub key: Option<String>,
    pub job: String,
}

/// What one owner and its guests have been told.
#[derive(Clone, Default)]
pub struct Record {
    pub owner: String,
    /// The images that exist, each with the guests that it is shared with and their answers.
    pub images: BTreeMap<String, BTreeMap<String, &'static str>>,
    pub deleted: BTreeSet<String>,
    pub requests: Vec<Acknowledged>,
    /// Requests without a key that a cut left in doubt; made again, they may have made two jobs.
    pub doubtful: Vec<Ask>,
}

impl Record {
    /// Takes note of an acknowledged request.
    pub fn acknowledge(&mut self, request: Acknowledged) {
        for (image, guest) in request.ask.pairs() {
            let Some(members) = self.images.get_mut(image) else { continue };
            match request.ask.verb {
                Verb::Share => {
                    members.entry(guest.clone()).or_insert("pending");
                }
                Verb::Unshare => {
                    members.remove(guest);
                }
                Verb::Answer(answer) => {
                    if let Some(status) = members.get_mut(guest) {
                        *status = answer;
                    }
                }
            }
        }
        self.requests.push(request);
    }

    /// Whether a pair of the request of that number may have failed: its image was deleted meanwhile, or what the guest
    /// answered to was withdrawn.
    pub fn may_fail(&self, request: usize, image: &String, guest: &String) -> bool {
        let withdrawn =
            |later: &Acknowledged| later.ask.verb == Verb::Unshare && later.ask.names(image, guest);
        match self.requests[request].ask.verb {
            Verb::Unshare => false,
            Verb::Share => self.deleted.contains(image),
            Verb::Answer(_) => self.deleted.contains(image) || self.requests[request..].iter().any(withdrawn),
        }
    }

    /// Whether a later request may have overtaken a pair of the request of that number: one that wants it otherwise, also one
    /// whose answer was cut off.
    pub fn may_be_overtaken(&self, request: usize, image: &String, guest: &String) -> bool {
        let verb = self.requests[request].ask.verb;
        let differs = |later: Verb| match verb {
            Verb::Share => later == Verb::Unshare,
            Verb::Unshare => later == Verb::Share,
            Verb::Answer(_) => later != verb && later != Verb::Share,
        };
        let later = self.requests[request + 1..].iter().map(|later| &later.ask);
        later.chain(&self.doubtful).any(|ask| differs(ask.verb) && ask.names(image, guest))
    }

    /// The images that a guest has in its list of that status.
    pub fn list(&self, guest: &str, status: &str) -> BTreeSet<&str> {
        let listed = self.images.iter().filter(|(_, members)| members.get(guest) == Some(&status));
        listed.map(|(image, _)| image.as_str()).collect()
    }
}
