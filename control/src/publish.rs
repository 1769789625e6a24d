//! Publishing: from an archive that somebody sent to a revision that serves.
//!
//! The archive is checked and unpacked, its manifest validated, what it has to build is built, its
//! files are made durable under their digest, and if that is asked for an instance is started to see
//! that it answers. Only then is the revision added and given traffic, in one transaction, and the
//! answer comes when it is in force. Whatever fails leaves what serves as it was.

mod check;
mod error;
mod prove;
mod steps;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use stoker_gateway::Gateway;
use stoker_registry::{Author, Incoming, Registry, Revision, Shift};
use stoker_scaler::logs::Logs;
use tokio::sync::Semaphore;

use crate::build::BuildReport;
use crate::deployments::{self, Deployments};
use crate::reload::Reloader;

pub use error::PublishError;

/// Publishes, one package of each function at a time.
#[derive(Debug)]
pub struct Publisher {
    deployments: Arc<Deployments>,
    gateway: Arc<Gateway>,
    reloader: Reloader,
    logs: Arc<Logs>,
    /// Functions of which something is being published.
    busy: Mutex<HashSet<String>>,
    /// So many are worked on at the same time.
    places: Semaphore,
}

/// How a package is to be published.
#[derive(Clone, Debug, Default)]
pub struct PublishOptions {
    /// Who publishes it.
    pub author: Author,
    /// What traffic it gets.
    pub shift: Shift,
    /// How it must prove itself.
    pub proof: Proof,
}

/// What a revision must do before it is published.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Proof {
    /// Nothing.
    None,
    /// Start, and answer `OPTIONS /` by anything that is HTTP.
    #[default]
    Answer,
    /// Start, and answer a GET of this path, which begins with a slash, by a status below 500.
    Path(String),
}

/// A revision that was published.
#[derive(Clone, Debug)]
pub struct Published {
    /// The revision.
    pub revision: Revision,
    /// What was unpacked.
    pub files: u32,
    /// Bytes of these.
    pub total_bytes: u64,
    /// What was built, if there was anything to build.
    pub build: Option<BuildReport>,
    /// How long its proof took, if there was one.
    pub proved: Option<Duration>,
    /// Why it does not serve yet, if something hinders it. It is published all the same, and serves
    /// when that is gone.
    pub hindered: Option<String>,
}

impl Publisher {
    /// A publisher, and the collector of old revisions. Must be called within a runtime.
    pub fn spawn(
        deployments: Arc<Deployments>,
        gateway: Arc<Gateway>,
        reloader: Reloader,
        logs: Arc<Logs>,
    ) -> Arc<Publisher> {
        let (aside, reload) = (Arc::clone(&deployments), reloader.clone());
        tokio::spawn(deployments::collect(aside, Arc::clone(&gateway), reload));
        let places = gateway.snapshot().gateway.registry.publishing;
        Arc::new(Publisher {
            deployments,
            gateway,
            reloader,
            logs,
            busy: Mutex::default(),
            places: Semaphore::new(places),
        })
    }

    /// The registry.
    ///
    /// # Errors
    /// [`PublishError::Unavailable`] if it could not be opened.
    pub fn registry(&self) -> Result<&Arc<Registry>, PublishError> {
        let registry = self.deployments.registry();
        registry.map_err(|why| PublishError::Unavailable(why.to_owned()))
    }

    /// Publishes what is the archive of `incoming` as a revision of `name`, and answers when it is in
    /// force. If the future is dropped, the work may still come to its end.
    ///
    /// # Errors
    /// Everything that is wrong with the package, and what else prevents it; then nothing has changed.
    pub async fn publish(
        self: &Arc<Self>,
        name: &str,
        incoming: Incoming,
        options: PublishOptions,
    ) -> Result<Published, PublishError> {
        let turn = self.turn(name)?;
        let me = Arc::clone(self);
        // Of its own, so that a caller who leaves does not leave half of it behind.
        let work = tokio::spawn(async move {
            let turn = turn;
            let ending = |_| PublishError::Unavailable("the gateway is ending".to_owned());
            let _place = me.places.acquire().await.map_err(ending)?;
            steps::publish(&me, &turn.name, incoming, options).await
        });
        let ended = |_| PublishError::Unavailable("publishing failed within".to_owned());
        work.await.map_err(ended)?
    }

    /// Whether something of this function is being published.
    pub fn is_busy(&self, name: &str) -> bool {
        self.busy().contains(name)
    }

    /// Puts what has changed in the registry in force; an error is why it is not.
    pub async fn enforce(&self) -> Result<(), String> {
        let reloaded = self.reloader.reload().await;
        reloaded.map(drop).map_err(|error| error.to_string())
    }

    fn turn(self: &Arc<Self>, name: &str) -> Result<Turn, PublishError> {
        if !self.busy().insert(name.to_owned()) {
            return Err(PublishError::Busy(name.to_owned()));
        }
        Ok(Turn {
            publisher: Arc::clone(self),
            name: name.to_owned(),
        })
    }

    fn busy(&self) -> std::sync::MutexGuard<'_, HashSet<String>> {
        self.busy.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Nothing else of the function is published while this lives.
struct Turn {
    publisher: Arc<Publisher>,
    name: String,
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.publisher.busy().remove(&self.name);
    }
}
