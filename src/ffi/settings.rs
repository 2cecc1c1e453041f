//! `workers` and `retry_limit`: options that the host keeps for itself, and most users leave out.
//!
//! Without workers a flush that waits stops every input. Without a `retry_limit` the host drops a
//! chunk after its second failure. So the plugin sets both if the section does not. The host
//! exports a function that sets them, but none that tells them. So what the section says of them is
//! read in the host's instance.

use std::ffi::{CStr, CString, c_char, c_int, c_void};

use super::host::host_functions;
use super::memory::{INSTANCE_BYTES, Memory};
use firehose_core::tell::log::Level;

/// How many of an output's flushes may wait at the same time, unless the section says otherwise:
/// the fewest with which a drain at 50 ms takes no longer than the core plugin's. More take as long
/// (docs/performance.md).
const DEFAULT_WORKERS: c_int = 4;

/// How often the metrics of an output with several delivery streams are renewed, in milliseconds.
const RENEWAL: c_int = 1_000;

/// `FLB_SCHED_TIMER_CB_ONESHOT` and `FLB_SCHED_TIMER_CB_PERM`, the same from 1.9 to 5.1.
pub(super) const ONCE: c_int = 3;
const AGAIN: c_int = 4;

/// What the host holds for `no_limits`, `no_retries` and its default.
const NO_LIMITS: c_int = -1;
const NO_RETRIES: c_int = 0;
const ONE_RETRY: c_int = 1;

type SetProperty =
    unsafe extern "C" fn(o_ins: *mut c_void, key: *const c_char, value: *const c_char) -> c_int;
pub(super) type Callback = unsafe extern "C" fn(config: *mut c_void, data: *mut c_void);
pub(super) type CreateTimer = unsafe extern "C" fn(
    scheduler: *mut c_void,
    kind: c_int,
    milliseconds: c_int,
    callback: Callback,
    data: *mut c_void,
    timer: *mut *mut c_void,
) -> c_int;

host_functions! {
    struct Functions {
        flb_output_set_property: SetProperty,
        flb_output_enable_multi_threading:
            unsafe extern "C" fn(o_ins: *mut c_void, config: *mut c_void) -> c_int,
        flb_sched_ctx_get: unsafe extern "C" fn() -> *mut c_void,
        flb_sched_timer_cb_create: CreateTimer,
    }
}

/// The settings of one output's section.
pub(super) struct Settings {
    functions: Functions,
    instance: *mut c_void,
    said: Said,
}

/// What the section says, as far as that can be told; the plugin sets the others.
#[derive(Default)]
struct Said {
    workers: Option<c_int>,
    retry_limit: Option<c_int>,
    /// Whether the places of both were found. If not, the search for them has overwritten what the
    /// section said.
    is_found: bool,
}

// SAFETY: the instance is only handed back to the host's functions, on the engine's thread.
unsafe impl Send for Settings {}
// SAFETY: as above.
unsafe impl Sync for Settings {}

