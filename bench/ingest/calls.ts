import type { Random } from "../../src/base/index.ts";

const CONTEXT = {
  library: { name: "analytics-next", version: "1.81.0" },
  page: {
    path: "/soap/lavender",
    referrer: "https://www.example.com/soap",
    title: "Lavender soap",
    url: "https://www.example.com/soap/lavender",
  },
  userAgent: "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/141.0 Safari/537.36",
  locale: "nl-NL",
  consent: { categoryPreferences: { Advertising: true, Analytics: true } },
};

/** A call of a shop's mix: in ten, six product views, one page, one cart, one order of two lines, one identify. */
export function shopCall(random: Random, messageId: string, at: string): object {
  const person = random.below(50_000);
  const who = { userId: `customer-${person}`, anonymousId: `visitor-${person}` };
  const common = { messageId, timestamp: at, ...who, context: CONTEXT };
  const product = (): object => ({
    product_id: `P${random.below(3_000)}`,
    name: "Lavender soap, 2 pieces",
    price: 1 + random.below(4_000) / 100,
    quantity: 1 + random.below(3),
  });
  const kind = random.below(10);
  if (kind === 0) {
    return { type: "page", name: "Home", ...common };
  }
  if (kind === 1) {
    const traits = { email: `customer-${person}@example.com`, city: "Utrecht" };
    return { type: "identify", traits, ...common };
  }
  const properties =
    kind === 2
      ? { order_id: `O${messageId}`, currency: "EUR", products: [product(), product()] }
      : { ...product(), category: "soap", currency: "EUR" };
  const event = kind === 2 ? "Order Completed" : kind === 3 ? "Product Added" : "Product Viewed";
  return { type: "track", event, properties, ...common };
}
