//! What must hold between the keys of a function's program and those of its runtime.

use crate::draft::FunctionDraft;
use crate::page::Rules;
use crate::spec::{Contract, Language, Listen, Namespace};

/// Keys that mean nothing without a runtime.
const NEEDY: [&str; 5] = [
    "handler",
    "interface",
    "interpreter",
    "preload",
    "websocket",
];

/// Exactly one of a command and a runtime; what the runtime fixes is set.
pub(crate) fn function(rules: &mut Rules<'_, '_>, draft: &mut FunctionDraft) {
    let Some(language) = draft.runtime.language else {
        let alone = !rules.has("runtime");
        rules.require(rules.has("command") || !alone, "command", &[], || {
            "a program and its arguments, or `runtime` and `handler`".to_owned()
        });
        for key in NEEDY {
            let fits = !alone || !rules.has(key);
            rules.require(fits, key, &[], || {
                "nothing, for it belongs to `runtime`, which is missing".to_owned()
            });
        }
        return;
    };
    rules.require(!rules.has("command"), "command", &[], || {
        "nothing, for `runtime` says what is executed".to_owned()
    });
    rules.require(draft.runtime.handler.is_some(), "handler", &[], || {
        "where the handler is, for there is a `runtime`".to_owned()
    });
    let interface = draft.runtime.interface;
    rules.require(interface.is_of(language), "interface", &["runtime"], || {
        format!("one that handlers of {} have, or \"auto\"", language.name())
    });
    let speaks = language == Language::Python || !rules.has("websocket");
    rules.require(speaks, "websocket", &["runtime"], || {
        "nothing, for only the runner for Python serves WebSockets itself".to_owned()
    });
    let inherits = draft.listen == Listen::Inherit || !rules.has("listen");
    rules.require(inherits, "listen", &[], || {
        "\"inherit\", for there is a `runtime`".to_owned()
    });
    rules.require(draft.contract == Contract::Http, "contract", &[], || {
        "\"http\", for there is a `runtime`".to_owned()
    });
    let forked = language == Language::Python && draft.runtime.preload;
    let inner = draft.isolation.namespaces.contains(&Namespace::Pid);
    let namespaces = "isolation.namespaces";
    rules.require(!(forked && inner), namespaces, &["preload.enabled"], || {
        "namespaces without \"pid\", for the instances are forked from a process outside of it, \
         or preload.enabled = false"
            .to_owned()
    });
    let spares = &mut draft.runtime.spares;
    rules.at_most(
        ("preload.spares", &mut spares.least),
        ("preload.spares-max", spares.most),
    );
    draft.listen = Listen::Inherit;
    let interpreter = draft.runtime.interpreter.take();
    draft.command = vec![interpreter.unwrap_or_else(|| language.interpreter().to_owned())];
}
