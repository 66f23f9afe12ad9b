//! `GET /verdicts/stream`: verdicts as they are made, as server-sent events, until the client leaves or the
//! detector stops. Stored verdicts after `?since=`, or after the header `Last-Event-ID`, come first.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use actix_web::web::{Bytes, Data, Query};
use actix_web::{HttpRequest, HttpResponse};
use futures::Stream;
use futures::stream::unfold;
use jiff::Timestamp;
use serde::Deserialize;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::timeout;

use super::error::ApiError;
use super::limit::time;
use crate::scoring::verdict::Verdict;
use crate::serving::newest_verdicts::MAX_VERDICTS;
use crate::serving::state::{Judged, State};
use crate::serving::verdict_json::VerdictJson;

/// The time between two checks whether the detector is stopping: a stream delays the stop by no more.
const LOOK: Duration = Duration::from_secs(1);
/// The number of checks without a verdict after which a comment is sent, so that proxies keep the connection.
const HEARTBEAT: u32 = 15;

/// The query of a request.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Since {
    since: Option<String>,
}

/// The handler.
pub(super) async fn follow(
    state: Data<State>,
    query: Result<Query<Since>, actix_web::Error>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let place = state.streams.clone().try_acquire_owned().map_err(|_| ApiError::Busy)?;
    let query = query.map_err(|_| ApiError::Malformed("expected ?since= or nothing".to_owned()))?;
    let last = request.headers().get("Last-Event-ID").and_then(|id| id.to_str().ok());
    // Subscribe before the stored verdicts are read, so that none is missed in between.
    let judged = state.judged();
    let missed = match last.or(query.since.as_deref()) {
        Some(since) => state.verdicts(MAX_VERDICTS, time("since", since)?).into_iter().rev().collect(),
        None => VecDeque::new(),
    };
    let follower = Follower { state, judged, missed, newest: Timestamp::MIN, silent: 0, _place: place };
    Ok(HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header(("Cache-Control", "no-store"))
        .streaming(follower.events()))
}

/// A client that follows the verdicts.
struct Follower {
    state: Data<State>,
    judged: Receiver<Judged>,
    missed: VecDeque<Arc<Verdict>>,
    /// The time of the newest verdict that was sent.
    newest: Timestamp,
    silent: u32,
    _place: OwnedSemaphorePermit,
}

impl Follower {
    fn events(self) -> impl Stream<Item = Result<Bytes, Infallible>> {
        unfold((self, true), |(mut follower, is_first)| async move {
            let event =
                if is_first { Some(Bytes::from_static(b"retry: 2000\n\n")) } else { follower.next().await };
            event.map(|event| (Ok(event), (follower, false)))
        })
    }

    async fn next(&mut self) -> Option<Bytes> {
        if let Some(verdict) = self.missed.pop_front() {
            return Some(self.event(&verdict));
        }
        while !self.state.is_draining() {
            match timeout(LOOK, self.judged.recv()).await {
                Ok(Ok(Judged { verdict: Some(verdict), .. })) if verdict.time > self.newest => {
                    return Some(self.event(&verdict));
                }
                Ok(Ok(_)) => {}
                Ok(Err(RecvError::Closed)) => return None,
                // The client is too slow for its verdicts.
                Ok(Err(RecvError::Lagged(count))) => return Some(format!(": {count} left out\n\n").into()),
                Err(_) => self.silent += 1,
            }
            if self.silent == HEARTBEAT {
                self.silent = 0;
                return Some(Bytes::from_static(b":\n\n"));
            }
        }
        None
    }

    fn event(&mut self, verdict: &Verdict) -> Bytes {
        (self.newest, self.silent) = (verdict.time, 0);
        let names: Vec<&str> = self.state.detector.sensors().map(|sensor| sensor.name).collect();
        let mut event = Vec::new();
        let written = write!(event, "id: {}\nevent: verdict\ndata: ", verdict.time).and_then(|()| {
            serde_json::to_writer(&mut event, &VerdictJson::new(&names, verdict)).map_err(Into::into)
        });
        written.expect("a vector takes what is written");
        event.extend_from_slice(b"\n\n");
        event.into()
    }
}
