//! Measurements with metric prefixes, for Python.

mod prefixes;

use std::time::Duration;

use chrono::{DateTime, FixedOffset};
use numpy::{IntoPyArray, PyArray1, PyReadonlyArray1};
use pyo3::exceptions::{PyKeyError, PyValueError};
use pyo3::prelude::*;
use rust_decimal::Decimal;

extern "C" {
    fn native_prefix_si_factor(exponent: i32) -> f64;
}

/// `2026-03-01T09:00:00+01:00 1.25 kW` as its moment, number, prefix and unit.
#[pyfunction]
fn parse(line: &str) -> PyResult<(DateTime<FixedOffset>, Decimal, String, String)> {
    let bad = || PyValueError::new_err(format!("not a measurement: {line}"));
    let mut words = line.split_whitespace();
    let moment = words.next().and_then(|w| DateTime::parse_from_rfc3339(w).ok());
    let number = words.next().and_then(|w| w.parse().ok());
    let word = words.next().ok_or_else(bad)?;
    let split = word.char_indices().last().map_or(0, |(at, _)| at);
    let (prefix, unit) = word.split_at(split);
    match (moment, number) {
        (Some(moment), Some(number)) => Ok((moment, number, prefix.to_owned(), unit.to_owned())),
        _ => Err(bad()),
    }
}

/// The numbers times the power of ten that the prefix stands for.
#[pyfunction]
fn scale<'py>(
    py: Python<'py>,
    numbers: PyReadonlyArray1<'py, f64>,
    prefix: &str,
) -> PyResult<Bound<'py, PyArray1<f64>>> {
    let exponent = *prefixes::read(py)?
        .get(prefix)
        .ok_or_else(|| PyKeyError::new_err(prefix.to_owned()))?;
    let factor = unsafe { native_prefix_si_factor(exponent) };
    let scaled: Vec<f64> = numbers.as_array().iter().map(|n| n * factor).collect();
    Ok(scaled.into_pyarray(py))
}

/// The exact sum.
#[pyfunction]
fn total(numbers: Vec<Decimal>) -> Decimal {
    numbers.iter().sum()
}

/// The number as a `fractions.Fraction`; hardly anybody asks for one.
#[pyfunction]
fn as_fraction<'py>(py: Python<'py>, number: Decimal) -> PyResult<Bound<'py, PyAny>> {
    py.import("fractions")?.getattr("Fraction")?.call1((number,))
}

/// The number as text, in one of the styles of `native_prefix.formats`.
#[pyfunction]
fn render(py: Python<'_>, style: &str, number: Decimal, unit: &str) -> PyResult<String> {
    let module = py.import(format!("native_prefix.formats.{style}").as_str())?;
    module.getattr("write")?.call1((number, unit))?.extract()
}

/// Wait for the next measurement; to be awaited in asyncio.
#[pyfunction]
fn sample(py: Python<'_>, number: Decimal, milliseconds: u64) -> PyResult<Bound<'_, PyAny>> {
    pyo3_async_runtimes::tokio::future_into_py(py, async move {
        tokio::time::sleep(Duration::from_millis(milliseconds)).await;
        log::info!("sampled {number}");
        Ok(number)
    })
}

#[pymodule]
fn _native_prefix_rs(module: &Bound<'_, PyModule>) -> PyResult<()> {
    pyo3_log::init();
    module.add_function(wrap_pyfunction!(parse, module)?)?;
    module.add_function(wrap_pyfunction!(scale, module)?)?;
    module.add_function(wrap_pyfunction!(total, module)?)?;
    module.add_function(wrap_pyfunction!(as_fraction, module)?)?;
    module.add_function(wrap_pyfunction!(render, module)?)?;
    module.add_function(wrap_pyfunction!(sample, module)?)
}
