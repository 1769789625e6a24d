use std::sync::Mutex;
use std::sync::atomic::AtomicU32;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;
use crate::access::jwt::forge::Forge;

impl FetchLimits {
    pub(crate) fn for_tests() -> Self {
        FetchLimits {
            bytes: 4096,
            timeout: Duration::from_secs(20),
            interval: Duration::from_secs(1000),
        }
    }
}

/// A server of key sets, as far as tests need one.
struct Server {
    url: String,
    answer: Arc<Mutex<String>>,
    asked: Arc<AtomicU32>,
}

impl Server {
    async fn start(body: &Value) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/keys?v=1", listener.local_addr().unwrap());
        let answer = Arc::new(Mutex::new(good(&body.to_string())));
        let asked = Arc::new(AtomicU32::new(0));
        let server = Server {
            url,
            answer: Arc::clone(&answer),
            asked: Arc::clone(&asked),
        };
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(stream.read_u8().await.unwrap());
                }
                assert!(head.starts_with(b"GET /keys?v=1 HTTP/1.1\r\n"));
                asked.fetch_add(1, Ordering::SeqCst);
                let text = answer.lock().unwrap().clone();
                stream.write_all(text.as_bytes()).await.unwrap();
            }
        });
        server
    }

    fn says(&self, answer: String) {
        *self.answer.lock().unwrap() = answer;
    }

    fn issuer(&self, limits: FetchLimits, refresh: Duration) -> Arc<Issuer> {
        let spec = IssuerSpec {
            name: "staff".into(),
            issuer: "i".into(),
            audience: vec!["a".into()],
            algorithms: vec!["ES256".into()],
            keys: IssuerKeys::Url(self.url.clone()),
            refresh,
            leeway: Duration::ZERO,
        };
        Issuer::new(spec, limits)
    }
}

fn good(body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn set() -> Value {
    json!({"keys": [Forge::ec().jwk("one")]})
}

/// Waits for so many finished fetches.
async fn finished(issuer: &Issuer, count: u64) {
    let mut attempts = issuer.shared.attempts.subscribe();
    let waiting = attempts.wait_for(|attempts| attempts.finished >= count);
    tokio::time::timeout(Duration::from_secs(20), waiting)
        .await
        .expect("a fetch")
        .unwrap();
}

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn keys_are_there_when_the_first_fetch_is_done() {
    let server = Server::start(&set()).await;
    let issuer = server.issuer(FetchLimits::for_tests(), HOUR);
    let wait = issuer.wait().expect("the first fetch is worth waiting for");
    wait.done().await;
    assert_ne!(issuer.keys().generation(), 0);
    // And not again so soon.
    assert!(issuer.wait().is_none());
    assert_eq!(server.asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn an_unknown_key_causes_one_fetch_for_all_who_wait() {
    let server = Server::start(&set()).await;
    let limits = FetchLimits {
        interval: Duration::ZERO,
        ..FetchLimits::for_tests()
    };
    let issuer = server.issuer(limits, HOUR);
    issuer.wait().unwrap().done().await;
    let before = issuer.keys().generation();
    let waits: Vec<_> = (0..5)
        .map(|_| issuer.wait().expect("long enough ago"))
        .collect();
    for wait in waits {
        wait.done().await;
    }
    assert_ne!(issuer.keys().generation(), before);
    // Five calls are one permit; a second fetch may follow if the first was done in between.
    assert!(server.asked.load(Ordering::SeqCst) <= 3);
}

#[tokio::test]
async fn the_last_good_keys_stay() {
    let server = Server::start(&set()).await;
    let limits = FetchLimits {
        interval: Duration::from_millis(1),
        ..FetchLimits::for_tests()
    };
    let issuer = server.issuer(limits, Duration::from_millis(1));
    finished(&issuer, 1).await;
    for bad in [
        "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n".to_owned(),
        "HTTP/1.1 302 Found\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n".to_owned(),
        good("{\"keys\": []}"),
        good(&format!("{{\"keys\": [], \"x\": {:?}}}", "x".repeat(5000))),
        "garbage\r\n\r\n".to_owned(),
    ] {
        server.says(bad);
        let count = issuer.shared.attempts.borrow().finished;
        // The one after the next has seen it for certain.
        finished(&issuer, count + 2).await;
        let generation = issuer.keys().generation();
        finished(&issuer, count + 4).await;
        assert_eq!(issuer.keys().generation(), generation);
        assert_ne!(generation, 0);
    }
    server.says(good(&set().to_string()));
    let (before, count) = (
        issuer.keys().generation(),
        issuer.shared.attempts.borrow().finished,
    );
    finished(&issuer, count + 2).await;
    assert_ne!(issuer.keys().generation(), before);
}

#[tokio::test]
async fn nobody_waits_for_what_cannot_come() {
    let server = Server::start(&set()).await;
    server.says("HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n".to_owned());
    let issuer = server.issuer(FetchLimits::for_tests(), HOUR);
    finished(&issuer, 1).await;
    assert!(issuer.wait().is_none());
    assert_eq!(issuer.keys().generation(), 0);
    let task = issuer.task.clone().unwrap();
    drop(issuer);
    while !task.is_finished() {
        tokio::task::yield_now().await;
    }
}
