//! Tests on real repositories, with the real git.

mod along;
mod branches;
mod bring;
mod custody;
mod fixture;
mod kept;
mod lanes;
mod lfs;
mod merging;
mod probing;
mod pruning;
mod remotes;
mod repository;
mod restack;
mod sparing;
mod sparse;
mod submodules;
mod userstate;
