//! Holding a function at a number of instances: its primary revision, or the one that is named.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use serde_json::Value;

use super::App;
use super::functions::{budget, summary};
use super::problem::{Kind, Problem, find};
use super::query;
use crate::wire::FunctionSummary;

pub(super) async fn scale(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    body: Body,
) -> Result<Json<FunctionSummary>, Problem> {
    let body = query::body(body).await?;
    let snapshot = app.state.gateway.snapshot();
    let entry = find(&snapshot, &name)?;
    let desired = desired(&body, entry.spec.scaling.max_scale)?;
    match desired {
        Some(_) => entry.function.scale(desired),
        // Whichever of them was held.
        None => entry
            .revisions()
            .iter()
            .for_each(|it| it.function.scale(None)),
    }
    let prepared = app.state.gateway.scaler().prepared();
    Ok(Json(FunctionSummary {
        budget: app.state.gateway.budgets().get(name.as_str()).map(budget),
        ..summary(&snapshot, entry, &entry.function.view(), &prepared)
    }))
}

/// What the body asks for; `None` hands the function back to its policy.
fn desired(body: &[u8], max_scale: u32) -> Result<Option<u32>, Problem> {
    let form = "send {\"desired\": 3} to hold the function at 3 instances, or {\"desired\": null} to \
                hand it back to its policy";
    let parsed: Value = serde_json::from_slice(body).map_err(|error| {
        Problem::new(
            Kind::BadRequest,
            format!("the body is not JSON ({error}); {form}"),
        )
    })?;
    let wanted = match parsed.as_object() {
        Some(object) if object.len() == 1 => object.get("desired"),
        _ => None,
    };
    let Some(wanted) = wanted else {
        return Err(Problem::new(
            Kind::InvalidScale,
            format!("the body is not valid; {form}"),
        ));
    };
    if wanted.is_null() {
        return Ok(None);
    }
    let number = wanted
        .as_u64()
        .and_then(|number| u32::try_from(number).ok());
    match number.filter(|number| *number <= max_scale) {
        Some(number) => Ok(Some(number)),
        None => Err(Problem::new(
            Kind::InvalidScale,
            format!(
                "desired is a whole number from 0 to {max_scale}, which is the function's \
                 max-scale, or null, not {wanted}"
            ),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::desired;

    #[test]
    fn takes_a_number_within_max_scale_or_null() {
        let desired = |body: &str| desired(body.as_bytes(), 8).ok();
        assert_eq!(desired("{\"desired\": 3}"), Some(Some(3)));
        assert_eq!(desired("{\"desired\": 0}"), Some(Some(0)));
        assert_eq!(desired("{\"desired\": 8}"), Some(Some(8)));
        assert_eq!(desired("{\"desired\": null}"), Some(None));
        for wrong in [
            "",
            "3",
            "null",
            "{}",
            "{\"desired\": 9}",
            "{\"desired\": -1}",
            "{\"desired\": 1.5}",
            "{\"desired\": \"3\"}",
            "{\"desired\": 4294967299}",
            "{\"desired\": 3, \"min\": 1}",
        ] {
            assert_eq!(desired(wrong), None, "{wrong}");
        }
    }
}
