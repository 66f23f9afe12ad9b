//! `GET /events`: the newest events, newest first; an ongoing event has no end. At most `?limit=`, and none
//! that has ended before `?since=`. Events with `"kind": "sensor"` are faults of sensors.

use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::web::Data;
use crd::contract::{EventReport, SensorEventReport};
use jiff::Timestamp;

use super::error::ApiError;
use super::limit::{LimitQuery, within};
use crate::alerting::event::MAX_EVENTS;
use crate::serving::pieces;
use crate::serving::state::State;

/// The handler.
pub(super) async fn newest(state: Data<State>, query: LimitQuery) -> Result<HttpResponse, ApiError> {
    let (most, since) = within(MAX_EVENTS, query)?;
    let of_process = state.events(most).into_iter().map(Event::Process);
    let of_sensors = state.sensor_events(most).into_iter().map(Event::Sensor);
    let is_wanted = |event: &Event| event.end().is_none_or(|end| end > since);
    let mut events: Vec<_> = of_process.chain(of_sensors).filter(is_wanted).collect();
    events.sort_by_key(|event| std::cmp::Reverse(event.start()));
    events.truncate(most);
    Ok(pieces::list("events", events, |event, out| match event {
        Event::Process(event) => serde_json::to_writer(out, &**event),
        Event::Sensor(event) => serde_json::to_writer(out, event),
    }))
}

/// An event of the process, or of one sensor.
enum Event {
    Process(Arc<EventReport>),
    Sensor(SensorEventReport),
}

impl Event {
    fn start(&self) -> Timestamp {
        match self {
            Self::Process(event) => event.start,
            Self::Sensor(event) => event.start,
        }
    }

    fn end(&self) -> Option<Timestamp> {
        match self {
            Self::Process(event) => event.end,
            Self::Sensor(event) => event.end,
        }
    }
}
