//! Which transactions keep readers from coming as far as a barrier, and the way out of each.

use crate::ports::PortError;
use crate::ports::kafka::Kafka;

/// A sentence for each transaction that is open in the topic: whose it is, since when, until when at most, and how it is ended. Sorted by
/// partition; empty where the cluster does not tell.
///
/// # Errors
/// When the cluster does not answer.
pub async fn blockers(kafka: &dyn Kafka, topic: &str) -> Result<Vec<String>, PortError> {
    let open: Vec<_> = kafka.producers(topic).await?.into_iter().filter(|one| one.open_since.is_some()).collect();
    if open.is_empty() {
        return Ok(Vec::new());
    }
    let numbers: Vec<i64> = open.iter().map(|one| one.producer).collect();
    let known = kafka.transactions(&numbers).await?;
    Ok(open
        .iter()
        .map(|one| {
            let since = one.open_since.unwrap_or_default();
            let place = format!("producer {} (epoch {}) has a transaction open since offset {since} of partition {}", one.producer, one.epoch, one.partition);
            match known.iter().find(|found| found.producer == one.producer && found.state == "Ongoing") {
                Some(found) => format!(
                    "{place}: `{}`, which its coordinator ends {} ms after it began; or end it: cutover drain {topic} --end-transaction {}",
                    found.id, found.timeout, found.id
                ),
                None => format!(
                    "{place}, and no coordinator knows it: it will never end by itself; end it: kafka-transactions.sh abort --topic {topic} \
                     --partition {} --start-offset {since}",
                    one.partition
                ),
            }
        })
        .collect())
}
