//! One value against its key.

use std::ops::Range;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeArray, DeValue};

use super::{Bounds, Field, List};
use crate::units::{parse_duration, parse_size};

/// A value, or an element of a list, that is not allowed.
pub(crate) struct Fault {
    /// Of the element.
    pub(crate) index: Option<usize>,
    pub(crate) span: Range<usize>,
    pub(crate) expected: String,
}

impl<T> Field<T> {
    /// Stores the value in its place; if it is not allowed, reports that and leaves the default.
    pub(crate) fn read(
        &self,
        target: &mut T,
        value: &Spanned<DeValue<'_>>,
        report: &mut dyn FnMut(Fault),
    ) {
        let stored = match (self, value.get_ref()) {
            (Self::List(list), DeValue::Array(elements)) => {
                return list.read(target, (elements, value.span()), report);
            }
            (_, scalar) => self.store(target, scalar),
        };
        if stored.is_none() {
            report(Fault {
                index: None,
                span: value.span(),
                expected: self.expected(),
            });
        }
    }

    fn store(&self, target: &mut T, value: &DeValue<'_>) -> Option<()> {
        match self {
            Self::Whole(min, max, set) => {
                set(target, whole(value).filter(|v| (min..=max).contains(&v))?);
            }
            Self::Number(bounds, set) => set(target, number(value).filter(|v| bounds.allow(*v))?),
            Self::Flag(set) => set(target, value.as_bool()?),
            Self::Span(min, max, set) => {
                set(
                    target,
                    duration(value).filter(|v| (min..=max).contains(&v))?,
                );
            }
            Self::Seconds(min, max, set) => {
                let span = duration(value).filter(|v| (min..=max).contains(&v))?;
                set(target, Some(span).filter(|v| v.subsec_nanos() == 0)?);
            }
            Self::Size(min, max, set) => {
                set(target, size(value).filter(|v| (min..=max).contains(&v))?);
            }
            Self::Choice(choices) => {
                // A choice may be called `true` or `false`, and is written without quotes then.
                let text = match value {
                    DeValue::Boolean(true) => "true",
                    DeValue::Boolean(false) => "false",
                    other => other.as_str()?,
                };
                choices.iter().find(|(name, _)| *name == text)?.1(target);
            }
            Self::Text(_, set) | Self::Secret(_, set) => {
                return set(target, text(value)?).then_some(());
            }
            Self::List(_) => return None,
        }
        Some(())
    }
}

impl<T> List<T> {
    fn read(
        &self,
        target: &mut T,
        (elements, span): (&DeArray<'_>, Range<usize>),
        report: &mut dyn FnMut(Fault),
    ) {
        (self.clear)(target);
        if elements.len() < self.least {
            report(Fault {
                index: None,
                span,
                expected: self.expected(),
            });
        }
        for (index, element) in elements.iter().enumerate() {
            if !text(element.get_ref()).is_some_and(|text| (self.push)(target, text)) {
                report(Fault {
                    index: Some(index),
                    span: element.span(),
                    expected: self.rule.to_owned(),
                });
            }
        }
    }
}

impl Bounds {
    fn allow(&self, value: f64) -> bool {
        let over_min = if self.above {
            value > self.min
        } else {
            value >= self.min
        };
        over_min && value <= self.max
    }
}

/// No key takes text with a NUL: neither programs, paths nor variables can hold one.
pub(crate) fn text<'v>(value: &'v DeValue<'_>) -> Option<&'v str> {
    value.as_str().filter(|text| !text.contains('\0'))
}

fn whole(value: &DeValue<'_>) -> Option<u64> {
    let integer = value.as_integer()?;
    u64::from_str_radix(integer.as_str(), integer.radix()).ok()
}

fn number(value: &DeValue<'_>) -> Option<f64> {
    match value {
        DeValue::Float(float) => float.as_str().parse().ok(),
        // Whole numbers with more digits than a float holds are beyond every bound anyway.
        DeValue::Integer(integer) => i64::from_str_radix(integer.as_str(), integer.radix())
            .ok()
            .map(|whole| whole as f64),
        _ => None,
    }
}

fn duration(value: &DeValue<'_>) -> Option<Duration> {
    parse_duration(value.as_str()?).ok()
}

fn size(value: &DeValue<'_>) -> Option<u64> {
    match value {
        DeValue::String(text) => parse_size(text).ok(),
        _ => whole(value),
    }
}
