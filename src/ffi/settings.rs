//! `workers` and `retry_limit`: what the host keeps for itself, and most users leave out.
//!
//! Without workers a flush that waits stops every input. Without a `retry_limit` the host drops a
//! chunk after its second failure. So the plugin sets both where the section does not. The host
//! exports the function that sets them, but none that tells them: what the section says of them is
//! read in the host's instance.

use std::ffi::{CStr, CString, c_char, c_int, c_void};

use super::host::symbol;
use super::memory::{INSTANCE_BYTES, Memory};
use firehose_core::tell::log::Level;

/// How many of an output's flushes may wait at the same time, unless the section says otherwise:
/// the fewest with which a drain at 50 ms takes no longer than the core plugin's. More take as long
/// (docs/performance.md).
const DEFAULT_WORKERS: c_int = 4;

/// What the host takes for no limit, and for no retry at all, and what it holds for them.
const NO_LIMITS: (&CStr, c_int) = (c"no_limits", -1);
const NO_RETRIES: (&CStr, c_int) = (c"no_retries", 0);
/// The host's default.
const ONE_RETRY: c_int = 1;

type SetProperty =
    unsafe extern "C" fn(o_ins: *mut c_void, key: *const c_char, value: *const c_char) -> c_int;
type EnableWorkers = unsafe extern "C" fn(o_ins: *mut c_void, config: *mut c_void) -> c_int;
type Scheduler = unsafe extern "C" fn() -> *mut c_void;
type Callback = unsafe extern "C" fn(config: *mut c_void, data: *mut c_void);
type CreateTimer = unsafe extern "C" fn(
    scheduler: *mut c_void,
    kind: c_int,
    milliseconds: c_int,
    callback: Callback,
    data: *mut c_void,
    timer: *mut *mut c_void,
) -> c_int;

/// The functions of the host, which are the same from Fluent Bit 1.9 to 5.1.
struct Functions {
    set_property: SetProperty,
    enable_workers: EnableWorkers,
    scheduler: Scheduler,
    create_timer: CreateTimer,
}

/// The settings of one output's section.
pub(super) struct Settings {
    functions: Functions,
    instance: *mut c_void,
    in_force: InForce,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct InForce {
    workers: Setting,
    retry_limit: Setting,
    /// Whether what the section says was found. If not, it was overwritten by looking for it.
    is_found: bool,
}

// SAFETY: the instance is only handed back to the host's functions, on the engine's thread.
unsafe impl Send for Settings {}
// SAFETY: as above.
unsafe impl Sync for Settings {}

/// What is in force, and whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Setting {
    value: c_int,
    is_ours: bool,
}

impl Settings {
    /// Reads what the section says, and sets `retry_limit` where it says nothing. An error is why
    /// the host's settings stay as they are.
    ///
    /// The host makes an output's workers after Init, and makes them twice: at a hot reload it
    /// stops one of the two pools, and crashes by the other. So it is told here that there are
    /// none. `start_workers` has it make them, once.
    ///
    /// # Safety
    ///
    /// `instance` is the host's valid instance, during its Init.
    pub(super) unsafe fn take_over(instance: *mut c_void) -> Result<Self, &'static str> {
        // SAFETY: the functions are called with what they take, as said at each call.
        let functions =
            unsafe { Functions::find() }.ok_or("this host does not export what sets them")?;
        let memory = Memory::open().ok();
        let memory = memory
            .filter(|memory| !memory.ints(instance.addr(), 1).is_empty())
            .ok_or("/proc/self/mem can not be read")?;
        let set = |key: &CStr, value: &CStr| {
            // SAFETY: the instance is valid by this function's contract, and both are C strings.
            unsafe { (functions.set_property)(instance, key.as_ptr(), value.as_ptr()) };
        };
        let read = || memory.ints(instance.addr(), INSTANCE_BYTES / size_of::<c_int>());
        let workers = Field::find(read, |value| set(c"workers", value));
        let retry_limit = Field::find(read, |value| set(c"retry_limit", value));
        let in_force = InForce::of(workers.as_ref(), retry_limit.as_ref());
        set(c"retry_limit", &in_force.retry_limit.text());
        set(c"workers", c"0");
        Ok(Self {
            functions,
            instance,
            in_force,
        })
    }

    /// Has the host's engine call `callback` with `data`, once, as soon as it runs.
    ///
    /// # Safety
    ///
    /// On the engine's thread, during Init.
    pub(super) unsafe fn when_running(&self, callback: Callback, data: *mut c_void) -> bool {
        /// `FLB_SCHED_TIMER_CB_ONESHOT`, the same from 1.9 to 5.1.
        const ONCE: c_int = 3;
        // SAFETY: it takes nothing, and answers the calling thread's scheduler or null.
        let scheduler = unsafe { (self.functions.scheduler)() };
        if scheduler.is_null() {
            return false;
        }
        let mut timer = std::ptr::null_mut();
        // SAFETY: the scheduler is the calling thread's, and outlives its timers.
        let answer = unsafe {
            (self.functions.create_timer)(scheduler, ONCE, 1, callback, data, &raw mut timer)
        };
        answer == 0
    }

    /// Leaves it to the host to make the workers, after Init.
    ///
    /// # Safety
    ///
    /// The instance is valid.
    pub(super) unsafe fn leave_workers(&self) {
        let count = self.in_force.workers.text();
        // SAFETY: the instance is valid by this function's contract, and both are C strings.
        unsafe {
            (self.functions.set_property)(self.instance, c"workers".as_ptr(), count.as_ptr())
        };
    }

    /// What was set and how to change it, and what the section itself limits.
    pub(super) fn notices(&self) -> Vec<(Level, String)> {
        let limit = self.in_force.limit().map(|line| (Level::Warn, line));
        self.in_force.notice().into_iter().chain(limit).collect()
    }

    /// Has the host make the workers.
    ///
    /// # Safety
    ///
    /// On the engine's thread, while the instance is valid; `config` is the host's own.
    pub(super) unsafe fn start_workers(&self, config: *mut c_void) -> bool {
        // SAFETY: by this function's contract.
        unsafe { self.leave_workers() };
        // SAFETY: by this function's contract.
        let answer = unsafe { (self.functions.enable_workers)(self.instance, config) };
        answer == 0
    }
}

