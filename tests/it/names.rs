//! Names that stand in several places and must agree.

use std::collections::BTreeSet;

use sagemaker_async_bridge::config::VARIABLES;
use sagemaker_async_bridge::metrics::Metric;
use sagemaker_async_bridge::parameter::PARAMETERS;
use sagemaker_async_bridge::return_address::REPLY_TO;

use crate::{file, samples};

/// The documented variables: name, function and default.
fn documented_variables() -> BTreeSet<(String, String, String)> {
    let documentation = file("docs/configuration.md");
    let rows = documentation.lines().filter(|line| line.starts_with("| `BRIDGE_"));
    rows.map(|row| {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        (cells[1].trim_matches('`').to_owned(), cells[2].to_owned(), cells[3].to_owned())
    })
    .collect()
}

#[test]
fn the_documentation_lists_the_variables_that_the_functions_read() {
    let read = VARIABLES
        .iter()
        .map(|(name, function, default)| ((*name).to_owned(), (*function).to_owned(), (*default).to_owned()));
    assert_eq!(documented_variables(), read.collect());
}

#[test]
fn the_template_sets_only_variables_that_the_functions_read() {
    let template = file("template.yaml");
    let set: BTreeSet<&str> = template
        .lines()
        .filter_map(|line| line.trim_start().strip_prefix("BRIDGE_"))
        .filter_map(|rest| rest.split_once(':').map(|(name, _)| name))
        .collect();
    let known: BTreeSet<&str> = VARIABLES.iter().filter_map(|(name, ..)| name.strip_prefix("BRIDGE_")).collect();
    assert!(set.contains("ENDPOINT_NAME") && set.contains("RESULTS_QUEUE_URL"), "{set:?}");
    assert!(set.is_subset(&known), "unknown: {:?}", set.difference(&known));
}

#[test]
fn the_documentation_lists_the_metrics_that_the_functions_write() {
    let documentation = file("docs/metrics.md");
    let documented: Vec<(String, String)> = documentation
        .lines()
        .filter_map(|line| line.strip_prefix("| `"))
        .filter_map(|row| {
            let mut cells = row.split(" | ");
            let name = cells.next()?.trim_end_matches('`');
            // The page has other tables too.
            let _function = cells.next().filter(|function| ["submit", "collect", "both"].contains(function))?;
            Some((name.to_owned(), cells.next()?.to_owned()))
        })
        .collect();
    let written = Metric::ALL.iter().map(|metric| (metric.name().to_owned(), metric.unit().to_owned()));
    assert_eq!(documented, written.collect::<Vec<_>>());
}

#[test]
fn the_documentation_names_every_parameter_and_its_header() {
    let documentation = file("docs/requests.md");
    for parameter in PARAMETERS.iter().chain(&[REPLY_TO]) {
        assert!(documentation.contains(&format!("`{}`", parameter.name)), "{}", parameter.name);
        assert!(documentation.to_lowercase().contains(parameter.header), "{}", parameter.header);
    }
}

#[test]
fn every_sample_event_of_submit_is_used_by_a_test() {
    let tests: String = [
        "submit_sqs",
        "submit_sqs/dead_letters",
        "submit_sqs/faults",
        "submit_sqs/fifo",
        "submit_direct",
        "submit_eventbridge",
        "submit_s3",
        "submit_sns",
        "submit_http",
        "http_answers",
        "http_upload",
    ]
    .map(|name| file(&format!("tests/it/{name}.rs")))
    .concat();
    for name in samples("submit") {
        assert!(tests.contains(&format!("\"submit/{name}\"")), "events/submit/{name}");
    }
}
