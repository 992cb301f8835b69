# Made from template.yaml by `make parameters`: change it there.

variable "endpoint_name" {
  description = "Name of the asynchronous endpoint that serves requests which name none, exactly as it was created. With capital letters in it, set EndpointArns too."
  type        = string
}

variable "allowed_endpoint_names" {
  description = "Comma-separated names of further endpoints that a request may name, at most 73 in at most 1,024 characters. Empty - EndpointName only."
  type        = string
  default     = null
}

variable "endpoint_arns" {
  description = "Only for endpoint names with capital letters. Comma-separated ARNs as DescribeEndpoint answers them (EndpointArn), where the name stands in lower case. Without it SageMaker refuses such an invocation with AccessDenied."
  type        = string
  default     = null
}

variable "output_location" {
  description = "The endpoint's S3OutputPath as s3://bucket/prefix/ (with the final slash). Empty - output/ in the bucket of this stack."
  type        = string
  default     = null
}

variable "failure_location" {
  description = "The endpoint's S3FailurePath as s3://bucket/prefix/ (with the final slash). Empty - failure/ in the bucket of this stack."
  type        = string
  default     = null
}

variable "output_kms_key_arn" {
  description = "The endpoint's OutputConfig KmsKeyId as an ARN, if it is another key than KmsKeyArn. Empty - it is KmsKeyArn, or none."
  type        = string
  default     = null
}

variable "success_topic_arn" {
  description = "The endpoint's SuccessTopic, in this account and Region. Empty - a topic is created. It may be the same as ErrorTopicArn, and may carry notifications of other endpoints, which the subscription's filter keeps away."
  type        = string
  default     = null
}

variable "error_topic_arn" {
  description = "The endpoint's ErrorTopic, in this account and Region. Empty - a topic is created. It may be the same as SuccessTopicArn, and may carry notifications of other endpoints."
  type        = string
  default     = null
}

variable "inline_limit_bytes" {
  description = "Largest payload that submit sends inline; a larger one goes through S3. 0 - every payload goes through S3, for Regions where InvokeEndpointAsync takes no Body. Default: 128000."
  type        = number
  default     = null
}

variable "sage_maker_runtime_endpoint_url" {
  description = "Other address of the SageMaker Runtime API, for a VPC endpoint or a local run. Empty - the public one of the Region."
  type        = string
  default     = null
}

variable "http_auth" {
  description = "Who may call the HTTP API - AWS_IAM callers with execute-api:Invoke, JWT callers with a token of JwtIssuer, NONE anybody who knows its address. Default: AWS_IAM."
  type        = string
  default     = null
}

variable "jwt_issuer" {
  description = "For HttpAuth JWT - the issuer (iss) of the tokens, for instance https://cognito-idp.REGION.amazonaws.com/POOL. It may stay when HttpAuth changes."
  type        = string
  default     = null
}

variable "jwt_audience" {
  description = "For HttpAuth JWT - comma-separated audiences (aud or client_id) that a token may be made out for."
  type        = string
  default     = null
}

variable "cors_allow_origins" {
  description = "Comma-separated origins of web pages that may call the HTTP API, for instance https://app.example.com, or *. Empty - browsers let no page of another origin call it."
  type        = string
  default     = null
}

variable "max_wait_seconds" {
  description = "Longest time in seconds that an HTTP request may wait for its output (Prefer). 0 - none waits. Default: 20."
  type        = number
  default     = null
}

variable "throttling_rate_limit" {
  description = "Requests a second that the HTTP API lets through on average; what comes above is answered with 429. Default: 25."
  type        = number
  default     = null
}

variable "throttling_burst_limit" {
  description = "Requests that the HTTP API lets through at once. Default: 50."
  type        = number
  default     = null
}

variable "api_base_url" {
  description = "Base URL under which callers reach the HTTP API where that is not its own - a custom domain with an API mapping, CloudFront. Location headers begin with it. Empty - the API's own."
  type        = string
  default     = null
}

