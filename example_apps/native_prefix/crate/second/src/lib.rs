//! Measurements as text that survives any e-mail, for Python.

use pyo3::prelude::*;

/// Text as Ascii85, by way of the standard library.
#[pyfunction]
fn encode<'py>(py: Python<'py>, text: &str) -> PyResult<Bound<'py, PyAny>> {
    py.import("base64")?.call_method1("a85encode", (text.as_bytes(),))
}

/// What `encode` was given.
#[pyfunction]
fn decode(py: Python<'_>, data: &[u8]) -> PyResult<String> {
    let plain = py.import("base64")?.call_method1("a85decode", (data,))?;
    plain.call_method0("decode")?.extract()
}

#[pymodule]
fn _native_prefix_codec(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(encode, module)?)?;
    module.add_function(wrap_pyfunction!(decode, module)?)
}
