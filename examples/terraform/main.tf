# The stack of an unpacked release: its template by a bucket, because CloudFormation takes no more than 51,200 bytes by value.

terraform {
  required_version = ">= 1.5"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.0"
    }
  }
}

variable "release" {
  description = "Directory of an unpacked release. Its processor is the functions'."
  type        = string
}

variable "bucket" {
  description = "Name of a bucket in the stack's Region, for the template and the functions."
  type        = string
}

variable "stack_name" {
  description = "Name of the stack."
  type        = string
  default     = "sagemaker-async-bridge"
}

locals {
  # By their content: what has changed gets a new name, so that CloudFormation sees it.
  submit  = "${var.stack_name}/submit-${filesha256("${var.release}/submit.zip")}.zip"
  collect = "${var.stack_name}/collect-${filesha256("${var.release}/collect.zip")}.zip"

  template = replace(
    replace(file("${var.release}/template.yaml"), "CodeUri: submit.zip", "CodeUri: s3://${var.bucket}/${local.submit}"),
    "CodeUri: collect.zip", "CodeUri: s3://${var.bucket}/${local.collect}",
  )
}

data "aws_s3_bucket" "code" {
  bucket = var.bucket
}

resource "aws_s3_object" "submit" {
  bucket = var.bucket
  key    = local.submit
  source = "${var.release}/submit.zip"

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_s3_object" "collect" {
  bucket = var.bucket
  key    = local.collect
  source = "${var.release}/collect.zip"

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_s3_object" "template" {
  bucket  = var.bucket
  key     = "${var.stack_name}/template-${sha256(local.template)}.yaml"
  content = local.template

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_cloudformation_stack" "bridge" {
  name         = var.stack_name
  template_url = "https://${data.aws_s3_bucket.code.bucket_regional_domain_name}/${aws_s3_object.template.key}"
  capabilities = ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]

  # What is not set keeps the template's default.
  parameters = { for name, value in local.parameters : name => tostring(value) if value != null }

  depends_on = [aws_s3_object.submit, aws_s3_object.collect]
}

output "outputs" {
  description = "Outputs of the stack: RequestQueueUrl, ResultsQueueUrl, ApiUrl, AsyncInferenceConfig and others."
  value       = aws_cloudformation_stack.bridge.outputs
}
