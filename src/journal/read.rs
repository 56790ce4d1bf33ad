//! Reads what a journal file holds, with as many threads as pay off: half of a replay is the copy into memory.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::thread;

/// Below this many bytes a second thread costs more than it saves.
const PARALLEL_FROM: usize = 1 << 20;
const MAX_THREADS: usize = 8;

/// How many threads to share `bytes` of work among.
pub(super) fn threads_for(bytes: usize) -> usize {
    if bytes < PARALLEL_FROM {
        1
    } else {
        thread::available_parallelism().map_or(1, usize::from).min(MAX_THREADS)
    }
}

/// Reads from `offset` to the end of the file; nothing where it is shorter.
pub(super) fn read_from(file: &File, offset: u64) -> io::Result<Vec<u8>> {
    loop {
        let len = file.metadata()?.len().saturating_sub(offset);
        let len = usize::try_from(len).map_err(|_| io::ErrorKind::FileTooLarge)?;
        match read_exactly(file, offset, len) {
            // A writer that starts has cut a torn tail since the length was asked for.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {}
            outcome => return outcome,
        }
    }
}

fn read_exactly(file: &File, offset: u64, len: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; len];
    let piece_len = len.div_ceil(threads_for(len)).max(1);
    let mut pieces = (offset..).step_by(piece_len).zip(bytes.chunks_mut(piece_len));
    let first = pieces.next();
    thread::scope(|scope| {
        let others: Vec<_> =
            pieces.map(|(at, piece)| scope.spawn(move || file.read_exact_at(piece, at))).collect();
        first.map_or(Ok(()), |(at, piece)| file.read_exact_at(piece, at))?;
        others.into_iter().try_for_each(|thread| thread.join().expect("reading does not panic"))
    })?;
    Ok(bytes)
}
