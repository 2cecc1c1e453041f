//! One output of the host, with one delivery stream, or with a router that knows its several ones.

use std::sync::{Arc, Mutex, OnceLock, mpsc};
use std::time::{Duration, Instant};

use firehose_core::deliver::stream::OutputId;
use firehose_core::options::Config;
use firehose_core::tell::log::{Level, Line};
use firehose_core::tell::metrics::{self, Metric};
use firehose_core::tell::totals::Totals;
use tokio::runtime::Handle;
use tokio::sync::mpsc::UnboundedSender;

use crate::aws::Firehose;
use crate::driver;
use crate::lent::Flush;
use crate::member::{self, Member, Setup};
use crate::rejected;
use crate::router::{self, Router};
use crate::series::Series;

/// Only flushes notice the host's signal: they come, or look again, within this time.
const NOTICED: Duration = Duration::from_secs(1);

/// How long the end of an output waits for its drivers.
const LEAVING: Duration = Duration::from_millis(500);

/// What the host's threads have of an output.
pub struct Output {
    pub id: OutputId,
    pub flush_timeout: Duration,
    pub stop_timeout: Duration,
    way: Way,
    service: Arc<Firehose>,
    series: Series,
    /// Keeps what can't be delivered.
    rejected: Option<rejected::Thread>,
    stop: OnceLock<Instant>,
}

/// How a chunk comes to its drivers.
enum Way {
    /// To the one delivery stream.
    Plain(Member),
    Routed(UnboundedSender<router::Message>),
}

impl Output {
    /// Begins an output on the runtime.
    pub fn start(config: Config, max_level: Level, runtime: &Handle) -> Self {
        let name = config.delivery_stream;
        let most = config
            .route
            .as_ref()
            .map_or(1, |route| route.max_streams + 1);
        let series = Series::new(most);
        let totals = series.totals(&name);
        let rejected = config.rejected.map(|file| {
            let (format, compression) = (&config.delivery.format, config.packing.compression);
            let totals = Arc::clone(&totals);
            rejected::start(file, &name, format, compression, totals, max_level)
        });
        let (queue, rejected) = rejected.unzip();
        let access = config.access.clone();
        let service = Arc::new(Firehose::new(access, config.credentials_timeout));
        let (flush_timeout, stop_timeout) =
            (config.delivery.flush_timeout, config.delivery.stop_timeout);
        let setup = Setup {
            access: config.access,
            delivery: config.delivery,
            packing: config.packing,
            state: config.state,
            service: Arc::clone(&service),
            rejected: queue,
            spares: Arc::default(),
            max_level,
            is_routed: config.route.is_some(),
            schema_file: config.schema_file,
            schemas: config.schemas,
            told: Mutex::default(),
            runtime: runtime.clone(),
        };
        let (id, way) = match config.route {
            None => {
                let member = setup.join(&name, totals);
                series.set_gauges(&name, &member.gauges);
                (member.id, Way::Plain(member))
            }
            Some(route) => {
                let router = Router::start(route, &name, setup, series.clone());
                (member::new_id(), Way::Routed(router))
            }
        };
        Self {
            id,
            flush_timeout,
            stop_timeout,
            way,
            service,
            series,
            rejected,
            stop: OnceLock::new(),
        }
    }

    /// Has a chunk delivered, within the flush time-out.
    pub fn flush(&self, flush: Flush) {
        match &self.way {
            Way::Plain(member) => member.send(driver::Message::Flush(flush)),
            // The router runs as long as the output.
            Way::Routed(router) => _ = router.send(router::Message::Flush(flush)),
        }
    }

    /// The host stops: from now on `stop_timeout` bounds all flushes together, and none waits for
    /// others.
    pub fn stop(&self) {
        let deadline = Instant::now() + self.stop_timeout.saturating_sub(NOTICED);
        if self.stop.set(deadline).is_err() {
            return;
        }
        match &self.way {
            Way::Plain(member) => member.send(driver::Message::Stop(member.id, deadline)),
            Way::Routed(router) => _ = router.send(router::Message::Stop(deadline)),
        }
    }

    /// Ends the output. Returns the lines that it still has for the host's log.
    pub fn leave(&self) -> Vec<Line> {
        let end = Instant::now() + LEAVING;
        let left = match &self.way {
            Way::Plain(member) => vec![member.leave()],
            Way::Routed(router) => {
                let (sender, left) = mpsc::channel();
                _ = router.send(router::Message::Leave(sender));
                left.recv_timeout(LEAVING).unwrap_or_default()
            }
        };
        let mut lines: Vec<Line> = left.into_iter().flat_map(|left| left.wait(end)).collect();
        lines.extend(self.rejected.iter().flat_map(|thread| thread.end(end)));
        lines
    }

    /// Lines for the host's log that are of no flush.
    pub fn lines(&self) -> Vec<Line> {
        let rejected = self.rejected.as_ref();
        rejected.map_or_else(Vec::new, rejected::Thread::lines)
    }

    /// What was delivered, in a sentence for each delivery stream.
    pub fn summary(&self) -> Vec<String> {
        let all = self.series.all();
        let is_one = all.len() == 1;
        let sentence = |(stream, totals, _): &(String, Arc<Totals>, _)| match is_one {
            true => totals.to_string(),
            false => format!("delivery stream {stream}: {totals}"),
        };
        all.iter().map(sentence).collect()
    }

    /// The metrics of each delivery stream, by its name.
    pub fn metrics(&self) -> Vec<(String, Vec<Metric>)> {
        let credentials = self.service.credentials_time();
        let all = self.series.all().into_iter();
        let of = |(stream, totals, gauges): (String, Arc<Totals>, Arc<_>)| {
            let metrics = metrics::of(&totals, &gauges, credentials);
            (stream, metrics)
        };
        all.map(of).collect()
    }
}
