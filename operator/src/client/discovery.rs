//! The kinds that the API server knows in, which of the Prometheus Operator's kinds exist out. The API server
//! is asked at the start, every 30 s and when a watch is refused, because those kinds may be installed or
//! removed while the operator runs. A kind that is absent is not watched.

use std::collections::BTreeSet;
use std::future::ready;
use std::sync::Arc;
use std::time::Duration;

use futures::stream::{self, BoxStream};
use futures::{FutureExt, Stream, StreamExt};
use kube::api::DynamicObject;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client};
use tokio::sync::{Notify, watch};
use tracing::warn;

use crate::resources::Kind;

/// The interval at which the API server is asked: one call, however many detectors there are.
const PERIOD: Duration = Duration::from_secs(30);
/// The longest that the call may take.
const DEADLINE: Duration = Duration::from_secs(10);

/// Which of the optional kinds the cluster knows. Clones share their state.
#[derive(Clone, Debug, Default)]
pub struct Discovery {
    found: Arc<watch::Sender<Option<BTreeSet<Kind>>>>,
    outdated: Arc<Notify>,
}

/// The watch events of the objects of one kind.
pub type Events = BoxStream<'static, watcher::Result<Event<DynamicObject>>>;

impl Discovery {
    /// Whether the cluster knows the kind. Optional kinds count as absent until the API server has answered
    /// once.
    pub fn has(&self, kind: Kind) -> bool {
        !kind.is_optional() || self.found.borrow().as_ref().is_some_and(|found| found.contains(&kind))
    }

    /// Record which of the optional kinds exist.
    pub fn found(&self, kinds: BTreeSet<Kind>) {
        self.found.send_if_modified(|found| {
            let is_news = found.as_ref() != Some(&kinds);
            *found = Some(kinds);
            is_news
        });
    }

    /// A stream with one item for each change of the kinds that exist.
    pub fn changes(&self) -> impl Stream<Item = ()> + Send + use<> {
        stream::unfold(self.found.subscribe(), async |mut found| {
            found.changed().await.ok()?;
            Some(((), found))
        })
    }

    /// Ask the API server for its kinds again and again, until the process ends.
    pub async fn keep_looking(&self, client: &Client) -> ! {
        loop {
            match look(client).await {
                Ok(kinds) => {
                    self.found(kinds);
                }
                Err(error) => {
                    warn!(%error, "cannot list the kinds that the cluster serves; using the last list");
                }
            }
            drop(tokio::time::timeout(PERIOD, self.outdated.notified()).await);
        }
    }

    /// Watch the objects of a kind. While the kind is absent, the stream gives an empty list, so that nothing
    /// waits for it, and makes no call to the API server.
    pub fn watch(&self, kind: Kind, api: Api<DynamicObject>, config: watcher::Config) -> Events {
        if !kind.is_optional() {
            return watcher(api, config).boxed();
        }
        let discovery = self.clone();
        let rounds = stream::repeat(()).then(move |()| {
            let (discovery, api, config) = (discovery.clone(), api.clone(), config.clone());
            async move {
                discovery.until(|_| true).await;
                if discovery.has(kind) {
                    discovery.present(kind, api, config)
                } else {
                    discovery.absent(kind)
                }
            }
        });
        rounds.flatten().boxed()
    }

    /// An empty list, then no event until the kind exists. Then the stream ends.
    fn absent(&self, kind: Kind) -> Events {
        let discovery = self.clone();
        let wait = async move { discovery.until(|found| found.contains(&kind)).await };
        nothing().chain(wait.into_stream().filter_map(|()| ready(None))).boxed()
    }

    /// The events of the kind's objects, until the kind is gone. If the first list fails, the stream gives an
    /// empty list and then the error, so that nothing waits for this kind either.
    fn present(&self, kind: Kind, api: Api<DynamicObject>, config: watcher::Config) -> Events {
        let (discovery, outdated) = (self.clone(), self.outdated.clone());
        let gone = async move { discovery.until(|found| !found.contains(&kind)).await };
        let mut was_listed = false;
        let events = watcher(api, config).flat_map(move |event| {
            was_listed |= matches!(event, Ok(Event::InitDone));
            let is_refused = matches!(event, Err(watcher::Error::InitialListFailed(_)));
            if is_refused || matches!(event, Err(watcher::Error::WatchStartFailed(_))) {
                outdated.notify_one();
            }
            let before = if is_refused && !was_listed { nothing() } else { stream::empty().boxed() };
            before.chain(stream::iter([event]))
        });
        events.take_until(gone.boxed()).boxed()
    }

    async fn until(&self, is_so: impl Fn(&BTreeSet<Kind>) -> bool) {
        let is_so = |found: &Option<BTreeSet<Kind>>| found.as_ref().is_some_and(&is_so);
        drop(self.found.subscribe().wait_for(is_so).await); // the sender lives as long as we do
    }
}

fn nothing() -> Events {
    stream::iter([Ok(Event::Init), Ok(Event::InitDone)]).boxed()
}

/// The optional kinds that the API server knows.
async fn look(client: &Client) -> kube::Result<BTreeSet<Kind>> {
    let optional = Kind::ALL.into_iter().filter(|kind| kind.is_optional());
    let version = optional.clone().map(|kind| kind.resource().api_version).next().unwrap_or_default();
    let known = match tokio::time::timeout(DEADLINE, client.list_api_group_resources(&version)).await {
        Ok(Ok(list)) => list.resources.into_iter().map(|resource| resource.kind).collect(),
        Ok(Err(kube::Error::Api(status))) if status.code == 404 => BTreeSet::new(),
        Ok(Err(error)) => return Err(error),
        Err(elapsed) => return Err(kube::Error::Service(elapsed.into())),
    };
    Ok(optional.filter(|kind| known.contains(&kind.name())).collect())
}
