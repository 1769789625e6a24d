//! What is known of one zip push, in words that can be stored.

use serde::{Deserialize, Serialize};
use stoker_registry::{Push, Revision, StoreError};
use stoker_scaler::logs::LogTime;

use crate::admin::now_ms;
use crate::wire::{ZipDeployLine, ZipDeployment};

/// Lines of one log.
const MOST_LINES: usize = 1000;
/// Of one line, and of what a tool says of itself.
pub(super) const MOST_CHARS: usize = 4096;
/// Of all lines of one log but the last; escaped in JSON they become at most six times as long.
const LOG_BYTES: usize = 96 << 10;

pub(super) const PENDING: i32 = 0;
const DEPLOYING: i32 = 2;
const FAILED: i32 = 3;
const SUCCESS: i32 = 4;

/// What is known of one push.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) author: String,
    /// Whose token it was, under whose name the revision is.
    pub(super) caller: String,
    pub(super) deployer: String,
    pub(super) message: String,
    pub(super) received_ms: u64,
    /// The process that works on it ([`super::owner`]).
    pub(super) owner: String,
    deploying_ms: Option<u64>,
    status: i32,
    text: String,
    ended_ms: Option<u64>,
    revision: Option<u32>,
    lines: Vec<Line>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Line {
    at_ms: u64,
    text: String,
    /// 0 is information, 2 an error.
    kind: i32,
}

impl Record {
    /// One that was received now.
    pub(super) fn new(caller: &str, owner: &str) -> Record {
        Record {
            author: caller.to_owned(),
            caller: caller.to_owned(),
            deployer: String::new(),
            message: String::new(),
            received_ms: now_ms(),
            owner: owner.to_owned(),
            deploying_ms: None,
            status: PENDING,
            text: "pending".to_owned(),
            ended_ms: None,
            revision: None,
            lines: Vec::new(),
        }
    }

    /// From what the store has.
    pub(super) fn read(push: &Push) -> Result<Record, StoreError> {
        Ok(serde_json::from_str(&push.state)?)
    }

    /// For the store.
    pub(super) fn push(&self, id: &str, function: &str) -> Result<Push, StoreError> {
        Ok(Push {
            id: id.to_owned(),
            function: function.to_owned(),
            is_over: self.is_over(),
            state: serde_json::to_string(self)?,
        })
    }

    pub(super) fn is_over(&self) -> bool {
        self.ended_ms.is_some()
    }

    /// It is being published, or was.
    pub(super) fn is_deployed(&self) -> bool {
        self.deploying_ms.is_some()
    }

    pub(super) fn say(&mut self, text: &str) {
        for line in text.lines() {
            self.add(line, 0);
        }
    }

    pub(super) fn deploying(&mut self) {
        self.status = DEPLOYING;
        self.text = "deploying".to_owned();
        self.deploying_ms = Some(now_ms());
    }

    pub(super) fn failed(&mut self, why: &str) {
        for line in why.lines() {
            self.add(line, 2);
        }
        self.end(FAILED, why);
    }

    pub(super) fn succeeded(&mut self, revision: u32) {
        self.add(&format!("revision {revision} serves"), 0);
        self.revision = Some(revision);
        self.end(SUCCESS, "success");
    }

    /// Whoever worked on it is gone: it has failed, unless it became one of these revisions before.
    pub(super) fn lost(&mut self, revisions: &[Revision]) {
        let since_ms = self.deploying_ms.unwrap_or(u64::MAX);
        let mine = |it: &&Revision| {
            it.created_ms >= since_ms && it.created_by == self.caller && it.message == self.message
        };
        let ending = "the gateway that worked on it ended before it could say how it went";
        if let Some(published) = revisions.iter().rfind(mine) {
            let number = published.number;
            self.add(&format!("{ending}; it had published revision {number}"), 0);
            return self.succeeded(number);
        }
        self.failed(&format!("{ending}, and published nothing: push it again"));
    }

    /// As programs see it.
    pub(super) fn told(&self, id: &str, function: &str) -> ZipDeployment {
        let url = format!("/api/deployments/{id}");
        ZipDeployment {
            id: id.to_owned(),
            status: self.status,
            status_text: self.text.clone(),
            site_name: function.to_owned(),
            message: self.message.clone(),
            author: self.author.clone(),
            deployer: self.deployer.clone(),
            received_time: time(self.received_ms),
            end_time: self.ended_ms.map(time),
            complete: self.is_over(),
            active: self.status == SUCCESS,
            revision: self.revision,
            log_url: format!("{url}/log"),
            url,
        }
    }

    pub(super) fn log(&self) -> Vec<ZipDeployLine> {
        let lines = self.lines.iter().enumerate();
        let line = |(index, line): (usize, &Line)| ZipDeployLine {
            log_time: time(line.at_ms),
            id: (index + 1).to_string(),
            message: line.text.clone(),
            kind: line.kind,
        };
        lines.map(line).collect()
    }

    fn add(&mut self, text: &str, kind: i32) {
        let bytes: usize = self.lines.iter().map(|line| line.text.len()).sum();
        if self.lines.len() < MOST_LINES && bytes < LOG_BYTES {
            self.lines.push(Line {
                at_ms: now_ms(),
                text: cut(text),
                kind,
            });
        }
    }

    fn end(&mut self, status: i32, text: &str) {
        self.status = status;
        self.text = cut(text);
        self.ended_ms = Some(now_ms());
    }
}

/// What is kept of a text that somebody sent.
pub(super) fn cut(text: &str) -> String {
    text.chars().take(MOST_CHARS).collect()
}

fn time(ms: u64) -> String {
    LogTime::from_unix_micros(ms.saturating_mul(1000)).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_push_can_be_stored() {
        let mut record = Record::new(&"\u{1}".repeat(200), "o");
        let text = cut(&"\u{1}".repeat(MOST_CHARS));
        record.message.clone_from(&text);
        record.deployer.clone_from(&text);
        record.say(&format!("{text}\n").repeat(MOST_LINES));
        record.failed(&text);
        let stored = record.push("id", "f").unwrap();
        assert!(stored.state.len() <= 1 << 20, "{}", stored.state.len());
        let read = Record::read(&stored).unwrap();
        assert_eq!(read.told("id", "f"), record.told("id", "f"));
        assert_eq!(read.log(), record.log());
    }

    #[test]
    fn who_is_lost_has_failed_unless_it_was_published() {
        let mut record = Record::new("ci", "o");
        let mut late = record.clone();
        record.lost(&[]);
        let told = record.told("id", "f");
        assert_eq!((told.status, told.complete), (FAILED, true));
        assert!(told.status_text.contains("push it again"), "{told:?}");
        late.deploying();
        let package = stoker_registry::Package {
            digest: stoker_registry::Digest([0; 32]),
            kind: stoker_registry::ArchiveKind::Zip,
            bytes: 1,
        };
        let revision = |number: u32, created_by: &str, created_ms: u64| Revision {
            function: "f".to_owned(),
            number,
            package,
            settings: Default::default(),
            manifest: String::new(),
            message: String::new(),
            created_ms,
            created_by: created_by.to_owned(),
            routed_ms: None,
            collected_ms: None,
        };
        let now = now_ms();
        let others = [revision(3, "else", now), revision(1, "ci", 1)];
        let mut failed = late.clone();
        failed.lost(&others);
        assert_eq!(failed.told("id", "f").status, FAILED);
        let [three, one] = others;
        late.lost(&[three, revision(2, "ci", now), one]);
        let told = late.told("id", "f");
        assert_eq!((told.status, told.revision), (SUCCESS, Some(2)));
    }
}
