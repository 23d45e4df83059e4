//! Opens the page in the user's browser.
//!
//! The address with its token never stands on a command line, where all users of the machine could read it: what is opened is
//! a small file, for its owner only, that leads on to the page.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::Builder;

use crate::host::files;

/// What opens a file with the program for it.
const OPENER: &str = if cfg!(target_os = "macos") {
    "open"
} else {
    "xdg-open"
};

/// Opens a link. The error says why not, and what to do.
pub fn open(own: &Path, link: &str) -> Result<(), String> {
    let why = |error: &dyn std::fmt::Display| {
        format!("no browser was opened ({OPENER}: {error}); open the address above by hand")
    };
    let path = leads_on(own);
    files::replace(&path, html(link).as_bytes()).map_err(|error| why(&error))?;
    let path = path.canonicalize().map_err(|error| why(&error))?;
    let mut opener = Command::new(OPENER)
        .arg(&path)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| why(&error))?;
    let waiting = Builder::new()
        .name("open".to_string())
        .spawn(move || match opener.wait() {
            Ok(status) if status.success() => {}
            Ok(status) => log::warn!("no browser was opened: {OPENER} ended with {status}"),
            Err(error) => log::warn!("no browser was opened: {error}"),
        });
    waiting.map(drop).map_err(|error| why(&error))
}

/// Removes the file that led on.
pub fn forget(own: &Path) {
    // If it stays, it holds nothing but what web.json holds.
    files::remove(&leads_on(own)).unwrap_or_default();
}

fn leads_on(own: &Path) -> PathBuf {
    own.join("open.html")
}

/// A page that leads on to a link of ours, in which nothing needs to be escaped.
fn html(link: &str) -> String {
    format!(
        "<!doctype html><meta charset=\"utf-8\"><title>roda</title>\
         <meta http-equiv=\"refresh\" content=\"0; url={link}\"><a href=\"{link}\">roda</a>\n"
    )
}
