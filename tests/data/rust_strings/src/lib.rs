//! Module names in every way in which Rust code holds them, with a C API that nobody provides: the
//! library is read by tests, and never loaded. rustc puts the literals side by side, without
//! separators.

use std::ffi::{c_char, c_void};
use std::hint::black_box;

extern "C" {
    fn PyUnicode_FromStringAndSize(text: *const c_char, size: isize) -> *mut c_void;
    fn PyImport_Import(name: *mut c_void) -> *mut c_void;
    fn PyImport_ImportModule(name: *const c_char) -> *mut c_void;
}

/// What pyo3's `PyModule::import` is: a function of its own that takes a `&str`.
#[inline(never)]
fn import(name: &str) -> Result<*mut c_void, u64> {
    let module = unsafe {
        PyImport_Import(PyUnicode_FromStringAndSize(
            name.as_ptr().cast(),
            name.len() as isize,
        ))
    };
    if module.is_null() {
        Err(7)
    } else {
        Ok(module)
    }
}

/// What pyo3's `GILOnceCell::import` is: it hands a closure on that holds the names.
#[inline(never)]
fn import_attribute(module: &str, attribute: &str) -> Option<*mut c_void> {
    let load = || import(module).ok().filter(|_| !black_box(attribute).is_empty());
    initialize(&load)
}

#[inline(never)]
fn initialize<F: Fn() -> Option<*mut c_void>>(load: &F) -> Option<*mut c_void> {
    load()
}

/// Names in relocated data.
#[no_mangle]
pub static NAMES: [&str; 3] = ["zoneinfo", "collections.abc", "wave"];

#[no_mangle]
pub extern "C" fn imports_directly() -> bool {
    import("decimal").is_ok()
}

#[no_mangle]
pub extern "C" fn imports_through_a_closure() -> bool {
    import_attribute("fractions", "Fraction").is_some()
}

#[no_mangle]
pub extern "C" fn imports_a_c_string() -> bool {
    unsafe { !PyImport_ImportModule(c"sqlite3".as_ptr()).is_null() }
}

#[inline(never)]
fn shout(text: &str) -> usize {
    black_box(text).len()
}

/// A name that is passed around, but never imported; prose that begins like a name.
#[no_mangle]
pub extern "C" fn imports_nothing() -> usize {
    shout("xmlrpc.client") + shout("json is a format") + shout("queueing")
}

/// A name that is put together: its beginning is a piece of a format string.
#[no_mangle]
pub extern "C" fn imports_what_it_is_told(part: u8) -> bool {
    import(&format!("email.{}", black_box(part))).is_ok()
}
