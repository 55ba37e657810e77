//! `RestoreSecret`.

use crate::client::{Api, Family};
use crate::inventory::Collector;
use holdfast_core::model::snapshot::Read;

const RESTORE: Api = Api {
    service: "secretsmanager",
    operation: "RestoreSecret",
    family: Family::SecretsPolicy,
};

/// Cancels the deletion of a secret. Its value is neither read nor changed.
pub(super) async fn restore(c: &Collector<'_>, secret: &str) -> Read<()> {
    let request = c.aws.secrets.restore_secret().secret_id(secret);
    c.aws.call(RESTORE, secret, request.send()).await.map(drop)
}
