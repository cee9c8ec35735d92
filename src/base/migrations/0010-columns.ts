/**
 * Columns that features need: the product's category and the device of a line in the inbox; and of a
 * customer's lines also the campaign, whom the line names (by which refunds match) and whether that is a
 * claim. Lines of before have none of them until customers are resolved again. Orders and refunds of a
 * customer are found by an index, however much else there is.
 */
export const columnsSchema = `
ALTER TABLE inbox ADD COLUMN category TEXT;
ALTER TABLE inbox ADD COLUMN device TEXT;

ALTER TABLE recent_event ADD COLUMN category TEXT;
ALTER TABLE recent_event ADD COLUMN device TEXT;
ALTER TABLE recent_event ADD COLUMN campaign TEXT;
ALTER TABLE recent_event ADD COLUMN person TEXT;
ALTER TABLE recent_event ADD COLUMN is_claim INTEGER NOT NULL DEFAULT 0;
CREATE INDEX recent_event_order ON recent_event (identifier_id, occurred_at)
  WHERE event IN ('Order Completed', 'Order Refunded', 'Order Cancelled');
`;