variable "deduplicate" {
  description = "true - remembers in the bucket which SQS messages were accepted, so that a redelivered one is not invoked, and paid for, again. Costs one S3 PUT a message. Default: false."
  type        = bool
  default     = null
}

variable "max_receive_count" {
  description = "How often a message of RequestQueue, S3RequestQueue or NotificationQueue is received before it goes to the dead-letter queue. Default: 5."
  type        = number
  default     = null
}

variable "max_concurrency" {
  description = "Batches that each queue hands out at once - RequestQueue and S3RequestQueue to submit, NotificationQueue to collect. A flood of messages waits in its queue instead of taking the account's Lambda concurrency. Default: 10."
  type        = number
  default     = null
}

variable "s3_requests" {
  description = "true - an object that is put under requests/ in the stack's bucket is a request. The endpoint's execution role needs s3:GetObject on requests/*. Objects there are deleted after 23 days. Default: false."
  type        = bool
  default     = null
}

variable "notification_delivery" {
  description = "DIRECT - SNS invokes the collect function for each notification, the least latency. QUEUE - SNS, SQS, then the function in batches, for volume. Before a change from QUEUE to DIRECT let NotificationQueue run empty. Default: DIRECT."
  type        = string
  default     = null
}

variable "result_format" {
  description = "notification - a result is SageMaker's notification completed with the output. raw - a result is the output itself, the rest in message attributes. Default: notification."
  type        = string
  default     = null
}

variable "watch_unanswered" {
  description = "true - remembers in the bucket which requests SageMaker accepted, and looks every five minutes for those whose answer is overdue. Costs one S3 PUT a request. Default: false."
  type        = bool
  default     = null
}

variable "reply_to_arns" {
  description = "Comma-separated ARNs of SQS queues, SNS topics and event buses, in this Region, that a request's ReplyTo may name instead of the results queue, each by its own name. No two may have the same one."
  type        = string
  default     = null
}

variable "state_machine_arns" {
  description = "Comma-separated ARNs of standard state machines, in this Region, whose tasks a result may end (a request's TaskToken)."
  type        = string
  default     = null
}

variable "durable_function_arns" {
  description = "Comma-separated ARNs of Lambda durable functions, in this Region and without a version, whose callbacks a result may end (a request's CallbackId)."
  type        = string
  default     = null
}

variable "kms_key_arn" {
  description = "KMS key that encrypts what the stack makes - bucket, queues, topics and log groups. Its key policy must let the services use it, see docs/security.md. Empty - keys of S3 and SQS, and no KMS key for topics and logs."
  type        = string
  default     = null
}

variable "vpc_subnet_ids" {
  description = "Comma-separated ids of up to 16 subnets of a VPC in which the functions run. They need a way to AWS from there, see docs/security.md. Empty - outside of a VPC of yours."
  type        = string
  default     = null
}

variable "vpc_security_group_ids" {
  description = "Comma-separated ids of up to 5 security groups of the functions in VpcSubnetIds. They must let HTTPS out, and need to let nothing in."
  type        = string
  default     = null
}

variable "permissions_boundary_arn" {
  description = "Policy that bounds the permissions of the roles that the stack makes. Empty - none does."
  type        = string
  default     = null
}

variable "memory_size" {
  description = "Memory of each function in MB. Lambda gives a share of a processor with it; docs/performance.md tells what it makes of time and price. Default: 256."
  type        = number
  default     = null
}

variable "reserved_concurrency" {
  description = "Lambda concurrency that is reserved for submit and that submit cannot exceed. More than MaxConcurrency, because HTTP callers share it with RequestQueue. Empty - none is reserved."
  type        = string
  default     = null
}

variable "log_retention_in_days" {
  description = "Days for which CloudWatch Logs keeps the logs of the functions and of the HTTP API. Default: 30."
  type        = number
  default     = null
}

