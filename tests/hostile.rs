//! What others wrote, and wrote badly: the corpora of the fuzzers, and hostile files in every place that is read.

mod closed;
mod corpus;
mod files;
mod given;
mod names;
mod watching;
