//! What is counted of each delivery stream of an output, for whoever tells it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use firehose_core::tell::totals::{Gauges, Totals};

/// The name under which the streams are counted together for which there is no room.
const OTHERS: &str = "*";

#[derive(Clone)]
pub struct Series(Arc<Mutex<Inner>>);

struct Inner {
    /// By the streams' names. A stream that goes and comes again counts on.
    streams: Vec<(String, Arc<Totals>, Arc<Gauges>)>,
    /// So many streams are counted by themselves. The host keeps what it was told once, so their
    /// number is bounded.
    most: usize,
}

impl Series {
    pub fn new(most: usize) -> Self {
        let streams = Vec::new();
        Self(Arc::new(Mutex::new(Inner { streams, most })))
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What counts for a stream.
    pub fn totals(&self, stream: &str) -> Arc<Totals> {
        let mut inner = self.inner();
        let is_known = inner.streams.iter().any(|(name, ..)| name == stream);
        let name = match is_known || inner.streams.len() < inner.most {
            true => stream,
            false => OTHERS,
        };
        if let Some((_, totals, _)) = inner.streams.iter().find(|(known, ..)| known == name) {
            return Arc::clone(totals);
        }
        let totals = Arc::default();
        let entry = (name.to_owned(), Arc::clone(&totals), Arc::default());
        inner.streams.push(entry);
        totals
    }

    /// A stream has a driver, which keeps these.
    pub fn set_gauges(&self, stream: &str, gauges: &Arc<Gauges>) {
        let mut inner = self.inner();
        let mut streams = inner.streams.iter_mut();
        if let Some((.., own)) = streams.find(|(name, ..)| name == stream) {
            *own = Arc::clone(gauges);
        }
    }

    pub fn all(&self) -> Vec<(String, Arc<Totals>, Arc<Gauges>)> {
        self.inner().streams.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_beyond_the_most_are_counted_together() {
        let series = Series::new(2);
        for (stream, documents) in [("a", 1), ("b", 2), ("c", 4), ("d", 8), ("a", 16)] {
            series.totals(stream).documents.add(documents);
        }
        let told = series.all().into_iter();
        let told: Vec<_> = told
            .map(|(name, totals, _)| (name, totals.documents.get()))
            .collect();
        let expected = [("a", 17), ("b", 2), ("*", 12)];
        assert_eq!(told, expected.map(|(name, count)| (name.to_owned(), count)));
    }
}
