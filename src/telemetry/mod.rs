//! Log lines, which go to standard error. The metrics are in `holdfast_operator::metrics`.

use std::io::IsTerminal;

use clap::ValueEnum;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::{EnvFilter, FilterExt, filter_fn};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

/// The variable with `tracing` filter directives, which override `-v`, for instance `holdfast::watch=debug`.
pub const FILTER_VARIABLE: &str = "HOLDFAST_LOG";

/// The format of log lines. `--help` prints these comments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One object a line.
    Json,
}

/// Why logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// The filter is not valid.
    #[error("{FILTER_VARIABLE} is not a log filter: {0}; write it like `info` or `holdfast::watch=debug`")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// [`init`] ran before.
    #[error("logging was already set up: {0}")]
    Twice(#[from] TryInitError),
}

/// Sends log lines to standard error, from now to the end of the process.
///
/// `verbosity` is the number of `-v`: 0 for warnings, 1 for Holdfast's information, 2 for its debug lines, 3 and more
/// for its traces and the information of every library. If [`FILTER_VARIABLE`] is set, it decides instead. Lines have
/// colour only on a terminal, and only if `NO_COLOR` is unset or empty (<https://no-color.org>).
///
/// # Errors
/// [`InitError::Filter`] if the filter is not valid, [`InitError::Twice`] on the second call.
pub fn init(format: LogFormat, verbosity: u8) -> Result<(), InitError> {
    let directives = std::env::var(FILTER_VARIABLE).ok().filter(|v| !v.trim().is_empty());
    let is_plain = std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty());
    let has_colour = !is_plain && std::io::stderr().is_terminal();
    let layer = layer(format, verbosity, directives.as_deref(), has_colour, std::io::stderr)?;
    tracing_subscriber::registry().with(layer).try_init()?;
    Ok(())
}

/// The log layer with its filters.
fn layer<S, W>(
    format: LogFormat,
    verbosity: u8,
    directives: Option<&str>,
    has_colour: bool,
    writer: W,
) -> Result<Box<dyn Layer<S> + Send + Sync>, InitError>
where
    S: tracing::Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
    W: for<'w> tracing_subscriber::fmt::MakeWriter<'w> + Send + Sync + 'static,
{
    let filter = EnvFilter::builder().parse(directives.unwrap_or(match verbosity {
        // The SDK logs at length that it found no credentials; our error says it in a sentence.
        0 => "warn,aws_config=error,aws_runtime=error",
        1 => "warn,holdfast=info,aws_config=error",
        2 => "warn,holdfast=debug",
        _ => "info,holdfast=trace",
    }))?;
    // Libraries that handle requests, responses and connection strings may log them at debug and trace. No secret value
    // may reach a log line, so no directive enables these levels.
    let filter = filter.and(filter_fn(|meta| {
        !carries_payload(meta.target()) || *meta.level() <= LevelFilter::INFO
    }));
    let fmt = tracing_subscriber::fmt::layer()
        .with_writer(writer)
        .with_ansi(has_colour);
    Ok(match format {
        LogFormat::Text => fmt.with_filter(filter).boxed(),
        LogFormat::Json => fmt
            .json()
            .flatten_event(true)
            .with_current_span(true)
            .with_filter(filter)
            .boxed(),
    })
}

/// Returns whether a library of this log target handles requests, responses or connection strings.
fn carries_payload(target: &str) -> bool {
    const CARRIERS: [&str; 8] = [
        "aws_",
        "hyper",
        "h2",
        "rustls",
        "tokio_postgres",
        "postgres",
        "reqwest",
        "tower",
    ];
    CARRIERS.iter().any(|prefix| target.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl Write for Sink {
        fn write(&mut self, buf: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(buf);
            Ok(buf.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn logged(format: LogFormat, verbosity: u8, directives: Option<&str>) -> String {
        let sink = Sink::default();
        let clone = sink.clone();
        let layer = layer(format, verbosity, directives, false, move || clone.clone()).unwrap();
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            tracing::info!(target: "holdfast::watch", count = 3, "ours-info");
            tracing::debug!(target: "holdfast::watch", "ours-debug");
            tracing::trace!(target: "aws_smithy_runtime::client", "body-canary");
            tracing::debug!(target: "hyper_util::client", "body-canary");
            tracing::warn!(target: "aws_config", "theirs-warn");
        });
        String::from_utf8(sink.0.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn levels_follow_the_flags() {
        let quiet = logged(LogFormat::Text, 0, None);
        assert!(quiet.is_empty(), "{quiet}");
        let normal = logged(LogFormat::Text, 1, None);
        assert!(normal.contains("ours-info") && !normal.contains("ours-debug"));
        assert!(logged(LogFormat::Text, 2, None).contains("ours-debug"));
        assert_eq!(logged(LogFormat::Text, 2, Some("off")), "");
    }

    #[test]
    fn no_directive_opens_the_levels_that_print_payloads() {
        for directives in [
            "trace",
            "aws_smithy_runtime=trace",
            "hyper_util=debug,aws_smithy_runtime::client=trace",
        ] {
            assert!(
                !logged(LogFormat::Text, 9, Some(directives)).contains("canary"),
                "{directives}"
            );
        }
    }

    #[test]
    fn json_is_an_object_a_line() {
        let lines = logged(LogFormat::Json, 1, None);
        let first: serde_json::Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
        assert_eq!(
            (first["message"].as_str(), first["count"].as_u64()),
            (Some("ours-info"), Some(3))
        );
    }

    #[test]
    fn a_bad_filter_says_where_it_came_from() {
        let sink = Sink::default();
        let error =
            layer::<tracing_subscriber::Registry, _>(LogFormat::Text, 0, Some("a=b=c"), false, move || sink.clone())
                .err()
                .unwrap();
        assert!(error.to_string().contains("HOLDFAST_LOG"), "{error}");
    }
}
