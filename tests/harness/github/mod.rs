//! A GitHub of our own: pull requests with all that belongs to them over real HTTP, in front of a bare repository in
//! which merges are really made. It keeps a log of what was asked, and fails on request.

mod faults;
mod objects;
mod routes;
mod server;
mod world;

pub(crate) use faults::Fault;
pub(crate) use server::FakeGitHub;
pub(crate) use world::Method;
