// Invokes an endpoint inline, and one that there is not; what differs from AWS is in the environment alone.
import { InvokeEndpointAsyncCommand, SageMakerRuntimeClient } from "@aws-sdk/client-sagemaker-runtime";

const client = new SageMakerRuntimeClient({});
const accepted = await client.send(
  new InvokeEndpointAsyncCommand({ EndpointName: "echo", Body: "by JavaScript", InferenceId: "by-javascript" }),
);
let refused;
try {
  await client.send(new InvokeEndpointAsyncCommand({ EndpointName: "nobody", Body: "x" }));
} catch (error) {
  refused = error.name;
}
console.log(JSON.stringify({ inferenceId: accepted.InferenceId, outputLocation: accepted.OutputLocation, refused }));
