//! A real connection to a database, for `diagnose --connect`. It reads the value that a container gets, uses it and
//! drops it. The result (`holdfast_core::diagnose::connection`) contains no part of the value, and no error text that
//! could.

mod probe;
mod tls;
mod value;

use holdfast_aws::client::Aws;
use holdfast_core::diagnose::ValueSource;
use holdfast_core::diagnose::connection::{Refusal, ServerAnswer};
use holdfast_core::model::connection::Connection;
pub use tls::Authorities;

/// Reads the value of `source`, connects with it, asks the server about itself, and disconnects. Also returns the facts
/// of the connection string, if it could be read.
pub async fn connect(
    aws: &Aws,
    source: &ValueSource,
    authorities: Option<&Authorities>,
    extensions: &[String],
) -> (Option<Connection>, Result<ServerAnswer, Refusal>) {
    let value = match value::read(aws, source).await {
        Ok(value) => value,
        Err(e) => return (None, Err(Refusal::NotRead(e.to_string()))),
    };
    let key = match source {
        ValueSource::Secret { selector, .. } => selector.json_key.as_deref(),
        ValueSource::Parameter(_) => None,
    };
    let Some((facts, password)) = holdfast_core::connection::credentials(&value, key) else {
        let why = "it is no connection string any more; run `holdfast diagnose` again";
        return (None, Err(Refusal::NotRead(why.to_owned())));
    };
    drop(value);
    let answer = probe::probe(&facts, password, authorities, extensions).await;
    (Some(facts), answer)
}
