use proptest::prelude::*;

use super::*;

fn span() -> impl Strategy<Value = Duration> {
    (0_u64..1 << 40).prop_map(Duration::from_micros)
}

fn instance() -> impl Strategy<Value = InstanceId> {
    any::<u64>().prop_map(InstanceId::from_raw)
}

fn request() -> impl Strategy<Value = What> {
    let outcome = prop::sample::select(vec![Outcome::Answered, Outcome::Failed, Outcome::Unknown]);
    (span(), span(), outcome, any::<bool>()).prop_map(|(waited, service, outcome, first)| {
        What::Request(Request {
            waited,
            service,
            outcome,
            first,
        })
    })
}

fn decided() -> impl Strategy<Value = What> {
    let load = prop::option::of((0_u16..1000, 0_u16..1000));
    (any::<[u32; 6]>(), load, any::<bool>(), ".{0,40}").prop_map(|(numbers, load, panic, why)| {
        let [desired, unclamped, ready, starting, in_flight, queued] = numbers;
        What::Decided(Decided {
            desired,
            unclamped,
            mode: if panic { Mode::Panic } else { Mode::Stable },
            ready,
            starting,
            in_flight,
            queued,
            load: load.map(|(a, b)| (f64::from(a), f64::from(b))),
            clamp: "no bound".to_owned(),
            why,
        })
    })
}

pub(in crate::record) fn what() -> impl Strategy<Value = What> {
    let refusal = prop::sample::select(Refusal::ALL.to_vec());
    let ending = prop::sample::select(Ending::ALL.to_vec());
    let cause = prop::sample::select(vec![StartCause::Request, StartCause::Policy]);
    prop_oneof![
        4 => request(),
        1 => (span(), refusal).prop_map(|(waited, cause)| What::Refused { waited, cause }),
        1 => (instance(), span(), cause)
            .prop_map(|(instance, took, cause)| What::Started { instance, took, cause }),
        1 => (instance(), span())
            .prop_map(|(instance, took)| What::StartFailed { instance, took }),
        1 => decided(),
        1 => (instance(), ending).prop_map(|(instance, why)| What::Ending { instance, why }),
        1 => (instance(), span())
            .prop_map(|(instance, lived)| What::Ended { instance, lived }),
    ]
}

#[test]
fn a_warm_request_is_small() {
    let request = Request {
        waited: Duration::ZERO,
        service: Duration::from_micros(900),
        outcome: Outcome::Answered,
        first: false,
    };
    let mut bytes = Vec::new();
    let entry = Entry {
        at: 1_000_300,
        what: What::Request(request),
    };
    entry.encode(1_000_000, &mut bytes);
    assert_eq!(bytes.len(), 5);
}
