// Made from template.yaml by `make parameters`: change it there.

/** Parameters of the template, but Architecture, which a release has only one value for. */
export interface Parameters {
  /**
   * Name of the asynchronous endpoint that serves requests which name none, exactly as it was created. With capital
   * letters in it, set EndpointArns too.
   */
  readonly endpointName: string;
  /**
   * Comma-separated names of further endpoints that a request may name, at most 73 in at most 1,024 characters.
   * Empty - EndpointName only.
   */
  readonly allowedEndpointNames?: string;
  /**
   * Only for endpoint names with capital letters. Comma-separated ARNs as DescribeEndpoint answers them
   * (EndpointArn), where the name stands in lower case. Without it SageMaker refuses such an invocation with
   * AccessDenied.
   */
  readonly endpointArns?: string;
  /**
   * The endpoint's S3OutputPath as s3://bucket/prefix/ (with the final slash). Empty - output/ in the bucket of
   * this stack.
   */
  readonly outputLocation?: string;
  /**
   * The endpoint's S3FailurePath as s3://bucket/prefix/ (with the final slash). Empty - failure/ in the bucket of
   * this stack.
   */
  readonly failureLocation?: string;
  /**
   * The endpoint's OutputConfig KmsKeyId as an ARN, if it is another key than KmsKeyArn. Empty - it is KmsKeyArn,
   * or none.
   */
  readonly outputKmsKeyArn?: string;
  /**
   * The endpoint's SuccessTopic, in this account and Region. Empty - a topic is created. It may be the same as
   * ErrorTopicArn, and may carry notifications of other endpoints, which the subscription's filter keeps away.
   */
  readonly successTopicArn?: string;
  /**
   * The endpoint's ErrorTopic, in this account and Region. Empty - a topic is created. It may be the same as
   * SuccessTopicArn, and may carry notifications of other endpoints.
   */
  readonly errorTopicArn?: string;
  /**
   * Largest payload that submit sends inline; a larger one goes through S3. 0 - every payload goes through S3, for
   * Regions where InvokeEndpointAsync takes no Body. Default: 128000.
   */
  readonly inlineLimitBytes?: number;
  /**
   * Other address of the SageMaker Runtime API, for a VPC endpoint or a local run. Empty - the public one of the
   * Region.
   */
  readonly sageMakerRuntimeEndpointUrl?: string;
  /**
   * Who may call the HTTP API - AWS_IAM callers with execute-api:Invoke, JWT callers with a token of JwtIssuer,
   * NONE anybody who knows its address. Default: AWS_IAM.
   */
  readonly httpAuth?: "AWS_IAM" | "JWT" | "NONE";
  /**
   * For HttpAuth JWT - the issuer (iss) of the tokens, for instance https://cognito-idp.REGION.amazonaws.com/POOL.
   * It may stay when HttpAuth changes.
   */
  readonly jwtIssuer?: string;
  /**
   * For HttpAuth JWT - comma-separated audiences (aud or client_id) that a token may be made out for.
   */
  readonly jwtAudience?: string;
  /**
   * Comma-separated origins of web pages that may call the HTTP API, for instance https://app.example.com, or *.
   * Empty - browsers let no page of another origin call it.
   */
  readonly corsAllowOrigins?: string;
  /**
   * Longest time in seconds that an HTTP request may wait for its output (Prefer). 0 - none waits. Default: 20.
   */
  readonly maxWaitSeconds?: number;
  /**
   * Requests a second that the HTTP API lets through on average; what comes above is answered with 429. Default:
   * 25.
   */
  readonly throttlingRateLimit?: number;
  /**
   * Requests that the HTTP API lets through at once. Default: 50.
   */
  readonly throttlingBurstLimit?: number;
  /**
   * Base URL under which callers reach the HTTP API where that is not its own - a custom domain with an API
   * mapping, CloudFront. Location headers begin with it. Empty - the API's own.
   */
  readonly apiBaseUrl?: string;
  /**
   * true - remembers in the bucket which SQS messages were accepted, so that a redelivered one is not invoked, and
   * paid for, again. Costs one S3 PUT a message. Default: false.
   */
  readonly deduplicate?: boolean;
  /**
   * How often a message of RequestQueue, S3RequestQueue or NotificationQueue is received before it goes to the
   * dead-letter queue. Default: 5.
   */
  readonly maxReceiveCount?: number;
  /**
   * Batches that each queue hands out at once - RequestQueue and S3RequestQueue to submit, NotificationQueue to
   * collect. A flood of messages waits in its queue instead of taking the account's Lambda concurrency. Default:
   * 10.
   */
  readonly maxConcurrency?: number;
  /**
   * true - an object that is put under requests/ in the stack's bucket is a request. The endpoint's execution role
   * needs s3:GetObject on requests/*. Objects there are deleted after 23 days. Default: false.
   */
  readonly s3Requests?: boolean;
  /**
   * DIRECT - SNS invokes the collect function for each notification, the least latency. QUEUE - SNS, SQS, then the
   * function in batches, for volume. Before a change from QUEUE to DIRECT let NotificationQueue run empty. Default:
   * DIRECT.
   */
  readonly notificationDelivery?: "DIRECT" | "QUEUE";
  /**
   * notification - a result is SageMaker's notification completed with the output. raw - a result is the output
   * itself, the rest in message attributes. Default: notification.
   */
  readonly resultFormat?: "notification" | "raw";
  /**
   * true - remembers in the bucket which requests SageMaker accepted, and looks every five minutes for those whose
   * answer is overdue. Costs one S3 PUT a request. Default: false.
   */
  readonly watchUnanswered?: boolean;
  /**
   * Comma-separated ARNs of SQS queues, SNS topics and event buses, in this Region, that a request's ReplyTo may
   * name instead of the results queue, each by its own name. No two may have the same one.
   */
  readonly replyToArns?: string;
  /**
   * Comma-separated ARNs of standard state machines, in this Region, whose tasks a result may end (a request's
   * TaskToken).
   */
  readonly stateMachineArns?: string;
  /**
   * Comma-separated ARNs of Lambda durable functions, in this Region and without a version, whose callbacks a
   * result may end (a request's CallbackId).
   */
  readonly durableFunctionArns?: string;
  /**
   * KMS key that encrypts what the stack makes - bucket, queues, topics and log groups. Its key policy must let the
   * services use it, see docs/security.md. Empty - keys of S3 and SQS, and no KMS key for topics and logs.
   */
  readonly kmsKeyArn?: string;
  /**
   * Comma-separated ids of up to 16 subnets of a VPC in which the functions run. They need a way to AWS from there,
   * see docs/security.md. Empty - outside of a VPC of yours.
   */
  readonly vpcSubnetIds?: string;
  /**
   * Comma-separated ids of up to 5 security groups of the functions in VpcSubnetIds. They must let HTTPS out, and
   * need to let nothing in.
   */
  readonly vpcSecurityGroupIds?: string;
  /**
   * Policy that bounds the permissions of the roles that the stack makes. Empty - none does.
   */
  readonly permissionsBoundaryArn?: string;
  /**
   * Memory of each function in MB. Lambda gives a share of a processor with it; docs/performance.md tells what it
   * makes of time and price. Default: 256.
   */
  readonly memorySize?: number;
  /**
   * Lambda concurrency that is reserved for submit and that submit cannot exceed. More than MaxConcurrency, because
   * HTTP callers share it with RequestQueue. Empty - none is reserved.
   */
  readonly reservedConcurrency?: string;
  /**
   * Days for which CloudWatch Logs keeps the logs of the functions and of the HTTP API. Default: 30.
   */
  readonly logRetentionInDays?: 1 | 3 | 5 | 7 | 14 | 30 | 60 | 90 | 120 | 150 | 180 | 365 | 400 | 545 | 731 | 1096 | 1827 | 2192 | 2557 | 2922 | 3288 | 3653;
  /**
   * true - the functions write metrics to their logs, from which CloudWatch takes them, at most 15 for each
   * endpoint in the namespace SageMakerAsyncBridge. Default: true.
   */
  readonly metrics?: boolean;
  /**
   * true - with Metrics, a CloudWatch dashboard with the name STACK-REGION. Three in an account are free, each
   * further one costs $3 a month. Default: true.
   */
  readonly dashboard?: boolean;
  /**
   * SNS topic, in this account and Region, that CloudWatch alarms publish to when something is wrong and when it is
   * right again. Empty - no alarms. About a dozen, at $0.10 a month each.
   */
  readonly alarmTopicArn?: string;
  /**
   * With AlarmTopicArn and Metrics, the time from request to result in seconds above which SlowResults raises an
   * alarm, for the slowest 1% of a quarter of an hour. Default: 1800.
   */
  readonly alarmRequestToResultSeconds?: number;
  /**
   * Minutes between requests that the stack sends to its own endpoint, to raise an alarm when no request is
   * answered. Each is an inference that is paid for, and starts an instance if none runs. 0 - none are sent.
   * Default: 0.
   */
  readonly canaryMinutes?: "0" | "5" | "15" | "60" | "360" | "1440";
  /**
   * For CanaryMinutes - the request, as submit takes it by direct invocation, for EndpointName, and with ReplyTo
   * none, so that no consumer gets its result. Default: {"Body":{},"InferenceId":"canary","ReplyTo":"none"}.
   */
  readonly canaryRequest?: string;
  /**
   * true - X-Ray traces both functions, and a request's trace goes on behind its result. X-Ray samples the first
   * request of each second and 5% of the others. Default: false.
   */
  readonly tracing?: boolean;
}

