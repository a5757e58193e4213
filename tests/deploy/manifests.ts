/** Kubernetes' own schemas, held against manifests: types and required members, and names that no schema knows. */
import { validate as deployment } from "kubernetes-models/_schemas/IoK8sApiAppsV1Deployment";
import { validate as service } from "kubernetes-models/_schemas/IoK8sApiCoreV1Service";
import { validate as disruptionBudget } from "kubernetes-models/_schemas/IoK8sApiPolicyV1PodDisruptionBudget";

/** As Ajv compiles schemas: what is wrong is left at the function. */
interface Validate {
  (data: unknown): boolean;
  errors?: readonly { readonly instancePath: string; readonly keyword: string; readonly params: unknown }[] | null;
}

const schemas: Readonly<Record<string, Validate>> = {
  "apps/v1 Deployment": deployment as Validate,
  "v1 Service": service as Validate,
  "policy/v1 PodDisruptionBudget": disruptionBudget as Validate,
};

export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec: Readonly<Record<string, unknown>>;
}

/** What is wrong with a manifest; empty when nothing is. */
export function faultsOf(manifest: Manifest): readonly string[] {
  const name = `${manifest.apiVersion} ${manifest.kind}`;
  const validate = schemas[name];
  if (validate === undefined) return [`${name} has no schema here`];
  const read = new Set<string>();
  if (!validate(watched(manifest, "", read))) {
    return (validate.errors ?? []).map(
      ({ instancePath, keyword, params }) => `${name}: ${instancePath}: ${keyword} ${JSON.stringify(params)}`,
    );
  }
  // A schema reads what it knows: what nobody has read is misspelled, or in the wrong place.
  return pathsOf(manifest, "")
    .filter((path) => !read.has(path))
    .map((path) => `${name} has no member ${path}`);
}

/** The value, which notes what is read of it. */
function watched(value: unknown, path: string, read: Set<string>): unknown {
  if (typeof value !== "object" || value === null) return value;
  return new Proxy(value, {
    get: (target, member) => {
      const found: unknown = Reflect.get(target, member);
      if (typeof member !== "string" || typeof found === "function") return found;
      read.add(`${path}/${member}`);
      return watched(found, `${path}/${member}`, read);
    },
  });
}

function pathsOf(value: unknown, path: string): string[] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([member, inner]) => [
    `${path}/${member}`,
    ...pathsOf(inner, `${path}/${member}`),
  ]);
}
