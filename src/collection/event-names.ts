import type { Channel } from "./event.ts";

/** Event names with a meaning of their own here. */
export const EventName = {
  orderCompleted: "Order Completed",
  orderRefunded: "Order Refunded",
  orderCancelled: "Order Cancelled",
  pageViewed: "Page Viewed",
  screenViewed: "Screen Viewed",
} as const;

/** Both take goods back: by product, or all that is left of the order where they name no product. */
export const REFUND_EVENTS: readonly string[] = [EventName.orderRefunded, EventName.orderCancelled];

/** Events that say someone is looking. */
export const BROWSING_EVENTS: readonly string[] = [
  EventName.pageViewed,
  "Products Searched",
  "Product List Viewed",
  "Product List Filtered",
  "Promotion Clicked",
  "Product Clicked",
  "Product Viewed",
  "Product Added",
  "Product Removed",
  "Cart Viewed",
  "Checkout Started",
  "Checkout Step Viewed",
  "Checkout Step Completed",
  "Payment Info Entered",
  "Product Added to Wishlist",
];

/** The Segment e-commerce spec v2, and ours of page and screen calls. Where one happened it has to say. */
const SHOP_EVENTS = [
  ...Object.values(EventName),
  ...BROWSING_EVENTS,
  "Promotion Viewed",
  "Order Updated",
  "Coupon Entered",
  "Coupon Applied",
  "Coupon Denied",
  "Coupon Removed",
  "Product Removed from Wishlist",
  "Wishlist Product Added to Cart",
  "Product Shared",
  "Cart Shared",
  "Product Reviewed",
];

/**
 * Names that say by themselves where the event happened. E-mail and live chat as Segment's e-mail and
 * live chat specs name them ("Email Sent" is ours: theirs begins at the delivery); calls and ads have
 * no spec there, their names are ours.
 */
const CHANNEL_EVENTS: Readonly<Partial<Record<Channel, readonly string[]>>> = {
  email: [
    "Email Sent",
    "Email Delivered",
    "Email Opened",
    "Email Link Clicked",
    "Email Bounced",
    "Email Marked as Spam",
    "Unsubscribed",
  ],
  chat: [
    "Live Chat Conversation Started",
    "Live Chat Conversation Ended",
    "Live Chat Message Sent",
    "Live Chat Message Received",
  ],
  call: ["Call Started", "Call Ended", "Call Missed", "Call Transferred", "Voicemail Left"],
  ad: ["Ad Impression", "Ad Clicked"],
};

/** The channel that an event's name says, for events that state none. */
export const CHANNEL_OF_EVENT: ReadonlyMap<string, Channel> = new Map(
  (Object.entries(CHANNEL_EVENTS) as [Channel, readonly string[]][]).flatMap(([channel, names]) =>
    names.map((name) => [name, channel] as const),
  ),
);

/** Names with a meaning; others are kept and counted. */
export const KNOWN_EVENTS: ReadonlySet<string> = new Set([
  ...SHOP_EVENTS,
  ...CHANNEL_OF_EVENT.keys(),
]);
