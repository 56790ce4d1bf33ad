//! What keeps an event's line short where the world has no bound: lists of files.

use super::ConflictPredicted;

/// Files that a message names.
const NAMED: usize = 8;
/// Bytes of a file's name in a message.
const NAME: usize = 200;
/// Files of a conflict that a line names, and bytes of the name of each.
const FEW: usize = 3;
const SHORT_NAME: usize = 64;
/// Bytes of names that an event lists in full.
const LISTED: usize = 16 * 1024;

/// Bytes of the wire format around a listed name.
const OVERHEAD: usize = 4;

/// The first of `files` for a message, and how many more there are.
pub fn named<T: AsRef<str>>(files: &[T]) -> String {
    let shown: Vec<String> = files.iter().take(NAMED).map(|file| end_of(file.as_ref(), NAME)).collect();
    let shown = shown.join(", ");
    match files.len().checked_sub(NAMED) {
        Some(more @ 1..) => format!("{shown} and {more} more"),
        _ => shown,
    }
}

/// The first three of the files of a conflict, on a line that is short whatever they are called, and how many more there
/// are; `unlisted` of them stand in no list.
pub fn few<T: AsRef<str>>(files: &[T], unlisted: u64) -> String {
    let shown: Vec<String> = files.iter().take(FEW).map(|file| end_of(file.as_ref(), SHORT_NAME)).collect();
    let more = (files.len() - shown.len()) as u64 + unlisted;
    let shown = shown.join(", ");
    if more == 0 { shown } else { format!("{shown} and {more} more") }
}

/// As many of `files`, in order, as an event has room for, and how many more there are.
pub fn listed(mut files: Vec<String>) -> (Vec<String>, u64) {
    let mut room = LISTED;
    let fit = files.iter().take_while(|file| {
        let fits = file.len() < room;
        room = room.saturating_sub(file.len() + OVERHEAD);
        fits
    });
    let fit = fit.count();
    let more = (files.len() - fit) as u64;
    files.truncate(fit);
    (files, more)
}

impl ConflictPredicted {
    /// A conflict over `paths`, as many of them listed as an event has room for.
    pub fn over(with: String, paths: Vec<String>, detail: String) -> Self {
        let (paths, more) = listed(paths);
        Self { with, paths, more: (more > 0).then_some(more), detail, marked: None, probed: None }
    }
}

/// A name that fits, or its end, which says more than its start.
fn end_of(file: &str, most: usize) -> String {
    let Some(over) = file.len().checked_sub(most + 1) else { return file.to_owned() };
    let cut = (over..file.len()).find(|&at| file.is_char_boundary(at)).unwrap_or(file.len());
    format!("...{}", &file[cut..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_names_some_files_and_counts_the_rest() {
        let files: Vec<String> = (0..5000).map(|n| format!("file-{n}")).collect();
        assert_eq!(named(&files[..2]), "file-0, file-1");
        assert_eq!(named(&files[..8]).matches("file").count(), 8);
        assert!(!named(&files[..8]).contains("more"));
        assert!(named(&files).ends_with("file-7 and 4992 more"));
        let long = format!("{}/end", "ä".repeat(4000));
        assert!(named(&[long.as_str()]).ends_with("ä/end"));
        assert!(named(&[long.as_str()]).len() <= NAME + 4);
    }

    #[test]
    fn a_conflict_names_three_files_and_the_true_number_of_the_others() {
        let files: Vec<String> = (0..20).map(|n| format!("file-{n}")).collect();
        assert_eq!(few(&files[..3], 0), "file-0, file-1, file-2");
        assert_eq!(few(&files, 0), "file-0, file-1, file-2 and 17 more");
        assert_eq!(few(&files[..2], 5), "file-0, file-1 and 5 more");
        let long = vec!["ä".repeat(4000); 20];
        assert!(few(&long, 4473).len() < 240 && few(&long, 4473).ends_with("ä and 4490 more"));
    }

    #[test]
    fn a_list_is_whole_or_says_how_much_is_missing() {
        let files: Vec<String> = (0..5000).map(|n| format!("file-{n}")).collect();
        assert_eq!(listed(files[..100].to_vec()), (files[..100].to_vec(), 0));
        let (some, more) = listed(files.clone());
        assert_eq!(some.len() as u64 + more, 5000);
        assert!(some.len() > 1000 && some[..] == files[..some.len()]);
        assert!(some.iter().map(String::len).sum::<usize>() <= LISTED);
        assert_eq!(listed(vec!["x".repeat(LISTED + 1), "y".to_owned()]).1, 2);
    }
}
