//! Two producers, three groups, an open transaction, an added partition and a retry topic, all at once: `drained` is said once, at the end, and
//! never while an old record is unread.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use cutover::drain::{self, Known, Schemas, Terms};
use cutover::ports::kafka::Kafka;
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::message::Message;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use crate::ground::*;

/// Writes events of a version until it is told to stop.
fn produce(topic: &str, version: u32, stop: &Arc<AtomicBool>) -> std::thread::JoinHandle<u64> {
    let (topic, stop) = (topic.to_owned(), Arc::clone(stop));
    std::thread::spawn(move || {
        let producer: BaseProducer =
            ClientConfig::new().set("bootstrap.servers", bootstrap()).set("topic.metadata.refresh.interval.ms", "500").create().unwrap();
        let (mut sent, value) = (0_u64, event(version));
        while !stop.load(Ordering::Acquire) {
            let key = format!("{version}-{}", sent % 50);
            producer.send(BaseRecord::to(&topic).key(&key).payload(&value)).map_err(|(error, _)| error).unwrap();
            sent += 1;
            producer.poll(Duration::ZERO);
            std::thread::sleep(Duration::from_millis(2));
        }
        producer.flush(PATIENCE).unwrap();
        sent
    })
}

/// Reads and commits like a service; one in ten records it puts aside into the retry topic.
fn serve(topic: &str, group: &str, retry: Option<&str>, stop: &Arc<AtomicBool>) -> std::thread::JoinHandle<()> {
    let (topic, group, retry, stop) = (topic.to_owned(), group.to_owned(), retry.map(str::to_owned), Arc::clone(stop));
    std::thread::spawn(move || {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", bootstrap())
            .set("group.id", &group)
            .set("enable.auto.commit", "false")
            .set("auto.offset.reset", "earliest")
            .set("isolation.level", "read_committed")
            .set("topic.metadata.refresh.interval.ms", "500")
            .create()
            .unwrap();
        let aside: BaseProducer = ClientConfig::new().set("bootstrap.servers", bootstrap()).create().unwrap();
        consumer.subscribe(&[&topic]).unwrap();
        while !stop.load(Ordering::Acquire) {
            let Some(Ok(message)) = consumer.poll(Duration::from_millis(100)) else { continue };
            if let Some(retry) = retry.as_deref().filter(|_| message.offset() % 10 == 0) {
                let value = message.payload().unwrap_or_default().to_vec();
                aside.send(BaseRecord::<str, [u8]>::to(retry).payload(&value)).map_err(|(error, _)| error).unwrap();
                aside.flush(PATIENCE).unwrap();
            }
            let _ = consumer.commit_message(&message, CommitMode::Async);
        }
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn drained_is_said_once_and_never_while_something_old_is_unread() {
    let _brokers = BROKERS.lock().await;
    let kafka = kafka();
    let (name, retry) = (topic(kafka.as_ref(), 2, &[]).await, topic(kafka.as_ref(), 1, &[]).await);
    let groups = [fresh("fast"), fresh("slow"), fresh("late")];
    let (old_stops, new_stops, served) = (Arc::<AtomicBool>::default(), Arc::<AtomicBool>::default(), Arc::<AtomicBool>::default());
    let writers = [produce(&name, 0, &old_stops), produce(&name, 1, &new_stops)];
    let mut services = vec![serve(&name, &groups[0], Some(&retry), &served), serve(&name, &groups[1], None, &served)];
    let writer = Writer::new(bootstrap());
    writer.write(&name, &[&event(0)]);
    tokio::time::sleep(Duration::from_secs(2)).await;
    kafka.grow_topic(&name, 3).await.unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    old_stops.store(true, Ordering::Release);
    let mut writers = writers.into_iter();
    let sent_old = writers.next().unwrap().join().unwrap();

    let version = old();
    let (main, side) = (search(kafka.as_ref(), &name, &version), search(kafka.as_ref(), &retry, &version));
    let retries = [fresh("retries")];
    let barrier = drain::take_barrier(kafka.as_ref(), &name, None).await.unwrap();
    let (mut said, mut grown, mut committed) = (Vec::new(), false, false);
    let (begin, mut last_old_read, mut index) = (Instant::now(), None, None);
    while begin.elapsed() < PATIENCE * 2 {
        let elapsed = begin.elapsed();
        if elapsed > Duration::from_secs(2) && services.len() == 2 {
            services.push(serve(&name, &groups[2], None, &served));
        }
        if elapsed > Duration::from_secs(3) && !grown {
            kafka.grow_topic(&name, 4).await.unwrap();
            grown = true;
        }
        if elapsed > Duration::from_secs(4) && !committed {
            writer.commit();
            committed = true;
        }
        if elapsed > Duration::from_secs(6) && services.len() == 3 {
            services.push(serve(&retry, &retries[0], None, &served));
        }
        let stable = kafka.stable_ends(&name).await.unwrap();
        let whole = barrier.marks.iter().all(|mark| stable.iter().any(|at| at.partition == mark.partition && at.offset >= mark.end));
        if index.is_none() && whole {
            let sight = drain::glance(kafka.as_ref(), &name, &groups).await.unwrap();
            let from = drain::begin(&barrier, &sight, drain::Goal::Consumed, None);
            index = Some(main.whole(from, &barrier.marks, &mut Schemas::default()).await.unwrap());
        }
        let proof =
            main.judge(&barrier, index.as_ref().unwrap_or(&drain::Index::default()), &groups, Terms::default()).await.unwrap().proof;
        let aside_barrier = drain::take_barrier(kafka.as_ref(), &retry, None).await.unwrap();
        let aside = side.survey(&aside_barrier, &retries, Terms::default(), |_| {}).await.unwrap();
        let aside = side.judge(&aside_barrier, &aside, &retries, Terms::default()).await.unwrap().proof;
        let verdict = proof.verdict.max(aside.verdict);
        // The truth, by other means: every record of the topic beside every group's commits, taken after the answer.
        let unread = truth(kafka.as_ref(), &name, &groups).await + truth(kafka.as_ref(), &retry, &retries).await;
        if unread == 0 && last_old_read.is_none() {
            last_old_read = Some(Instant::now());
        }
        said.push(verdict);
        assert!(verdict != Known::Drained || unread == 0, "said to be drained with {unread} old records unread: {proof:#?}");
        if verdict == Known::Drained {
            break;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let times = said.iter().filter(|verdict| **verdict == Known::Drained).count();
    println!(
        "{sent_old} old records; {} looks; drained said {times} time, {:?} after everything old was seen to be read",
        said.len(),
        last_old_read.map(|at| at.elapsed())
    );
    assert_eq!(times, 1, "{said:?}");
    new_stops.store(true, Ordering::Release);
    writers.for_each(|writer| drop(writer.join()));
    served.store(true, Ordering::Release);
    for service in services {
        service.join().unwrap();
    }
}

/// How many old records lie at or behind what the groups have committed, counted one by one.
async fn truth(kafka: &dyn Kafka, topic: &str, groups: &[String]) -> usize {
    let stable = kafka.stable_ends(topic).await.unwrap();
    let ranges: Vec<_> = stable.iter().map(|end| (at(end.partition, 0), end.offset)).collect();
    let records = kafka.read(topic, &ranges, PATIENCE).await.unwrap();
    let is_old = |value: &Option<Vec<u8>>| value.as_deref() == Some(event(0).as_bytes());
    let old: Vec<_> = records.iter().filter(|record| is_old(&record.value)).map(|record| record.at).collect();
    let mut unread = 0;
    for group in groups {
        let committed = kafka.committed(group, topic).await.unwrap();
        let stands = |partition| committed.iter().find(|at| at.partition == partition).map_or(0, |at| at.offset);
        unread += old.iter().filter(|at| at.offset >= stands(at.partition)).count();
    }
    unread
}
