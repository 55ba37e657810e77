//! A real connection to a database, with the value that a container gets: read, used and dropped. What comes out of it
//! (`diagnose::connection`) holds no word of the value, nor any text of an error that could.

mod probe;
mod tls;
mod value;

use holdfast_aws::client::Aws;
use holdfast_core::diagnose::ValueSource;
use holdfast_core::diagnose::connection::{Refusal, ServerAnswer};
use holdfast_core::model::connection::Connection;
pub use tls::Authorities;

/// Reads the value that `source` names, connects with it, asks the server who it is, and leaves. The facts about the
/// connection come along where the value could be read.
pub async fn connect(
    aws: &Aws,
    source: &ValueSource,
    authorities: Option<&Authorities>,
    extensions: &[String],
) -> (Option<Connection>, Result<ServerAnswer, Refusal>) {
    let value = match value::read(aws, source).await {
        Ok(value) => value,
        Err(why) => return (None, Err(Refusal::NotRead(why))),
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
