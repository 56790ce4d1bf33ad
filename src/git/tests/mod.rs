//! Tests on real repositories, with the real git.

mod branches;
mod bring;
mod custody;
mod fixture;
mod kept;
mod lanes;
mod merging;
mod probing;
mod pruning;
mod remotes;
mod repository;
mod restack;
mod userstate;
