import { App, CfnOutput, Stack } from "aws-cdk-lib";
import { Topic } from "aws-cdk-lib/aws-sns";

import { SageMakerAsyncBridge } from "./bridge.ts";

const app = new App();
const stack = new Stack(app, "sagemaker-async-bridge");

// A topic of the app's own, on which the endpoint tells of success and failure.
const notifications = new Topic(stack, "Notifications", { enforceSSL: true });

const bridge = new SageMakerAsyncBridge(stack, "Bridge", {
  release: app.node.getContext("release"),
  endpointName: "summarizer",
  successTopicArn: notifications.topicArn,
  errorTopicArn: notifications.topicArn,
  notificationDelivery: "QUEUE",
  maxReceiveCount: 10,
  watchUnanswered: true,
});

new CfnOutput(stack, "Requests", { value: bridge.output("RequestQueueUrl") });
