//! librdkafka's admin calls that its safe wrapper does not have, or has only in a form that wipes settings. The one file with
//! `unsafe`: everything that leaves it is owned Rust data. Every call blocks until the broker answered or the time is up, so it
//! belongs on a thread that may block. It knows nothing of ports.
//!
//! Two rules hold throughout. A handle that librdkafka gives us lives in an [`Owned`] guard, so it is freed on every path. An error
//! code is read as a plain number, never as the generated enum: a newer broker may send a number that the enum does not have.
#![expect(unsafe_code, reason = "librdkafka's admin API is C; this file is the only door to it")]

use std::collections::BTreeMap;
use std::ffi::{CStr, CString, c_char, c_int};
use std::ptr::{self, NonNull};
use std::time::{Duration, Instant};

use rdkafka::bindings as sys;
use rdkafka::client::NativeClient;
use sys::rd_kafka_admin_op_t as Operation;

/// The declarations whose generated form returns an error code as an enum; here they return the number that C returns.
mod number {
    use super::{c_int, sys};

    unsafe extern "C" {
        pub fn rd_kafka_event_error(event: *mut sys::rd_kafka_event_t) -> c_int;
        pub fn rd_kafka_error_code(error: *const sys::rd_kafka_error_t) -> c_int;
        pub fn rd_kafka_topic_result_error(result: *const sys::rd_kafka_topic_result_t) -> c_int;
        pub fn rd_kafka_ConfigResource_error(resource: *const sys::rd_kafka_ConfigResource_t) -> c_int;
    }
}

/// How much longer than the request itself we wait for its event, so that librdkafka's own, better worded timeout comes first.
const GRACE: Duration = Duration::from_secs(2);

/// How often we look whether waiting still makes sense.
const SLICE: Duration = Duration::from_millis(100);

/// librdkafka's own code for "timed out".
pub(super) const TIMED_OUT: i32 = -185;
/// librdkafka's own code for "invalid argument".
pub(super) const INVALID_ARGUMENT: i32 = -186;

/// What went wrong, in librdkafka's numbers and words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct AdminError {
    /// `rd_kafka_resp_err_t`; negative ones are librdkafka's own, positive ones are the broker's.
    pub code: i32,
    /// The broker's text where it sent one, else librdkafka's.
    pub text: String,
}

type Answer<T> = Result<T, AdminError>;

/// A client together with how long, and how hopefully, to wait for its answers.
#[derive(Clone, Copy)]
pub(super) struct Line<'a> {
    pub client: &'a NativeClient,
    /// How long we wait.
    pub patience: Duration,
    /// How long librdkafka waits. Longer than `patience` where its own giving up is dangerous, see [`describe_group`].
    pub limit: Duration,
    /// Whether the connection has failed in a way that waiting does not mend, such as a wrong password.
    pub hopeless: &'a dyn Fn() -> bool,
}

/// A topic as `DescribeTopics` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TopicDescription {
    /// The topic id in the alphabet that Kafka's own tools print; `None` from brokers that have no ids.
    pub id: Option<String>,
    /// Whether the broker calls it internal.
    pub internal: bool,
    /// In the order of the answer.
    pub partitions: Vec<PartitionDescription>,
}

/// A partition as `DescribeTopics` shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PartitionDescription {
    pub number: i32,
    pub has_leader: bool,
    pub replicas: usize,
}

/// One setting of a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ConfigEntry {
    pub name: String,
    pub value: Option<String>,
    /// Whether the value was set on the topic itself.
    pub of_topic: bool,
}

/// Which end of a partition is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Log start.
    Earliest,
    /// High watermark.
    HighWatermark,
    /// Last stable offset: where a reader of committed records stops.
    LastStable,
}

/// The cluster as `DescribeCluster` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ClusterDescription {
    pub id: Option<String>,
    pub brokers: Vec<String>,
}

/// A consumer group as its coordinator describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct GroupDescription {
    pub state: String,
    pub members: usize,
    /// Topics of which a member is assigned a partition, sorted.
    pub topics: Vec<String>,
}