export interface Constraint {
  readonly parameter: string;
  readonly pattern?: string;
  readonly maxLength?: number;
  readonly min?: number;
  readonly max?: number;
  readonly oneOf?: readonly (string | number)[];
  readonly admits: string;
}

/** What the template admits of each. */
export const constraints: Readonly<Record<keyof Parameters, Constraint>> = {
  endpointName: {"parameter": "EndpointName", "pattern": "^[a-zA-Z0-9](-*[a-zA-Z0-9])*$", "maxLength": 63, "admits": "1 to 63 letters, digits and hyphens, as SageMaker allows them."},
  allowedEndpointNames: {"parameter": "AllowedEndpointNames", "pattern": "^$|^[a-zA-Z0-9](-*[a-zA-Z0-9])*(,[a-zA-Z0-9](-*[a-zA-Z0-9])*){0,72}$", "maxLength": 1024, "admits": "At most 73 endpoint names, separated by commas, without blanks."},
  endpointArns: {"parameter": "EndpointArns", "pattern": "^$|^arn:[a-z-]+:sagemaker:[a-z0-9-]+:[0-9]{12}:endpoint/[a-z0-9-]+(,arn:[a-z-]+:sagemaker:[a-z0-9-]+:[0-9]{12}:endpoint/[a-z0-9-]+)*$", "maxLength": 2048, "admits": "Endpoint ARNs with the name in lower case, separated by commas, without blanks."},
  outputLocation: {"parameter": "OutputLocation", "pattern": "^$|^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/([^/*?,]+/)*$", "maxLength": 256, "admits": "An s3://bucket/prefix/ location that ends in a slash."},
  failureLocation: {"parameter": "FailureLocation", "pattern": "^$|^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/([^/*?,]+/)*$", "maxLength": 256, "admits": "An s3://bucket/prefix/ location that ends in a slash."},
  outputKmsKeyArn: {"parameter": "OutputKmsKeyArn", "pattern": "^$|^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[a-zA-Z0-9-]+$", "admits": "The ARN of a KMS key."},
  successTopicArn: {"parameter": "SuccessTopicArn", "pattern": "^$|^arn:[a-z-]+:sns:[a-z0-9-]+:[0-9]{12}:[a-zA-Z0-9_-]{1,256}$", "admits": "The ARN of a standard SNS topic."},
  errorTopicArn: {"parameter": "ErrorTopicArn", "pattern": "^$|^arn:[a-z-]+:sns:[a-z0-9-]+:[0-9]{12}:[a-zA-Z0-9_-]{1,256}$", "admits": "The ARN of a standard SNS topic."},
  inlineLimitBytes: {"parameter": "InlineLimitBytes", "min": 0, "max": 128000, "admits": "0 to 128000."},
  sageMakerRuntimeEndpointUrl: {"parameter": "SageMakerRuntimeEndpointUrl", "pattern": "^$|^https?://[^ ]+$", "maxLength": 256, "admits": "An http or https URL."},
  httpAuth: {"parameter": "HttpAuth", "oneOf": ["AWS_IAM", "JWT", "NONE"], "admits": "AWS_IAM, JWT or NONE."},
  jwtIssuer: {"parameter": "JwtIssuer", "pattern": "^$|^https://[^ ]+$", "admits": "An https URL."},
  jwtAudience: {"parameter": "JwtAudience", "pattern": "^[^ ]*$", "admits": "Audiences, separated by commas, without blanks."},
  corsAllowOrigins: {"parameter": "CorsAllowOrigins", "pattern": "^$|^\\*$|^https?://[a-zA-Z0-9.:-]+(,https?://[a-zA-Z0-9.:-]+)*$", "admits": "Origins (scheme, host and port) separated by commas, without blanks, or a single *."},
  maxWaitSeconds: {"parameter": "MaxWaitSeconds", "min": 0, "max": 28, "admits": "0 to 28."},
  throttlingRateLimit: {"parameter": "ThrottlingRateLimit", "min": 1, "max": 10000, "admits": "1 to 10000."},
  throttlingBurstLimit: {"parameter": "ThrottlingBurstLimit", "min": 1, "max": 5000, "admits": "1 to 5000."},
  apiBaseUrl: {"parameter": "ApiBaseUrl", "pattern": "^$|^https?://[^ ?#]+$", "maxLength": 256, "admits": "An http or https URL without query."},
  deduplicate: {"parameter": "Deduplicate", "oneOf": ["true", "false"], "admits": "true or false."},
  maxReceiveCount: {"parameter": "MaxReceiveCount", "min": 5, "max": 100, "admits": "5 to 100."},
  maxConcurrency: {"parameter": "MaxConcurrency", "min": 2, "max": 1000, "admits": "2 to 1000, as Lambda allows."},
  s3Requests: {"parameter": "S3Requests", "oneOf": ["true", "false"], "admits": "true or false."},
  notificationDelivery: {"parameter": "NotificationDelivery", "oneOf": ["DIRECT", "QUEUE"], "admits": "DIRECT or QUEUE."},
  resultFormat: {"parameter": "ResultFormat", "oneOf": ["notification", "raw"], "admits": "notification or raw."},
  watchUnanswered: {"parameter": "WatchUnanswered", "oneOf": ["true", "false"], "admits": "true or false."},
  replyToArns: {"parameter": "ReplyToArns", "pattern": "^$|^arn:[a-z-]+:(sqs|sns|events):[a-z0-9-]+:[0-9]{12}:[a-zA-Z0-9/._-]+(,arn:[a-z-]+:(sqs|sns|events):[a-z0-9-]+:[0-9]{12}:[a-zA-Z0-9/._-]+)*$", "maxLength": 1024, "admits": "ARNs of queues, topics and event buses, separated by commas, without blanks."},
  stateMachineArns: {"parameter": "StateMachineArns", "pattern": "^$|^arn:[a-z-]+:states:[a-z0-9-]+:[0-9]{12}:stateMachine:[a-zA-Z0-9_-]{1,80}(,arn:[a-z-]+:states:[a-z0-9-]+:[0-9]{12}:stateMachine:[a-zA-Z0-9_-]{1,80})*$", "maxLength": 1024, "admits": "ARNs of state machines, separated by commas, without blanks."},
  durableFunctionArns: {"parameter": "DurableFunctionArns", "pattern": "^$|^arn:[a-z-]+:lambda:[a-z0-9-]+:[0-9]{12}:function:[a-zA-Z0-9_-]{1,64}(,arn:[a-z-]+:lambda:[a-z0-9-]+:[0-9]{12}:function:[a-zA-Z0-9_-]{1,64})*$", "maxLength": 1024, "admits": "ARNs of functions without a version or an alias, separated by commas, without blanks."},
  kmsKeyArn: {"parameter": "KmsKeyArn", "pattern": "^$|^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[a-zA-Z0-9-]+$", "admits": "The ARN of a KMS key."},
  vpcSubnetIds: {"parameter": "VpcSubnetIds", "pattern": "^$|^subnet-[0-9a-f]{8,17}(,subnet-[0-9a-f]{8,17}){0,15}$", "admits": "At most 16 ids of subnets, separated by commas, without blanks."},
  vpcSecurityGroupIds: {"parameter": "VpcSecurityGroupIds", "pattern": "^$|^sg-[0-9a-f]{8,17}(,sg-[0-9a-f]{8,17}){0,4}$", "admits": "At most 5 ids of security groups, separated by commas, without blanks."},
  permissionsBoundaryArn: {"parameter": "PermissionsBoundaryArn", "pattern": "^$|^arn:[a-z-]+:iam::([0-9]{12}|aws):policy/[a-zA-Z0-9+=,.@_/-]+$", "admits": "The ARN of an IAM policy."},
  memorySize: {"parameter": "MemorySize", "min": 128, "max": 10240, "admits": "128 to 10240."},
  reservedConcurrency: {"parameter": "ReservedConcurrency", "pattern": "^$|^[1-9][0-9]{0,4}$", "admits": "Empty, or 1 to 99999."},
  logRetentionInDays: {"parameter": "LogRetentionInDays", "oneOf": [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], "admits": "One of the periods that CloudWatch Logs offers."},
  metrics: {"parameter": "Metrics", "oneOf": ["true", "false"], "admits": "true or false."},
  dashboard: {"parameter": "Dashboard", "oneOf": ["true", "false"], "admits": "true or false."},
  alarmTopicArn: {"parameter": "AlarmTopicArn", "pattern": "^$|^arn:[a-z-]+:sns:[a-z0-9-]+:[0-9]{12}:[a-zA-Z0-9_-]{1,256}$", "admits": "The ARN of a standard SNS topic."},
  alarmRequestToResultSeconds: {"parameter": "AlarmRequestToResultSeconds", "min": 1, "max": 86400, "admits": "1 to 86400."},
  canaryMinutes: {"parameter": "CanaryMinutes", "oneOf": ["0", "5", "15", "60", "360", "1440"], "admits": "0, 5, 15, 60, 360 or 1440."},
  canaryRequest: {"parameter": "CanaryRequest", "pattern": "^\\{.*\"ReplyTo\": ?\"none\".*\\}$", "admits": "A JSON object with \"ReplyTo\":\"none\"."},
  tracing: {"parameter": "Tracing", "oneOf": ["true", "false"], "admits": "true or false."},
};

/** Outputs of the template. */
export type Output =
  | "ApiUrl"
  | "ApiId"
  | "SubmitFunctionArn"
  | "RequestQueueUrl"
  | "RequestDeadLetterQueueUrl"
  | "EventDeadLetterQueueUrl"
  | "ResultsQueueUrl"
  | "NotificationDeadLetterQueueUrl"
  | "SuccessTopicArn"
  | "ErrorTopicArn"
  | "BucketName"
  | "AsyncInferenceConfig";
