//! The kill switch.

use async_trait::async_trait;

/// What can hold back every correction at once. Read before each.
#[async_trait]
pub trait PauseSwitch: Send + Sync {
    /// Why corrections are paused, if they are.
    async fn pulled(&self) -> Option<String>;
}

/// None is configured.
pub struct NoSwitch;

#[async_trait]
impl PauseSwitch for NoSwitch {
    async fn pulled(&self) -> Option<String> {
        None
    }
}

/// A parameter of Parameter Store. Only the values `false`, `off`, `no` and `0` let corrections go on: a switch that
/// can't be read, or says something else, is pulled.
pub struct ParameterSwitch {
    /// The client.
    pub client: aws_sdk_ssm::Client,
    /// The parameter's name.
    pub name: String,
}

#[async_trait]
impl PauseSwitch for ParameterSwitch {
    async fn pulled(&self) -> Option<String> {
        let name = &self.name;
        match self.client.get_parameter().name(name).send().await {
            Err(e) => {
                let code = aws_smithy_types::error::metadata::ProvideErrorMetadata::code(&e).unwrap_or("no answer");
                Some(format!(
                    "paused: the SSM parameter {name} can't be read ({code}); grant ssm:GetParameter on it, or mend \
                     safety.pause.ssm_parameter"
                ))
            }
            Ok(answer) => {
                let value = answer.parameter.and_then(|p| p.value).unwrap_or_default();
                let runs = ["false", "off", "no", "0"].contains(&value.trim().to_lowercase().as_str());
                (!runs).then(|| format!("paused by the SSM parameter {name}; set it to `false` to go on"))
            }
        }
    }
}
