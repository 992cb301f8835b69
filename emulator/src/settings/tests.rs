use clap::Parser;

use super::*;

const FILE: &str = r#"
seed = 3
instance-limit = 5
queue-limit = 20
time-scale = 60
history-limit = 30

[defaults]
output-location = "s3://bucket/output"
max-concurrent-invocations-per-instance = 8

[images]
"*/broken:*" = "fail"

[faults]
throttling = 0.1

[[endpoint]]
name = "summarizer"
model = "sleep:0.5"
instances = 2
failure-location = "s3://bucket/failure"
include-inference-response-in = ["ERROR_NOTIFICATION_TOPIC"]
cold-start = 10
scale-to-zero-after = 60

[endpoint.faults]
lost-notification = 0.5

[[endpoint]]
name = "other"
throttle = 2
"#;

fn settings(file: &str, flags: &[&str]) -> Result<Settings, String> {
    let options = Options::parse_from(["sagemaker-async-emulator"].iter().chain(flags));
    let file = toml::from_str(file).map_err(|error| error.to_string())?;
    Settings::new(&options, file, Account::default()).map_err(|error| error.to_string())
}

#[test]
fn every_setting_of_the_file_is_read() {
    let settings = settings(FILE, &[]).unwrap();
    assert_eq!((settings.instance_limit, settings.plan.seed), (5, 3));
    assert_eq!(settings.time_scale, "60".parse().unwrap());
    assert_eq!((settings.limits.waiting, settings.limits.ended), (20, 30));
    assert_eq!(settings.images.model("x/broken:1"), Model::Fail(400));
    let [summarizer, other] = &settings.endpoints[..] else { panic!("{settings:?}") };
    assert_eq!((summarizer.name.as_str(), summarizer.deployment.instances), ("summarizer", 2));
    assert_eq!(summarizer.scaling.to_zero_after, Some(Duration::from_secs(60)));
    let config = summarizer.deployment.asynchronous.as_ref().unwrap();
    assert_eq!((config.output.as_ref().unwrap().to_string().as_str(), config.concurrency), ("s3://bucket/output/", 8));
    assert_eq!((other.deployment.model.clone(), other.throttled), (Model::Echo(Duration::ZERO), 2));
    assert_eq!(settings.plan.endpoints.keys().collect::<Vec<_>>(), ["summarizer"]);
}

#[test]
fn flags_count_more_than_the_files_defaults_and_add_to_its_endpoints() {
    let flags = ["--seed=9", "--endpoint=third=fail", "--output-location=s3://bucket/flag/", "--throttle=other=3"];
    let faults = ["--fault=throttling=0.2", "--fault=summarizer:missing-output=1", "--cold-start=2"];
    let settings = settings(FILE, &[&flags[..], &faults[..]].concat()).unwrap();
    let names: Vec<_> = settings.endpoints.iter().map(|endpoint| endpoint.name.as_str()).collect();
    assert_eq!(names, ["third", "summarizer", "other"]);
    let output =
        |n: usize| settings.endpoints[n].deployment.asynchronous.as_ref().unwrap().output.as_ref().unwrap().to_string();
    assert_eq!((output(0), output(1)), ("s3://bucket/flag/".to_owned(), "s3://bucket/flag/".to_owned()));
    assert_eq!((settings.endpoints[2].throttled, settings.scaling.cold_start), (5, Duration::from_secs(2)));
    let plan = serde_json::to_value(&settings.plan).unwrap();
    assert_eq!((&plan["seed"], &plan["all"]["throttling"]), (&9.into(), &0.2.into()));
    assert_eq!(plan["endpoints"]["summarizer"]["missing-output"], 1.0);
    assert_eq!(plan["endpoints"]["summarizer"]["lost-notification"], 0.5);
}

#[test]
fn a_bad_setting_says_what_is_wrong() {
    for (file, flags, expected) in [
        ("sed = 1", &[][..], "unknown field `sed`"),
        (
            "[[endpoint]]\nname = 'a'",
            &[],
            "endpoint a: needs an output location: --output-location s3://bucket/prefix/, or --embedded",
        ),
        ("[[endpoint]]\nname = 'a_b'", &[], "letters, digits and hyphens"),
        ("[[endpoint]]\nname = 'a'\nmodel = 'gpt'\noutput-location = 's3://bucket'", &[], "echo, fail, fail:STATUS"),
        ("[images]\n'*' = 'gpt'", &[], "echo, fail, fail:STATUS"),
        ("[faults]\nthrottling = 2", &[], "from 0 to 1"),
        ("[defaults]\noutput-location = 'bucket'", &[], "s3://"),
        ("", &["--throttle=b=1"], "endpoint b"),
        (FILE, &["--endpoint=other=echo"], "endpoint other: is there twice"),
    ] {
        let error = settings(file, flags).expect_err(expected);
        assert!(error.contains(expected), "{error} / {expected}");
    }
}

#[test]
fn embedded_endpoints_need_nothing_but_a_name() {
    let settings = settings("", &["--embedded=memory", "--endpoint=a=echo"]).unwrap();
    let config = settings.endpoints[0].deployment.asynchronous.clone().unwrap();
    assert_eq!(config.output.as_ref().unwrap().to_string(), "s3://sagemaker/output/");
    assert_eq!(config.success_topic.unwrap(), "arn:aws:sns:us-east-1:000000000000:sagemaker-success");
    assert_eq!(settings.buckets().collect::<Vec<_>>(), ["sagemaker", "sagemaker"]);
}

/// What `--config` with this path gives.
fn read(path: &str) -> Result<Settings, SettingsError> {
    let options = Options::parse_from(["sagemaker-async-emulator", "--embedded=memory", "--config", path]);
    Settings::read(&options, Account::default())
}

#[test]
fn the_example_is_read_and_a_file_that_is_not_there_is_named() {
    let settings = read(concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/emulator.toml")).unwrap();
    let names: Vec<_> =
        settings.endpoints.iter().map(|endpoint| (endpoint.name.as_str(), endpoint.throttled)).collect();
    assert_eq!(names, [("summarizer", 0), ("flaky", 2)]);
    assert!(settings.plan.endpoints.contains_key("flaky"));
    assert!(read("/none/such.toml").unwrap_err().to_string().starts_with("/none/such.toml: "));
}
