//! A driver's calls: how each is made, and what comes of its end.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use firehose_core::deliver::failure::{CallError, Cause};
use firehose_core::deliver::stream::{CallId, OutputId};
use firehose_core::format::rejected::Reason;
use firehose_core::pack::batch::Batch;
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::{Driver, Message};
use crate::service::{Answer, Sent, Service};

pub(super) struct Call {
    pub(super) output: OutputId,
    pub(super) sent: Sent,
    body: Bytes,
    pub(super) batch: Batch,
    /// Dropping this gives the call up.
    task: JoinSet<()>,
}

impl<V: Service> Driver<V> {
    /// Makes a call, its connection included. It ends by a message.
    pub(super) fn send(&mut self, id: CallId, output_id: OutputId, mut batch: Batch) {
        let output = &self.outputs[&output_id];
        let (service, time) = (Arc::clone(&output.service), output.delivery.request_timeout);
        let mut call = Call {
            output: output_id,
            sent: Sent::default(),
            body: Bytes::from(batch.finish()),
            batch,
            task: JoinSet::new(),
        };
        let (sent, body) = (call.sent.clone(), call.body.clone());
        let (records, sender) = (call.batch.records.len(), self.sender.clone());
        call.task.spawn(async move {
            let mut ending = Ending {
                call: id,
                sender,
                answer: None,
            };
            let answer = timeout(time, service.put(body, records, sent.clone())).await;
            let too_late = |_| {
                let (cause, what) = match sent.is_set() {
                    true => (Cause::Unanswered, "no answer"),
                    false => (Cause::Network, "no connection"),
                };
                let text = format!("{what} within request_timeout ({time:?})");
                Err(CallError { cause, text })
            };
            ending.answer = Some(answer.unwrap_or_else(too_late));
        });
        self.calls.insert(id, call);
    }

    pub(super) fn answered(&mut self, now: Instant, id: CallId, answer: Answer) {
        let Some(mut call) = self.calls.remove(&id) else {
            return;
        };
        let told = answer.as_deref().map_err(CallError::clone);
        let is_dropped = self.stream.answered(now, id, call.sent.is_set(), told);
        if let (true, Err(error)) = (is_dropped, &answer) {
            self.keep_rejected(&call, error);
        }
        if let Ok(body) = call.body.try_into_mut() {
            call.batch.reuse(body.into());
        }
        self.keep(call.output, call.batch);
    }

    pub(super) fn keep(&self, id: OutputId, batch: Batch) {
        if let Some(output) = self.outputs.get(&id) {
            output.spares.keep(batch);
        }
    }

    /// The one document of a call is dropped.
    fn keep_rejected(&self, call: &Call, error: &CallError) {
        let output = self.outputs.get(&call.output);
        if let Some(rejected) = output.and_then(|output| output.rejected.as_ref()) {
            let chunk = call.batch.shares.first().map(|share| share.chunk);
            let tag = chunk.and_then(|chunk| self.stream.tag(chunk));
            let error = Some(error.to_string());
            rejected.keep(tag.unwrap_or_default(), Reason::Rejected, error, &call.body);
        }
    }
}

/// Tells of the end of a call, also where it ends by a panic.
struct Ending<V> {
    call: CallId,
    sender: UnboundedSender<Message<V>>,
    answer: Option<Answer>,
}

impl<V> Drop for Ending<V> {
    fn drop(&mut self) {
        let answer = self.answer.take().unwrap_or_else(|| {
            // What it says is on standard error, and may hold a secret.
            let text = "the call ended by a panic".to_owned();
            let cause = Cause::Bug;
            Err(CallError { cause, text })
        });
        // The driver is gone with its last output.
        _ = self.sender.send(Message::Answered(self.call, answer));
    }
}
