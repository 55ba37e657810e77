//! Reads one value into a buffer that is zeroed when it is dropped.

use aws_sdk_secretsmanager::config::{Builder, Region};
use holdfast_aws::client::{Api, Aws, Family};
use holdfast_core::diagnose::ValueSource;
use zeroize::Zeroizing;

const GET_SECRET: Api = Api {
    service: "secretsmanager",
    operation: "GetSecretValue",
    family: Family::SecretsGet,
};
const GET_PARAMETERS: Api = Api {
    service: "ssm",
    operation: "GetParameters",
    family: Family::Ssm,
};

/// Why a value can't be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum ValueError {
    #[error("{0}")]
    Call(String),
    #[error("it is binary")]
    Binary,
    #[error("there is no such parameter")]
    NoParameter,
}

/// Reads the value.
pub(super) async fn read(aws: &Aws, source: &ValueSource) -> Result<Zeroizing<String>, ValueError> {
    match source {
        ValueSource::Secret { arn, selector } => {
            let region = arn.split(':').nth(3).unwrap_or(&aws.scope.region).to_owned();
            let request = aws
                .secrets
                .get_secret_value()
                .secret_id(arn)
                .set_version_stage(selector.stage.clone())
                .set_version_id(selector.version.clone())
                .customize()
                .config_override(Builder::new().region(Region::new(region)));
            let answer = aws
                .call(GET_SECRET, arn, request.send())
                .await
                .map_err(|e| ValueError::Call(e.message.clone()))?;
            answer.secret_string.map(Zeroizing::new).ok_or(ValueError::Binary)
        }
        ValueSource::Parameter(name) => {
            let request = aws.ssm.get_parameters().names(name).with_decryption(true);
            let answer = aws
                .call(GET_PARAMETERS, name, request.send())
                .await
                .map_err(|e| ValueError::Call(e.message.clone()))?;
            answer
                .parameters
                .into_iter()
                .flatten()
                .find_map(|p| p.value)
                .map(Zeroizing::new)
                .ok_or(ValueError::NoParameter)
        }
    }
}
