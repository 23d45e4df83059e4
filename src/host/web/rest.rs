//! The page of something at rest: no node behind it, no file kept for it, a token of its own for each time.

use std::io;
use std::time::Duration;

use super::answer::Answer;
use super::guard::Guard;
use super::request::Head;
use super::server::{Behind, Server, Shared};
use super::{PORT, WebError, WebOptions, address, exposed, listen, opened, stored};
use crate::host::folder::Folder;

/// How long connections may take to end.
const END: Duration = Duration::from_millis(500);

/// A page that is served.
pub struct Rest {
    server: Server,
    link: String,
    /// What the user should know.
    pub warning: Option<String>,
    /// Holds the file that leads a browser here.
    leads: Option<Folder>,
}

impl Rest {
    /// Serves the page at this path of it; what it asks is answered by `answer`.
    pub fn serve(
        options: &WebOptions,
        path: &str,
        answer: impl Fn(&Head) -> Answer + Send + Sync + 'static,
    ) -> Result<Rest, WebError> {
        let (listener, bound) = listen(options, PORT, None)?;
        let token = stored::fresh(bound.port()).map_err(WebError::Token)?.token;
        let link = format!("{}{path}#token={token}", address(bound));
        let guard = Guard::new(bound, token);
        let shared = Shared::new(guard, Behind::Rest(Box::new(answer)));
        Ok(Rest {
            server: Server::start(listener, shared).map_err(WebError::Machine)?,
            link,
            warning: exposed(bound),
            leads: None,
        })
    }

    /// Where the page is, with the token: for its user only.
    pub fn link(&self) -> &str {
        &self.link
    }

    /// Opens it in a browser. The error says why that cannot be done, and what to do instead.
    pub fn open_browser(&mut self) -> Result<(), String> {
        let why =
            |error: io::Error| format!("no browser was opened ({error}); open the address above by hand");
        let leads = Folder::create("roda-page").map_err(why)?;
        let opened = opened::open(leads.path(), &self.link);
        self.leads = Some(leads);
        opened
    }

    /// Closes all connections.
    pub fn end(self) {
        if let Some(leads) = self.leads {
            // What stays is in the system's folder for temporary files, for its owner only.
            leads.remove().unwrap_or_default();
        }
        self.server.end(END);
    }
}
