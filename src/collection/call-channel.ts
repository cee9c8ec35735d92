import { CHANNELS, type Channel } from "./event.ts";
import { CHANNEL_OF_EVENT } from "./event-names.ts";
import { type JsonObject, objectIn, storableText, valueAt } from "./read-value.ts";
import type { SourceRules } from "./source-rules.ts";

/** How RudderStack's SDKs name theirs; a server is no channel. */
const STATED: Readonly<Record<string, Channel>> = { web: "web", mobile: "app" };

const BROWSER_LIBRARY = /^(analytics\.js|analytics-next|RudderLabs JavaScript SDK)/i;
const APP_LIBRARY = /ios|swift|android|kotlin|react-native|flutter|unity/i;

/**
 * Where a call happened: as its event's name says, else as the source states, else as the call shows (its
 * type, library or device). Null where nothing says.
 */
export function channelOf(
  call: { readonly type: string; readonly channel: unknown; readonly context: JsonObject },
  name: string | null,
  rules: SourceRules,
): Channel | null {
  return (
    (name === null ? undefined : CHANNEL_OF_EVENT.get(name)) ??
    rules.channel ??
    statedChannel(call.channel ?? call.context["channel"]) ??
    shownChannel(call.type, call.context)
  );
}

function statedChannel(given: unknown): Channel | undefined {
  return typeof given === "string"
    ? (STATED[given] ?? CHANNELS.find((channel) => channel === given))
    : undefined;
}

function shownChannel(type: string, context: JsonObject): Channel | null {
  const library = objectIn(context, "library")["name"];
  const name = typeof library === "string" ? library : "";
  if (type === "screen" || APP_LIBRARY.test(name)) {
    return "app";
  }
  return type === "page" || BROWSER_LIBRARY.test(name) ? "web" : null;
}

/** The campaign that a call answers or is part of; null where it names none. */
export function campaignOf(
  properties: JsonObject,
  context: JsonObject,
  rules: SourceRules,
): string | null {
  const path = rules.properties.get("campaign");
  return (
    (path === undefined ? undefined : storableText(valueAt(properties, path))) ??
    storableText(objectIn(context, "campaign")["name"]) ??
    storableText(properties["campaign_name"]) ??
    storableText(properties["utm_campaign"]) ??
    storableText(properties["campaign"]) ??
    null
  );
}
