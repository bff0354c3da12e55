//! A client's record of what was acknowledged, and what has to hold once every job has ended.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

/// What a batch request does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Operation {
    Share,
    Unshare,
    /// The guest's decision, by its name in requests and responses.
    Decide(&'static str),
}

/// A batch request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BatchRequest {
    pub operation: Operation,
    pub images: Vec<String>,
    pub recipients: Vec<String>,
}

impl BatchRequest {
    pub fn body(&self) -> Value {
        match self.operation {
            Operation::Share | Operation::Unshare => {
                json!({"images": self.images, "projects": self.recipients})
            }
            Operation::Decide(status) => {
                json!({"images": self.images, "project_id": self.recipients[0], "status": status})
            }
        }
    }

    pub fn pairs(&self) -> impl Iterator<Item = (&String, &String)> {
        self.images.iter().flat_map(|image| self.recipients.iter().map(move |guest| (image, guest)))
    }

    fn contains_pair(&self, image: &String, guest: &String) -> bool {
        self.images.contains(image) && self.recipients.contains(guest)
    }
}

/// An acknowledged batch request.
#[derive(Clone, Debug)]
pub struct AcknowledgedRequest {
    pub request: BatchRequest,
    pub key: Option<String>,
    pub job: String,
}

/// What was acknowledged to one owner and its guests.
#[derive(Clone, Default)]
pub struct Record {
    pub owner: String,
    /// The images that exist, each with its members and their decisions.
    pub images: BTreeMap<String, BTreeMap<String, &'static str>>,
    pub deleted: BTreeSet<String>,
    pub requests: Vec<AcknowledgedRequest>,
    /// Requests without a key that a cut left in doubt; repeated, they may have created two jobs.
    pub in_doubt: Vec<BatchRequest>,
}

impl Record {
    /// Records an acknowledged request.
    pub fn acknowledge(&mut self, request: AcknowledgedRequest) {
        for (image, guest) in request.request.pairs() {
            let Some(members) = self.images.get_mut(image) else { continue };
            match request.request.operation {
                Operation::Share => {
                    members.entry(guest.clone()).or_insert("pending");
                }
                Operation::Unshare => {
                    members.remove(guest);
                }
                Operation::Decide(decision) => {
                    if let Some(status) = members.get_mut(guest) {
                        *status = decision;
                    }
                }
            }
        }
        self.requests.push(request);
    }

    /// Whether a pair of the request with this index may have failed: its image was deleted meanwhile, or the share
    /// that the guest decided on was withdrawn.
    pub fn may_fail(&self, request: usize, image: &String, guest: &String) -> bool {
        let withdrawn = |later: &AcknowledgedRequest| {
            later.request.operation == Operation::Unshare && later.request.contains_pair(image, guest)
        };
        match self.requests[request].request.operation {
            Operation::Unshare => false,
            Operation::Share => self.deleted.contains(image),
            Operation::Decide(_) => {
                self.deleted.contains(image) || self.requests[request..].iter().any(withdrawn)
            }
        }
    }

    /// Whether a later request may have superseded a pair of the request with this index: one that wants another
    /// result, including one whose response was cut off.
    pub fn may_be_overtaken(&self, request: usize, image: &String, guest: &String) -> bool {
        let operation = self.requests[request].request.operation;
        let differs = |later: Operation| match operation {
            Operation::Share => later == Operation::Unshare,
            Operation::Unshare => later == Operation::Share,
            Operation::Decide(_) => later != operation && later != Operation::Share,
        };
        let later = self.requests[request + 1..].iter().map(|later| &later.request);
        later.chain(&self.in_doubt).any(|later| differs(later.operation) && later.contains_pair(image, guest))
    }

    /// The images in a guest's list of this status.
    pub fn images_with_status(&self, guest: &str, status: &str) -> BTreeSet<&str> {
        let listed = self.images.iter().filter(|(_, members)| members.get(guest) == Some(&status));
        listed.map(|(image, _)| image.as_str()).collect()
    }
}