/// A handle of librdkafka's that we have to free.
struct Owned<T> {
    pointer: NonNull<T>,
    free: unsafe extern "C" fn(*mut T),
}

impl<T> Owned<T> {
    /// Takes over a handle that librdkafka just made; `what` names it if there was none.
    fn new(pointer: *mut T, free: unsafe extern "C" fn(*mut T), what: &str) -> Answer<Self> {
        match NonNull::new(pointer) {
            Some(pointer) => Ok(Self { pointer, free }),
            None => Err(invalid(format!("librdkafka gave no {what}"))),
        }
    }

    fn raw(&self) -> *mut T {
        self.pointer.as_ptr()
    }
}

impl<T> Drop for Owned<T> {
    fn drop(&mut self) {
        // SAFETY: the pointer came from the constructor that belongs to `free`, is freed only here, and nobody keeps a copy.
        unsafe { (self.free)(self.pointer.as_ptr()) }
    }
}

type Event = Owned<sys::rd_kafka_event_t>;
type Options = Owned<sys::rd_kafka_AdminOptions_t>;
type PartitionList = Owned<sys::rd_kafka_topic_partition_list_t>;

/// Room for the message that some constructors write.
struct ErrorText([c_char; 256]);

impl ErrorText {
    fn new() -> Self {
        Self([0; 256])
    }

    fn read(&self) -> String {
        // SAFETY: the array is zero-filled and librdkafka terminates what it writes into the length that it was given.
        unsafe { text(self.0.as_ptr()) }
    }
}

fn invalid(text: impl Into<String>) -> AdminError {
    AdminError { code: INVALID_ARGUMENT, text: text.into() }
}

fn c_string(value: &str) -> Answer<CString> {
    CString::new(value).map_err(|_| invalid(format!("`{}` has a zero byte in it", value.escape_debug())))
}

fn milliseconds(duration: Duration) -> c_int {
    c_int::try_from(duration.as_millis()).unwrap_or(c_int::MAX)
}

/// Copies a C string; nothing when there is none.
///
/// # Safety
/// `pointer` is null or points at a terminated string that lives during the call.
unsafe fn text(pointer: *const c_char) -> String {
    if pointer.is_null() {
        return String::new();
    }
    // SAFETY: not null, and the caller vouches for the rest.
    unsafe { CStr::from_ptr(pointer) }.to_string_lossy().into_owned()
}

/// Views a C array of pointers.
///
/// # Safety
/// `items` is null or points at `count` pointers that live as long as `'a`.
unsafe fn items<'a, T>(items: *mut *const T, count: usize) -> &'a [*const T] {
    if items.is_null() || count == 0 {
        return &[];
    }
    // SAFETY: not null, and the caller vouches for length and lifetime.
    unsafe { std::slice::from_raw_parts(items, count) }
}

/// Turns an error object into ours; an absent one is no error.
///
/// # Safety
/// `error` is null or a live error object.
unsafe fn error_object(error: *const sys::rd_kafka_error_t) -> Answer<()> {
    if error.is_null() {
        return Ok(());
    }
    // SAFETY: not null and live.
    let (code, text) = unsafe { (number::rd_kafka_error_code(error), text(sys::rd_kafka_error_string(error))) };
    if code == 0 { Ok(()) } else { Err(AdminError { code, text }) }
}

/// Takes over an error object that a setter returned.
fn setter(error: *mut sys::rd_kafka_error_t) -> Answer<()> {
    if error.is_null() {
        return Ok(());
    }
    let error = Owned::new(error, sys::rd_kafka_error_destroy, "error")?;
    // SAFETY: live until `error` is dropped at the end of this function.
    unsafe { error_object(error.raw()) }
}

