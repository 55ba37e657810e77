//! The kill switch in Parameter Store.

use async_trait::async_trait;
use holdfast_core::model::hold::HoldReason;
use holdfast_operator::ports::PauseSwitch;

use crate::client::Connector;

/// A parameter of Parameter Store. Only the values `false`, `off`, `no` and `0` let corrections go on: a switch that
/// can't be read, or says something else, is pulled.
pub struct ParameterSwitch {
    client: aws_sdk_ssm::Client,
    name: String,
}

impl ParameterSwitch {
    /// The parameter `name` in the account and region that the process itself runs in.
    #[must_use]
    pub fn new(connector: &Connector, name: String) -> Self {
        let conf = aws_sdk_ssm::config::Builder::from(connector.own()).interceptor(connector.recorder());
        Self {
            client: aws_sdk_ssm::Client::from_conf(conf.build()),
            name,
        }
    }
}

#[async_trait]
impl PauseSwitch for ParameterSwitch {
    async fn pulled(&self) -> Option<HoldReason> {
        let name = &self.name;
        match self.client.get_parameter().name(name).send().await {
            Err(e) => {
                let code = aws_smithy_types::error::metadata::ProvideErrorMetadata::code(&e).unwrap_or("no answer");
                Some(HoldReason::PauseUnreadable {
                    parameter: name.clone(),
                    code: code.to_owned(),
                })
            }
            Ok(answer) => {
                let value = answer.parameter.and_then(|p| p.value).unwrap_or_default();
                let runs = ["false", "off", "no", "0"].contains(&value.trim().to_lowercase().as_str());
                (!runs).then(|| HoldReason::Paused(name.clone()))
            }
        }
    }
}
