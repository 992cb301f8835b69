// What users write instead of `submit`: AWS SDK for JavaScript v3, a batch's messages all at once, inline when small. Validates
// nothing, answers nobody.

import { PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { InvokeEndpointAsyncCommand, SageMakerRuntimeClient } from "@aws-sdk/client-sagemaker-runtime";

const INLINE_LIMIT_BYTES = 128_000;

const sagemaker = new SageMakerRuntimeClient({});
const s3 = new S3Client({});
const [, bucket, prefix] = process.env.BRIDGE_INPUT_LOCATION.match(/^s3:\/\/([^/]+)\/(.*)$/);

/** One payload to one invocation. */
async function invoke(requestId, text) {
  const body = Buffer.from(text);
  const given = {
    EndpointName: process.env.BRIDGE_ENDPOINT_NAME,
    ContentType: "application/json",
    InferenceId: requestId,
  };
  if (body.length <= INLINE_LIMIT_BYTES) {
    return sagemaker.send(new InvokeEndpointAsyncCommand({ ...given, Body: body }));
  }
  const key = prefix + requestId;
  await s3.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: body }));
  return sagemaker.send(new InvokeEndpointAsyncCommand({ ...given, InputLocation: `s3://${bucket}/${key}` }));
}

/** An SQS event to its partial batch response. The SDK keeps 50 connections; calls beyond those wait in line. */
export async function handler({ Records: records }) {
  const outcomes = await Promise.allSettled(records.map(({ messageId, body }) => invoke(messageId, body)));
  const batchItemFailures = [];
  outcomes.forEach(({ status, reason }, index) => {
    if (status === "rejected") {
      console.error("failed", records[index].messageId, reason);
      batchItemFailures.push({ itemIdentifier: records[index].messageId });
    }
  });
  return { batchItemFailures };
}
