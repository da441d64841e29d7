//! Says how many prefixes a table holds.

use std::{env, fs, process};

fn main() {
    let path = env::args().nth(1).unwrap_or_default();
    match fs::read_to_string(&path) {
        Ok(text) => println!("{} prefixes", text.lines().count() - 1),
        Err(error) => {
            eprintln!("si-table: {path}: {error}");
            process::exit(2);
        }
    }
}
