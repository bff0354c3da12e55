//! `GET /v1/messages`: list the messages of the caller's project; with `wait`, once there is one.

use std::fmt::Display;
use std::time::Duration;

use http::StatusCode;
use serde::Serialize;

use super::view::MessageJson;
use crate::domain::{MessageId, SeenMessages, UnreadEntry};
use crate::http::{
    ApiError, AuthenticatedRequest, HttpResponse, Listing, PageInfo, Query, invalid_parameter, json_response,
    parse_wait,
};
use crate::usecases::{self, MessageList, UnreadCount};

/// The operation's route.
pub const ROUTE: &str = "GET /v1/messages";

/// `?limit=&marker=` in, or `?unread=true&since=&wait=&limit=&marker=`;
/// `{"messages":[…],"unread_count","unread_count_is_more","as_of","next_since","page_info":{"next_marker",
/// "current_count"}}` out. All messages are in the order of their requests, unread ones in the order of their arrival, the
/// latest first. `next_marker` is there only if there may be more, the count only on the first page, and `next_since`, which
/// is for `since`, only with unread messages.
pub async fn handle(request: &AuthenticatedRequest) -> HttpResponse {
    list(request).await.unwrap_or_else(ApiError::into_response)
}

async fn list(request: &AuthenticatedRequest) -> Result<HttpResponse, ApiError> {
    request.ensure_no_body()?;
    let (app, caller) = (&request.app, request.caller());
    let all = Listing::new(ROUTE, caller);
    let unread = all.clone().with("unread");
    match MessageQuery::parse(request.raw_query(), &all, &unread)? {
        MessageQuery::All { limit, after } => {
            let list = usecases::list_messages(app, caller, after.as_ref(), limit).await?;
            Ok(list_response(request, &list, &all))
        }
        MessageQuery::Unread { limit, since, after } => {
            let (seen, after) = (since.as_ref(), after.as_ref());
            let list = usecases::list_unread_messages(app, caller, seen, after, limit).await?;
            Ok(list_response(request, &list, &unread))
        }
        MessageQuery::Wait { limit, since, timeout } => {
            let list =
                usecases::wait_for_unread_messages(app, caller, since.as_ref(), limit, timeout).await?;
            Ok(list_response(request, &list, &unread))
        }
    }
}

/// What a request asks for.
#[derive(Debug, PartialEq, Eq)]
enum MessageQuery {
    /// A page of all messages.
    All { limit: usize, after: Option<MessageId> },
    /// A page of the unread messages.
    Unread { limit: usize, since: Option<SeenMessages>, after: Option<UnreadEntry> },
    /// The first page of the unread messages, once there is one.
    Wait { limit: usize, since: Option<SeenMessages>, timeout: Duration },
}

impl MessageQuery {
    /// Parses the parameters. A marker is one of the listing of all messages or of that of the unread ones.
    fn parse(raw: &str, all: &Listing, unread: &Listing) -> Result<Self, ApiError> {
        let query = Query::parse(raw)?;
        let limit = query.batch_limit()?;
        let is_of_unread = query.one_of("unread", &[("true", true), ("false", false)])?.unwrap_or(false);
        let since = query.parse_value("since", "next_since of an earlier list")?;
        let timeout = query.text("wait").map(parse_wait).transpose()?;
        if !is_of_unread {
            let needs_unread = [("since", since.is_some()), ("wait", timeout.is_some())];
            return match needs_unread.into_iter().find(|(_, is_given)| *is_given) {
                Some((key, _)) => Err(invalid_parameter(key, "it only together with unread=true")),
                None => Ok(Self::All { limit, after: query.parse_marker(all)? }),
            };
        }
        let after = query.parse_marker(unread)?;
        match timeout {
            Some(_) if after.is_some() => Err(invalid_parameter("wait", "it only without a marker")),
            Some(timeout) => Ok(Self::Wait { limit, since, timeout }),
            None => Ok(Self::Unread { limit, since, after }),
        }
    }
}