/// Sends one admin request and waits for its event.
fn ask(
    line: Line<'_>,
    operation: Operation,
    send: impl FnOnce(*mut sys::rd_kafka_t, &Options, *mut sys::rd_kafka_queue_t) -> Answer<()>,
) -> Answer<Event> {
    // SAFETY: the client is alive for as long as its reference.
    let queue = Owned::new(unsafe { sys::rd_kafka_queue_new(line.client.ptr()) }, sys::rd_kafka_queue_destroy, "queue")?;
    // SAFETY: as above.
    let options = unsafe { sys::rd_kafka_AdminOptions_new(line.client.ptr(), operation) };
    let options = Owned::new(options, sys::rd_kafka_AdminOptions_destroy, "options")?;
    let mut told = ErrorText::new();
    // SAFETY: live options, and a buffer with its true length.
    unsafe {
        sys::rd_kafka_AdminOptions_set_request_timeout(options.raw(), milliseconds(line.limit), told.0.as_mut_ptr(), told.0.len());
    }
    send(line.client.ptr(), &options, queue.raw())?;
    let end = Instant::now() + if line.limit > line.patience { line.patience } else { line.patience + GRACE };
    let event = loop {
        // SAFETY: a live queue that only this thread serves; the event is ours to destroy.
        let event = unsafe { sys::rd_kafka_queue_poll(queue.raw(), milliseconds(SLICE)) };
        if !event.is_null() {
            break Owned::new(event, sys::rd_kafka_event_destroy, "event")?;
        }
        if Instant::now() >= end || (line.hopeless)() {
            return Err(AdminError { code: TIMED_OUT, text: "no answer in time".to_owned() });
        }
    };
    // SAFETY: a live event.
    let (code, text) = unsafe { (number::rd_kafka_event_error(event.raw()), text(sys::rd_kafka_event_error_string(event.raw()))) };
    if code == 0 { Ok(event) } else { Err(AdminError { code, text }) }
}

/// Asks who the cluster is.
pub(super) fn describe_cluster(line: Line<'_>) -> Answer<ClusterDescription> {
    let event = ask(line, Operation::RD_KAFKA_ADMIN_OP_DESCRIBECLUSTER, |handle, options, queue| {
        // SAFETY: three live handles.
        unsafe { sys::rd_kafka_DescribeCluster(handle, options.raw(), queue) };
        Ok(())
    })?;
    // SAFETY: the result and all it points at live as long as the event, which outlives this block.
    unsafe {
        let result = sys::rd_kafka_event_DescribeCluster_result(event.raw());
        if result.is_null() {
            return Err(invalid("the answer is not about the cluster"));
        }
        let id = sys::rd_kafka_DescribeCluster_result_cluster_id(result);
        let mut count = 0;
        let nodes = sys::rd_kafka_DescribeCluster_result_nodes(result, &raw mut count);
        let brokers = items(nodes, count)
            .iter()
            .map(|node| format!("{}:{}", text(sys::rd_kafka_Node_host(*node)), sys::rd_kafka_Node_port(*node)))
            .collect();
        Ok(ClusterDescription { id: if id.is_null() { None } else { Some(text(id)) }, brokers })
    }
}

/// Describes topics, in the order of the names that the broker answers in. Never creates one.
pub(super) fn describe_topics(line: Line<'_>, names: &[&str]) -> Answer<Vec<(String, Answer<TopicDescription>)>> {
    let names = names.iter().map(|name| c_string(name)).collect::<Answer<Vec<_>>>()?;
    let mut pointers = names.iter().map(|name| name.as_ptr()).collect::<Vec<_>>();
    // SAFETY: the array and its strings live during the call, which copies them.
    let collection = unsafe { sys::rd_kafka_TopicCollection_of_topic_names(pointers.as_mut_ptr(), pointers.len()) };
    let collection = Owned::new(collection, sys::rd_kafka_TopicCollection_destroy, "list of topics")?;
    let event = ask(line, Operation::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS, |handle, options, queue| {
        // SAFETY: four live handles; librdkafka copies the collection.
        unsafe { sys::rd_kafka_DescribeTopics(handle, collection.raw(), options.raw(), queue) };
        Ok(())
    })?;
    // SAFETY: the result and all it points at live as long as the event.
    unsafe {
        let result = sys::rd_kafka_event_DescribeTopics_result(event.raw());
        if result.is_null() {
            return Err(invalid("the answer is not about topics"));
        }
        let mut count = 0;
        let topics = sys::rd_kafka_DescribeTopics_result_topics(result, &raw mut count);
        Ok(items(topics, count)
            .iter()
            .map(|topic| {
                let name = text(sys::rd_kafka_TopicDescription_name(*topic));
                let error = error_object(sys::rd_kafka_TopicDescription_error(*topic));
                (name, error.map(|()| topic_description(*topic)))
            })
            .collect())
    }
}

