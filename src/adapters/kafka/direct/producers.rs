//! Who produces to a topic, and which transactions are open: KIP-664, asked of each partition's leader and of the coordinators.

use std::collections::{BTreeMap, BTreeSet};

use kafka_protocol::messages::describe_producers_request::TopicRequest;
use kafka_protocol::messages::{
    BrokerId, DescribeProducersRequest, DescribeTransactionsRequest, FindCoordinatorRequest, InitProducerIdRequest,
    ListTransactionsRequest, ProducerId, TopicName, TransactionalId,
};
use kafka_protocol::protocol::StrBytes;

use super::call::{call, fine};
use super::{Direct, METADATA_VERSION, Said, about};
use crate::ports::kafka::{ProducerState, TransactionState};

/// A coordinator is asked for by a `transactional.id`.
const BY_TRANSACTION: i8 = 1;

/// How long a producer that fences another one could keep a transaction open, in milliseconds; it opens none.
const SHORT: i32 = 1_000;

/// A transaction that nobody knows any more.
const NOT_FOUND: i16 = 105;

/// Where a broker is.
type Place = (String, u16);

/// Where the brokers are, and which of them leads which partition.
struct Leaders {
    brokers: BTreeMap<BrokerId, Place>,
    leaders: BTreeSet<(i32, BrokerId)>,
}

impl Direct {
    /// The producers that the leaders of this topic's partitions remember.
    pub fn producers(&self, topic: &str) -> Result<Vec<ProducerState>, Said> {
        let mut found = Vec::new();
        let Leaders { brokers, leaders } = self.leaders(topic)?;
        let mut by_leader: BTreeMap<BrokerId, Vec<i32>> = BTreeMap::new();
        for (partition, leader) in leaders {
            by_leader.entry(leader).or_default().push(partition);
        }
        for (leader, partitions) in by_leader {
            let (host, port) = place(&brokers, leader)?;
            let asked =
                TopicRequest::default().with_name(TopicName(StrBytes::from_string(topic.to_owned()))).with_partition_indexes(partitions);
            let answer = call(self.open(host, *port)?.as_mut(), 0, &DescribeProducersRequest::default().with_topics(vec![asked]))?;
            for partition in answer.topics.into_iter().flat_map(|topic| topic.partitions) {
                fine(partition.error_code, partition.error_message.as_deref())?;
                found.extend(partition.active_producers.into_iter().map(|one| ProducerState {
                    partition: partition.partition_index,
                    producer: *one.producer_id,
                    epoch: one.producer_epoch,
                    last_timestamp: one.last_timestamp,
                    open_since: Some(one.current_txn_start_offset).filter(|offset| *offset >= 0),
                }));
            }
        }
        found.sort_by_key(|one| (one.partition, one.producer));
        Ok(found)
    }

    /// What the coordinators know of these producers' transactions. Each broker coordinates some.
    pub fn transactions(&self, producers: &[i64]) -> Result<Vec<TransactionState>, Said> {
        let filters: Vec<ProducerId> = producers.iter().map(|id| ProducerId(*id)).collect();
        let mut found = Vec::new();
        for mut line in self.each()? {
            let listed = call(line.as_mut(), 0, &ListTransactionsRequest::default().with_producer_id_filters(filters.clone()))?;
            fine(listed.error_code, None)?;
            let ids: Vec<TransactionalId> = listed.transaction_states.into_iter().map(|one| one.transactional_id).collect();
            if ids.is_empty() {
                continue;
            }
            let answer = call(line.as_mut(), 0, &DescribeTransactionsRequest::default().with_transactional_ids(ids))?;
            for one in answer.transaction_states {
                if one.error_code == NOT_FOUND {
                    continue;
                }
                fine(one.error_code, None)?;
                found.push(TransactionState {
                    id: one.transactional_id.to_string(),
                    producer: *one.producer_id,
                    state: one.transaction_state.to_string(),
                    timeout: i64::from(one.transaction_timeout_ms),
                    began: Some(one.transaction_start_time_ms).filter(|began| *began >= 0),
                });
            }
        }
        found.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(found)
    }

    /// Comes up as a new producer of that name: the coordinator ends what the last one has open and lets it write no more.
    pub fn fence_transaction(&self, id: &str) -> Result<(), Said> {
        let name = StrBytes::from_string(id.to_owned());
        let question = FindCoordinatorRequest::default().with_key(name.clone()).with_key_type(BY_TRANSACTION);
        let coordinator = call(self.any()?.as_mut(), 3, &question)?;
        fine(coordinator.error_code, coordinator.error_message.as_deref())?;
        let port = u16::try_from(coordinator.port).map_err(|_| std::io::Error::other("the coordinator has no port"))?;
        let request = InitProducerIdRequest::default()
            .with_transactional_id(Some(TransactionalId(name)))
            .with_transaction_timeout_ms(SHORT)
            .with_producer_id(ProducerId(-1))
            .with_producer_epoch(-1);
        let answer = call(self.open(&coordinator.host, port)?.as_mut(), 4, &request)?;
        fine(answer.error_code, None)
    }

    fn leaders(&self, topic: &str) -> Result<Leaders, Said> {
        let answer = call(self.any()?.as_mut(), METADATA_VERSION, &about(&[topic.to_owned()]))?;
        let place = |port: i32| u16::try_from(port).ok();
        let brokers = answer.brokers.into_iter().filter_map(|one| Some((one.node_id, (one.host.to_string(), place(one.port)?)))).collect();
        let mut leaders = BTreeSet::new();
        for found in answer.topics {
            fine(found.error_code, None)?;
            leaders.extend(found.partitions.into_iter().map(|one| (one.partition_index, one.leader_id)));
        }
        Ok(Leaders { brokers, leaders })
    }
}

fn place(brokers: &BTreeMap<BrokerId, Place>, id: BrokerId) -> Result<&Place, Said> {
    brokers.get(&id).ok_or_else(|| Said::Nothing(std::io::Error::other("a partition has no leader now")))
}
