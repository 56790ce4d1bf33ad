//! View layer.
/// Temp.
pub struct PrText {
    /// t
    pub title: String,
    /// b
    pub body: String,
}
/// Temp.
pub fn pull_request(
    _: &crate::plan::Plan,
    _: &crate::state::State,
    _: usize,
    _: &[crate::event::DiffFile],
) -> PrText {
    PrText {
        title: "t".into(),
        body: "b".into(),
    }
}
