//! What Prometheus is to scrape: every instance's administration, with the labels that tell instances apart.

use serde_json::{Value, json};

use super::record::Started;

/// The content of a file for `file_sd_configs`.
pub(super) fn document<'a>(instances: impl Iterator<Item = &'a Started>) -> Value {
    let target = |started: &Started| {
        let labels = json!({ "service": started.service, "release": started.release, "instance": started.instance });
        json!({ "targets": [format!("127.0.0.1:{}", started.port)], "labels": labels })
    };
    Value::Array(instances.map(target).collect())
}