/// # Safety
/// `topic` is a live description without an error.
unsafe fn topic_description(topic: *const sys::rd_kafka_TopicDescription_t) -> TopicDescription {
    // SAFETY: live, and everything that it points at lives with it. A node that the metadata does not know comes as null.
    unsafe {
        let mut count = 0;
        let partitions = sys::rd_kafka_TopicDescription_partitions(topic, &raw mut count);
        let partitions = items(partitions, count)
            .iter()
            .map(|partition| {
                let leader = sys::rd_kafka_TopicPartitionInfo_leader(*partition);
                let mut replicas = 0;
                sys::rd_kafka_TopicPartitionInfo_replicas(*partition, &raw mut replicas);
                PartitionDescription {
                    number: sys::rd_kafka_TopicPartitionInfo_partition(*partition),
                    has_leader: !leader.is_null() && sys::rd_kafka_Node_id(leader) >= 0,
                    replicas,
                }
            })
            .collect();
        let id = sys::rd_kafka_TopicDescription_topic_id(topic);
        let known =
            !id.is_null() && (sys::rd_kafka_Uuid_most_significant_bits(id), sys::rd_kafka_Uuid_least_significant_bits(id)) != (0, 0);
        TopicDescription {
            // Why: Kafka's tools print ids in the alphabet that is safe in addresses, librdkafka in the other one.
            id: known.then(|| text(sys::rd_kafka_Uuid_base64str(id)).replace('+', "-").replace('/', "_")),
            internal: sys::rd_kafka_TopicDescription_is_internal(topic) != 0,
            partitions,
        }
    }
}

fn topic_resource(topic: &CStr) -> Answer<Owned<sys::rd_kafka_ConfigResource_t>> {
    // SAFETY: the name lives during the call, which copies it.
    let resource = unsafe { sys::rd_kafka_ConfigResource_new(sys::rd_kafka_ResourceType_t::RD_KAFKA_RESOURCE_TOPIC, topic.as_ptr()) };
    Owned::new(resource, sys::rd_kafka_ConfigResource_destroy, "resource")
}

/// The error that a resource of an answer carries.
///
/// # Safety
/// `resource` is live.
unsafe fn resource_error(resource: *const sys::rd_kafka_ConfigResource_t) -> Answer<()> {
    // SAFETY: live.
    let code = unsafe { number::rd_kafka_ConfigResource_error(resource) };
    if code == 0 {
        return Ok(());
    }
    // SAFETY: live.
    Err(AdminError { code, text: unsafe { text(sys::rd_kafka_ConfigResource_error_string(resource)) } })
}

/// All settings of a topic, those of the broker among them.
pub(super) fn describe_topic_config(line: Line<'_>, topic: &str) -> Answer<Vec<ConfigEntry>> {
    let name = c_string(topic)?;
    let resource = topic_resource(&name)?;
    let event = ask(line, Operation::RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS, |handle, options, queue| {
        let mut resources = [resource.raw()];
        // SAFETY: live handles and an array of one; librdkafka copies the resource.
        unsafe { sys::rd_kafka_DescribeConfigs(handle, resources.as_mut_ptr(), resources.len(), options.raw(), queue) };
        Ok(())
    })?;
    // SAFETY: the result and all it points at live as long as the event.
    unsafe {
        let result = sys::rd_kafka_event_DescribeConfigs_result(event.raw());
        if result.is_null() {
            return Err(invalid("the answer is not about settings"));
        }
        let mut count = 0;
        let resources = sys::rd_kafka_DescribeConfigs_result_resources(result, &raw mut count);
        let Some(resource) = items(resources, count).first() else { return Ok(Vec::new()) };
        resource_error(*resource)?;
        let mut count = 0;
        let entries = sys::rd_kafka_ConfigResource_configs(*resource, &raw mut count);
        Ok(items(entries, count)
            .iter()
            .map(|entry| {
                let value = sys::rd_kafka_ConfigEntry_value(*entry);
                let source = sys::rd_kafka_ConfigEntry_source(*entry);
                ConfigEntry {
                    name: text(sys::rd_kafka_ConfigEntry_name(*entry)),
                    value: if value.is_null() { None } else { Some(text(value)) },
                    of_topic: source == sys::rd_kafka_ConfigSource_t::RD_KAFKA_CONFIG_SOURCE_DYNAMIC_TOPIC_CONFIG,
                }
            })
            .collect())
    }
}

