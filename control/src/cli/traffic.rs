//! `stoker traffic`.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use serde_json::to_vec;

use super::output::Output;
use super::revisions::percent;
use super::table::Table;
use super::{Connection, Failure};
use crate::client::segment;
use crate::wire::{Sticky, Traffic, Weight};

/// Of `traffic`.
#[derive(Clone, Debug, Args)]
pub struct TrafficArgs {
    /// The function
    pub function: String,
    /// How much of the requests each revision gets, 100 together [default: show how it is]
    #[arg(value_name = "REVISION=PERCENT", value_parser = weight)]
    pub weights: Vec<Weight>,
    /// What keeps a caller with one revision.
    #[command(flatten)]
    pub sticky: StickyArgs,
    /// Also send copies of so many percent of the requests to this revision, and throw its answers
    /// away
    #[arg(long, value_name = "REVISION[=PERCENT]", value_parser = mirror)]
    pub mirror: Option<Weight>,
    /// Send no copies
    #[arg(long, conflicts_with = "mirror")]
    pub no_mirror: bool,
    /// Which gateway.
    #[command(flatten)]
    pub connection: Connection,
}

/// What keeps a caller with one revision.
#[derive(Clone, Debug, Default, Args)]
#[group(multiple = false)]
pub struct StickyArgs {
    /// Keep a caller with one revision by this cookie, which is set if it is not there
    #[arg(long, value_name = "NAME")]
    pub sticky_cookie: Option<String>,
    /// Keep requests with the same value of this header with one revision
    #[arg(long, value_name = "NAME")]
    pub sticky_header: Option<String>,
    /// Choose for each request by itself
    #[arg(long)]
    pub no_sticky: bool,
}

pub(super) async fn run(arguments: TrafficArgs, output: &mut Output) -> Result<ExitCode, Failure> {
    let client = arguments.connection.client().await?;
    let path = format!("/v1/functions/{}/traffic", segment(&arguments.function));
    let before: Traffic = client.get(&path).await?.json()?;
    let wanted = arguments.over(before.clone());
    let traffic = match wanted == before {
        true => before,
        false => {
            // Numbers and names: nothing that JSON could refuse.
            let body = to_vec(&wanted).unwrap_or_default();
            client
                .put(&path, body.into(), Duration::ZERO)
                .await?
                .json()?
        }
    };
    match arguments.connection.json {
        true => output.json(&traffic)?,
        false => output.text(&table(&traffic))?,
    }
    Ok(ExitCode::SUCCESS)
}

impl TrafficArgs {
    /// What is asked for, and else what there is.
    fn over(&self, mut traffic: Traffic) -> Traffic {
        if !self.weights.is_empty() {
            traffic.weights.clone_from(&self.weights);
        }
        let StickyArgs {
            sticky_cookie,
            sticky_header,
            no_sticky,
        } = &self.sticky;
        match (sticky_cookie, sticky_header) {
            (Some(name), _) => traffic.sticky = Some(Sticky::Cookie(name.clone())),
            (None, Some(name)) => traffic.sticky = Some(Sticky::Header(name.clone())),
            (None, None) if *no_sticky => traffic.sticky = None,
            (None, None) => {}
        }
        match self.mirror {
            Some(mirror) => traffic.mirror = Some(mirror),
            None if self.no_mirror => traffic.mirror = None,
            None => {}
        }
        traffic
    }
}

/// For people, the newest first.
pub(super) fn table(traffic: &Traffic) -> String {
    let mut table = Table::new(&["REVISION", "TRAFFIC"]);
    for it in traffic.weights.iter().rev() {
        table.row([it.revision.to_string(), percent(it.percent)]);
    }
    if let Some(it) = &traffic.mirror {
        let copies = format!("copies of {}", percent(it.percent));
        table.row([it.revision.to_string(), copies]);
    }
    let mut text = table.render();
    match &traffic.sticky {
        None => {}
        Some(Sticky::Cookie(name)) => text.push_str(&format!("sticky by the cookie {name}\n")),
        Some(Sticky::Header(name)) => text.push_str(&format!("sticky by the header {name}\n")),
    }
    text
}

fn weight(text: &str) -> Result<Weight, String> {
    let wrong = || "give REVISION=PERCENT, such as 4=90 or 5=0.5".to_owned();
    let (revision, percent) = text.split_once('=').ok_or_else(wrong)?;
    let revision = revision
        .trim_start_matches('r')
        .parse()
        .map_err(|_| wrong())?;
    let percent: f64 = percent.trim_end_matches('%').parse().map_err(|_| wrong())?;
    match (0.0..=100.0).contains(&percent) {
        true => Ok(Weight { revision, percent }),
        false => Err(wrong()),
    }
}

fn mirror(text: &str) -> Result<Weight, String> {
    match text.contains('=') {
        true => weight(text),
        false => weight(&format!("{text}=100")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_read() {
        let read = |text: &str| weight(text).map(|it| (it.revision, it.percent)).ok();
        assert_eq!(read("4=90"), Some((4, 90.0)));
        assert_eq!(read("r5=0.5%"), Some((5, 0.5)));
        for wrong in ["4", "4=", "=1", "4=101", "4=-1", "4=NaN", "x=1"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
        assert_eq!(mirror("7").map(|it| it.percent), Ok(100.0));
    }

    #[test]
    fn parts_are_shown() {
        let traffic = Traffic {
            weights: vec![weight("3=87.5").unwrap(), weight("4=12.5").unwrap()],
            sticky: Some(Sticky::Cookie("c".to_owned())),
            mirror: Some(mirror("5").unwrap()),
        };
        assert_eq!(
            table(&traffic),
            "REVISION  TRAFFIC\n\
             4         12.5%\n\
             3         87.5%\n\
             5         copies of 100%\n\
             sticky by the cookie c\n"
        );
    }
}
