/** Services as far as a command line must know them, told by whoever has loaded the system file. */
import { describeService } from "../service/description.ts";
import type { AnySystem } from "../service/model.ts";
import type { ServiceFacts } from "./messages.ts";

export function serviceFacts({ services }: AnySystem): readonly ServiceFacts[] {
  return services.map((service) => {
    const { name, keyed, operations } = describeService(service);
    return { name, keyed, operations: operations.map((operation) => operation.name) };
  });
}
