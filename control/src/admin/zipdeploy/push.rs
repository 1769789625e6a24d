//! Zip pushes of late, and how they went.

use std::collections::VecDeque;
use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use stoker_scaler::logs::LogTime;

use super::ZipDeployQuery;
use crate::admin::now_ms;
use crate::admin::token::Caller;
use crate::wire::{ZipDeployLine, ZipDeployment};

/// Those that are remembered, the newest.
const MOST: usize = 100;
/// Lines of one log.
const MOST_LINES: usize = 1000;
/// Of one line, and of what a tool says of itself.
const MOST_CHARS: usize = 4096;

const PENDING: i32 = 0;
const DEPLOYING: i32 = 2;
const FAILED: i32 = 3;
const SUCCESS: i32 = 4;

/// Zip pushes of late. They are forgotten when the gateway ends; what they published is not.
#[derive(Default)]
pub(in crate::admin) struct Pushes(Mutex<VecDeque<Arc<Push>>>);

/// One of them.
pub(in crate::admin) struct Push {
    id: String,
    function: String,
    author: String,
    deployer: String,
    message: String,
    received: LogTime,
    state: Mutex<State>,
}

/// A push that is under way; it has failed if this goes before it is over.
pub(super) struct Turn(Arc<Push>);

struct State {
    status: i32,
    text: String,
    ended: Option<LogTime>,
    revision: Option<u32>,
    lines: Vec<(LogTime, String, i32)>,
}

impl Pushes {
    /// A new one, unless one of the same function is under way.
    pub(super) fn begin(
        &self,
        function: &str,
        caller: &Caller,
        asked: &ZipDeployQuery,
    ) -> Option<Turn> {
        let mut all = lock(&self.0);
        if all
            .iter()
            .any(|push| push.function == function && lock(&push.state).ended.is_none())
        {
            return None;
        }
        let now = now();
        let cut = |text: &Option<String>| -> String {
            let text = text.as_deref().unwrap_or_default();
            text.chars().take(MOST_CHARS).collect()
        };
        // Of one function there is one at a time, so a time and a name tell it apart.
        let serial = all.front().map_or(0, |push| push.serial() + 1);
        let push = Arc::new(Push {
            id: format!("{:x}-{serial}", now_ms()),
            function: function.to_owned(),
            author: Some(cut(&asked.author))
                .filter(|author| !author.is_empty())
                .unwrap_or_else(|| caller.name.to_string()),
            deployer: cut(&asked.deployer),
            message: cut(&asked.message),
            received: now,
            state: Mutex::new(State {
                status: PENDING,
                text: "pending".to_owned(),
                ended: None,
                revision: None,
                lines: Vec::new(),
            }),
        });
        all.push_front(Arc::clone(&push));
        // Those under way are few, for uploads are bounded.
        while all.len() > MOST && all.back().is_some_and(|it| lock(&it.state).ended.is_some()) {
            all.pop_back();
        }
        Some(Turn(push))
    }

    /// Newest first.
    pub(super) fn all(&self) -> Vec<Arc<Push>> {
        lock(&self.0).iter().cloned().collect()
    }

    /// By id, or `latest`.
    pub(super) fn find(&self, id: &str) -> Option<Arc<Push>> {
        let all = lock(&self.0);
        let mut all = all.iter();
        match id {
            "latest" => all.next().cloned(),
            id => all.find(|push| push.id == id).cloned(),
        }
    }
}

impl Push {
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// The last part of the id.
    fn serial(&self) -> u64 {
        let serial = self.id.rsplit('-').next();
        serial.and_then(|it| it.parse().ok()).unwrap_or_default()
    }

    pub(super) fn say(&self, text: &str) {
        lock(&self.state).say(text, 0);
    }

    pub(super) fn deploying(&self) {
        let mut state = lock(&self.state);
        state.status = DEPLOYING;
        state.text = "deploying".to_owned();
    }

    pub(super) fn failed(&self, why: &str) {
        let mut state = lock(&self.state);
        state.say(why, 2);
        state.end(FAILED, why);
    }

    pub(super) fn succeeded(&self, revision: u32) {
        let mut state = lock(&self.state);
        state.say(&format!("revision {revision} serves"), 0);
        state.revision = Some(revision);
        state.end(SUCCESS, "success");
    }

    pub(super) fn told(&self) -> ZipDeployment {
        let state = lock(&self.state);
        let url = format!("/api/deployments/{}", self.id);
        ZipDeployment {
            id: self.id.clone(),
            status: state.status,
            status_text: state.text.clone(),
            site_name: self.function.clone(),
            message: self.message.clone(),
            author: self.author.clone(),
            deployer: self.deployer.clone(),
            received_time: self.received.to_string(),
            end_time: state.ended.as_ref().map(ToString::to_string),
            complete: state.ended.is_some(),
            active: state.status == SUCCESS,
            revision: state.revision,
            log_url: format!("{url}/log"),
            url,
        }
    }

    pub(super) fn log(&self) -> Vec<ZipDeployLine> {
        let state = lock(&self.state);
        let lines = state.lines.iter().enumerate();
        let line = |(index, (time, text, kind)): (usize, &(LogTime, String, i32))| ZipDeployLine {
            log_time: time.to_string(),
            id: (index + 1).to_string(),
            message: text.clone(),
            kind: *kind,
        };
        lines.map(line).collect()
    }
}

impl Deref for Turn {
    type Target = Push;

    fn deref(&self) -> &Push {
        &self.0
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if lock(&self.0.state).ended.is_none() {
            self.0
                .failed("whoever pushed it left before all of it was there");
        }
    }
}

impl State {
    fn say(&mut self, text: &str, kind: i32) {
        for line in text.lines() {
            if self.lines.len() < MOST_LINES {
                let line = line.chars().take(MOST_CHARS).collect();
                self.lines.push((now(), line, kind));
            }
        }
    }

    fn end(&mut self, status: i32, text: &str) {
        self.status = status;
        self.text = text.chars().take(MOST_CHARS).collect();
        self.ended = Some(now());
    }
}

fn now() -> LogTime {
    LogTime::from_unix_micros(now_ms() * 1000)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
