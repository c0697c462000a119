//! What cutover asks of a store of metrics.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::PortError;

/// One series of an instant query's answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Series {
    /// Its labels; empty for a plain number.
    pub labels: BTreeMap<String, String>,
    /// Its value; may be infinite or not a number, as the store says.
    pub value: f64,
}

/// One store of metrics.
#[async_trait]
pub trait Metrics: Send + Sync {
    /// Asks for something cheap, to see that it answers and lets us in.
    async fn ping(&self) -> Result<(), PortError>;

    /// Evaluates an expression now. Empty when there is no data. `Invalid` when it is not an expression.
    async fn query(&self, expression: &str) -> Result<Vec<Series>, PortError>;
}
