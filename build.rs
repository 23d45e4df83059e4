//! Makes the table of the page's files, so that all of them are compiled in and none can be forgotten.
#![allow(clippy::disallowed_methods)] // A build reads the files that it builds from.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// Where the page's files are.
const PAGE: &str = "src/host/web/page";

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed={PAGE}");
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR").map_err(io::Error::other)?);
    let mut files = Vec::new();
    gather(&root.join(PAGE), "", &mut files)?;
    files.sort();
    let mut table = String::from("&[\n");
    for name in &files {
        let path = root.join(PAGE).join(name);
        writeln!(table, "    ({name:?}, include_bytes!({path:?})),").map_err(io::Error::other)?;
    }
    table.push_str("]\n");
    let out = PathBuf::from(env::var("OUT_DIR").map_err(io::Error::other)?);
    fs::write(out.join("page.rs"), table)
}

/// Adds the files of a folder, by their names below the page's; hidden ones are left out.
fn gather(folder: &Path, before: &str, files: &mut Vec<String>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name
            .to_str()
            .ok_or_else(|| io::Error::other("a name that is no text"))?;
        if name.starts_with('.') {
            continue;
        }
        match entry.file_type()?.is_dir() {
            true => gather(&entry.path(), &format!("{before}{name}/"), files)?,
            false => files.push(format!("{before}{name}")),
        }
    }
    Ok(())
}
