//! What is told of instances: their output, and what becomes of them.

use std::sync::Arc;

use stoker_gateway::Metrics;
use stoker_scaler::driver::LaunchSpec;
use stoker_scaler::logs::{Logs, Stream};
use stoker_scaler::process::{Output, OutputStream};
use stoker_scaler::{Notice, Notices};

/// Hands the output of instances to the logs.
pub(super) fn capture(logs: &Arc<Logs>) -> Arc<dyn Fn(Output) + Send + Sync> {
    let logs = Arc::clone(logs);
    Arc::new(move |output| {
        let Output {
            function,
            instance,
            stream,
            pipe,
        } = output;
        let stream = match stream {
            OutputStream::Stdout => Stream::Stdout,
            OutputStream::Stderr => Stream::Stderr,
        };
        if let Err(error) = logs.capture(Arc::clone(&function), instance, stream, pipe) {
            eprintln!("stoker: {function} {instance}: its output is lost: {error}");
        }
    })
}

/// Counts what the scaler tells and writes it to the function's log.
pub(super) fn notices(logs: &Arc<Logs>, metrics: &Arc<Metrics>) -> Notices {
    let (logs, metrics) = (Arc::clone(logs), Arc::clone(metrics));
    Arc::new(move |launch: &LaunchSpec, notice| {
        metrics.note(launch, &notice);
        let function = &*launch.function;
        match notice {
            Notice::Started {
                id, pid, timings, ..
            } => {
                let took = timings.total();
                logs.note(
                    function,
                    id,
                    format!("started in {took:?} as process {}", pid.unwrap_or(0)),
                );
            }
            Notice::Adopted { id, pid } => {
                logs.note(
                    function,
                    id,
                    format!("adopted as process {}", pid.unwrap_or(0)),
                );
            }
            Notice::StartFailed { id, failure } => {
                logs.note(function, id, format!("did not start: {}", failure.detail));
                eprintln!("stoker: {function} {id} did not start: {}", failure.detail);
            }
            Notice::Exited {
                id,
                failure,
                wanted,
                lifetime,
            } => {
                let wish = if wanted { "as told" } else { "unasked" };
                logs.note(
                    function,
                    id,
                    format!("ended {wish} after {lifetime:?}: {}", failure.detail),
                );
                if !wanted {
                    eprintln!("stoker: {function} {id} ended unasked: {}", failure.detail);
                }
            }
            Notice::CannotFreeze { why } => {
                eprintln!("stoker: {function}: idle instances are not frozen: {why}");
            }
            Notice::Relieved {
                available_percentage,
                stalled_percentage,
                reclaimed,
                released,
            } => eprintln!(
                "stoker: {function}: memory is short, {available_percentage:.1} % of it is \
                 available and programs stood still for it {stalled_percentage:.1} % of the time: \
                 {reclaimed} idle instances were frozen and gave theirs back, {released} \
                 that had done so before were told to end"
            ),
            // Too many to be told; they are counted.
            Notice::Frozen { .. }
            | Notice::Thawed { .. }
            | Notice::Held { .. }
            | Notice::Decided(_) => {}
        }
    })
}
