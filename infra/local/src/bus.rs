//! The event bus of a server, in place of EventBridge: what was put on it last, for those who follow it.
//!
//! It has the events that the service sends and those that were put by `POST /events`, as a rule of EventBridge gets them.
//! They are kept in memory, up to a size, and lost with the process: nothing depends on them. The function `effects` makes
//! an event again if the server dies before it is published; what puts an event gets a response only once it is handled.
//!
//! A reader has a [`Position`], and asks for what comes after it. So a slow reader delays nobody, and learns how many
//! events it has missed.

use std::collections::VecDeque;
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use imageshare::events::{Bus, BusEntry, Publishing};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::timeout;
use uuid::Uuid;

use crate::gateway::ACCOUNT_ID;

/// The most events that are kept, and the most bytes of them.
const MAX_EVENTS: usize = 10_000;
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// The event bus of a server.
#[derive(Debug)]
pub struct LocalBus {
    /// Tells positions on this bus from those on the one of an earlier process.
    epoch: u32,
    region: String,
    kept: Mutex<Kept>,
    /// The number of events so far; closed when the server stops.
    count: watch::Sender<u64>,
    is_closed: watch::Sender<bool>,
}

/// The events that are kept.
#[derive(Debug, Default)]
struct Kept {
    events: VecDeque<Arc<str>>,
    bytes: usize,
    /// The number of the first one: how many there were before.
    first: u64,
}

/// Where a reader is on a bus: after this many events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    epoch: u32,
    count: u64,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}-{}", self.epoch, self.count)
    }
}

impl Position {
    /// The position that many events earlier.
    #[must_use]
    pub fn back(self, events: u64) -> Self {
        Self { count: self.count.saturating_sub(events), ..self }
    }
}

/// The text is no position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected the next of an earlier response")]
pub struct MalformedPosition;

impl FromStr for Position {
    type Err = MalformedPosition;

    fn from_str(text: &str) -> Result<Self, MalformedPosition> {
        let (epoch, count) = text.split_once('-').ok_or(MalformedPosition)?;
        let epoch = u32::from_str_radix(epoch, 16).map_err(|_| MalformedPosition)?;
        Ok(Self { epoch, count: count.parse().map_err(|_| MalformedPosition)? })
    }
}

/// What a reader gets.
#[derive(Debug, Clone)]
pub struct Batch {
    /// The events, as JSON, oldest first.
    pub events: Vec<Arc<str>>,
    /// Where to go on.
    pub next: Position,
    /// How many events between the reader's position and the first of these are not kept any more. Those that an earlier
    /// process has published are not counted.
    pub missed: u64,
}

impl LocalBus {
    /// Creates an empty bus of a region.
    pub fn new(region: String) -> Self {
        Self {
            epoch: fastrand::u32(..),
            region,
            kept: Mutex::default(),
            count: watch::Sender::new(0),
            is_closed: watch::Sender::new(false),
        }
    }

    /// Puts an event on the bus, as a rule of EventBridge gets it.
    pub fn put(&self, event: &Value) {
        let text: Arc<str> = event.to_string().into();
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.bytes += text.len();
        kept.events.push_back(text);
        while kept.events.len() > MAX_EVENTS || (kept.bytes > MAX_BYTES && kept.events.len() > 1) {
            if let Some(oldest) = kept.events.pop_front() {
                kept.bytes -= oldest.len();
                kept.first += 1;
            }
        }
        let count = kept.first + kept.events.len() as u64;
        drop(kept);
        self.count.send_modify(|published| *published = count.max(*published));
    }

    /// Returns the events after a position, at most `limit`; the oldest that are kept for a reader without one, or with one
    /// of an earlier process.
    pub fn read(&self, after: Option<Position>, limit: usize) -> Batch {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let end = kept.first + kept.events.len() as u64;
        let wanted = match after {
            Some(position) if position.epoch == self.epoch => position.count.min(end),
            Some(_) => 0,
            None => kept.first,
        };
        let start = wanted.max(kept.first);
        let skipped = usize::try_from(start - kept.first).unwrap_or(usize::MAX);
        let events: Vec<_> = kept.events.iter().skip(skipped).take(limit).cloned().collect();
        let next = Position { epoch: self.epoch, count: start + events.len() as u64 };
        Batch { events, next, missed: start - wanted }
    }

    /// The same; without an event yet, waits up to `patience` for one. Returns early if the bus is closed.
    pub async fn wait(&self, after: Option<Position>, limit: usize, patience: Duration) -> Batch {
        let (mut count, mut is_closed) = (self.count.subscribe(), self.is_closed.subscribe());
        let batch = self.read(after, limit);
        if !batch.events.is_empty() {
            return batch;
        }
        let position = batch.next;
        let waiting = async {
            tokio::select! {
                _ = count.wait_for(|count| *count > position.count) => {}
                _ = is_closed.wait_for(|is_closed| *is_closed) => {}
            }
        };
        let _ = timeout(patience, waiting).await;
        let later = self.read(Some(position), limit);
        Batch { missed: batch.missed + later.missed, ..later }
    }

