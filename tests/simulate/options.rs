//! What is asked on the command line. What `cargo test` hands to every test binary is passed over.

/// What is to be simulated.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    /// How many seeds; without any of the options a small sample is run.
    pub(crate) seeds: Option<u64>,
    /// The first seed.
    pub(crate) seed: Option<u64>,
    /// Go on with new seeds until so many steps are done.
    pub(crate) steps: Option<u64>,
    /// Tasks and lanes of one large graph.
    pub(crate) large: Option<(usize, usize)>,
    pub(crate) json: bool,
    /// A scenario file.
    pub(crate) scenario: Option<String>,
    /// `cargo test -- --list`.
    pub(crate) list: bool,
    /// A failing scenario is printed as it is.
    pub(crate) whole: bool,
}

impl Options {
    pub(crate) fn read(arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self::default();
        let mut arguments = arguments.peekable();
        while let Some(argument) = arguments.next() {
            let (name, inline) = match argument.split_once('=') {
                Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
                None => (argument, None),
            };
            let mut value = || inline.clone().or_else(|| arguments.next()).unwrap_or_default();
            match name.as_str() {
                "--seeds" => options.seeds = Some(number(&name, &value())?),
                "--seed" => options.seed = Some(number(&name, &value())?),
                "--steps" => options.steps = Some(number(&name, &value())?),
                "--scenario" => options.scenario = Some(value()),
                "--large" => options.large = Some(size(&value())?),
                "--json" => options.json = true,
                "--list" => options.list = true,
                "--whole" => options.whole = true,
                // These of the usual harness take a value.
                "--test-threads" | "--skip" | "--format" | "--color" | "--logfile" | "-Z"
                    if inline.is_none() =>
                {
                    arguments.next();
                }
                _ => {}
            }
        }
        Ok(options)
    }
}

fn number(name: &str, value: &str) -> Result<u64, String> {
    value.replace('_', "").parse().map_err(|_| format!("{name} takes a number, not `{value}`"))
}

fn size(value: &str) -> Result<(usize, usize), String> {
    let parts = value.split_once('x').and_then(|(t, l)| Some((t.parse().ok()?, l.parse().ok()?)));
    parts.filter(|&(t, l)| t > 0 && l > 0).ok_or_else(|| format!("--large takes TASKSxLANES, not `{value}`"))
}