/// Sets and unsets single settings of a topic and leaves the others alone.
pub(super) fn alter_topic_config(line: Line<'_>, topic: &str, set: &BTreeMap<String, String>, unset: &[String]) -> Answer<()> {
    use sys::rd_kafka_AlterConfigOpType_t::{RD_KAFKA_ALTER_CONFIG_OP_TYPE_DELETE as DELETE, RD_KAFKA_ALTER_CONFIG_OP_TYPE_SET as SET};
    let name = c_string(topic)?;
    let resource = topic_resource(&name)?;
    for (key, value) in set {
        let (key, value) = (c_string(key)?, c_string(value)?);
        // SAFETY: a live resource and strings that live during the call, which copies them.
        setter(unsafe { sys::rd_kafka_ConfigResource_add_incremental_config(resource.raw(), key.as_ptr(), SET, value.as_ptr()) })?;
    }
    for key in unset {
        let key = c_string(key)?;
        // SAFETY: as above; a deletion has no value.
        setter(unsafe { sys::rd_kafka_ConfigResource_add_incremental_config(resource.raw(), key.as_ptr(), DELETE, ptr::null()) })?;
    }
    let event = ask(line, Operation::RD_KAFKA_ADMIN_OP_INCREMENTALALTERCONFIGS, |handle, options, queue| {
        let mut resources = [resource.raw()];
        // SAFETY: live handles and an array of one; librdkafka copies the resource.
        unsafe { sys::rd_kafka_IncrementalAlterConfigs(handle, resources.as_mut_ptr(), resources.len(), options.raw(), queue) };
        Ok(())
    })?;
    // SAFETY: the result and all it points at live as long as the event.
    unsafe {
        let result = sys::rd_kafka_event_IncrementalAlterConfigs_result(event.raw());
        if result.is_null() {
            return Err(invalid("the answer is not about changed settings"));
        }
        let mut count = 0;
        let resources = sys::rd_kafka_IncrementalAlterConfigs_result_resources(result, &raw mut count);
        items(resources, count).iter().try_for_each(|resource| resource_error(*resource))
    }
}

/// Reads the outcomes that create, grow and delete answer with.
///
/// # Safety
/// `results` is null or points at `count` live results.
unsafe fn topic_results(results: *mut *const sys::rd_kafka_topic_result_t, count: usize) -> Answer<()> {
    // SAFETY: the caller vouches for the array and what is in it.
    unsafe {
        items(results, count).iter().try_for_each(|result| match number::rd_kafka_topic_result_error(*result) {
            0 => Ok(()),
            code => Err(AdminError { code, text: text(sys::rd_kafka_topic_result_error_string(*result)) }),
        })
    }
}