impl Settings {
    /// Reads what the section says, and sets `retry_limit` where it says nothing. An error is why
    /// the host's settings stay as they are.
    ///
    /// The host makes an output's workers after Init, and makes them twice: at a hot reload it
    /// stops one of the two pools, and the other one makes it crash. So here it is told that there
    /// are none, and `start_workers` lets it make them once.
    ///
    /// # Safety
    ///
    /// `instance` is the host's, during its Init, and valid while `Self` is used.
    pub(super) unsafe fn take_over(instance: *mut c_void) -> Result<Self, &'static str> {
        let functions = Functions::find().ok_or("this host does not export what sets them")?;
        let memory = Memory::open().ok();
        let memory = memory
            .filter(|memory| !memory.ints(instance.addr(), 1).is_empty())
            .ok_or("/proc/self/mem can not be read")?;
        let mut settings = Self {
            functions,
            instance,
            said: Said::default(),
        };
        let read = || memory.ints(instance.addr(), INSTANCE_BYTES / size_of::<c_int>());
        let workers = Field::find(read, |value| settings.set(c"workers", value));
        let retry_limit = Field::find(read, |value| settings.set(c"retry_limit", value));
        settings.said = Said::of(workers.as_ref(), retry_limit.as_ref());
        let limit = settings.said.retry_limit.unwrap_or(NO_LIMITS);
        settings.set(c"retry_limit", &limit_text(limit));
        settings.set(c"workers", "0");
        Ok(settings)
    }

    fn set(&self, key: &CStr, value: &str) {
        let value = CString::new(value).expect("no value holds a zero byte");
        // SAFETY: the instance is valid, and both are C strings.
        unsafe {
            (self.functions.flb_output_set_property)(self.instance, key.as_ptr(), value.as_ptr())
        };
    }

    fn set_workers(&self) {
        let count = self.said.workers.unwrap_or(DEFAULT_WORKERS);
        self.set(c"workers", &count.to_string());
    }

    /// Has the host's engine call `callback` with `data`, once, as soon as it runs; else the host
    /// makes the workers itself, after Init.
    ///
    /// # Safety
    ///
    /// On the engine's thread, during Init.
    pub(super) unsafe fn when_running(&self, callback: Callback, data: *mut c_void) {
        // SAFETY: by this function's contract.
        if !unsafe { self.call_later(ONCE, 1, callback, data) } {
            self.set_workers();
        }
    }

    /// Has the host's engine call `callback` with `data` once a second, if it can.
    ///
    /// # Safety
    ///
    /// On the engine's thread, during Init.
    pub(super) unsafe fn every_second(&self, callback: Callback, data: *mut c_void) -> bool {
        // SAFETY: by this function's contract.
        unsafe { self.call_later(AGAIN, RENEWAL, callback, data) }
    }

    /// Whether the host's engine will.
    ///
    /// # Safety
    ///
    /// On the engine's thread, during Init.
    unsafe fn call_later(
        &self,
        kind: c_int,
        milliseconds: c_int,
        callback: Callback,
        data: *mut c_void,
    ) -> bool {
        let create_timer = self.functions.flb_sched_timer_cb_create;
        // SAFETY: it takes nothing, and answers the calling thread's scheduler or null.
        let scheduler = unsafe { (self.functions.flb_sched_ctx_get)() };
        let mut timer = std::ptr::null_mut();
        !scheduler.is_null()
            // SAFETY: the scheduler is the calling thread's, and outlives its timers.
            && unsafe {
                create_timer(scheduler, kind, milliseconds, callback, data, &raw mut timer)
            } == 0
    }

    /// Has the host make the workers.
    ///
    /// # Safety
    ///
    /// On the engine's thread; `config` is the host's own.
    pub(super) unsafe fn start_workers(&self, config: *mut c_void) -> bool {
        self.set_workers();
        // SAFETY: by this function's contract.
        unsafe { (self.functions.flb_output_enable_multi_threading)(self.instance, config) == 0 }
    }
}

/// What was set and how to change it, and what the section itself limits.
pub(super) fn notices(settings: &Result<Settings, &'static str>) -> Vec<(Level, String)> {
    match settings {
        Ok(settings) => settings.said.notices(),
        Err(missing) => vec![(
            Level::Warn,
            format!(
                "workers and retry_limit are as Fluent Bit has them ({missing}): set `workers \
                 {DEFAULT_WORKERS}` and `retry_limit no_limits` in this section, else a flush \
                 that waits stops all inputs, and a chunk is dropped after its second failure; \
                 restart Fluent Bit instead of reloading it, as a reload with workers crashes it \
                 here"
            ),
        )],
    }
}

impl Said {
    fn of(workers: Option<&Field>, retry_limit: Option<&Field>) -> Self {
        Self {
            workers: workers.and_then(Field::workers),
            retry_limit: retry_limit.and_then(Field::retry_limit),
            is_found: workers.is_some() && retry_limit.is_some(),
        }
    }

    fn notices(&self) -> Vec<(Level, String)> {
        let mut notices = Vec::new();
        let workers = format!("`workers {DEFAULT_WORKERS}`");
        let ours = match (self.workers, self.retry_limit) {
            (None, None) => format!("{workers} and `retry_limit no_limits`"),
            (None, Some(_)) => workers,
            (Some(_), _) => "`retry_limit no_limits`".to_owned(),
        };
        if !self.is_found {
            let line = format!(
                "the plugin set {ours} for this output: what the section says of them can not be \
                 read in this host, and is not used; please report this with Fluent Bit's version"
            );
            notices.push((Level::Warn, line));
        } else if self.workers.is_none() || self.retry_limit.is_none() {
            let line = format!(
                "the plugin set {ours} for this output: for another value, set it in the section \
                 (`workers 0`, and before Fluent Bit 5.1 `retry_limit 1`, can not be told from \
                 none)"
            );
            notices.push((Level::Info, line));
        }
        // A limit that the section itself sets drops chunks.
        if let Some(limit) = self.retry_limit.filter(|limit| *limit != NO_LIMITS) {
            let line = format!(
                "`retry_limit {}` is in force by this section: Fluent Bit drops a chunk that was \
                 not delivered by then; 1 is also what it takes a wrong value for",
                limit_text(limit)
            );
            notices.push((Level::Warn, line));
        }
        notices
    }
}

