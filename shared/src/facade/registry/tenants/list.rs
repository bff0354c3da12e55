//! `GET /v1/tenants`: with names, the one tenant that has them, for everybody; without, the whole directory, for admins.
//!
//! Names are exact, and an answer says no more than what follows from them: there is no list, no pattern and no other case
//! of letters for those who are no admins. Who may share by a name learns no more here than by sharing.

use http::StatusCode;
use serde::Serialize;

use super::Wire;
use crate::domain::{NAME_FORM, Name, Named, TenantId};
use crate::facade::ims::query::{Query, bad};
use crate::facade::ims::{Error, no_body};
use crate::facade::marker::Listing;
use crate::facade::page::PageInfo;
use crate::facade::{Reply, json};
use crate::function::Call;
use crate::usecases::{self, EntryPage};

/// The operation's route.
pub const ROUTE: &str = "GET /v1/tenants";

/// How many tenants a page has unless told otherwise, and at most: as many as one batch read takes.
const MOST: usize = 100;

/// `?account=&project=` or `?limit=&marker=` in, `{"tenants":[…],"page_info":{"next_marker","current_count"}}` out;
/// `next_marker` only where there are more.
pub async fn answer(call: &Call) -> Reply {
    list(call).await.unwrap_or_else(Error::into_reply)
}

async fn list(call: &Call) -> Result<Reply, Error> {
    no_body(call)?;
    let listing = Listing::new(ROUTE, call.caller());
    let page = match Wanted::parse(call.raw_query(), &listing)? {
        Wanted::One(named) => {
            let entry = usecases::find_tenant(&call.service, &named).await?;
            EntryPage { entries: vec![entry], next: None }
        }
        Wanted::All { most, after } => {
            usecases::list_tenants(&call.service, call.caller(), after.as_ref(), most).await?
        }
    };
    Ok(json(StatusCode::OK, &PageWire::new(&page, &listing)))
}

#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    One(Named),
    All { most: usize, after: Option<TenantId> },
}

impl Wanted {
    fn parse(raw: &str, listing: &Listing) -> Result<Self, Error> {
        let query = Query::parse(raw)?;
        let most = match query.parsed("limit", "a number from 1 to 100")? {
            None => MOST,
            Some(limit @ 1..=MOST) => limit,
            Some(_) => return Err(bad("limit", "a number from 1 to 100")),
        };
        let after = query.after(listing)?;
        let account: Option<Name> = query.parsed("account", NAME_FORM)?;
        let project: Option<Name> = query.parsed("project", NAME_FORM)?;
        match (account, project) {
            (Some(account), project) => Ok(Self::One(Named { account, project })),
            (None, Some(_)) => Err(bad("account", "the name of the account that has the project")),
            (None, None) => Ok(Self::All { most, after }),
        }
    }
}

#[derive(Serialize)]
struct PageWire<'a> {
    tenants: Vec<Wire<'a>>,
    page_info: PageInfo,
}

impl<'a> PageWire<'a> {
    fn new(page: &'a EntryPage, listing: &Listing) -> Self {
        Self {
            tenants: page.entries.iter().map(Wire::from).collect(),
            page_info: PageInfo {
                next_marker: page.next.as_ref().map(|last| listing.write(last)),
                current_count: page.entries.len(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facade::example;

    fn listing() -> Listing {
        Listing::new(ROUTE, &example::caller("ops"))
    }

    fn parse(query: &str) -> Result<Wanted, Error> {
        Wanted::parse(query, &listing())
    }

    #[test]
    fn names_ask_for_one_tenant_and_none_for_all() {
        let named = Named { account: "Acme & Co".parse().unwrap(), project: None };
        assert_eq!(parse("account=Acme+%26+Co").unwrap(), Wanted::One(named.clone()));
        let named = Named { project: "web".parse().ok(), ..named };
        assert_eq!(parse("project=web&account=Acme+%26+Co").unwrap(), Wanted::One(named));
        let after = "t-1".parse().ok();
        assert_eq!(
            parse(&format!("limit=7&marker={}", listing().write("t-1"))).unwrap(),
            Wanted::All { most: 7, after }
        );
        assert_eq!(parse("").unwrap(), Wanted::All { most: 100, after: None });
    }

    #[test]
    fn what_is_not_as_it_must_be_is_named() {
        let refused = |query: &str| format!("{:?}", parse(query).unwrap_err());
        for (query, told) in [
            ("account=", "account: expected 1 to 64"),
            ("account=a&project=%0A", "project: expected 1 to 64"),
            ("project=web", "account: expected the name of the account"),
            ("limit=101", "limit: expected a number from 1 to 100"),
            ("marker=a%23", "marker: expected next_marker"),
            ("marker=t-1", "marker: expected next_marker"),
            ("account=a&account=b", "account: expected one value"),
        ] {
            assert!(refused(query).contains(told), "{query}");
        }
    }
}
