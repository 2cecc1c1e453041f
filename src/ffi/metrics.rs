//! The host's metrics (cmetrics), as far as one output has a part in them.
//!
//! Every metric and each set of labels is made at Init, on the engine's thread, which is also the
//! one that reads them. From then on only numbers change, each in one atomic store, so the engine
//! may read while an output's worker writes. The metrics go with the host's instance.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use super::host::symbol;
use firehose_core::tell::metrics::{BOUNDS, LABELS, Metric, NAMESPACE, SUBSYSTEM, Values};
use firehose_core::tell::totals::Observed;

/// `struct cmt *`, the metrics of one instance.
type Context = *mut c_void;
/// `struct cmt_counter *` and its like.
type Handle = *mut c_void;
type Strings = *const *const c_char;

type GetContext = unsafe extern "C" fn(o_ins: *mut c_void) -> Context;
type Create = unsafe extern "C" fn(
    context: Context,
    namespace: *const c_char,
    subsystem: *const c_char,
    name: *const c_char,
    help: *const c_char,
    label_count: c_int,
    label_keys: Strings,
) -> Handle;
type Set = unsafe extern "C" fn(
    metric: Handle,
    nanoseconds: u64,
    value: f64,
    label_count: c_int,
    label_values: Strings,
) -> c_int;
type CreateBuckets = unsafe extern "C" fn(bounds: *const f64, count: usize) -> *mut c_void;
type CreateHistogram = unsafe extern "C" fn(
    context: Context,
    namespace: *const c_char,
    subsystem: *const c_char,
    name: *const c_char,
    help: *const c_char,
    buckets: *mut c_void,
    label_count: c_int,
    label_keys: Strings,
) -> Handle;
type SetHistogram = unsafe extern "C" fn(
    metric: Handle,
    nanoseconds: u64,
    buckets: *const u64,
    sum: f64,
    count: u64,
    label_count: c_int,
    label_values: Strings,
) -> c_int;

/// The functions, which are the same from Fluent Bit 1.9 to 5.1.
#[derive(Clone, Copy)]
struct Library {
    create_counter: Create,
    set_counter: Set,
    create_gauge: Create,
    set_gauge: Set,
    create_buckets: CreateBuckets,
    create_histogram: CreateHistogram,
    set_histogram: SetHistogram,
}

/// One output's metrics in the host.
pub(super) struct Metrics {
    library: Library,
    /// The values of the labels that all metrics have.
    labels: [CString; 2],
    /// In the order of the output's metrics. Locked while they are set: of two threads that set a
    /// counter, the one with the older number must not be the later, which the host refuses.
    handles: Mutex<Vec<Handle>>,
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
        labels: [&str; 2],
        metrics: &[Metric],
    ) -> Option<Self> {
        let library = Library::find()?;
        // SAFETY: the host's own function of this name has this type.
        let context: GetContext = unsafe { symbol(c"flb_output_get_cmt_instance")? };
        // SAFETY: the instance is valid by this function's contract.
        let context = unsafe { context(instance) };
        if context.is_null() {
            return None;
        }
        let [name, stream] = labels;
        let labels = [CString::new(name).ok()?, CString::new(stream).ok()?];
        // SAFETY: the context is that of a valid instance, and not null.
        let create = |metric| unsafe { library.create(context, metric) };
        let handles: Option<Vec<Handle>> = metrics.iter().map(create).collect();
        let registered = Self {
            library,
            labels,
            handles: Mutex::new(handles?),
        };
        registered.publish(|| metrics.to_vec());
        Some(registered)
    }

    /// Sets all metrics to what `read` gives. They are those that were registered. The instance is
    /// valid: a flush or Init of it calls this.
    pub(super) fn publish(&self, read: impl FnOnce() -> Vec<Metric>) {
        let handles = self.handles.lock().unwrap_or_else(PoisonError::into_inner);
        // Read while locked, so that no older number comes after a newer one.
        let metrics = read();
        let [name, stream] = &self.labels;
        let common = [name.as_c_str(), stream.as_c_str()];
        for (handle, metric) in handles.iter().zip(&metrics) {
            match &metric.values {
                Values::Counter(value) => {
                    self.set(self.library.set_counter, *handle, *value, &common);
                }
                Values::Gauge(value) => self.set(self.library.set_gauge, *handle, *value, &common),
                Values::Counters { values, .. } => {
                    for (own, value) in values {
                        let Ok(own) = CString::new(*own) else {
                            continue;
                        };
                        let labels = [common[0], common[1], own.as_c_str()];
                        self.set(self.library.set_counter, *handle, *value, &labels);
                    }
                }
                Values::Histogram(observed) => {
                    self.set_histogram(*handle, observed, &common);
                }
            }
        }
    }

    fn set(&self, set: Set, handle: Handle, value: f64, labels: &[&CStr]) {
        let (count, labels) = strings(labels);
        // SAFETY: the handle is one of a metric with so many labels, each a C string, and of the
        // kind that the function sets; its instance is valid.
        unsafe { set(handle, now(), value, count, labels.as_ptr()) };
    }

    fn set_histogram(&self, handle: Handle, observed: &Observed, labels: &[&CStr]) {
        let (count, labels) = strings(labels);
        // SAFETY: the handle is a histogram's with so many labels, each a C string, and the host
        // reads a number for each of its bounds and one more; its instance is valid.
        unsafe {
            (self.library.set_histogram)(
                handle,
                now(),
                observed.buckets.as_ptr(),
                observed.sum,
                observed.count(),
                count,
                labels.as_ptr(),
            )
        };
    }
}

