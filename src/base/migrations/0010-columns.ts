/** What the line says of its product's category and of the device, while it waits in the inbox. */
export const columnsSchema = `
ALTER TABLE inbox ADD COLUMN category TEXT;
ALTER TABLE inbox ADD COLUMN device TEXT;
`;
