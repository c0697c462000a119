//! What needs replicas: an end that trails behind, and a broker that dies in the middle of a scan.

use std::time::Duration;

use cutover::drain::{self, Known, Terms};
use cutover::ports::kafka::{Kafka, NewTopic};
use nix::sys::signal::Signal;
use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use crate::brokers::{brokers, known, led_by_the_first};
use crate::ground::*;

/// One test, for both stop brokers that the other one needs.
#[tokio::test(flavor = "multi_thread")]
async fn fact_13_an_end_may_trail_and_a_broker_may_die() {
    let _brokers = BROKERS.lock().await;
    let (all, others) = brokers();
    let kafka = connect(all);
    trailing(kafka.as_ref(), all, others).await;
    dying(kafka.as_ref(), all, others).await;
}

/// While a replica that is in sync does not answer, what a leader has taken in lies behind the end that anybody sees.
async fn trailing(kafka: &dyn Kafka, all: &str, others: &[crate::brokers::Broker]) {
    let (name, group) = (led_by_the_first(kafka).await, fresh("group"));
    write(kafka, &name, &[1]).await;
    commit(all, &group, &name, &[at(0, 1)]);
    for broker in others {
        broker.process.signal(Signal::SIGSTOP).unwrap();
    }
    let careless: BaseProducer = ClientConfig::new().set("bootstrap.servers", bootstrap()).set("acks", "1").create().unwrap();
    let value = event(0);
    careless.send(BaseRecord::to(&name).key("k").payload(&value)).map_err(|(error, _)| error).unwrap();
    careless.flush(PATIENCE).unwrap();
    let plain = lag(bootstrap(), &group, &name, 1);
    // Whom librdkafka takes for the controller may be a broker that is stopped: then nobody answers, which is no end either.
    let first = drain::take_barrier(connect(bootstrap()).as_ref(), &name, None).await;
    for broker in others {
        broker.process.signal(Signal::SIGCONT).unwrap();
    }
    until("the record is seen", async || kafka.ends(&name).await.is_ok_and(|ends| ends[0].end == 2)).await;
    println!("13. taken while it trailed: {:?}", first.as_ref().map(|first| &first.marks));
    let first = first.ok();
    let second = answered(async || drain::take_barrier(kafka, &name, first.as_ref()).await).await;
    assert_eq!((plain, second.marks[0].end), (0, 2), "the record was taken in, and the plain answer did not see it");
    let proof = ours(kafka, &name, &[&group]).await;
    beside("13. the end trailed behind, and was taken twice", plain, &proof, Known::Waiting);
}

async fn dying(kafka: &dyn Kafka, all: &str, others: &[crate::brokers::Broker]) {
    let (name, group) = (fresh("replicated"), fresh("group"));
    let configs = [("min.insync.replicas".to_owned(), "1".to_owned())].into();
    let new = NewTopic { name: name.clone(), partitions: 6, replication: Some(3), configs };
    kafka.create_topic(&new).await.unwrap();
    known(kafka, &name).await;
    let producer: BaseProducer = ClientConfig::new().set("bootstrap.servers", all).set("acks", "all").create().unwrap();
    for number in 0..30_000_i32 {
        let value = event(u32::from(number >= 20_000));
        while producer.send(BaseRecord::<str, str>::to(&name).partition(number % 6).payload(&value)).is_err() {
            producer.poll(Duration::from_millis(20));
        }
    }
    producer.flush(PATIENCE).unwrap();
    let barrier = answered(async || drain::take_barrier(kafka, &name, None).await).await;
    let version = old();
    // Slow enough for a broker to die in the middle.
    let search = drain::Search { most: Some(6_000), ..search(kafka, &name, &version) };
    let groups = [group.clone()];
    let scanning = search.survey(&barrier, &groups, Terms::default(), |_| {});
    let killing = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        others[0].process.signal(Signal::SIGKILL).unwrap();
    };
    let (index, ()) = tokio::join!(scanning, killing);
    let index = match index {
        Ok(index) => index,
        // A scan that cannot go on says so and may be begun again.
        Err(error) => {
            println!("killed under the scan: {error}");
            let end = std::time::Instant::now() + PATIENCE;
            loop {
                match search.survey(&barrier, &groups, Terms::default(), |_| {}).await {
                    Ok(index) => break index,
                    Err(error) => assert!(std::time::Instant::now() < end, "{error}"),
                }
            }
        }
    };
    assert_eq!((index.seen(), index.old()), (30_000, 20_000), "every record was seen, and each once");
}
