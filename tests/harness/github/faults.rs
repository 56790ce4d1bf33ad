//! What can be made to go wrong.

/// A fault of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing is done; this status is answered.
    Status(u16),
    /// Nothing is done; the quota is used up for so many seconds.
    Exhausted(u64),
    /// Nothing is done; the secondary limit, with `retry-after`.
    TooMany(u64),
    /// Nothing is done and nothing is answered.
    Hang,
    /// It is done, and the answer breaks off in the middle.
    Cut,
    /// It is done, and the connection breaks before a word of the answer.
    Lost,
}

/// A fault that waits for its requests.
#[derive(Debug, Clone)]
pub(super) struct Armed {
    pub(super) fault: Fault,
    /// How the request line begins; empty for any.
    pub(super) method: &'static str,
    /// What the path has in it; empty for any.
    pub(super) path: String,
    /// How often it still happens.
    pub(super) left: u32,
}
