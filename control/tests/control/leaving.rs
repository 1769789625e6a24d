//! A gateway that leaves its sockets to another one.

use std::net::TcpListener;
use std::sync::Arc;

use stoker_config::Address;
use stoker_gateway::{Listeners, Server};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::world::{PATIENCE, World};

/// Whether a connection is accepted before the gateway leaves or after is a matter of microseconds.
const ROUNDS: usize = 100;
const CALLERS: usize = 8;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_connects_meanwhile_is_answered_or_left_to_the_other_one() {
    let world = World::with(&[]).await;
    let gateway = &world.gateway;
    let specs = &gateway.snapshot().gateway.listeners;
    for round in 0..ROUNDS {
        let any: Address = "127.0.0.1:0".parse().unwrap();
        let listeners = Listeners::bind(&[any]).unwrap();
        let other = listeners.duplicate().unwrap().into_bound().remove(0);
        let other = TcpListener::from(other.socket);
        let server = Server::start(listeners, specs, Arc::clone(gateway)).unwrap();
        let address = other.local_addr().unwrap();
        let mut callers = Vec::new();
        for _ in 0..CALLERS {
            let mut caller = TcpStream::connect(address).await.unwrap();
            ask(&mut caller).await;
            callers.push(caller);
        }
        server.leave();
        server.drain(PATIENCE, PATIENCE).await;
        drop(server);
        let left = std::iter::from_fn(|| other.accept().ok());
        let left: Vec<_> = left.map(|(_, caller)| caller).collect();
        for mut caller in callers {
            if left.contains(&caller.local_addr().unwrap()) {
                continue;
            }
            let answered = answered(&mut caller).await;
            assert!(answered.is_ok(), "round {round}: {answered:?}");
        }
    }
}

/// A gateway that takes over and fails may have been prepared by then.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_accepted_before_it_is_time() {
    let world = World::with(&[]).await;
    let specs = &world.gateway.snapshot().gateway.listeners;
    let any: Address = "127.0.0.1:0".parse().unwrap();
    let listeners = Listeners::bind(&[any]).unwrap();
    let other = listeners.duplicate().unwrap().into_bound().remove(0);
    let other = TcpListener::from(other.socket);
    let address = other.local_addr().unwrap();
    let start = |prepared| Server::prepare(prepared, specs, Arc::clone(&world.gateway)).unwrap();

    let failing = start(listeners.duplicate().unwrap());
    let mut caller = TcpStream::connect(address).await.unwrap();
    ask(&mut caller).await;
    failing.shut_down(PATIENCE).await;
    drop(failing);

    let server = start(listeners);
    server.accept();
    answered(&mut caller).await.unwrap();
}

async fn ask(caller: &mut TcpStream) {
    let request = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    caller.write_all(request).await.unwrap();
}

/// Waits for the answer that there is no such function.
async fn answered(caller: &mut TcpStream) -> Result<(), String> {
    let mut answer = String::new();
    let read = caller.read_to_string(&mut answer).await;
    read.map_err(|error| error.to_string())?;
    match answer.starts_with("HTTP/1.1 404 ") {
        true => Ok(()),
        false => Err(answer),
    }
}
