//! From what DynamoDB says to one sentence for the person on call.

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use crate::client::{Api, Family, explain};
use holdfast_core::model::key::Scope;
use holdfast_core::model::read_error::is_denied;
use holdfast_operator::ports::LedgerError;

/// A table, as errors name it.
#[derive(Debug, Clone)]
pub(super) struct Table {
    pub(super) name: String,
    pub(super) region: String,
}

impl Table {
    /// A sentence about the table.
    pub(super) fn fault(&self, what: &str) -> LedgerError {
        LedgerError::Unusable(format!(
            "the ledger's DynamoDB table {} in {} {what}",
            self.name, self.region
        ))
    }

    /// Why `operation`, which needs the IAM actions `needs`, failed.
    pub(super) fn explain<E: ProvideErrorMetadata>(
        &self,
        operation: &'static str,
        needs: &str,
        error: &SdkError<E, HttpResponse>,
    ) -> LedgerError {
        let api = Api {
            service: "dynamodb",
            operation,
            // Only calls under a rate ask for it.
            family: Family::Tagging,
        };
        let scope = Scope {
            account: "(Holdfast's own)".into(),
            region: self.region.clone(),
        };
        let explained = explain(&scope, api, &self.name, error);
        let said = error.as_service_error().and_then(ProvideErrorMetadata::message);
        let said = said.map(|m| format!(" (AWS says: {m})")).unwrap_or_default();
        if is_denied(&explained) {
            return self.fault(&format!(
                "refuses {operation}: grant {needs} on it to the role that Holdfast runs as, or correct ledger.table{said}"
            ));
        }
        match explained.code.as_str() {
            "ResourceNotFoundException" => self.fault(&format!(
                "does not exist; correct ledger.table, or make the table: {}",
                self.how_to_make()
            )),
            "ValidationException" => self.fault(&format!(
                "does not take what is asked of it; ledger.table must name a table whose keys are the strings pk (HASH) and sk \
                 (RANGE){said}"
            )),
            "ProvisionedThroughputExceededException" | "ThrottlingException" | "RequestLimitExceeded" => self.fault(
                "is throttled; give it more capacity (PAY_PER_REQUEST has enough), or another one as ledger.table",
            ),
            _ => self.fault(&format!("(ledger.table) can't be used: {}", explained.message)),
        }
    }

    /// The command that makes the table.
    pub(super) fn how_to_make(&self) -> String {
        format!(
            "aws dynamodb create-table --region {} --table-name {} --billing-mode PAY_PER_REQUEST --attribute-definitions \
             AttributeName=pk,AttributeType=S AttributeName=sk,AttributeType=S --key-schema AttributeName=pk,KeyType=HASH \
             AttributeName=sk,KeyType=RANGE",
            self.region, self.name
        )
    }
}