impl InForce {
    fn of(workers: Option<&Field>, retry_limit: Option<&Field>) -> Self {
        Self {
            workers: workers.map_or(OWN_WORKERS, Field::workers),
            retry_limit: retry_limit.map_or(UNLIMITED, Field::retry_limit),
            is_found: workers.is_some() && retry_limit.is_some(),
        }
    }

    fn notice(&self) -> Option<(Level, String)> {
        let settings = [("workers", self.workers), ("retry_limit", self.retry_limit)];
        let ours: Vec<String> = settings
            .into_iter()
            .filter(|(_, setting)| setting.is_ours)
            .map(|(name, setting)| format!("`{name} {}`", setting.text().to_string_lossy()))
            .collect();
        let ours = ours.join(" and ");
        if !self.is_found {
            let line = format!(
                "the plugin set {ours} for this output: what the section says of them can not be \
                 read in this host, and is not used; please report this with Fluent Bit's version"
            );
            return Some((Level::Warn, line));
        }
        let line = format!(
            "the plugin set {ours} for this output: for another value, set it in the section \
             (`workers 0`, and before Fluent Bit 5.1 `retry_limit 1`, can not be told from none)"
        );
        (!ours.is_empty()).then_some((Level::Info, line))
    }

    /// A limit of the section's own drops chunks. 1 is also what Fluent Bit makes of a value that
    /// it can not read.
    fn limit(&self) -> Option<String> {
        let limit = self.retry_limit;
        (!limit.is_ours && limit.value != NO_LIMITS.1).then(|| {
            format!(
                "`retry_limit {}` is in force by this section: Fluent Bit drops a chunk that was \
                 not delivered by then; 1 is also what it takes a wrong value for",
                limit.text().to_string_lossy()
            )
        })
    }
}

