//! The host's metrics (cmetrics), as far as one output has a part in them.
//!
//! Every metric and each set of labels is made on the engine's thread, which is also the one that
//! reads them: at Init, and of delivery streams that come later, when the engine's timer calls. Other
//! threads only change numbers, each in one atomic store, so the engine may read while an output's
//! worker writes. The metrics go with the host's instance.

use std::collections::BTreeMap;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use super::host::host_functions;
use firehose_core::tell::metrics::{BOUNDS, LABELS, Metric, NAMESPACE, SUBSYSTEM, Values};

/// `struct cmt *`, the metrics of one instance.
type Context = *mut c_void;
/// `struct cmt_counter *` and its like.
type Handle = *mut c_void;
type Text = *const c_char;

type Create = unsafe extern "C" fn(
    context: Context,
    namespace: Text,
    subsystem: Text,
    name: Text,
    help: Text,
    label_count: c_int,
    label_keys: *const Text,
) -> Handle;
type Set = unsafe extern "C" fn(
    metric: Handle,
    nanoseconds: u64,
    value: f64,
    label_count: c_int,
    label_values: *const Text,
) -> c_int;
type CreateHistogram = unsafe extern "C" fn(
    context: Context,
    namespace: Text,
    subsystem: Text,
    name: Text,
    help: Text,
    buckets: *mut c_void,
    label_count: c_int,
    label_keys: *const Text,
) -> Handle;
type SetHistogram = unsafe extern "C" fn(
    metric: Handle,
    nanoseconds: u64,
    buckets: *const u64,
    sum: f64,
    count: u64,
    label_count: c_int,
    label_values: *const Text,
) -> c_int;

host_functions! {
    struct Library {
        flb_output_get_cmt_instance: unsafe extern "C" fn(o_ins: *mut c_void) -> Context,
        cmt_counter_create: Create,
        cmt_counter_set: Set,
        cmt_gauge_create: Create,
        cmt_gauge_set: Set,
        cmt_histogram_buckets_create_size:
            unsafe extern "C" fn(bounds: *const f64, count: usize) -> *mut c_void,
        cmt_histogram_create: CreateHistogram,
        cmt_histogram_set_default: SetHistogram,
    }
}

/// One output's metrics in the host.
pub(super) struct Metrics {
    library: Library,
    /// The output's.
    name: CString,
    /// Locked while they are set: if two threads set a counter, the older number must not come last,
    /// as the host refuses a smaller one.
    registered: Mutex<Registered>,
}

struct Registered {
    /// In the order of the output's metrics.
    handles: Vec<Handle>,
    /// The delivery streams that the host knows of.
    streams: BTreeMap<String, CString>,
}

// SAFETY: the handles are only handed back to the host, on any of its threads, and while locked.
unsafe impl Send for Metrics {}
// SAFETY: as above.
unsafe impl Sync for Metrics {}

impl Metrics {
    /// Makes all metrics with their labels and first values. None on hosts without the functions,
    /// or whose instances have no metrics.
    ///
    /// # Safety
    ///
    /// `instance` is the host's and valid while `Self` is used.
    pub(super) unsafe fn register(
        instance: *mut c_void,
        name: &str,
        metrics: &[(String, Vec<Metric>)],
    ) -> Option<Self> {
        let library = Library::find()?;
        // SAFETY: the instance is valid by this function's contract.
        let context = unsafe { (library.flb_output_get_cmt_instance)(instance) };
        if context.is_null() {
            return None;
        }
        // SAFETY: the context is that of a valid instance, and not null.
        let create = |metric| unsafe { library.create(context, metric) };
        let (_, of_one) = metrics.first()?;
        let handles: Option<Vec<Handle>> = of_one.iter().map(create).collect();
        let registered = Self {
            library,
            name: CString::new(name).ok()?,
            registered: Mutex::new(Registered {
                handles: handles?,
                streams: BTreeMap::new(),
            }),
        };
        registered.publish_new(|| metrics.to_vec());
        Some(registered)
    }

    /// Sets the metrics of all streams that the host knows of to what `read` gives. The instance is
    /// valid: a flush of it calls this.
    pub(super) fn publish(&self, read: impl FnOnce() -> Vec<(String, Vec<Metric>)>) {
        let registered = self.registered();
        // Read while locked, so that no older number comes after a newer one.
        for (stream, metrics) in read() {
            if let Some(stream) = registered.streams.get(&stream) {
                self.set(&registered.handles, stream, &metrics);
            }
        }
    }