/// Asks for a new topic. `replication` -1 leaves it to the broker.
pub(super) fn create_topic(
    line: Line<'_>,
    topic: &str,
    partitions: i32,
    replication: i32,
    configs: &BTreeMap<String, String>,
) -> Answer<()> {
    let name = c_string(topic)?;
    let mut told = ErrorText::new();
    // SAFETY: the name lives during the call, which copies it; the buffer comes with its true length.
    let new = unsafe { sys::rd_kafka_NewTopic_new(name.as_ptr(), partitions, replication, told.0.as_mut_ptr(), told.0.len()) };
    let new = Owned::new(new, sys::rd_kafka_NewTopic_destroy, "new topic").map_err(|_| invalid(told.read()))?;
    for (key, value) in configs {
        let (key, value) = (c_string(key)?, c_string(value)?);
        // SAFETY: a live new topic and strings that live during the call, which copies them.
        unsafe { sys::rd_kafka_NewTopic_set_config(new.raw(), key.as_ptr(), value.as_ptr()) };
    }
    let event = ask(line, Operation::RD_KAFKA_ADMIN_OP_CREATETOPICS, |handle, options, queue| {
        let mut topics = [new.raw()];
        // SAFETY: live handles and an array of one; librdkafka copies the new topic.
        unsafe { sys::rd_kafka_CreateTopics(handle, topics.as_mut_ptr(), topics.len(), options.raw(), queue) };
        Ok(())
    })?;
    // SAFETY: the result lives as long as the event.
    unsafe {
        let result = sys::rd_kafka_event_CreateTopics_result(event.raw());
        if result.is_null() {
            return Err(invalid("the answer is not about a new topic"));
        }
        let mut count = 0;
        let results = sys::rd_kafka_CreateTopics_result_topics(result, &raw mut count);
        topic_results(results, count)
    }
}

/// Asks for `total` partitions.
pub(super) fn grow_topic(line: Line<'_>, topic: &str, total: u32) -> Answer<()> {
    let name = c_string(topic)?;
    let total = usize::try_from(total).unwrap_or(usize::MAX);
    let mut told = ErrorText::new();
    // SAFETY: the name lives during the call, which copies it; the buffer comes with its true length.
    let more = unsafe { sys::rd_kafka_NewPartitions_new(name.as_ptr(), total, told.0.as_mut_ptr(), told.0.len()) };
    let more = Owned::new(more, sys::rd_kafka_NewPartitions_destroy, "new partitions").map_err(|_| invalid(told.read()))?;
    let event = ask(line, Operation::RD_KAFKA_ADMIN_OP_CREATEPARTITIONS, |handle, options, queue| {
        let mut topics = [more.raw()];
        // SAFETY: live handles and an array of one; librdkafka copies the request.
        unsafe { sys::rd_kafka_CreatePartitions(handle, topics.as_mut_ptr(), topics.len(), options.raw(), queue) };
        Ok(())
    })?;
    // SAFETY: the result lives as long as the event.
    unsafe {
        let result = sys::rd_kafka_event_CreatePartitions_result(event.raw());
        if result.is_null() {
            return Err(invalid("the answer is not about partitions"));
        }
        let mut count = 0;
        let results = sys::rd_kafka_CreatePartitions_result_topics(result, &raw mut count);
        topic_results(results, count)
    }
}

/// Asks for the end of a topic.
pub(super) fn delete_topic(line: Line<'_>, topic: &str) -> Answer<()> {
    let name = c_string(topic)?;
    // SAFETY: the name lives during the call, which copies it.
    let gone = Owned::new(unsafe { sys::rd_kafka_DeleteTopic_new(name.as_ptr()) }, sys::rd_kafka_DeleteTopic_destroy, "deletion")?;
    let event = ask(line, Operation::RD_KAFKA_ADMIN_OP_DELETETOPICS, |handle, options, queue| {
        let mut topics = [gone.raw()];
        // SAFETY: live handles and an array of one; librdkafka copies the request.
        unsafe { sys::rd_kafka_DeleteTopics(handle, topics.as_mut_ptr(), topics.len(), options.raw(), queue) };
        Ok(())
    })?;
    // SAFETY: the result lives as long as the event.
    unsafe {
        let result = sys::rd_kafka_event_DeleteTopics_result(event.raw());
        if result.is_null() {
            return Err(invalid("the answer is not about a deletion"));
        }
        let mut count = 0;
        let results = sys::rd_kafka_DeleteTopics_result_topics(result, &raw mut count);
        topic_results(results, count)
    }
}

/// # Safety
/// `partition` is live.
unsafe fn partition_offset(partition: *const sys::rd_kafka_topic_partition_t) -> (String, i32, Answer<i64>) {
    // SAFETY: live; the code is read through its address so that no enum value is ever made of it.
    unsafe {
        let code = (&raw const (*partition).err).cast::<c_int>().read();
        let offset = if code == 0 { Ok((*partition).offset) } else { Err(AdminError { code, text: String::new() }) };
        (text((*partition).topic), (*partition).partition, offset)
    }
}