    /// Lets every waiting reader go, so that the server can stop.
    pub fn close(&self) {
        self.is_closed.send_replace(true);
    }

    /// The event that an entry becomes on this bus.
    fn event(&self, entry: &BusEntry) -> Value {
        json!({
            "version": "0",
            "id": Uuid::new_v4().to_string(),
            "source": entry.source,
            "detail-type": entry.detail_type,
            "account": ACCOUNT_ID,
            "time": entry.time.to_iso_seconds(),
            "region": self.region,
            "resources": entry.resources,
            "detail": entry.detail,
        })
    }
}

impl Bus for LocalBus {
    fn publish<'a>(&'a self, entries: &'a [BusEntry]) -> Publishing<'a> {
        for entry in entries {
            self.put(&self.event(entry));
        }
        Box::pin(std::future::ready(Ok(())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bus_with(events: u64) -> LocalBus {
        let bus = LocalBus::new("local".to_owned());
        (0..events).for_each(|number| bus.put(&json!(number)));
        bus
    }

    fn texts(batch: &Batch) -> Vec<&str> {
        batch.events.iter().map(|event| &**event).collect()
    }

    #[test]
    fn reader_continues_at_its_position() {
        let bus = bus_with(3);
        let first = bus.read(None, 2);
        assert_eq!((texts(&first), first.missed), (vec!["0", "1"], 0));
        let rest = bus.read(Some(first.next), 100);
        assert_eq!((texts(&rest), rest.missed), (vec!["2"], 0));
        assert!(bus.read(Some(rest.next), 100).events.is_empty());
        let next = first.next.to_string();
        assert_eq!(next.parse(), Ok(first.next));
        for bad in ["", "1", "x-1", "1-", "1-x"] {
            assert_eq!(bad.parse::<Position>(), Err(MalformedPosition), "{bad}");
        }
    }

    #[test]
    fn slow_reader_learns_how_much_it_missed() {
        let bus = bus_with(MAX_EVENTS as u64 + 7);
        let position = Position { epoch: bus.epoch, count: 2 };
        let batch = bus.read(Some(position), 1);
        assert_eq!((texts(&batch), batch.missed), (vec!["7"], 5));
        assert_eq!(bus.read(None, 1).missed, 0);
        let large = LocalBus::new("local".to_owned());
        (0..6).for_each(|_| large.put(&json!("x".repeat(MAX_BYTES / 4))));
        assert!(large.read(None, 100).events.len() < 4);
        large.put(&json!("x".repeat(2 * MAX_BYTES)));
        assert_eq!(large.read(None, 100).events.len(), 1, "the last event is kept, whatever its size");
    }

    #[test]
    fn position_on_an_earlier_bus_starts_at_the_oldest() {
        let bus = bus_with(3);
        let earlier = Position { epoch: bus.epoch.wrapping_add(1), count: 900 };
        assert_eq!(texts(&bus.read(Some(earlier), 100)), ["0", "1", "2"]);
        let ahead = Position { epoch: bus.epoch, count: 900 };
        assert_eq!(bus.read(Some(ahead), 100).next.count, 3);
    }

    #[tokio::test]
    async fn waiting_reader_gets_the_next_event() {
        let bus = Arc::new(bus_with(1));
        let after = bus.read(None, 100).next;
        let waiting = tokio::spawn({
            let bus = Arc::clone(&bus);
            async move { bus.wait(Some(after), 100, Duration::from_mins(1)).await }
        });
        tokio::task::yield_now().await;
        bus.put(&json!("late"));
        assert_eq!(texts(&waiting.await.unwrap()), ["\"late\""]);
        let empty = bus.wait(Some(bus.read(None, 100).next), 100, Duration::from_millis(1)).await;
        assert!(empty.events.is_empty());
        bus.close();
        let closed = bus.wait(Some(empty.next), 100, Duration::from_mins(1)).await;
        assert!(closed.events.is_empty());
    }

    #[tokio::test]
    async fn published_entry_has_the_form_of_an_event() {
        let bus = bus_with(0);
        let entry = BusEntry {
            source: "imageshare".to_owned(),
            detail_type: "Share Offered".to_owned(),
            time: imageshare::domain::Timestamp::from_unix_millis(1_800_000_000_500),
            resources: vec!["imageshare:image/i".to_owned()],
            detail: json!({"a": 1}),
        };
        bus.publish(&[entry]).await.unwrap();
        let event: Value = serde_json::from_str(&bus.read(None, 1).events[0]).unwrap();
        assert_eq!((&event["source"], &event["detail"]["a"]), (&json!("imageshare"), &json!(1)));
        assert_eq!(event["time"], "2027-01-15T08:00:00Z");
    }
}
