//! What is counted of instances when gateways change.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use stoker_meter::{Counter, Totals};
use stoker_scaler::ScalerSettings;
use stoker_scaler::handover::channel;
use tokio::runtime::Handle;

use crate::fake::Fake;
use crate::support::{SOON, Scaler, World, launch, observed, spec};

/// What both gateways have counted.
fn counted(world: &World) -> Duration {
    let mut totals = Totals::default();
    for reading in world.scaler.ledger().readings() {
        totals.add(&reading.totals);
    }
    let spans = [
        Counter::StartingMicros,
        Counter::BusyMicros,
        Counter::IdleMicros,
    ];
    Duration::from_micros(spans.iter().map(|counter| totals[*counter]).sum())
}

#[tokio::test]
async fn the_moment_of_an_heir_that_failed_is_counted_once() {
    let began = Instant::now();
    let mut world = World::new().await;
    let function = world.register(spec());
    let lease = world.proven(&function).await;
    let flags = SocketFlags::CLOEXEC;
    let (socket, _former) =
        socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).unwrap();
    let (to_former, _from_former) = channel(socket).unwrap();
    let estate = world.scaler.freeze();
    let (id, _) = estate.functions[0].instances().next().unwrap();
    let living = vec![observed(id, "f", "one")];
    let (driver, _calls) = Fake::new(living.clone());
    let settings = ScalerSettings {
        driver,
        runtime: Handle::current(),
        notices: Arc::new(|_, _| {}),
        stop_grace: SOON,
        ledger: Some(Arc::clone(world.scaler.ledger())),
    };
    let clock = world.scaler.clock();
    let (heir, _session) = Scaler::succeed(settings, clock, (estate, living), to_former);
    let _its = heir.register(launch("f", "one"), spec());
    // The moment.
    tokio::time::sleep(Duration::from_millis(300)).await;
    heir.measure().await;
    world.scaler.thaw();
    world.scaler.measure().await;
    let (counted, passed) = (counted(&world), began.elapsed());
    assert!(counted <= passed, "{counted:?} in {passed:?}");
    assert!(counted >= Duration::from_millis(300), "{counted:?}");
    drop(lease);
}
