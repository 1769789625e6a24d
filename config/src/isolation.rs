//! Rules between the keys of a manifest about what an instance may see.

use crate::draft::FunctionDraft;
use crate::page::Rules;
use crate::spec::{Listen, Namespace};

const NAMESPACES: &str = "isolation.namespaces";

/// Checks them, and brings the namespaces into order.
pub(crate) fn function(rules: &mut Rules<'_, '_>, draft: &mut FunctionDraft) {
    let isolation = &mut draft.isolation;
    isolation.namespaces.sort_unstable();
    let has = |namespace| isolation.namespaces.contains(&namespace);
    let mounts = has(Namespace::Mount);
    let demand = || format!("left out unless {NAMESPACES} has \"mount\"");
    let private_tmp = isolation.tmp_bytes.is_some();
    rules.require(
        mounts || !isolation.read_only,
        "isolation.read-only",
        &[NAMESPACES],
        demand,
    );
    rules.require(
        mounts || !private_tmp,
        "isolation.tmp-bytes",
        &[NAMESPACES],
        demand,
    );
    let fits = isolation.read_only || isolation.writable.is_empty();
    let others = ["isolation.read-only"];
    rules.require(fits, "isolation.writable", &others, || {
        "left out unless isolation.read-only is true".to_owned()
    });
    let reachable = draft.listen != Listen::Port || !has(Namespace::Net);
    rules.require(reachable, NAMESPACES, &["listen"], || {
        "namespaces without \"net\" unless listen is \"unix\" or \"inherit\": a port in a network \
         of its own cannot be reached"
            .to_owned()
    });
}
