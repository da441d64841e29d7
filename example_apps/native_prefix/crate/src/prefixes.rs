//! The table of prefixes: a data file of the package.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// The exponent of ten for each prefix, from the file that lies in the package's folder.
pub fn read(py: Python<'_>) -> PyResult<HashMap<String, i32>> {
    let package = py.import("native_prefix")?;
    let init: PathBuf = package.getattr("__file__")?.extract()?;
    let path = init.with_file_name("data").join("prefixes.csv");
    let text = fs::read_to_string(&path)?;
    log::info!("{} lines in {}", text.lines().count(), "prefixes.csv");
    text.lines().skip(1).map(parse_line).collect()
}

fn parse_line(line: &str) -> PyResult<(String, i32)> {
    let mut cells = line.split(',');
    let symbol = cells.next().unwrap_or_default().to_owned();
    let exponent = cells.nth(1).and_then(|text| text.parse().ok());
    exponent
        .map(|exponent| (symbol, exponent))
        .ok_or_else(|| PyValueError::new_err(format!("not a prefix: {line}")))
}