variable "metrics" {
  description = "true - the functions write metrics to their logs, from which CloudWatch takes them, at most 15 for each endpoint in the namespace SageMakerAsyncBridge. Default: true."
  type        = bool
  default     = null
}

variable "dashboard" {
  description = "true - with Metrics, a CloudWatch dashboard with the name STACK-REGION. Three in an account are free, each further one costs $3 a month. Default: true."
  type        = bool
  default     = null
}

variable "alarm_topic_arn" {
  description = "SNS topic, in this account and Region, that CloudWatch alarms publish to when something is wrong and when it is right again. Empty - no alarms. About a dozen, at $0.10 a month each."
  type        = string
  default     = null
}

variable "alarm_request_to_result_seconds" {
  description = "With AlarmTopicArn and Metrics, the time from request to result in seconds above which SlowResults raises an alarm, for the slowest 1% of a quarter of an hour. Default: 1800."
  type        = number
  default     = null
}

variable "canary_minutes" {
  description = "Minutes between requests that the stack sends to its own endpoint, to raise an alarm when no request is answered. Each is an inference that is paid for, and starts an instance if none runs. 0 - none are sent. Default: 0."
  type        = string
  default     = null
}

variable "canary_request" {
  description = "For CanaryMinutes - the request, as submit takes it by direct invocation, for EndpointName, and with ReplyTo none, so that no consumer gets its result. Default: {\"Body\":{},\"InferenceId\":\"canary\",\"ReplyTo\":\"none\"}."
  type        = string
  default     = null
}

variable "tracing" {
  description = "true - X-Ray traces both functions, and a request's trace goes on behind its result. X-Ray samples the first request of each second and 5% of the others. Default: false."
  type        = bool
  default     = null
}

locals {
  parameters = {
    EndpointName                = var.endpoint_name
    AllowedEndpointNames        = var.allowed_endpoint_names
    EndpointArns                = var.endpoint_arns
    OutputLocation              = var.output_location
    FailureLocation             = var.failure_location
    OutputKmsKeyArn             = var.output_kms_key_arn
    SuccessTopicArn             = var.success_topic_arn
    ErrorTopicArn               = var.error_topic_arn
    InlineLimitBytes            = var.inline_limit_bytes
    SageMakerRuntimeEndpointUrl = var.sage_maker_runtime_endpoint_url
    HttpAuth                    = var.http_auth
    JwtIssuer                   = var.jwt_issuer
    JwtAudience                 = var.jwt_audience
    CorsAllowOrigins            = var.cors_allow_origins
    MaxWaitSeconds              = var.max_wait_seconds
    ThrottlingRateLimit         = var.throttling_rate_limit
    ThrottlingBurstLimit        = var.throttling_burst_limit
    ApiBaseUrl                  = var.api_base_url
    Deduplicate                 = var.deduplicate
    MaxReceiveCount             = var.max_receive_count
    MaxConcurrency              = var.max_concurrency
    S3Requests                  = var.s3_requests
    NotificationDelivery        = var.notification_delivery
    ResultFormat                = var.result_format
    WatchUnanswered             = var.watch_unanswered
    ReplyToArns                 = var.reply_to_arns
    StateMachineArns            = var.state_machine_arns
    DurableFunctionArns         = var.durable_function_arns
    KmsKeyArn                   = var.kms_key_arn
    VpcSubnetIds                = var.vpc_subnet_ids
    VpcSecurityGroupIds         = var.vpc_security_group_ids
    PermissionsBoundaryArn      = var.permissions_boundary_arn
    MemorySize                  = var.memory_size
    ReservedConcurrency         = var.reserved_concurrency
    LogRetentionInDays          = var.log_retention_in_days
    Metrics                     = var.metrics
    Dashboard                   = var.dashboard
    AlarmTopicArn               = var.alarm_topic_arn
    AlarmRequestToResultSeconds = var.alarm_request_to_result_seconds
    CanaryMinutes               = var.canary_minutes
    CanaryRequest               = var.canary_request
    Tracing                     = var.tracing
  }
}