/// One end of each of these partitions.
pub(super) fn list_offsets(line: Line<'_>, topic: &str, partitions: &[i32], end: End) -> Answer<Vec<(i32, i64)>> {
    use sys::rd_kafka_IsolationLevel_t as Isolation;
    use sys::rd_kafka_OffsetSpec_t as Spec;
    let name = c_string(topic)?;
    let count = c_int::try_from(partitions.len()).unwrap_or(c_int::MAX);
    let (spec, isolation) = match end {
        End::Earliest => (Spec::RD_KAFKA_OFFSET_SPEC_EARLIEST, Isolation::RD_KAFKA_ISOLATION_LEVEL_READ_UNCOMMITTED),
        End::HighWatermark => (Spec::RD_KAFKA_OFFSET_SPEC_LATEST, Isolation::RD_KAFKA_ISOLATION_LEVEL_READ_UNCOMMITTED),
        End::LastStable => (Spec::RD_KAFKA_OFFSET_SPEC_LATEST, Isolation::RD_KAFKA_ISOLATION_LEVEL_READ_COMMITTED),
    };
    // SAFETY: a plain constructor.
    let list = unsafe { sys::rd_kafka_topic_partition_list_new(count) };
    let list: PartitionList = Owned::new(list, sys::rd_kafka_topic_partition_list_destroy, "list of partitions")?;
    for partition in partitions {
        // SAFETY: a live list and a name that the call copies; the element lives until the list grows, and we write before that.
        unsafe { (*sys::rd_kafka_topic_partition_list_add(list.raw(), name.as_ptr(), *partition)).offset = spec as i64 };
    }
    let event = ask(line, Operation::RD_KAFKA_ADMIN_OP_LISTOFFSETS, |handle, options, queue| {
        // SAFETY: live options; the error object is ours.
        setter(unsafe { sys::rd_kafka_AdminOptions_set_isolation_level(options.raw(), isolation) })?;
        // SAFETY: live handles; librdkafka copies the list.
        unsafe { sys::rd_kafka_ListOffsets(handle, list.raw(), options.raw(), queue) };
        Ok(())
    })?;
    // SAFETY: the result and all it points at live as long as the event.
    unsafe {
        let result = sys::rd_kafka_event_ListOffsets_result(event.raw());
        if result.is_null() {
            return Err(invalid("the answer is not about offsets"));
        }
        let mut count = 0;
        let infos = sys::rd_kafka_ListOffsets_result_infos(result, &raw mut count);
        items(infos, count)
            .iter()
            .map(|info| {
                let (_, partition, offset) = partition_offset(sys::rd_kafka_ListOffsetsResultInfo_topic_partition(*info));
                offset.map(|offset| (partition, offset))
            })
            .collect()
    }
}

/// Asks the coordinator about one group and reads its description; `None` when there is none in the answer.
///
/// librdkafka 2.12 ends the whole process when a request to a coordinator ran out of its own time while the coordinator was away and
/// the coordinator then comes back. So the line's `limit` must be far beyond its `patience`, and after an answer that did not come the
/// client must be ended well before the limit.
fn described<T>(
    line: Line<'_>,
    group: &str,
    with_operations: bool,
    read: impl FnOnce(*const sys::rd_kafka_ConsumerGroupDescription_t) -> T,
) -> Answer<Option<T>> {
    let name = c_string(group)?;
    let event = ask(line, Operation::RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS, |handle, options, queue| {
        if with_operations {
            // SAFETY: live options; the error object is ours.
            setter(unsafe { sys::rd_kafka_AdminOptions_set_include_authorized_operations(options.raw(), 1) })?;
        }
        let mut groups = [name.as_ptr()];
        // SAFETY: live handles and an array of one string that librdkafka copies.
        unsafe { sys::rd_kafka_DescribeConsumerGroups(handle, groups.as_mut_ptr(), groups.len(), options.raw(), queue) };
        Ok(())
    })?;
    // SAFETY: the result and all it points at live as long as the event, and so while `read` runs.
    unsafe {
        let result = sys::rd_kafka_event_DescribeConsumerGroups_result(event.raw());
        if result.is_null() {
            return Err(invalid("the answer is not about a group"));
        }
        let mut count = 0;
        let groups = sys::rd_kafka_DescribeConsumerGroups_result_groups(result, &raw mut count);
        let Some(group) = items(groups, count).first() else { return Ok(None) };
        error_object(sys::rd_kafka_ConsumerGroupDescription_error(*group))?;
        Ok(Some(read(*group)))
    }
}

