/**
 * How many bits each octet's code has (RFC 7541, appendix B), as letters: `a` is 5 bits, `b` 6 and so on to `z`, 30. The
 * code is canonical: codes of one length count upwards in the order of the octets, so lengths say everything.
 */
const codeLengths =
  'isxxxxxxxtzxxzxxxxxxxxzxxxxxxxxxbffhibdgffdgdbbbaaabbbbbbbcdkbhfibccccccccccccccccccccccdcdioijbkaba' +
  'babbbaccbbbabcbaabccccckgjixprpprrrsrssssststtrstssssqrsrsstrqprrssqsrrtqrssqqrqsrssprrrsrrsvvporsru' +
  'vvvwwvtuoqvwwvwtqqvvxwwwptpqrqqsrruuttvsvwvvwwwwwxwwwwwv';

const shortestCode = 5;
const nibbleValues = 16;

/** A row of 16 for each inner node of the code's tree: what four more bits lead to. */
const steps = new Uint32Array(256 * nibbleValues);
const emits = 0x100;
const fails = 0x200;
const symbolShift = 16;
/** Whether the bits since the last octet may be padding: at most seven ones. */
const mayEnd = new Uint8Array(256);

buildSteps();

function buildSteps(): void {
  const zero: number[] = [];
  const one: number[] = [];
  const newNode = (): number => {
    zero.push(-1);
    return one.push(-1) - 1;
  };
  newNode();
  const leaf = 1_000;
  const order = Array.from(codeLengths, (letter, octet) => ({ octet, bits: letter.charCodeAt(0) - 97 + shortestCode }));
  order.sort((a, b) => a.bits - b.bits || a.octet - b.octet);
  let code = 0;
  let codeBits = shortestCode;
  for (const { octet, bits } of [...order, { octet: 256, bits: 30 }]) {
    code <<= bits - codeBits;
    codeBits = bits;
    let node = 0;
    for (let bit = bits - 1; bit >= 0; bit -= 1) {
      const side = (code >>> bit) & 1 ? one : zero;
      if (bit === 0) side[node] = leaf + octet;
      else if (side[node] === -1) side[node] = newNode();
      node = side[node]!;
    }
    code += 1;
  }
  for (let start = 0; start < zero.length; start += 1) {
    for (let nibble = 0; nibble < nibbleValues; nibble += 1) {
      let node = start;
      let step = 0;
      for (let bit = 3; bit >= 0; bit -= 1) {
        node = ((nibble >>> bit) & 1 ? one : zero)[node]!;
        if (node < leaf) continue;
        if (node === leaf + 256) step = fails; // EOS must not be in a string (RFC 7541, section 5.2)
        else step = emits | ((node - leaf) << symbolShift);
        node = 0;
        if (step === fails) break;
      }
      steps[start * nibbleValues + nibble] = step | node;
    }
  }
  for (let node = 0, ones = 0; ones < 8; ones += 1, node = one[node]!) mayEnd[node] = 1;
}

/** Octets that a Huffman-coded string of so many octets has at most. */
export function decodedBytesAtMost(codedBytes: number): number {
  return Math.floor((codedBytes * 8) / shortestCode);
}

/**
 * Decodes `bytes` from `from` to `to` into `out`, which must have room for `decodedBytesAtMost`. Answers how many
 * octets it wrote; -1 where the code holds EOS or ends in other padding than up to seven ones.
 */
export function decodeHuffman(bytes: Buffer, from: number, to: number, out: Buffer): number {
  let length = 0;
  let state = 0;
  for (let at = from; at < to; at += 1) {
    const byte = bytes[at]!;
    let step = steps[(state << 4) | (byte >>> 4)]!;
    if ((step & emits) !== 0) {
      out[length] = step >>> symbolShift;
      length += 1;
    } else if ((step & fails) !== 0) return -1;
    step = steps[((step & 0xff) << 4) | (byte & 0xf)]!;
    if ((step & emits) !== 0) {
      out[length] = step >>> symbolShift;
      length += 1;
    } else if ((step & fails) !== 0) return -1;
    state = step & 0xff;
  }
  return mayEnd[state] === 1 ? length : -1;
}