#[derive(Serialize)]
struct ListBody<'a> {
    messages: Vec<MessageJson<'a>>,
    #[serde(flatten)]
    unread: Option<UnreadJson>,
    as_of: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_since: Option<String>,
    page_info: PageInfo,
}

#[derive(Serialize)]
struct UnreadJson {
    unread_count: usize,
    /// Whether there are more than `unread_count`.
    unread_count_is_more: bool,
}

impl From<UnreadCount> for UnreadJson {
    fn from(UnreadCount { count, is_more }: UnreadCount) -> Self {
        Self { unread_count: count, unread_count_is_more: is_more }
    }
}

fn list_response<P: Display>(
    request: &AuthenticatedRequest,
    list: &MessageList<P>,
    listing: &Listing,
) -> HttpResponse {
    let (reader, base_url) = (&request.caller().tenant, request.base_url());
    let body = ListBody {
        messages: list.page.items.iter().map(|view| MessageJson::new(view, reader, &base_url)).collect(),
        unread: list.unread.map(UnreadJson::from),
        as_of: list.as_of.to_iso_millis(),
        next_since: list.seen.as_ref().map(SeenMessages::to_string),
        page_info: PageInfo::new(&list.page, listing),
    };
    json_response(StatusCode::OK, &body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{MessageKind, Timestamp};
    use crate::facade::messages::view::tests::message_view;
    use crate::http::fixtures;

    fn listings() -> (Listing, Listing) {
        let all = Listing::new(ROUTE, &fixtures::caller("mem1"));
        (all.clone(), all.with("unread"))
    }

    fn parse(query: &str) -> Result<MessageQuery, ApiError> {
        let (all, unread) = listings();
        MessageQuery::parse(query, &all, &unread)
    }

    #[test]
    fn message_query_is_parsed() {
        let seen = SeenMessages::new(Timestamp::from_unix_millis(5), []);
        assert_eq!(parse(""), Ok(MessageQuery::All { limit: 100, after: None }));
        assert_eq!(parse("unread=false&limit=2"), Ok(MessageQuery::All { limit: 2, after: None }));
        assert_eq!(
            parse(&format!("unread=true&since={seen}")),
            Ok(MessageQuery::Unread { limit: 100, since: Some(seen), after: None })
        );
        let timeout = Duration::from_secs(20);
        assert_eq!(parse("unread=true&wait=20"), Ok(MessageQuery::Wait { limit: 100, since: None, timeout }));
    }

    #[test]
    fn marker_is_valid_in_its_own_list_only() {
        let (all, unread) = listings();
        let id = message_view(MessageKind::ShareOffered, 1).message.id;
        let entry = UnreadEntry { arrived: Timestamp::from_unix_millis(5), id: id.clone() };
        let (all, unread) = (all.encode_marker(&id), unread.encode_marker(&entry));
        assert_eq!(parse(&format!("marker={all}")), Ok(MessageQuery::All { limit: 100, after: Some(id) }));
        let after = Some(entry);
        assert_eq!(
            parse(&format!("unread=true&marker={unread}")),
            Ok(MessageQuery::Unread { limit: 100, since: None, after })
        );
        for bad in [format!("unread=true&marker={all}"), format!("marker={unread}")] {
            assert!(format!("{:?}", parse(&bad)).contains("marker: expected next_marker"), "{bad}");
        }
        let waits = format!("{:?}", parse(&format!("unread=true&wait=1&marker={unread}")));
        assert!(waits.contains("wait: expected it only without a marker"), "{waits}");
    }

    #[test]
    fn malformed_message_query_is_named() {
        for query in [
            "unread=yes",
            "since=5.",
            "wait=5",
            "wait=0&unread=true",
            "wait=21&unread=true",
            "wait=1.5&unread=true",
            "since=yesterday&unread=true",
            "since=-5.&unread=true",
            "limit=101",
        ] {
            let key = query.split('=').next().unwrap();
            let error = format!("{:?}", parse(query).unwrap_err());
            assert!(error.contains(&format!("{key}: expected")), "{error}");
        }
    }
}