/// What the coordinator knows of one group. Waits like [`described`].
pub(super) fn describe_group(line: Line<'_>, group: &str) -> Answer<Option<GroupDescription>> {
    described(line, group, false, |group| {
        // SAFETY: the description is live, and so are its members.
        unsafe {
            let members = sys::rd_kafka_ConsumerGroupDescription_member_count(group);
            let mut topics = Vec::new();
            for index in 0..members {
                assigned_topics(sys::rd_kafka_ConsumerGroupDescription_member(group, index), &mut topics);
            }
            topics.sort();
            topics.dedup();
            let state = text(sys::rd_kafka_consumer_group_state_name(sys::rd_kafka_ConsumerGroupDescription_state(group)));
            GroupDescription { state, members, topics }
        }
    })
}

/// The operations on a group that the coordinator allows us, as bits with Kafka's own numbers; 0 when it does not say. Waits like
/// [`described`].
pub(super) fn group_operations(line: Line<'_>, group: &str) -> Answer<u32> {
    let bits = described(line, group, true, |group| {
        // SAFETY: the description is live. The operations are read as the plain numbers that C writes, so that no enum value is ever made
        // of one that a newer broker sends.
        unsafe {
            let mut count = 0;
            let operations = sys::rd_kafka_ConsumerGroupDescription_authorized_operations(group, &raw mut count).cast::<c_int>();
            if operations.is_null() {
                return 0;
            }
            let bit = |index| u32::try_from(operations.add(index).read()).ok().and_then(|number| 1_u32.checked_shl(number)).unwrap_or(0);
            (0..count).map(bit).fold(0, |bits, bit| bits | bit)
        }
    })?;
    Ok(bits.unwrap_or_default())
}

/// # Safety
/// `member` is null or live.
unsafe fn assigned_topics(member: *const sys::rd_kafka_MemberDescription_t, topics: &mut Vec<String>) {
    // SAFETY: live where not null; the list belongs to the member, and its elements lie one behind the other.
    unsafe {
        if member.is_null() {
            return;
        }
        let assignment = sys::rd_kafka_MemberDescription_assignment(member);
        let list = if assignment.is_null() { ptr::null() } else { sys::rd_kafka_MemberAssignment_partitions(assignment) };
        if list.is_null() || (*list).elems.is_null() {
            return;
        }
        for index in 0..usize::try_from((*list).cnt).unwrap_or_default() {
            topics.push(text((*(*list).elems.add(index)).topic));
        }
    }
}

/// Names of all groups that the brokers know.
pub(super) fn list_groups(line: Line<'_>) -> Answer<Vec<String>> {
    let event = ask(line, Operation::RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPS, |handle, options, queue| {
        // SAFETY: three live handles.
        unsafe { sys::rd_kafka_ListConsumerGroups(handle, options.raw(), queue) };
        Ok(())
    })?;
    // SAFETY: the result and all it points at live as long as the event.
    unsafe {
        let result = sys::rd_kafka_event_ListConsumerGroups_result(event.raw());
        if result.is_null() {
            return Err(invalid("the answer is not about groups"));
        }
        let mut count = 0;
        let errors = sys::rd_kafka_ListConsumerGroups_result_errors(result, &raw mut count);
        items(errors, count).iter().try_for_each(|error| error_object(*error))?;
        let mut count = 0;
        let groups = sys::rd_kafka_ListConsumerGroups_result_valid(result, &raw mut count);
        Ok(items(groups, count).iter().map(|group| text(sys::rd_kafka_ConsumerGroupListing_group_id(*group))).collect())
    }
}