impl Functions {
    /// # Safety
    ///
    /// The functions of these names in this process are the host's.
    unsafe fn find() -> Option<Self> {
        Some(Self {
            // SAFETY: the host's own function of this name has this type.
            set_property: unsafe { symbol(c"flb_output_set_property") }?,
            // SAFETY: as above.
            enable_workers: unsafe { symbol(c"flb_output_enable_multi_threading") }?,
            // SAFETY: as above.
            scheduler: unsafe { symbol(c"flb_sched_ctx_get") }?,
            // SAFETY: as above.
            create_timer: unsafe { symbol(c"flb_sched_timer_cb_create") }?,
        })
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
    fn find(read: impl Fn() -> Vec<c_int>, set: impl Fn(&CStr)) -> Option<Self> {
        const PROBES: [(&CStr, c_int); 2] = [(c"7919", 7919), (c"6101", 6101)];
        let before = read();
        let [first, second] = PROBES.map(|(text, _)| {
            set(text);
            read()
        });
        let [one, two] = PROBES.map(|(_, value)| value);
        let is_it =
            |at: &usize| first[*at] == one && second.get(*at) == Some(&two) && before[*at] != one;
        let mut places = (0..before.len().min(first.len())).filter(is_it);
        let place = places.next()?;
        if places.next().is_some() {
            return None;
        }
        let next = |ints: &[c_int]| ints.get(place + 1).copied();
        Some(Self {
            value: before[place],
            next: [next(&before), next(&first)],
        })
    }

    /// The host can't tell 0 from a section without `workers`.
    fn workers(&self) -> Setting {
        match self.value {
            1.. => Setting {
                value: self.value,
                is_ours: false,
            },
            _ => OWN_WORKERS,
        }
    }

    /// The host's default is what a user may have written. From Fluent Bit 5.1 on the next `int`
    /// is 1 once the property was set; on older hosts it says whether the output uses TLS, which
    /// is 0, as the host gives plugins no TLS.
    fn retry_limit(&self) -> Setting {
        let was_set = self.next == [Some(1), Some(1)];
        match self.value {
            ONE_RETRY if !was_set => UNLIMITED,
            value => Setting {
                value,
                is_ours: false,
            },
        }
    }
}

const OWN_WORKERS: Setting = Setting {
    value: DEFAULT_WORKERS,
    is_ours: true,
};

const UNLIMITED: Setting = Setting {
    value: NO_LIMITS.1,
    is_ours: true,
};

impl Setting {
    /// As a section says it. Of workers there is one at least.
    fn text(self) -> CString {
        let names = [NO_LIMITS, NO_RETRIES];
        let name = names.into_iter().find(|(_, value)| *value == self.value);
        let number = || CString::new(self.value.to_string()).expect("digits hold no zero byte");
        name.map_or_else(number, |(name, _)| name.to_owned())
    }
}

/// What the plugin tells at start where it can't set them.
pub(super) fn warning(missing: &str) -> String {
    format!(
        "workers and retry_limit are as Fluent Bit has them ({missing}): set `workers \
         {DEFAULT_WORKERS}` and `retry_limit no_limits` in this section, else a flush that waits \
         stops all inputs, and a chunk is dropped after its second failure; restart Fluent Bit \
         instead of reloading it, as a reload with workers crashes it here"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    /// Finds a field in memory that `set` changes.
    fn find(memory: &[c_int], set: impl Fn(&mut [c_int], c_int)) -> Option<Field> {
        let memory = RefCell::new(memory.to_vec());
        let set = |value: &CStr| {
            let value = value.to_str().unwrap().parse().unwrap();
            set(&mut memory.borrow_mut(), value);
        };
        Field::find(|| memory.borrow().clone(), set)
    }

    #[test]
    fn the_one_int_that_follows_both_values_is_the_field() {
        let memory = [7919, 0, 6101, 5, 0, 7];
        let found = find(&memory, |memory, value| memory[3] = value);
        let field = Field {
            value: 5,
            next: [Some(0), Some(0)],
        };
        assert_eq!(found, Some(field));
        let last = find(&memory, |memory, value| memory[5] = value);
        assert_eq!(last.unwrap().next, [None, None]);
        // Two that follow, none, and one that only follows once.
        assert_eq!(
            find(&memory, |memory, value| memory[3..5].fill(value)),
            None
        );
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
        let missing = unsafe { Settings::take_over(pointer) }.err().unwrap();
        assert_eq!(missing, "this host does not export what sets them");
        assert_eq!(instance, [1; 64]);
        assert!(warning(missing).contains("set `workers 4` and `retry_limit no_limits`"));
    }

    #[test]
    fn what_the_plugin_set_is_told_and_a_value_that_it_lost_is_warned_of() {
        let field = |value| Field {
            value,
            next: [Some(0), Some(0)],
        };
        let told = |workers: Option<c_int>, retry_limit: Option<c_int>| {
            let [workers, retry_limit] = [workers, retry_limit].map(|value| value.map(field));
            InForce::of(workers.as_ref(), retry_limit.as_ref()).notice()
        };
        assert_eq!(told(Some(8), Some(5)), None);
        let limit = |value| InForce::of(Some(&field(8)), Some(&field(value))).limit();
        assert!(limit(5).unwrap().starts_with("`retry_limit 5` is in force"));
        assert!(
            limit(0)
                .unwrap()
                .starts_with("`retry_limit no_retries` is in force")
        );
        assert_eq!((limit(-1), limit(1)), (None, None));
        let (level, line) = told(Some(0), Some(5)).unwrap();
        assert_eq!(level, Level::Info);
        assert!(line.starts_with("the plugin set `workers 4` for this output"));
        for lost in [told(None, Some(5)), told(Some(8), None), told(None, None)] {
            let (level, line) = lost.unwrap();
            assert_eq!(level, Level::Warn);
            assert!(line.contains("is not used"), "{line}");
        }
    }

    #[test]
    fn only_a_host_that_notes_it_tells_a_user_s_one_from_its_default() {
        let kept = |value| Setting {
            value,
            is_ours: false,
        };
        for (value, next, expected) in [
            (1, [Some(0), Some(1)], UNLIMITED),
            (1, [Some(1), Some(1)], kept(1)),
            (1, [Some(0), Some(0)], UNLIMITED),
            (1, [None, None], UNLIMITED),
            (0, [Some(0), Some(0)], kept(0)),
            (-1, [Some(1), Some(1)], kept(-1)),
            (8, [Some(0), Some(0)], kept(8)),
        ] {
            assert_eq!(Field { value, next }.retry_limit(), expected, "{value}");
        }
    }
}
