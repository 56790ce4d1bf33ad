//! Commands that people write as one line of shell.

use std::ffi::OsString;

/// The argv of a shell command. Always through `/bin/sh`, so that one rule explains what every gate and `run` does.
pub fn shell_argv(command: &str) -> Vec<OsString> {
    ["/bin/sh", "-c", command].map(OsString::from).to_vec()
}
