//! Rules that keep a principal from writing to a topic. Only rules that are exactly ours are looked for, added and removed.

use kafka_protocol::messages::create_acls_request::AclCreation;
use kafka_protocol::messages::delete_acls_request::DeleteAclsFilter;
use kafka_protocol::messages::{CreateAclsRequest, DeleteAclsRequest, DescribeAclsRequest};
use kafka_protocol::protocol::StrBytes;

use super::call::{call, fine};
use super::{Direct, Line, Said};
use crate::ports::kafka::WriteFence;

const VERSION: i16 = 2;
const TOPIC: i8 = 2;
const LITERAL: i8 = 3;
const WRITE: i8 = 4;
const DENY: i8 = 2;
const EVERYWHERE: &str = "*";

/// What a cluster without an authorizer answers.
pub(in super::super) const SECURITY_DISABLED: i16 = 54;

impl Direct {
    /// Whether this rule is there, as each broker that is up knows it. Why each: a rule holds on a broker from when that one has heard of it.
    pub fn has_fence(&self, fence: &WriteFence) -> Result<Vec<bool>, Said> {
        let request = DescribeAclsRequest::default()
            .with_resource_type_filter(TOPIC)
            .with_resource_name_filter(Some(text(&fence.topic)))
            .with_pattern_type_filter(LITERAL)
            .with_principal_filter(Some(text(&fence.principal)))
            .with_host_filter(Some(StrBytes::from_static_str(EVERYWHERE)))
            .with_operation(WRITE)
            .with_permission_type(DENY);
        let ask = |mut line: Box<dyn Line>| {
            let answer = call(line.as_mut(), VERSION, &request)?;
            fine(answer.error_code, answer.error_message.as_deref())?;
            Ok(answer.resources.iter().any(|resource| !resource.acls.is_empty()))
        };
        self.each()?.into_iter().map(ask).collect()
    }

    /// Adds the rule; the cluster keeps one of each kind.
    pub fn add_fence(&self, fence: &WriteFence) -> Result<(), Said> {
        let creation = AclCreation::default()
            .with_resource_type(TOPIC)
            .with_resource_name(text(&fence.topic))
            .with_resource_pattern_type(LITERAL)
            .with_principal(text(&fence.principal))
            .with_host(StrBytes::from_static_str(EVERYWHERE))
            .with_operation(WRITE)
            .with_permission_type(DENY);
        let answer = call(self.any()?.as_mut(), VERSION, &CreateAclsRequest::default().with_creations(vec![creation]))?;
        answer.results.iter().try_for_each(|result| fine(result.error_code, result.error_message.as_deref()))
    }

    /// Takes the rule away.
    pub fn remove_fence(&self, fence: &WriteFence) -> Result<(), Said> {
        let filter = DeleteAclsFilter::default()
            .with_resource_type_filter(TOPIC)
            .with_resource_name_filter(Some(text(&fence.topic)))
            .with_pattern_type_filter(LITERAL)
            .with_principal_filter(Some(text(&fence.principal)))
            .with_host_filter(Some(StrBytes::from_static_str(EVERYWHERE)))
            .with_operation(WRITE)
            .with_permission_type(DENY);
        let answer = call(self.any()?.as_mut(), VERSION, &DeleteAclsRequest::default().with_filters(vec![filter]))?;
        for result in &answer.filter_results {
            fine(result.error_code, result.error_message.as_deref())?;
            result.matching_acls.iter().try_for_each(|rule| fine(rule.error_code, rule.error_message.as_deref()))?;
        }
        Ok(())
    }
}

fn text(value: &str) -> StrBytes {
    StrBytes::from_string(value.to_owned())
}