/// A `retry_limit` as a section says it.
fn limit_text(limit: c_int) -> String {
    match limit {
        NO_LIMITS => "no_limits".to_owned(),
        NO_RETRIES => "no_retries".to_owned(),
        limit => limit.to_string(),
    }
}

/// Where the instance holds a property: the one `int` that takes both of two values that nobody
/// else sets, one after the other.
#[derive(Debug, PartialEq, Eq)]
struct Field {
    /// What the section had set.
    value: c_int,
    /// The `int` behind it, before the property was set and after.
    next: [Option<c_int>; 2],
}

impl Field {
    fn find(read: impl Fn() -> Vec<c_int>, set: impl Fn(&str)) -> Option<Self> {
        const ONE: c_int = 7919;
        const TWO: c_int = 6101;
        let before = read();
        let [first, second] = [ONE, TWO].map(|value| {
            set(&value.to_string());
            read()
        });
        let is_it =
            |at: &usize| first[*at] == ONE && second.get(*at) == Some(&TWO) && before[*at] != ONE;
        let mut places = (0..before.len().min(first.len())).filter(is_it);
        let (place, None) = (places.next()?, places.next()) else {
            return None;
        };
        let next = |ints: &[c_int]| ints.get(place + 1).copied();
        Some(Self {
            value: before[place],
            next: [next(&before), next(&first)],
        })
    }

    /// The host can't tell 0 from a section without `workers`.
    fn workers(&self) -> Option<c_int> {
        (self.value > 0).then_some(self.value)
    }

    /// The host's default is what a user may have written. From Fluent Bit 5.1 on the next `int`
    /// is 1 once the property was set; on older hosts it says whether the output uses TLS, which
    /// is 0, as the host gives plugins no TLS.
    fn retry_limit(&self) -> Option<c_int> {
        let was_set = self.next == [Some(1), Some(1)];
        (self.value != ONE_RETRY || was_set).then_some(self.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    /// Finds a field in memory that `set` changes.
    fn find(memory: &[c_int], set: impl Fn(&mut [c_int], c_int)) -> Option<Field> {
        let memory = RefCell::new(memory.to_vec());
        let set = |value: &str| set(&mut memory.borrow_mut(), value.parse().unwrap());
        Field::find(|| memory.borrow().clone(), set)
    }

    #[test]
    fn the_one_int_that_follows_both_values_is_the_field() {
        let memory = [7919, 0, 6101, 5, 0, 7];
        let found = find(&memory, |memory, value| memory[3] = value);
        let (value, next) = (5, [Some(0), Some(0)]);
        assert_eq!(found, Some(Field { value, next }));
        let last = find(&memory, |memory, value| memory[5] = value);
        assert_eq!(last.unwrap().next, [None, None]);
        // Two that follow, none, and one that only follows once.
        let two = find(&memory, |memory, value| memory[3..5].fill(value));
        assert_eq!(two, None);
        assert_eq!(find(&memory, |_, _| ()), None);
        assert_eq!(find(&memory, |memory, _| memory[1] = 7919), None);
        assert_eq!(find(&[], |_, _| ()), None);
    }

    /// As in this process, which is no host.
    #[test]
    fn a_host_that_does_not_export_its_functions_is_left_alone() {
        let mut instance = [1; 64];
        let pointer = (&raw mut instance).cast();
        // SAFETY: of an instance that no function of a host is called with, nothing is read.
        let settings = unsafe { Settings::take_over(pointer) };
        assert_eq!(instance, [1; 64]);
        let (level, line) = notices(&settings).pop().unwrap();
        assert_eq!(level, Level::Warn);
        assert!(line.contains("(this host does not export what sets them)"));
        assert!(line.contains("set `workers 4` and `retry_limit no_limits`"));
    }

    #[test]
    fn a_limit_and_a_value_that_the_plugin_lost_are_warned_of() {
        let next = [Some(0), Some(0)];
        let field = |value| Field { value, next };
        let told = |workers: Option<c_int>, retry_limit: Option<c_int>| {
            let [workers, retry_limit] = [workers, retry_limit].map(|value| value.map(field));
            Said::of(workers.as_ref(), retry_limit.as_ref()).notices()
        };
        assert_eq!(told(Some(8), Some(-1)), []);
        for (limit, text) in [(5, "5"), (0, "no_retries")] {
            let [(Level::Warn, line)] = &told(Some(8), Some(limit))[..] else {
                panic!("one warning of {text}");
            };
            let start = format!("`retry_limit {text}` is in force");
            assert!(line.starts_with(&start), "{line}");
        }
        for lost in [told(None, Some(-1)), told(Some(8), None), told(None, None)] {
            let [(Level::Warn, line)] = &lost[..] else {
                panic!("one warning: {lost:?}");
            };
            assert!(line.contains("is not used"), "{line}");
        }
    }
}