impl Library {
    fn find() -> Option<Self> {
        Some(Self {
            // SAFETY: the host's own function of this name has this type.
            create_counter: unsafe { symbol(c"cmt_counter_create")? },
            // SAFETY: as above.
            set_counter: unsafe { symbol(c"cmt_counter_set")? },
            // SAFETY: as above.
            create_gauge: unsafe { symbol(c"cmt_gauge_create")? },
            // SAFETY: as above.
            set_gauge: unsafe { symbol(c"cmt_gauge_set")? },
            // SAFETY: as above.
            create_buckets: unsafe { symbol(c"cmt_histogram_buckets_create_size")? },
            // SAFETY: as above.
            create_histogram: unsafe { symbol(c"cmt_histogram_create")? },
            // SAFETY: as above.
            set_histogram: unsafe { symbol(c"cmt_histogram_set_default")? },
        })
    }

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
        let text = |text: &str| CString::new(text).ok();
        let keys: Option<Vec<CString>> = LABELS.into_iter().chain(own).map(text).collect();
        let keys = keys?;
        let keys: Vec<&CStr> = keys.iter().map(CString::as_c_str).collect();
        let (count, keys) = strings(&keys);
        let (namespace, subsystem) = (text(NAMESPACE)?, text(SUBSYSTEM)?);
        let (name, help) = (text(metric.name)?, text(metric.help)?);
        let create = match &metric.values {
            Values::Counter(_) | Values::Counters { .. } => self.create_counter,
            Values::Gauge(_) => self.create_gauge,
            Values::Histogram(_) => {
                // SAFETY: there are so many bounds.
                let buckets = unsafe { (self.create_buckets)(BOUNDS.as_ptr(), BOUNDS.len()) };
                // SAFETY: the context is valid, all strings are C strings, and there are so many
                // labels. The host owns the buckets from here on; it takes null for its own.
                let handle = unsafe {
                    (self.create_histogram)(
                        context,
                        namespace.as_ptr(),
                        subsystem.as_ptr(),
                        name.as_ptr(),
                        help.as_ptr(),
                        buckets,
                        count,
                        keys.as_ptr(),
                    )
                };
                return (!buckets.is_null() && !handle.is_null()).then_some(handle);
            }
        };
        // SAFETY: as above.
        let handle = unsafe {
            create(
                context,
                namespace.as_ptr(),
                subsystem.as_ptr(),
                name.as_ptr(),
                help.as_ptr(),
                count,
                keys.as_ptr(),
            )
        };
        (!handle.is_null()).then_some(handle)
    }
}

/// The pointers of C strings, and their number.
fn strings(strings: &[&CStr]) -> (c_int, Vec<*const c_char>) {
    let pointers: Vec<*const c_char> = strings.iter().map(|string| string.as_ptr()).collect();
    (pointers.len() as c_int, pointers)
}

fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    u64::try_from(now.unwrap_or_default().as_nanos()).unwrap_or(u64::MAX)
}
