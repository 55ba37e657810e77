//! From an SDK error to one sentence with its cure.

use aws_sdk_dynamodb::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};

use super::DynamoStore;
use holdfast_operator::ports::LeaseError;

impl DynamoStore {
    pub(super) fn failed<E, R>(&self, action: &str, error: &SdkError<E, R>) -> LeaseError
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
        R: std::fmt::Debug,
    {
        let service = error.as_service_error();
        let code = service.and_then(ProvideErrorMetadata::code).unwrap_or_default();
        let said = service.and_then(ProvideErrorMetadata::message).unwrap_or_default();
        let (table, region) = (&self.table, &self.region);
        let place = format!("the DynamoDB table {table} in {region} (lease.table)");
        let message = match code {
            "" => format!(
                "{action} on {place} failed: {}; check the network and the region",
                DisplayErrorContext(error)
            ),
            // The names of the keys are Holdfast's own.
            "ResourceNotFoundException" => format!(
                "{place} does not exist; create it: aws dynamodb create-table --region {region} --table-name {table} \
                 --billing-mode PAY_PER_REQUEST --attribute-definitions AttributeName=pk,AttributeType=S \
                 AttributeName=sk,AttributeType=S --key-schema AttributeName=pk,KeyType=HASH AttributeName=sk,KeyType=RANGE \
                 && aws dynamodb update-time-to-live --region {region} --table-name {table} \
                 --time-to-live-specification Enabled=true,AttributeName=expires_at"
            ),
            "ValidationException" => format!(
                "{action} on {place} is refused ({said}); does it have the string keys pk (partition) and sk (sort)?"
            ),
            code if code.contains("AccessDenied") => {
                format!("{code}: grant {action} on {place} to Holdfast's role (AWS says: {said})")
            }
            code if code.contains("Throttl") || code == "ProvisionedThroughputExceededException" => format!(
                "{code}: {action} on {place} is throttled; give the table on-demand capacity: aws dynamodb update-table \
                 --region {region} --table-name {table} --billing-mode PAY_PER_REQUEST"
            ),
            code => format!("{code}: {action} on {place} failed (AWS says: {said})"),
        };
        LeaseError(message)
    }
}
