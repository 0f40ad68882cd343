/** DER of a value by hand, right or wrong: a tag byte, a length in its shortest form, and the parts one after the other. */
export function tlv(tag: number, ...parts: readonly (Uint8Array | string)[]): Buffer {
  const content = Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part, 'latin1') : part)));
  const size = content.length < 0x80 ? 0 : content.length < 0x100 ? 1 : content.length < 0x10000 ? 2 : 3;
  const length = Buffer.alloc(size);
  if (size > 0) length.writeUIntBE(content.length, 0, size);
  return Buffer.concat([Buffer.from([tag, size === 0 ? content.length : 0x80 + size]), length, content]);
}

export function hex(text: string): Buffer {
  return Buffer.from(text.replaceAll(' ', ''), 'hex');
}
