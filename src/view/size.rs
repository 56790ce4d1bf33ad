//! Sizes, for people.

/// A number of bytes with three digits at most.
pub fn size(bytes: u64) -> String {
    let (mut whole, mut rest, mut unit) = (bytes, 0, 0);
    let units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    while whole >= 1024 {
        rest = whole % 1024;
        whole /= 1024;
        unit += 1;
    }
    if whole < 10 && unit > 0 {
        format!("{whole}.{} {}", rest * 10 / 1024, units[unit])
    } else {
        format!("{whole} {}", units[unit])
    }
}
