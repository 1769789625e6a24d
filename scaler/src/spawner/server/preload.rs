//! The server's side of what is kept ready.

use std::os::fd::OwnedFd;
use std::time::Instant;

use super::Server;
use crate::spawner::preload::{News, Preload, Site};
use crate::spawner::protocol::{Event, Fault, PrepareRequest, StartRequest};
use crate::spawner::worker::{Role, Worker};

impl Server {
    /// Keeps processes ready, or not any more.
    pub(super) fn prepare(&mut self, from: u32, request: PrepareRequest) {
        self.with_preload(|preload, site| preload.prepare(from, request, site));
    }

    /// Starts an instance whose handler a runner of ours runs.
    pub(super) fn start_handler(
        &mut self,
        from: u32,
        mut request: StartRequest,
        listener: Option<OwnedFd>,
    ) {
        let id = request.id;
        let runtime = request.runtime.clone().filter(|runtime| runtime.preload);
        if let (Some(runtime), Some(listener)) = (runtime, listener.as_ref()) {
            let listener = match listener.try_clone() {
                Ok(listener) => listener,
                Err(error) => {
                    let detail = format!("cannot duplicate a socket: {}", error.kind());
                    let fault = Fault::transient(detail);
                    return self.tell(Some(from), &Event::StartFailed { id, fault }, Vec::new());
                }
            };
            return self.with_preload(|preload, site| {
                preload.start(from, (request, &runtime), listener, site);
            });
        }
        match self.preload.complete(&mut request) {
            Ok(()) => self.execute(from, request, listener),
            Err(fault) => self.tell(Some(from), &Event::StartFailed { id, fault }, Vec::new()),
        }
    }

    /// Ends a start that waits for a process; false if there is none of this id.
    pub(super) fn cancel(&mut self, id: u64) -> bool {
        self.with_preload(|preload, _| preload.cancel(id))
    }

    /// A parent or a process that waits spoke.
    pub(super) fn attend_prepared(&mut self, token: u64) {
        self.with_preload(|preload, site| preload.attend(token, site));
    }

    /// Looks after parents and processes that waited and have ended, before they are buried.
    pub(super) fn bury_prepared(&mut self) {
        if !self.workers.ended.is_empty() {
            self.with_preload(Preload::bury);
        }
    }

    /// What is due of them.
    pub(super) fn look_after_prepared(&mut self) {
        let leads = self.leader.is_some();
        self.with_preload(|preload, site| preload.pass_time(leads, site));
    }

    /// Ends all of them, for this process is to end.
    pub(super) fn end_prepared(&mut self) {
        self.with_preload(Preload::end);
    }

    /// A gateway is gone.
    pub(super) fn lose_prepared(&mut self, link: u32, now: Instant) {
        self.preload.lose(link, now);
    }

    /// Does something, and then what follows.
    fn with_preload<T>(&mut self, work: impl FnOnce(&mut Preload, &mut Site<'_>) -> T) -> T {
        let mut site = Site {
            workers: &mut self.workers,
            epoll: &self.epoll,
            now: Instant::now(),
        };
        let result = work(&mut self.preload, &mut site);
        for news in self.preload.take_news() {
            self.publish(news);
        }
        result
    }

    fn publish(&mut self, news: News) {
        match news {
            News::Tell(to, event) => self.tell(Some(to), &event, Vec::new()),
            News::TellAll(event) => {
                let all: Vec<u32> = self.links.iter().map(|link| link.number).collect();
                for link in all {
                    self.tell(Some(link), &event, Vec::new());
                }
            }
            News::Started(from, id, event, beside) => self.started(from, id, &event, beside),
            News::Execute(from, mut request, listener) => {
                let id = request.id;
                match self.preload.complete(&mut request) {
                    Ok(()) => self.execute(from, *request, Some(listener)),
                    Err(fault) => {
                        self.tell(Some(from), &Event::StartFailed { id, fault }, Vec::new());
                    }
                }
            }
            News::Read(id) => {
                if let Some(leader) = self.leader {
                    self.have_read(id, leader);
                }
            }
        }
    }
}

/// A gateway may have it.
pub(super) fn is_instance(worker: &Worker) -> bool {
    worker.role == Role::Instance
}

/// A gateway may read its output.
pub(super) fn is_readable(worker: &Worker) -> bool {
    worker.role != Role::Parent { loaded: false }
}
