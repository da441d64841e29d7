//! The extension module `private_rule`, whose function `hue` imports a module of which no file holds
//! the name: a freezer can only be told.

use std::ffi::{c_char, c_int, c_void, CString};
use std::hint::black_box;
use std::ptr::null;

extern "C" {
    fn PyModule_Create2(definition: *mut Definition, api: c_int) -> *mut c_void;
    fn PyImport_ImportModule(name: *const c_char) -> *mut c_void;
}

/// `PyMethodDef`, <https://docs.python.org/3/c-api/structures.html#c.PyMethodDef>.
#[repr(C)]
struct Method {
    name: *const c_char,
    function: Option<unsafe extern "C" fn(*mut c_void, *mut c_void) -> *mut c_void>,
    flags: c_int,
    doc: *const c_char,
}

/// `PyModuleDef`, <https://docs.python.org/3/c-api/module.html#c.PyModuleDef>.
#[repr(C)]
struct Definition {
    references: isize,
    kind: *const c_void,
    init: *const c_void,
    index: isize,
    copy: *const c_void,
    name: *const c_char,
    doc: *const c_char,
    size: isize,
    methods: *const Method,
    others: [*const c_void; 4],
}

const API_VERSION: c_int = 1013;
const METH_NOARGS: c_int = 4;

static mut METHODS: [Method; 2] = [
    Method { name: c"hue".as_ptr(), function: Some(hue), flags: METH_NOARGS, doc: null() },
    Method { name: null(), function: None, flags: 0, doc: null() },
];

static mut DEFINITION: Definition = Definition {
    references: 1,
    kind: null(),
    init: null(),
    index: 0,
    copy: null(),
    name: c"private_rule".as_ptr(),
    doc: null(),
    size: -1,
    methods: &raw const METHODS as *const Method,
    others: [null(); 4],
};

unsafe extern "C" fn hue(_: *mut c_void, _: *mut c_void) -> *mut c_void {
    let name: Vec<u8> = black_box(b"sysroloc").iter().rev().copied().collect();
    let name = CString::new(name).expect("no NUL");
    PyImport_ImportModule(name.as_ptr())
}

#[no_mangle]
#[allow(non_snake_case)]
pub extern "C" fn PyInit_private_rule() -> *mut c_void {
    unsafe { PyModule_Create2(&raw mut DEFINITION, API_VERSION) }
}
