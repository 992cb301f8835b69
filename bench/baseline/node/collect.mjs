// What users write instead of `collect`: fetch the output if it is small, put it into the notification, send it on.

import { GetObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { SendMessageCommand, SQSClient } from "@aws-sdk/client-sqs";

const RESULT_BODY_LIMIT_BYTES = 262_144;

const s3 = new S3Client({});
const sqs = new SQSClient({});

/** One notification to one result. */
async function passOn(message) {
  const notification = JSON.parse(message);
  const location = notification.responseParameters?.outputLocation;
  if (location) {
    const [, bucket, key] = location.match(/^s3:\/\/([^/]+)\/(.*)$/);
    const output = await s3.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
    if (output.ContentLength <= RESULT_BODY_LIMIT_BYTES) {
      notification.responseBody = { content: await output.Body.transformToString(), encoding: "UTF8" };
    } else {
      output.Body.destroy();
    }
  }
  const QueueUrl = process.env.BRIDGE_RESULTS_QUEUE_URL;
  await sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: JSON.stringify(notification) }));
}

/** An event of SNS to results. */
export async function handler({ Records: records }) {
  await Promise.all(records.map((record) => passOn(record.Sns.Message)));
}
