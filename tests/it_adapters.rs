//! The ports' promises on the world in memory and on real servers, and what only a real server can show.

mod adapters;
mod conformance;
mod support;

/// One test per promise, on memory and on the real thing.
macro_rules! promises {
    ($port:ident, $memory:expr, $real:expr, [$($promise:ident),* $(,)?]) => {
        mod $port {
            mod memory {
                $(#[tokio::test] async fn $promise() { crate::conformance::$port::$promise(&$memory).await; })*
            }
            mod real {
                $(#[tokio::test] async fn $promise() { crate::conformance::$port::$promise($real.as_ref()).await; })*
            }
        }
    };
}

promises!(
    kafka,
    cutover::sim::SimKafka::new("main"),
    crate::adapters::kafka(),
    [
        the_cluster_says_who_it_is,
        a_topic_is_made_shown_and_deleted,
        a_topic_that_is_made_again_is_another_one,
        what_a_broker_refuses_is_invalid,
        one_setting_changes_and_the_others_stay,
        partitions_grow_and_never_shrink,
        records_lie_in_the_order_in_which_they_were_sent,
        a_key_has_the_partition_that_java_clients_give_it,
        every_byte_comes_back,
        a_compacted_topic_takes_no_record_without_a_key,
        ranges_are_read_exactly,
        a_group_reads_on_from_what_it_committed,
        a_group_that_waits_in_vain_keeps_what_it_got,
        groups_on_a_topic_are_found_by_their_commits,
        a_topic_without_transactions_is_stable_to_its_end,
    ]
);

promises!(
    database,
    cutover::sim::SimDatabase::new("main"),
    crate::adapters::database::database(),
    [
        a_table_is_shown_with_its_columns_and_key,
        rows_come_in_the_order_of_the_key_and_go_on_behind_it,
        rows_are_found_by_their_keys_as_they_are_now,
        rows_are_counted_by_what_they_hold,
        a_key_may_have_several_columns,
        what_is_not_there_or_has_no_key_is_invalid,
        a_query_gives_rows_by_binds_and_not_more_than_asked_for,
        what_a_query_names_may_not_be_there_yet,
        what_is_no_query_is_invalid_and_changes_nothing,
    ]
);

promises!(
    registry,
    cutover::sim::SimRegistry::new("main"),
    crate::adapters::registry(),
    [
        it_answers_and_has_a_default_level,
        an_unknown_subject_is_none_everywhere,
        a_schema_is_registered_once_and_found_again,
        an_incompatible_schema_is_invalid_and_changes_nothing,
        what_is_no_schema_is_invalid,
        a_level_of_its_own_is_set_counts_and_is_taken_back,
        a_deleted_version_is_gone_and_its_number_is_not_used_again,
        subjects_may_have_odd_names,
        avro_is_told_from_json,
    ]
);

promises!(
    metrics,
    cutover::sim::SimMetrics::new("main", std::sync::Arc::default()),
    crate::adapters::metrics::prometheus(),
    [it_answers, a_number_is_a_series_without_labels, what_nobody_ever_counted_is_empty, what_is_no_expression_is_invalid,]
);

promises!(
    flags,
    cutover::sim::SimFlags::new("main"),
    crate::adapters::BuiltIn::new().await.flags,
    [
        a_change_makes_a_revision_and_is_seen,
        the_same_key_changes_once,
        a_change_on_something_else_than_was_seen_is_a_conflict,
        targeting_that_cannot_be_evaluated_is_invalid,
        a_flag_goes_and_comes_back_as_it_was,
        an_acknowledgement_is_written_down_once,
    ]
);

/// Promises about reports, which arrive by another door than the port.
macro_rules! reports {
    ([$($promise:ident),* $(,)?]) => {
        mod reports {
            mod memory {
                $(#[tokio::test] async fn $promise() {
                    let flags = cutover::sim::SimFlags::new("main");
                    crate::conformance::flags::$promise(&flags, async |heartbeat| flags.report(heartbeat)).await;
                })*
            }
            mod real {
                $(#[tokio::test] async fn $promise() {
                    let built_in = crate::adapters::BuiltIn::new().await;
                    crate::conformance::flags::$promise(built_in.flags.as_ref(), async |heartbeat| built_in.report(heartbeat).await).await;
                })*
            }
        }
    };
}

reports!([the_last_report_of_an_instance_counts, a_report_that_is_late_takes_nothing_back]);
/// On real processes these promises are kept in `it_supervisor`.
mod workloads {
    use cutover::sim::SimWorkloads;

    use crate::conformance::workloads;

    #[tokio::test]
    async fn what_is_asked_for_comes_to_run() {
        workloads::what_is_asked_for_comes_to_run(&SimWorkloads::new("main"), "hiring").await;
    }

    #[tokio::test]
    async fn the_same_key_changes_once() {
        workloads::the_same_key_changes_once(&SimWorkloads::new("main"), "hiring").await;
    }

    #[tokio::test]
    async fn a_change_on_something_else_than_was_seen_is_a_conflict() {
        workloads::a_change_on_something_else_than_was_seen_is_a_conflict(&SimWorkloads::new("main"), "hiring").await;
    }
}

mod http {
    use std::sync::Arc;

    use cutover::ports::workloads::{Desired, DesiredChange, Workloads};
    use cutover::sim::{SimHttp, SimWorkloads};

    use crate::conformance::http;

    #[tokio::test]
    async fn a_service_answers_while_it_runs() {
        let workloads = Arc::new(SimWorkloads::new("main"));
        let service = SimHttp::new("hiring", Arc::clone(&workloads));
        http::no_answer_is_unreachable(&service).await;
        let after = Desired { release: "1.4".to_owned(), instances: 1 };
        let change = DesiredChange { key: "k".to_owned(), service: "hiring".to_owned(), before: None, after };
        workloads.change(&change).await.unwrap();
        http::every_answer_is_fine(&service, "1.4").await;
    }
}

#[tokio::test]
async fn records_that_are_gone_are_missed_in_memory() {
    let kafka = cutover::sim::SimKafka::new("main");
    crate::conformance::kafka::records_that_are_gone_are_missed(&kafka, async |topic, at| kafka.truncate(topic, at)).await;
}

#[tokio::test]
async fn records_that_are_gone_are_missed_on_the_real_thing() {
    crate::conformance::kafka::records_that_are_gone_are_missed(adapters::kafka().as_ref(), adapters::truncate).await;
}
