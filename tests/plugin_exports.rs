//! The exports, called as by a host that makes every mistake, and that offers neither a logger
//! nor any other symbol.

mod support;

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::ptr;
use std::sync::OnceLock;

use firehose_host::{EventFormat, FLB_OK, FLB_RETRY};
use libloading::Library;
use support::logs::{assert_exactly_once, http_logs};
use support::service::Service;
use support::{built, environment};

#[test]
fn register_refuses_null() {
    // SAFETY: null is what the export must find out.
    assert_eq!(unsafe { (exports().register)(ptr::null_mut()) }, -1);
}

#[test]
fn init_refuses_null_at_every_place() {
    // SAFETY: null is what the export must find out.
    assert!(unsafe { (exports().init)(ptr::null_mut()) } <= 0);
    let options = Options::new(vec![("delivery_stream", "logs".to_owned())]);
    let mistakes: [fn(&mut OutputPlugin); 3] = [
        |plugin| plugin.api = ptr::null(),
        |plugin| plugin.o_ins = ptr::null_mut(),
        |plugin| plugin.context = ptr::null_mut(),
    ];
    for (number, make) in mistakes.into_iter().enumerate() {
        assert!(init(&options, make).0 <= 0, "mistake {number}");
    }
}

#[test]
fn init_fails_where_no_property_can_be_read() {
    static NOTHING: Api = Api {
        output_get_property: None,
    };
    let options = Options::new(vec![("delivery_stream", "logs".to_owned())]);
    assert!(init(&options, |plugin| plugin.api = &raw const NOTHING).0 <= 0);
}

#[test]
fn init_that_fails_leaves_the_context_alone() {
    let options = Options::new(vec![("delivery_stream", "no blanks".to_owned())]);
    let (answer, context) = init(&options, |_| {});
    assert!(answer <= 0);
    assert_eq!(context, UNTOUCHED);
}

#[test]
fn an_instance_works_without_any_symbol_of_the_host() {
    let service = Service::tls();
    let options = Options::new(service.options("logs"));
    let context = start(&options);
    let lines = http_logs(0..100);
    assert_eq!(flush(context, &chunk(&lines)), FLB_OK);
    assert_eq!(exit(context), FLB_OK);
    assert_exactly_once(&lines, &service.fake.documents());
}

#[test]
fn flush_survives_null_data_and_null_tag() {
    let service = Service::plain();
    let options = Options::new(service.options("logs"));
    let context = start(&options);
    let bytes = chunk(&http_logs(0..1));
    let data = bytes.as_ptr().cast();
    let flush_raw = |data: *const c_void, size: usize, tag: *const c_char| {
        // SAFETY: what is not null is valid; null is what the export must find out.
        unsafe { (exports().flush)(context, data, size, tag) }
    };
    assert_eq!(flush_raw(ptr::null(), 10, c"t".as_ptr()), FLB_RETRY);
    assert_eq!(flush_raw(data, bytes.len(), ptr::null()), FLB_RETRY);
    assert_eq!(flush_raw(ptr::null(), 0, c"t".as_ptr()), FLB_OK);
    assert_eq!(flush_raw(data, 0, c"t".as_ptr()), FLB_OK);
    assert_eq!(service.fake.stats().requests, 0);
    // Not UTF-8, and all of a tag all the same.
    assert_eq!(flush_raw(data, bytes.len(), c"\xff\xfe".as_ptr()), FLB_OK);
    assert_eq!(service.fake.stats().documents, 1);
    exit(context);
}

#[test]
fn a_context_that_is_none_is_found_out() {
    let service = Service::plain();
    let options = Options::new(service.options("logs"));
    let stale = start(&options);
    exit(stale);
    let alive = start(&options);
    let bytes = chunk(&http_logs(0..1));
    let garbage = [0, usize::MAX, 0xdead_beef].map(ptr::without_provenance_mut);
    for context in garbage.into_iter().chain([stale]) {
        assert_eq!(flush(context, &bytes), FLB_RETRY, "{context:?}");
        exit(context);
        exit(context);
    }
    assert_eq!(service.fake.stats().requests, 0);
    assert_eq!(flush(alive, &bytes), FLB_OK);
    exit(alive);
    assert_eq!(flush(alive, &bytes), FLB_RETRY);
}

