/** The process of the node that dies: hosts it in a folder, and says so. Its receivers are never at home. */
import { hostLinkedNode } from "../linked-node.ts";
import { mailSystem } from "./mail.ts";

const [folder = ""] = process.argv.slice(2);
await hostLinkedNode("owner", mailSystem({ away: true, delivered: 0 }), folder);
process.on("disconnect", () => process.exit());
process.send!("serves");
