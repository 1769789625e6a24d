//! Keys in words, for error messages and the reference.

use super::{Bounds, Field, Key, List, Preset};
use crate::units::{format_duration, format_size};

impl<T> Key<T> {
    /// For the reference: name, type, default, bound, meaning.
    pub(crate) fn cells(&self) -> [String; 5] {
        [
            format!("`{}`", self.name),
            self.field.kind().to_owned(),
            self.default(),
            self.field.bound(),
            self.meaning.to_owned(),
        ]
    }

    /// For the reference.
    pub(crate) fn default(&self) -> String {
        match self.preset {
            Preset::Value(toml) => format!("`{}`", toml.replace('\'', "\"")),
            Preset::Else(words) => words.to_owned(),
            Preset::Required => "required".to_owned(),
        }
    }
}

impl<T> Field<T> {
    /// The type's name.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Whole(..) => "whole number",
            Self::Number(..) => "number",
            Self::Flag(_) => "true or false",
            Self::Span(..) => "duration",
            Self::Seconds(..) => "duration in whole seconds",
            Self::Size(..) => "size",
            Self::Choice(_) | Self::Text(..) | Self::Secret(..) => "text",
            Self::List(_) => "list of texts",
        }
    }

    /// What is allowed of the type; empty if all is.
    pub(crate) fn bound(&self) -> String {
        match self {
            Self::Whole(min, max, _) => format!("from {min} to {max}"),
            Self::Number(bounds, _) => bounds.words(),
            Self::Flag(_) => String::new(),
            Self::Span(min, max, _) | Self::Seconds(min, max, _) => {
                format!(
                    "from {} to {}",
                    format_duration(*min),
                    format_duration(*max)
                )
            }
            Self::Size(min, max, _) => {
                format!("from {} to {}", format_size(*min), format_size(*max))
            }
            Self::Choice(choices) => {
                let names: Vec<_> = choices
                    .iter()
                    .map(|(name, _)| match *name {
                        "true" | "false" => (*name).to_owned(),
                        text => format!("{text:?}"),
                    })
                    .collect();
                names.join(" or ")
            }
            Self::Text(rule, _) | Self::Secret(rule, _) => (*rule).to_owned(),
            Self::List(list) => {
                let least = if list.least > 0 { "at least one; " } else { "" };
                format!("{least}each {}", list.rule)
            }
        }
    }

    /// For an error message.
    pub(crate) fn expected(&self) -> String {
        let bound = self.bound();
        match self {
            Self::Flag(_) => self.kind().to_owned(),
            Self::Choice(_) | Self::Text(..) | Self::Secret(..) => bound,
            Self::List(list) => list.expected(),
            Self::Span(..) => format!("a duration {bound}, such as \"250ms\" or \"10s\""),
            Self::Seconds(..) => format!("a {} {bound}, such as \"10s\"", self.kind()),
            Self::Size(..) => format!("a size {bound}, such as 65536 or \"64KiB\""),
            _ => format!("a {} {bound}", self.kind()),
        }
    }
}

impl<T> List<T> {
    /// For an error message about the whole list.
    pub(crate) fn expected(&self) -> String {
        let least = if self.least > 0 {
            "at least one text"
        } else {
            "texts"
        };
        format!("a list of {least}, each {}", self.rule)
    }
}

impl Bounds {
    fn words(&self) -> String {
        if self.above {
            format!("above {} and at most {}", self.min, self.max)
        } else {
            format!("from {} to {}", self.min, self.max)
        }
    }
}
