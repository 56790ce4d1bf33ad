//! Checks the tree of a repository's HEAD out into directories by gix, one after the other, each with an index beside it:
//! `laneway-peers REPOSITORY DIRECTORY...`. What `git worktree add` does beyond that (refs, links) is left out, in its favour.

use std::error::Error;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use gix::progress::Discard;
use gix::worktree::stack::state::attributes::Source;

const THREADS: usize = 2;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let repo = arguments.next().ok_or("no repository is named")?;
    let repo = gix::open(Path::new(&repo)).map_err(|error| error.to_string())?;
    let tree = repo.head_tree_id().map_err(|error| error.to_string())?;
    for place in arguments {
        let place = Path::new(&place);
        std::fs::create_dir_all(place)?;
        let mut index = repo.index_from_tree(&tree).map_err(|error| error.to_string())?;
        let mut options = repo.checkout_options(Source::IdMapping).map_err(|error| error.to_string())?;
        options.destination_is_initially_empty = true;
        options.thread_limit = Some(THREADS);
        let objects = repo.objects.clone().into_arc()?;
        let stop = AtomicBool::new(false);
        let done =
            gix::worktree::state::checkout(&mut index, place, objects, &Discard, &Discard, &stop, options)
                .map_err(|error| error.to_string())?;
        if !done.errors.is_empty() || !done.collisions.is_empty() {
            return Err(
                format!("{} files could not be written", done.errors.len() + done.collisions.len()).into()
            );
        }
        index.set_path(place.with_extension("index"));
        index.write(gix::index::write::Options::default()).map_err(|error| error.to_string())?;
    }
    Ok(())
}
