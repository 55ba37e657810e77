//! Secrets, with the value that CloudFormation will put into them as far as it is known.
//!
//! A generated value is a JSON object made of `SecretStringTemplate` with a random text under `GenerateStringKey`, else
//! that random text alone. An attachment adds where the database is.
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-secretsmanager-secret-generatesecretstring.html>
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-secretsmanager-secrettargetattachment.html>

use serde_json::{Map, Value};

use super::functions::Functions;
use super::made::Made;
use super::unknown::{AFTER_DEPLOYMENT, is_unknown};

pub(super) fn secret(functions: &Functions<'_>, id: &str) -> Vec<Made> {
    let arn = functions.secret(id, 1).unwrap_or_default();
    let made = Made::new(id, "aws_secretsmanager_secret")
        .set("arn", arn.clone())
        .set("name", functions.text(id, "Name").unwrap_or_else(|| id.to_owned()))
        .copy(functions, id, &[("KmsKeyId", "kms_key_id")])
        .tagged(functions, id);
    let mut all = vec![made];
    if let Some(value) = value(functions, id, &arn) {
        let version = Made::new(format!("{id}/SecretString"), "aws_secretsmanager_secret_version");
        all.push(version.set("secret_id", arn).set("secret_string", value));
    }
    all
}

fn value(functions: &Functions<'_>, id: &str, arn: &str) -> Option<Value> {
    let own = match functions.property(id, "GenerateSecretString") {
        Some(how) => generated(&how),
        None => functions.property(id, "SecretString"),
    }?;
    let Some(added) = attached(functions, arn) else {
        return Some(own);
    };
    // What is attached is added to an object; of anything else, AWS would refuse it.
    match own.as_str().map(serde_json::from_str::<Map<String, Value>>) {
        Some(Ok(mut fields)) => {
            fields.extend(added);
            Some(Value::String(Value::Object(fields).to_string()))
        }
        _ => Some(own),
    }
}

fn generated(how: &Value) -> Option<Value> {
    let text = |key: &str| how.get(key).and_then(Value::as_str);
    if is_unknown(how) {
        return None;
    }
    match (text("SecretStringTemplate"), text("GenerateStringKey")) {
        (Some(template), Some(key)) => {
            let mut fields: Map<String, Value> = serde_json::from_str(template).ok()?;
            fields.insert(key.to_owned(), AFTER_DEPLOYMENT.into());
            Some(Value::String(Value::Object(fields).to_string()))
        }
        _ => Some(AFTER_DEPLOYMENT.into()),
    }
}

/// What an attachment adds to the secret.
fn attached(functions: &Functions<'_>, arn: &str) -> Option<Map<String, Value>> {
    let all = functions.file.get("Resources")?.as_object()?;
    let target = all.keys().find_map(|id| {
        let attaches = functions.kind(id) == Some("AWS::SecretsManager::SecretTargetAttachment");
        (attaches && functions.text(id, "SecretId").as_deref() == Some(arn)).then(|| functions.text(id, "TargetId"))?
    })?;
    let kind = functions.kind(&target)?;
    if !["AWS::RDS::DBInstance", "AWS::RDS::DBCluster"].contains(&kind) {
        return None;
    }
    let mut fields = Map::new();
    let engine = functions.text(&target, "Engine").unwrap_or_default();
    let engine = if engine.contains("postgres") {
        "postgres".to_owned()
    } else {
        engine
    };
    fields.insert("engine".into(), engine.into());
    fields.insert("host".into(), functions.host(&target, false).into());
    fields.insert("port".into(), functions.port(&target, 0));
    let name = functions
        .text(&target, "DBName")
        .or_else(|| functions.text(&target, "DatabaseName"));
    fields.extend(name.map(|name| ("dbname".to_owned(), name.into())));
    Some(fields)
}