// === the host ===

#[repr(C)]
struct Api {
    output_get_property: Option<GetProperty>,
}

type GetProperty = unsafe extern "C" fn(key: *const c_char, o_ins: *mut c_void) -> *const c_char;

static API: Api = Api {
    output_get_property: Some(get_property),
};

#[repr(C)]
struct OutputPlugin {
    name: *const c_char,
    api: *const Api,
    o_ins: *mut c_void,
    context: *mut *mut c_void,
}

/// What the context holds before Init.
const UNTOUCHED: *mut c_void = ptr::without_provenance_mut(0xabcd);

/// An instance of the host, which must outlive that of the plugin.
struct Options(Vec<(CString, CString)>);

impl Options {
    fn new(options: Vec<(&str, String)>) -> Box<Self> {
        let text = |text: &str| CString::new(text).expect("an option has no NUL");
        let pairs = options.iter().map(|(key, value)| (text(key), text(value)));
        Box::new(Self(pairs.collect()))
    }
}

unsafe extern "C" fn get_property(key: *const c_char, o_ins: *mut c_void) -> *const c_char {
    // SAFETY: the plugin passes a C string.
    let key = unsafe { CStr::from_ptr(key) };
    // SAFETY: the plugin passes what `init` gave it.
    let options = unsafe { &*o_ins.cast::<Options>() };
    let mut pairs = options.0.iter();
    let pair = pairs.find(|(name, _)| name.as_c_str() == key);
    pair.map_or(ptr::null(), |(_, value)| value.as_ptr())
}

struct Exports {
    register: unsafe extern "C" fn(*mut c_void) -> c_int,
    init: unsafe extern "C" fn(*mut OutputPlugin) -> c_int,
    flush: unsafe extern "C" fn(*mut c_void, *const c_void, usize, *const c_char) -> c_int,
    exit: unsafe extern "C" fn(*mut c_void) -> c_int,
    _library: Library,
}

fn exports() -> &'static Exports {
    static EXPORTS: OnceLock<Exports> = OnceLock::new();
    EXPORTS.get_or_init(|| {
        environment::prepare_process();
        // SAFETY: the plugin's initialisers are those of Rust's standard library.
        let library = unsafe { Library::new(built::plugin()) };
        let library = library.expect("the plugin can be opened");
        Exports {
            register: symbol(&library, "FLBPluginRegister"),
            init: symbol(&library, "FLBPluginInit"),
            flush: symbol(&library, "FLBPluginFlushCtx"),
            exit: symbol(&library, "FLBPluginExitCtx"),
            _library: library,
        }
    })
}

fn symbol<F: Copy>(library: &Library, name: &str) -> F {
    // SAFETY: each caller asks for the type that the interface gives to this export.
    let symbol = unsafe { library.get::<F>(name) };
    *symbol.expect("the plugin has the export")
}

/// Init's answer, and what it left in the context.
fn init(options: &Options, make: impl FnOnce(&mut OutputPlugin)) -> (c_int, *mut c_void) {
    let mut context = UNTOUCHED;
    let mut plugin = OutputPlugin {
        name: c"firehose".as_ptr(),
        api: &raw const API,
        o_ins: (&raw const *options).cast_mut().cast(),
        context: &raw mut context,
    };
    make(&mut plugin);
    // SAFETY: what is not null is valid, and the options outlive the instance.
    let answer = unsafe { (exports().init)(&raw mut plugin) };
    (answer, context)
}

fn start(options: &Options) -> *mut c_void {
    let (answer, context) = init(options, |_| {});
    assert!(answer > 0, "the options are right");
    context
}

fn flush(context: *mut c_void, chunk: &[u8]) -> c_int {
    let data = chunk.as_ptr().cast();
    // SAFETY: data and tag are valid; the context is only looked up.
    unsafe { (exports().flush)(context, data, chunk.len(), c"t".as_ptr()) }
}

fn exit(context: *mut c_void) -> c_int {
    // SAFETY: the context is only looked up.
    unsafe { (exports().exit)(context) }
}

fn chunk(lines: &[String]) -> Vec<u8> {
    firehose_host::chunk(EventFormat::V2, lines)
}
