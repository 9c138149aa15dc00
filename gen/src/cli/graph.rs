//! `cbwgen graph`: a topology as a picture.

use std::path::PathBuf;

use clap::Args;

use super::{CLEAN, WhatIfs, judge, load, print};
use crate::graph::{Format, draw};
use crate::render::Target;
use crate::write;

#[derive(Debug, Args)]
pub(super) struct Graph {
    /// The topology; `-` reads standard input
    #[arg(default_value = "topology.toml")]
    topology: PathBuf,
    #[command(flatten)]
    what_ifs: WhatIfs,
    /// The form of the picture
    #[arg(long, value_enum, default_value_t = Format::Svg)]
    format: Format,
    /// Write the picture to a file, over the one that is there [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(super) fn run(arguments: &Graph) -> anyhow::Result<u8> {
    let loaded = load(&arguments.topology, &arguments.what_ifs)?;
    let picture = draw(&loaded.plan, &judge(&loaded, &arguments.topology, Target::default()), arguments.format)?;
    match &arguments.out {
        None => print(&picture),
        Some(out) => {
            write::one(out, &picture, true).map_err(|error| anyhow::anyhow!("cannot write `{}`: {error}", out.display()))?;
            Ok(CLEAN)
        }
    }
}
