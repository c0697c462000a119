//! Every way into a broker keeps the promises of the port: questions, changes, producing, reading and groups.

use std::time::Duration;

use cutover::ports::kafka::Kafka;
use cutover::ports::settings::{KafkaSettings, SaslMechanism};

use crate::conformance::kafka as promises;
use crate::ground::{USER, connect, ground};
use crate::provider::SHORT;

async fn keeps_its_promises(settings: &KafkaSettings) {
    let cluster = connect(settings);
    let kafka: &dyn Kafka = cluster.as_ref();
    promises::the_cluster_says_who_it_is(kafka).await;
    promises::a_topic_is_made_shown_and_deleted(kafka).await;
    promises::one_setting_changes_and_the_others_stay(kafka).await;
    promises::partitions_grow_and_never_shrink(kafka).await;
    promises::records_lie_in_the_order_in_which_they_were_sent(kafka).await;
    promises::ranges_are_read_exactly(kafka).await;
    promises::a_group_reads_on_from_what_it_committed(kafka).await;
    promises::groups_on_a_topic_are_found_by_their_commits(kafka).await;
    promises::a_topic_without_transactions_is_stable_to_its_end(kafka).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn by_scram_over_tls() {
    keeps_its_promises(&ground().scram()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn by_a_token_over_tls() {
    let ground = ground();
    keeps_its_promises(&ground.token()).await;
    assert!(ground.provider.given() > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn by_a_client_certificate() {
    keeps_its_promises(&ground().certificate()).await;
}

/// The other mechanisms with a user name are let in, too.
#[tokio::test(flavor = "multi_thread")]
async fn by_every_mechanism_with_a_password() {
    for mechanism in [SaslMechanism::Plain, SaslMechanism::ScramSha256] {
        promises::the_cluster_says_who_it_is(connect(&ground().named(mechanism, USER)).as_ref()).await;
    }
}

/// A question about commits needs a token of its own client, which is asked for without polling.
#[tokio::test(flavor = "multi_thread")]
async fn a_reader_of_commits_gets_its_token_in_time() {
    let cluster = connect(&ground().token());
    let name = promises::topic(cluster.as_ref(), 1, &[]).await;
    let asked = async {
        loop {
            match cluster.committed("nobody", &name).await {
                // Why: a broker that makes its first group has no coordinator for a moment, and says so.
                Err(error) if error.is_passing() && error.to_string().contains("oordinator") => {}
                answer => break answer,
            }
        }
    };
    assert_eq!(tokio::time::timeout(Duration::from_mins(1), asked).await.expect("an answer").unwrap(), []);
}

/// A broker ends connections whose token has expired, so a client has to come with the next one in time.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_expires_is_followed_by_another() {
    let mut settings = ground().token();
    settings.sasl.as_mut().unwrap().token.as_mut().unwrap().client = SHORT.to_owned();
    let cluster = connect(&settings);
    cluster.cluster().await.unwrap();
    let first = std::time::Instant::now();
    // Longer than the token lives, by far.
    while first.elapsed() < Duration::from_secs(30) {
        cluster.cluster().await.unwrap();
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}
