//! The extension module `late._native`, which makes the module `late._native.made` as it loads, as
//! PyO3's users do: a new module, entered into `sys.modules` under a name that no file has.

use std::ffi::{c_char, c_int, c_long, c_void};
use std::ptr::null;

extern "C" {
    fn PyModule_Create2(definition: *mut Definition, api: c_int) -> *mut c_void;
    fn PyModule_AddIntConstant(module: *mut c_void, name: *const c_char, value: c_long) -> c_int;
    fn PyModule_AddObjectRef(module: *mut c_void, name: *const c_char, v: *mut c_void) -> c_int;
    fn PyImport_AddModule(name: *const c_char) -> *mut c_void;
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
    others: [*const c_void; 5],
}

const API_VERSION: c_int = 1013;

static mut DEFINITION: Definition = Definition {
    references: 1,
    kind: null(),
    init: null(),
    index: 0,
    copy: null(),
    name: c"_native".as_ptr(),
    doc: null(),
    size: -1,
    others: [null(); 5],
};

#[no_mangle]
#[allow(non_snake_case)]
pub extern "C" fn PyInit__native() -> *mut c_void {
    unsafe {
        let module = PyModule_Create2(&raw mut DEFINITION, API_VERSION);
        let made = PyImport_AddModule(c"late._native.made".as_ptr());
        PyModule_AddIntConstant(made, c"ANSWER".as_ptr(), 42);
        PyModule_AddObjectRef(module, c"made".as_ptr(), made);
        module
    }
}
