//! From the windows of a manifest to a [`ScheduleSpec`].

use crate::draft::FunctionDraft;
use crate::page::Rules;
use crate::spec::{ScheduleSpec, WindowSpec};

/// So many windows are looked at whenever one begins or ends.
const MOST_WINDOWS: usize = 32;

/// Checks and completes the windows.
pub(crate) fn function(rules: &mut Rules<'_, '_>, draft: &mut FunctionDraft) -> ScheduleSpec {
    let drafts = std::mem::take(&mut draft.schedule);
    let few = drafts.len() <= MOST_WINDOWS;
    rules.require(few, "scaling.schedule", &[], || {
        format!("no more than {MOST_WINDOWS} tables")
    });
    let max = draft.scaling.max_scale;
    let mut windows = Vec::new();
    for (index, draft) in drafts.into_iter().enumerate() {
        let key = format!("scaling.schedule[{index}].min-scale");
        let holds = draft.min_scale <= max;
        rules.require(holds, &key, &["scaling.max-scale"], || {
            format!("no more than scaling.max-scale, which is {max}")
        });
        if let (Some(from), Some(to), Some(zone)) = (draft.from, draft.to, draft.zone) {
            windows.push(WindowSpec {
                from,
                to,
                zone,
                min_scale: draft.min_scale,
            });
        }
    }
    ScheduleSpec { windows }
}