    /// The same of all streams. On the engine's thread, which is the one that reads them.
    pub(super) fn publish_new(&self, read: impl FnOnce() -> Vec<(String, Vec<Metric>)>) {
        let mut registered = self.registered();
        let Registered { handles, streams } = &mut *registered;
        for (stream, metrics) in read() {
            let label = CString::new(stream.as_str()).unwrap_or_default();
            let stream = streams.entry(stream).or_insert(label);
            self.set(handles, stream, &metrics);
        }
    }

    fn registered(&self) -> MutexGuard<'_, Registered> {
        let registered = self.registered.lock();
        registered.unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, handles: &[Handle], stream: &CStr, metrics: &[Metric]) {
        let common = [self.name.as_ptr(), stream.as_ptr()];
        let [name, stream] = common;
        let library = &self.library;
        let set = |set: Set, handle: Handle, value: f64, labels: &[Text]| {
            // SAFETY: the handle is one of a metric with so many labels, each a C string, of the
            // kind that the function sets; its instance is valid.
            unsafe { set(handle, now(), value, labels.len() as c_int, labels.as_ptr()) };
        };
        for (handle, metric) in handles.iter().zip(metrics) {
            match &metric.values {
                Values::Counter(value) => set(library.cmt_counter_set, *handle, *value, &common),
                Values::Gauge(value) => set(library.cmt_gauge_set, *handle, *value, &common),
                Values::Counters { values, .. } => {
                    for (own, value) in values {
                        let own = CString::new(*own).expect("a label holds no zero byte");
                        let labels = [name, stream, own.as_ptr()];
                        set(library.cmt_counter_set, *handle, *value, &labels);
                    }
                }
                Values::Histogram(observed) => {
                    // SAFETY: the handle is a histogram's with so many labels, each a C string, and
                    // the host reads a number for each of its bounds and one more; its instance is
                    // valid.
                    unsafe {
                        (library.cmt_histogram_set_default)(
                            *handle,
                            now(),
                            observed.buckets.as_ptr(),
                            observed.sum,
                            observed.count(),
                            common.len() as c_int,
                            common.as_ptr(),
                        )
                    };
                }
            }
        }
    }
}

impl Library {
    /// Makes a metric; none if the host can't. The host copies all strings.
    ///
    /// # Safety
    ///
    /// `context` is a valid context.
    unsafe fn create(&self, context: Context, metric: &Metric) -> Option<Handle> {
        let own = match &metric.values {
            Values::Counters { label, .. } => Some(*label),
            _ => None,
        };
        let texts = [NAMESPACE, SUBSYSTEM, metric.name, metric.help];
        let texts = texts.into_iter().chain(LABELS).chain(own);
        let texts: Vec<CString> = texts
            .map(|text| CString::new(text).ok())
            .collect::<Option<_>>()?;
        let texts: Vec<Text> = texts.iter().map(|text| text.as_ptr()).collect();
        let (&[namespace, subsystem, name, help], keys) = texts.split_first_chunk()?;
        let (count, keys) = (keys.len() as c_int, keys.as_ptr());
        let create = match &metric.values {
            Values::Counter(_) | Values::Counters { .. } => self.cmt_counter_create,
            Values::Gauge(_) => self.cmt_gauge_create,
            Values::Histogram(_) => {
                let create_buckets = self.cmt_histogram_buckets_create_size;
                let create = self.cmt_histogram_create;
                // SAFETY: there are so many bounds.
                let buckets = unsafe { create_buckets(BOUNDS.as_ptr(), BOUNDS.len()) };
                // SAFETY: the context is valid, all strings are C strings, and there are so many
                // labels. The host owns the buckets from here on; it takes null for its own.
                let handle = unsafe {
                    create(
                        context, namespace, subsystem, name, help, buckets, count, keys,
                    )
                };
                return (!buckets.is_null() && !handle.is_null()).then_some(handle);
            }
        };
        // SAFETY: as above.
        let handle = unsafe { create(context, namespace, subsystem, name, help, count, keys) };
        (!handle.is_null()).then_some(handle)
    }
}

fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    u64::try_from(now.unwrap_or_default().as_nanos()).unwrap_or(u64::MAX)
}
