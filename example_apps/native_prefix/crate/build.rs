//! Links the private C library, and has the loader look for it beside the package.

use std::env;

fn main() {
    println!("cargo:rerun-if-env-changed=NATIVE_PREFIX_SI");
    let folder = env::var("NATIVE_PREFIX_SI")
        .expect("NATIVE_PREFIX_SI names the folder of libnative_prefix_si.so; see build_wheel.py");
    println!("cargo:rustc-link-search=native={folder}");
    println!("cargo:rustc-link-lib=dylib=native_prefix_si");
    println!("cargo:rustc-cdylib-link-arg=-Wl,-rpath,$ORIGIN/../lib");
}
