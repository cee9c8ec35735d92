import { literal } from "../base/index.ts";
import { type JsonObject, objectIn } from "./read-value.ts";

/** Kinds of devices. */
type Device = "desktop" | "mobile" | "tablet";

/** How SDKs and tables name a kind of device, in lower case; other names say nothing of it. */
const DEVICE_OF_NAME: ReadonlyMap<string, Device> = new Map<string, Device>([
  ["desktop", "desktop"],
  ["mobile", "mobile"],
  ["ios", "mobile"],
  ["android", "mobile"],
  ["phone", "mobile"],
  ["smartphone", "mobile"],
  ["tablet", "tablet"],
]);

/** A Tablet PC is a desktop. */
const TABLET_AGENT = /iPad|Tablet(?! PC)/i;
const MOBILE_AGENT = /Mobile|iPhone|iPod/i;

/**
 * The kind of device a call came from, by its context: as `device.type` says, else by the browser's hints
 * (`userAgentData`), else by the user agent. Null where nothing says.
 */
export function deviceOf(context: JsonObject): Device | null {
  return statedDevice(objectIn(context, "device")) ?? hintedDevice(context) ?? agentDevice(context);
}

/** Apple's SDKs say `ios` of tablets, too; the model tells. */
function statedDevice({ type, model }: JsonObject): Device | undefined {
  const device = typeof type === "string" ? DEVICE_OF_NAME.get(type.toLowerCase()) : undefined;
  return device === "mobile" && typeof model === "string" && TABLET_AGENT.test(model)
    ? "tablet"
    : device;
}

/** Chrome on an Android tablet says that it is not mobile. */
function hintedDevice(context: JsonObject): Device | undefined {
  const { mobile, platform } = objectIn(context, "userAgentData");
  if (typeof mobile !== "boolean") {
    return undefined;
  }
  return mobile ? "mobile" : platform === "Android" ? "tablet" : "desktop";
}

function agentDevice(context: JsonObject): Device | null {
  const agent = context["userAgent"];
  if (typeof agent !== "string" || agent.trim() === "") {
    return null;
  }
  if (TABLET_AGENT.test(agent)) {
    return "tablet";
  }
  if (MOBILE_AGENT.test(agent)) {
    return "mobile";
  }
  return agent.includes("Android") ? "tablet" : "desktop";
}

/** SQL for the kind of device that a text names; NULL where it names none. */
export function deviceSql(text: string): string {
  const cases = [...DEVICE_OF_NAME].map(
    ([name, device]) => `WHEN ${literal(name)} THEN ${literal(device)}`,
  );
  return `CASE lower(${text}) ${cases.join(" ")} END`;
}
