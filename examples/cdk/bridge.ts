import { join } from "node:path";

import { Stack, Token, Validations } from "aws-cdk-lib";
import { Asset } from "aws-cdk-lib/aws-s3-assets";
import { CfnFunction } from "aws-cdk-lib/aws-sam";
import { CfnInclude } from "aws-cdk-lib/cloudformation-include";
import { Construct } from "constructs";

import { type Constraint, constraints, type Output, type Parameters } from "./parameters.ts";

// What the CDK's own check of a finished template warns of, and what is as it should be here.
const AS_INTENDED = [
  { id: "W1001", reason: "an output refers to a resource under the same condition that the resource has" },
  { id: "W1028", reason: "a condition on a parameter that has been given a value is always the same" },
  { id: "W1030", reason: "an optional parameter's empty default is kept from its property by a condition" },
  { id: "W3694", reason: "a function of SAM's becomes a function of Lambda's" },
  { id: "W8003", reason: "as W1028" },
].map(({ id, reason }) => ({ id: `CloudFormation-Validate::${id}`, reason }));

export interface SageMakerAsyncBridgeProps extends Parameters {
  /** Directory of an unpacked release. Its processor is the functions'. */
  readonly release: string;
}

/**
 * The bridge as its release has it: the template, whose parameters are the properties, and the functions as assets.
 *
 * One to a stack: resources keep the names that the template gives them, by which `make doctor` finds them too.
 */
export class SageMakerAsyncBridge extends Construct {
  private readonly template: CfnInclude;

  constructor(scope: Construct, id: string, props: SageMakerAsyncBridgeProps) {
    super(scope, id);
    const { release, ...given } = props;
    Validations.of(Stack.of(this)).acknowledge(...AS_INTENDED);
    this.template = new CfnInclude(this, "Template", {
      templateFile: join(release, "template.yaml"),
      parameters: values(given),
    });
    for (const construct of this.template.node.findAll()) {
      if (construct instanceof CfnFunction && typeof construct.codeUri === "string") {
        const asset = new Asset(this, `${construct.node.id}Code`, { path: join(release, construct.codeUri) });
        construct.codeUri = { bucket: asset.s3BucketName, key: asset.s3ObjectKey };
      }
    }
  }

  /** An output of the template, for other constructs: `bridge.output("RequestQueueUrl")`. */
  output(name: Output): string {
    return Token.asString(this.template.getOutput(name).value);
  }
}

/** What the template's parameters are replaced by. CloudFormation looks at none of it, so it is looked at here. */
function values(given: Parameters): Record<string, string | number> {
  const replaced: Record<string, string | number> = {};
  for (const [name, constraint] of Object.entries(constraints)) {
    const value = given[name as keyof Parameters];
    if (value === undefined) continue;
    if (!Token.isUnresolved(value) && !admitted(constraint, value)) {
      throw new Error(`${name}: ${JSON.stringify(value)}. ${constraint.admits}`);
    }
    replaced[constraint.parameter] = typeof value === "boolean" ? String(value) : value;
  }
  return replaced;
}

function admitted({ pattern, maxLength, min, max, oneOf }: Constraint, value: string | number | boolean): boolean {
  const text = String(value);
  return (
    (pattern === undefined || new RegExp(`^(?:${pattern})$`).test(text)) &&
    (maxLength === undefined || text.length <= maxLength) &&
    (min === undefined || Number(value) >= min) &&
    (max === undefined || Number(value) <= max) &&
    (oneOf === undefined || oneOf.some((one) => String(one) === text))
  );
}
