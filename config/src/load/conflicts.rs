//! What two functions cannot both have: a name, a route.

use std::collections::HashMap;
use std::path::Path;

use crate::error::ConfigError;
use crate::function::Function;
use crate::spec::RouteSpec;

/// Sorts the functions by name and finds what they contradict each other in. Of two, the one that
/// was found later is reported.
pub(crate) fn find(functions: &mut [Function], prefix: &str) -> Vec<ConfigError> {
    // Stable: among equals, the order in which they were found stays.
    functions.sort_by(|a, b| a.spec.name.cmp(&b.spec.name));
    let mut errors = names(functions);
    errors.extend(routes(functions, prefix));
    errors
}

fn names(functions: &[Function]) -> Vec<ConfigError> {
    let same = functions
        .windows(2)
        .filter(|pair| pair[0].spec.name == pair[1].spec.name);
    same.map(|pair| ConfigError {
        file: pair[1].file.clone(),
        line: pair[1].name_line,
        key: "name".to_owned(),
        value: format!("{:?}", pair[1].spec.name),
        expected: format!(
            "a name that no other function has; {} has it",
            location(&pair[0].file, pair[0].name_line)
        ),
    })
    .collect()
}

/// What a function claims: all methods if there are none.
struct Claim<'f> {
    function: &'f Function,
    /// `None` for the default route.
    line: Option<usize>,
    methods: &'f [String],
}

fn routes(functions: &[Function], prefix: &str) -> Vec<ConfigError> {
    let mut claims: HashMap<(Option<&str>, String), Vec<Claim<'_>>> =
        HashMap::with_capacity(functions.len());
    for function in functions {
        let shape = format!("{prefix}/{}/{{*}}", function.spec.name);
        let claim = Claim {
            function,
            line: None,
            methods: &[],
        };
        claims.insert((None, shape), vec![claim]);
    }
    let mut errors = Vec::new();
    for function in functions {
        for (index, route) in function.spec.routes.iter().enumerate() {
            let line = function.route_lines.get(index).copied();
            let claim = Claim {
                function,
                line,
                methods: &route.methods,
            };
            let place = (route.host.as_deref(), route.path.shape());
            let earlier = claims.entry(place).or_default();
            if let Some(taken) = earlier.iter().find(|earlier| earlier.overlaps(&claim)) {
                errors.push(conflict((function, index), route, taken));
            }
            earlier.push(claim);
        }
    }
    errors
}

impl Claim<'_> {
    fn overlaps(&self, other: &Claim<'_>) -> bool {
        self.methods.is_empty()
            || other.methods.is_empty()
            || self
                .methods
                .iter()
                .any(|method| other.methods.contains(method))
    }
}

fn conflict(
    (function, index): (&Function, usize),
    route: &RouteSpec,
    taken: &Claim<'_>,
) -> ConfigError {
    let owner = match taken.line {
        Some(line) => location(&taken.function.file, line),
        None => format!("the default route of {:?}", taken.function.spec.name),
    };
    ConfigError {
        file: function.file.clone(),
        line: function.route_lines.get(index).copied().unwrap_or_default(),
        key: format!("routes[{index}].path"),
        value: format!("\"{}\"", route.path),
        expected: format!(
            "a route whose host, path and methods are not taken; {owner} has the same"
        ),
    }
}

fn location(file: &Path, line: usize) -> String {
    match line {
        0 => file.display().to_string(),
        line => format!("{}:{line}", file.display()),
    }
}
