//! The command line as a whole.

use clap::{CommandFactory, Parser};

use super::args::Cli;

#[test]
fn the_definition_holds() {
    Cli::command().debug_assert();
}
